"""Reading one stored file: from its holders' blocks back to checked segments.

For each segment the fastest k holders are asked, those of primary shares first. Whoever is late,
gone or wrong is replaced by a spare at once (hedging); the first k good blocks win and the rest
is cancelled. Every block is checked against its signed share root before the decoder sees it, and
the decoded segment against the ciphertext root; a wrong block names its node with that node's own
signature as evidence. ``WINDOW`` segments are fetched ahead of the reader, never more than the
reader asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import (
    BitcloudError,
    CorruptBlock,
    Malformed,
    PeerFault,
    Unavailable,
)
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.erasure import get_coder
from bitcloud_net.core.files.manifest import Manifest
from bitcloud_net.core.files.sealing import FileKeys, open_segment, segment_hash
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.false_claims import BlockClaim, SaidBlock
from bitcloud_net.tasks import open_tasks
from bitcloud_net.transfer.scoreboard import Scoreboard
from bitcloud_net.transfer.window import in_order
from bitcloud_net.wire import share_session as wire
from bitcloud_net.wire.fields import Buffer

WINDOW: Final = 4
"""Segments under way ahead of the reader: about 4 MiB, enough for 200 Mbit/s at 150 ms."""
BLOCK_S: Final = 30.0
"""A holder that has not answered by then counts as gone for this segment."""


class Giver(Protocol):
    """A storage node that hands out blocks (``protocols.share_client.ShareClient``)."""

    @property
    def node(self) -> NodeId: ...
    async def get_block(self, cid: bytes, share_no: int, segment_no: int) -> wire.Block: ...


FaultListener = Callable[[PeerFault], None]
"""Told of each provable fault of a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that is to be read: its manifest, and who holds which share."""

    cid: bytes
    manifest: Manifest
    holders: Mapping[int, NodeId]  # share number to node; missing shares are left out


class Download:
    """Reads the segments of one file, as long as its reader likes.

    With ``keys`` segments come out plain (with the padding's zeros); without, as ciphertext,
    checked but sealed: what a gateway or a repairer with a verify cap does.
    """

    def __init__(
        self,
        file: StoredFile,
        keys: FileKeys | None,
        givers: Callable[[NodeId], Giver],
        scores: Scoreboard,
        on_fault: FaultListener = lambda fault: None,
    ) -> None:
        self._file = file
        self._keys = keys
        self._givers = givers
        self._scores = scores
        self._on_fault = on_fault
        self._coder = get_coder(file.manifest.k, file.manifest.n)
        self._bad: set[int] = set()  # shares that proved wrong; never asked again here

    def segments(self, first: int, last: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open the segments ``first`` … ``last - 1``, in order.

        Raises (where the segment would have come):
            Unavailable: ``too-few-shares`` with ``have`` and ``need``; ``file-broken`` when the
                publisher stored shares that contradict each other.
        """
        return in_order(self.segment, first, last, window=WINDOW)

    async def segment(self, index: int) -> bytes:
        """Return one segment. Cancel: safe. Raises as ``segments`` does."""
        race = _Race(self, index)
        while True:
            blocks = await race.run()
            segment, wrong = await trio.to_thread.run_sync(self._assemble, index, blocks)
            if not wrong:
                return segment
            for share_no in wrong:
                self._blame(index, share_no, blocks[share_no])
                race.drop(share_no)

    async def sealed_segment(self, index: int) -> bytes:
        """Return one segment's ciphertext, checked; for a download without keys."""
        assert self._keys is None
        return await self.segment(index)

    def _assemble(self, index: int, blocks: Mapping[int, wire.Block]) -> tuple[bytes, list[int]]:
        """Check and decode in a worker thread; return the segment, or which shares are wrong."""
        manifest = self._file.manifest
        wrong = [no for no, block in blocks.items() if not proves(manifest, index, no, block)]
        if wrong:
            return b"", wrong
        try:
            data = {no: block.block for no, block in blocks.items()}
            sealed = self._coder.decode_view(data, manifest.sealed_bytes(index))
            _check_segment(manifest, index, sealed, blocks)
            if self._keys is None:
                return bytes(sealed), []
            last = manifest.layout.is_last(index)
            params = manifest.params
            return open_segment(self._keys, sealed, index=index, last=last, params=params), []
        except Malformed as error:
            raise Unavailable(
                "this file was published broken: its shares contradict each other; "
                "nobody but its publisher can mend it",
                code="file-broken",
            ) from error

    def _blame(self, index: int, share_no: int, block: wire.Block) -> None:
        self._bad.add(share_no)
        node = self._file.holders[share_no]
        self._scores.failed(node)
        self._on_fault(fault_of(self._file, index, share_no, node, block))

    def candidates(self) -> list[tuple[int, NodeId]]:
        """Return the shares that may still be asked for, best first."""
        usable = ((no, node) for no, node in self._file.holders.items() if no not in self._bad)
        return self._scores.order(usable, self._file.manifest.k)


class _Race:
    """k good blocks of one segment, from whoever is fastest."""

    def __init__(self, download: Download, index: int) -> None:
        self._download = download
        self._index = index
        self._need = download._file.manifest.k
        self._good: dict[int, wire.Block] = {}
        self._asked: set[int] = set()

    def drop(self, share_no: int) -> None:
        """Forget a block that proved wrong."""
        del self._good[share_no]

    async def run(self) -> Mapping[int, wire.Block]:
        """Return k blocks, unchecked; may be called again after ``drop``."""
        send, receive = trio.open_memory_channel[tuple[int, wire.Block | None]](128)
        pending: set[int] = set()
        spares = 1  # for each block that is missing when the first ones are late
        async with open_tasks() as nursery:

            def ask(count: int) -> None:
                choices = [c for c in self._download.candidates() if c[0] not in self._asked]
                for share_no, node in choices[:count]:
                    self._asked.add(share_no)
                    pending.add(share_no)
                    nursery.start_soon(self._ask, share_no, node, send)

            ask(self._missing)
            while self._missing:
                if not pending:
                    ask(self._missing)
                if not pending:
                    raise self._too_few()
                with trio.move_on_after(self._download._scores.hedge_after(self._need)) as late:
                    share_no, block = await receive.receive()
                    pending.discard(share_no)
                    if block is None:
                        ask(1)
                    else:
                        self._good[share_no] = block
                if late.cancelled_caught:
                    # Ever more at once: one by one, seven silent nodes of ten would take 3 s.
                    ask(spares * self._missing)
                    spares *= 2
            nursery.cancel_scope.cancel()
        self._asked -= pending  # they were only late: if what came first is wrong, they are needed
        return dict(self._good)

    @property
    def _missing(self) -> int:
        return self._need - len(self._good)

    async def _ask(
        self,
        share_no: int,
        node: NodeId,
        send: trio.MemorySendChannel[tuple[int, wire.Block | None]],
    ) -> None:
        download, scores = self._download, self._download._scores
        started = trio.current_time()
        block: wire.Block | None = None
        answered = False
        try:
            with trio.move_on_after(BLOCK_S):
                block = await download._givers(node).get_block(
                    download._file.cid, share_no, self._index
                )
                scores.answered(node, trio.current_time() - started)
            answered = True
        except PeerFault as fault:
            download._on_fault(fault)
        except BitcloudError:
            pass
        finally:
            if not answered:  # gone, or the race was won without it
                scores.late(node, trio.current_time() - started)
        if block is None:
            scores.failed(node)
        await send.send((share_no, block))

    def _too_few(self) -> Unavailable:
        have, need = len(self._good), self._need
        return Unavailable(
            f"only {have} of the {need} shares that are needed can be had at the moment; "
            "try again when more nodes are online",
            code="too-few-shares",
            have=have,
            need=need,
        )


def proves(manifest: Manifest, index: int, share_no: int, block: wire.Block) -> bool:
    """Whether a block is the one that the manifest fixes."""
    if len(block.block) != manifest.block_bytes(index):
        return False
    root = merkle.block_root(manifest.salt, share_no, index, block.block)
    try:
        merkle.check_path(
            root, index, manifest.segment_count, block.block_path, manifest.share_roots[share_no]
        )
    except Malformed:
        return False
    return True


def _check_segment(
    manifest: Manifest, index: int, sealed: Buffer, blocks: Mapping[int, wire.Block]
) -> None:
    """Check a decoded segment against the ciphertext root, by any of the paths that came."""
    found = segment_hash(manifest.salt, index, sealed)
    error: Malformed | None = None
    for block in blocks.values():
        try:
            merkle.check_path(
                found,
                index,
                manifest.segment_count,
                block.segment_path,
                manifest.ciphertext_root,
            )
        except Malformed as caught:
            error = caught
        else:
            return
    raise error or Malformed("no path to the ciphertext root")


def fault_of(
    file: StoredFile, index: int, share_no: int, node: NodeId, block: wire.Block
) -> PeerFault:
    """Describe a wrong block, with what the node claimed by it: its signature over just these bytes
    convicts it.
    """
    claim = BlockClaim(
        cid=file.cid,
        share_no=share_no,
        segment_no=index,
        block_root=merkle.block_root(file.manifest.salt, share_no, index, block.block),
        block_path=block.block_path,
        period=0,
    )
    said = SaidBlock(
        node=node, manifest=file.manifest.encode(), claim=claim, signature=block.signature
    )
    return CorruptBlock(
        f"node {node.hex()[:8]} sent a wrong block {index} of share {share_no}",
        peer=node,
        said=said,
        cid=file.cid.hex(),
        share=share_no,
        segment=index,
    )
