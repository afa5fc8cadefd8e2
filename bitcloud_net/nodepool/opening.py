"""Opening the two databases of a nodepool, and setting a damaged one aside."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol, TypeVar

import trio

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.nodepool.database import Database, Runner, open_database, set_aside
from bitcloud_net.nodepool.migrate import NODEPOOL
from bitcloud_net.nodepool.own_rows import OwnRows
from bitcloud_net.nodepool.seal import break_seal, seal

log = logging.getLogger(__name__)


class Startable(Protocol):
    """What is made of an open database (``nodepool.row_store``)."""

    async def start(self, *, check: bool) -> None: ...


_S = TypeVar("_S", bound=Startable)


async def started(
    stack: AsyncExitStack, path: Path, run: Runner, make: Callable[[Database], _S]
) -> _S:
    """Open and load the database, which ``stack`` closes; nothing stays open when that fails."""
    async with AsyncExitStack() as attempt:
        was_sealed = await run(lambda: break_seal(path))
        opening = open_database(path, NODEPOOL, durable=False, run=run)
        store = make(await attempt.enter_async_context(opening))
        await store.start(check=not was_sealed)
        await stack.enter_async_context(attempt.pop_all())
    return store


async def sealed(path: Path, run: Runner, kind: type[BaseException] | None, *_: object) -> None:
    """Seal what was closed in good order; what ended with an error is looked at again."""
    if kind is None or issubclass(kind, trio.Cancelled):
        with trio.CancelScope(shield=True):
            await run(lambda: seal(path))


def open_own(path: Path) -> OwnRows:
    """Open the own rows; damaged ones are set aside and begun anew."""
    try:
        return OwnRows(path)
    except LocalFault as fault:
        if fault.code != "database-damaged":
            raise
        log.error("the own rows are damaged and are being rebuilt: %s", fault)
        set_aside(path)
        return OwnRows(path)
