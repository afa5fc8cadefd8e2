"""Going through all shares slowly, to find bit rot before a reader does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import trio

from bitcloud_net.clock import Clock
from bitcloud_net.core.errors import LocalFault, Refused
from bitcloud_net.core.units import MIB
from bitcloud_net.storage.share_store import ShareStore
from bitcloud_net.storage.store_layout import ShareName

SCRUB_BYTES_PER_S = 8 * MIB
"""Reading rate: 4.6 TiB in the 7 days of a full pass (security.md, R5), yet little for a disk."""
_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrubProgress:
    """How far a pass is. ``damaged`` names the shares that were found wrong."""

    checked: int = 0
    checked_bytes: int = 0
    damaged: tuple[ShareName, ...] = ()


async def scrub(
    store: ShareStore,
    progress: Callable[[ScrubProgress], None] = lambda _: None,
    *,
    bytes_per_s: int = SCRUB_BYTES_PER_S,
    clock: Clock | None = None,
) -> ScrubProgress:
    """Read and hash every share once; ``progress`` is called after each one and must not wait.

    Shares that come or go meanwhile may or may not be looked at. Cancel: safe; the marks made so
    far stay.

    Raises:
        LocalFault: ``index-failed``.
    """
    now_s = (clock or Clock()).now_s
    so_far = ScrubProgress()
    last: ShareName | None = None
    while names := await store.names_after(last, _BATCH):
        for name in names:
            before = so_far.checked_bytes
            so_far = await _check(store, name, so_far, now_s())
            progress(so_far)
            await trio.sleep((so_far.checked_bytes - before) / bytes_per_s)
        last = names[-1]
    return so_far


async def _check(
    store: ShareStore, name: ShareName, so_far: ScrubProgress, now_s: int
) -> ScrubProgress:
    try:
        file_bytes = await store.check_share(name, now_s)
    except Refused:
        return so_far  # removed meanwhile
    except LocalFault as fault:
        if fault.code != "share-damaged":
            raise
        return replace(so_far, checked=so_far.checked + 1, damaged=(*so_far.damaged, name))
    return replace(
        so_far,
        checked=so_far.checked + 1,
        checked_bytes=so_far.checked_bytes + file_bytes,
    )
