"""Checking one stored file: who still has its shares and, with proof, whether they are right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import BitcloudError, PeerFault, Refused, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.tasks import open_tasks
from bitcloud_net.transfer.download import BLOCK_S, Giver, StoredFile, fault_of, proves
from bitcloud_net.transfer.window import in_order

ASK_S: Final = 5.0
"""A holder that does not say within this time what it has counts as off."""
VERIFY_WINDOW: Final = 2
"""Blocks of one share under way while it is verified; all shares are verified at once."""


class Keeper(Giver, Protocol):
    """A storage node that can be asked what it has (``protocols.share_client.ShareClient``)."""

    async def find(self, cids: tuple[bytes, ...]) -> tuple[tuple[int, ...], ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found: the good shares, and for each other one why it is not."""

    good: frozenset[int]
    faults: Mapping[int, BitcloudError] = field(default_factory=dict)
    verified: bool = False


Keepers = Callable[[NodeId], Keeper]


async def inspect(file: StoredFile, keepers: Keepers) -> Inspection:
    """Ask every holder whether it has its share. Takes their word for it. Cancel: safe."""
    return await _each(file, lambda no, node: _ask(file, no, keepers(node)), verified=False)


async def verify_file(
    file: StoredFile, keepers: Keepers, progress: Callable[[int], None] = lambda count: None
) -> Inspection:
    """Read and check every block of every share. Cancel: safe.

    ``progress`` is told how many share bytes were checked since the last call.
    """

    async def verify(share_no: int, node: NodeId) -> None:
        await _verify_share(file, share_no, keepers(node), progress)

    return await _each(file, verify, verified=True)


async def _each(
    file: StoredFile, look: Callable[[int, NodeId], object], *, verified: bool
) -> Inspection:
    good: set[int] = set()
    faults: dict[int, BitcloudError] = {}

    async def one(share_no: int, node: NodeId) -> None:
        try:
            await look(share_no, node)  # type: ignore[misc]
            good.add(share_no)
        except BitcloudError as error:
            faults[share_no] = error

    async with open_tasks() as nursery:
        for share_no, node in file.holders.items():
            nursery.start_soon(one, share_no, node)
    return Inspection(good=frozenset(good), faults=faults, verified=verified)


async def _ask(file: StoredFile, share_no: int, keeper: Keeper) -> None:
    with trio.move_on_after(ASK_S):
        (shares,) = await keeper.find((file.cid,))
        if share_no not in shares:
            raise Refused("the node no longer has its share", code="share-missing")
        return
    raise Unavailable("the node does not answer", code="node-unreachable")


async def _verify_share(
    file: StoredFile, share_no: int, keeper: Keeper, progress: Callable[[int], None]
) -> None:
    manifest = file.manifest

    async def block(index: int) -> int:
        with trio.move_on_after(BLOCK_S):
            answer = await keeper.get_block(file.cid, share_no, index)
            if not await trio.to_thread.run_sync(proves, manifest, index, share_no, answer):
                raise fault_of(file, index, share_no, keeper.node, answer)
            return len(answer.block)
        raise Unavailable("the node does not answer", code="node-unreachable")

    async with in_order(block, 0, manifest.segment_count, window=VERIFY_WINDOW) as blocks:
        async for length in blocks:
            progress(length)


def provable(inspection: Inspection) -> list[PeerFault]:
    """Return the faults that name a node."""
    return [error for error in inspection.faults.values() if isinstance(error, PeerFault)]
