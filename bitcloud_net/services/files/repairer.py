"""Checking files and making lost shares anew, on a person's order and for files still at risk.

Checking asks every holder; *verifying* reads and checks every byte of every share. Repair rebuilds
what is missing from the ciphertext alone and puts it where it was, or, when that node is gone and
the file is the person's own, on a node that has no share yet; then a new placement row says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bitcloud_net.core.errors import BitcloudError, PeerFault, Refused, Unavailable
from bitcloud_net.core.files.health import classify
from bitcloud_net.core.files.manifest import InlineManifest, Manifest
from bitcloud_net.core.keys import NodeId, PublicKey
from bitcloud_net.protocols.share_client import ShareClients
from bitcloud_net.services.files.library import Library
from bitcloud_net.services.files.reader import Found, Reader
from bitcloud_net.services.grid import Grid
from bitcloud_net.transfer.inspect import Inspection, inspect, provable, verify_file
from bitcloud_net.transfer.rebuild import rebuild
from bitcloud_net.views import Health, HealthState, Holder

Progress = Callable[[int, int], None]
"""Told bytes through and bytes in all, of the shares that are checked or made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A file's health and who holds what."""

    found: Found
    health: Health
    holders: tuple[Holder, ...]
    inspection: Inspection


class Repairer:
    """Checks and repairs stored files. Errors as ``Reader.find``."""

    def __init__(
        self,
        reader: Reader,
        library: Library,
        grid: Grid,
        clients: ShareClients,
        user: PublicKey,
        *,
        now_s: Callable[[], int],
        on_fault: Callable[[PeerFault], None],
    ) -> None:
        self._reader = reader
        self._library = library
        self._grid = grid
        self._clients = clients
        self._user = user
        self._now_s = now_s
        self._on_fault = on_fault

    async def check(
        self, found: Found, *, verify: bool = False, progress: Progress = lambda done, total: None
    ) -> Checked:
        """Look how many shares of a file are there. Cancel: safe."""
        if isinstance(found.manifest, InlineManifest):
            health = Health(
                state=HealthState.HEALTHY, alive=0, total=0, needed=0, checked_s=self._now_s()
            )
            return Checked(
                found=found, health=health, holders=(), inspection=Inspection(good=frozenset())
            )
        if verify:
            total = found.manifest.share_bytes * len(found.placed)
            done = 0

            def count(length: int) -> None:
                nonlocal done
                done += length
                progress(done, total)

            inspection = await verify_file(found.stored, self._clients.of, count)
        else:
            inspection = await inspect(found.stored, self._clients.of)
        for fault in provable(inspection):
            self._on_fault(fault)
        return Checked(
            found=found,
            health=self._health(found.manifest, inspection),
            holders=_holders(found, inspection),
            inspection=inspection,
        )

    async def repair(
        self, found: Found, *, verify: bool = False, progress: Progress = lambda done, total: None
    ) -> Checked:
        """Make missing shares anew and return the health afterwards. Cancel: safe; resumes.

        Raises:
            Unavailable: ``too-few-shares``: nothing can be rebuilt at the moment.
        """
        checked = await self.check(found, verify=verify)
        if isinstance(found.manifest, InlineManifest):
            return checked
        targets = await self._targets(found, checked.inspection)
        if not targets:
            return checked
        total = found.manifest.segment_count
        good = {no: node for no, node in found.placed.items() if no in checked.inspection.good}
        source = _with_holders(found, good)
        receipts = await rebuild(
            source.stored,
            self._reader.download(source, None),
            {no: self._clients.of(node) for no, node in targets.items()},
            lambda done: progress(done, total),
        )
        placed = {**found.placed, **{no: targets[no] for no in receipts}}
        if placed != dict(found.placed) and self._is_mine(found):
            await self._place(found, placed)
        return await self.check(_with_holders(found, placed))

    async def _targets(self, found: Found, inspection: Inspection) -> Mapping[int, NodeId]:
        """Choose where each missing share goes: back to its holder, or to a node without one."""
        assert isinstance(found.manifest, Manifest)
        missing = [no for no in range(found.manifest.n) if no not in inspection.good]
        targets = {
            no: found.placed[no]
            for no in missing
            if no in found.placed and self._takes_again(inspection.faults.get(no))
        }
        homeless = [no for no in missing if no not in targets]
        if homeless and self._is_mine(found):
            spare = await self._grid.replacements(list(found.placed.values()), len(homeless))
            targets.update(zip(homeless, spare, strict=False))
        return targets

    @staticmethod
    def _takes_again(fault: BitcloudError | None) -> bool:
        """Whether the holder is there and just lost its share; a liar gets nothing again."""
        return isinstance(fault, Refused)

    def _is_mine(self, found: Found) -> bool:
        return found.owner == self._user

    async def _place(self, found: Found, placed: Mapping[int, NodeId]) -> None:
        assert isinstance(found.manifest, Manifest)
        holders = tuple(placed.get(no, NodeId(b"")) for no in range(found.manifest.n))
        await self._library.place_again(found.cid, found.manifest.encode(), holders)

    def _health(self, manifest: Manifest, inspection: Inspection) -> Health:
        alive = len(inspection.good)
        return Health(
            state=HealthState(classify(alive, manifest.k, manifest.n).value),
            alive=alive,
            total=manifest.n,
            needed=manifest.k,
            checked_s=self._now_s(),
            verified=inspection.verified,
        )


def _with_holders(found: Found, placed: Mapping[int, NodeId]) -> Found:
    return replace(found, placed=placed)


def _holders(found: Found, inspection: Inspection) -> tuple[Holder, ...]:
    holders = []
    for share_no, node in sorted(found.placed.items()):
        fault = inspection.faults.get(share_no)
        wrong = None if fault is None or isinstance(fault, Unavailable) else fault.code
        alive = share_no in inspection.good
        holders.append(Holder(node=node.hex(), share=share_no, alive=alive, fault=wrong))
    return tuple(holders)
