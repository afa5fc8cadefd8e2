"""Nodes that do wrong: the contract of the share store, or of the nodepool, bent in one way each.

``Machine.misbehave`` of ``testing.planet`` puts one between a node's store and its server, so what
comes out is signed with the node's own key, as a real attacker's answer would be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any, cast

import trio

from bitcloud_net.core.errors import Refused
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.manifest import AnyManifest, Manifest, content_id, parse_manifest
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.meeting import Meeting
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.net.network import Stream, StreamHandler
from bitcloud_net.nodepool.readers import Readers
from bitcloud_net.nodepool.row_store import RowStore
from bitcloud_net.protocols.audit_server import AuditServer
from bitcloud_net.protocols.share_server import ShareKeeper, StoredBlock, StoredShare
from bitcloud_net.services.nodepool.syncer import Syncer
from bitcloud_net.wire import audit_session as wire
from bitcloud_net.wire.fields import Buffer
from bitcloud_net.wire.range_index import RangeIndex, item_of

if TYPE_CHECKING:
    from bitcloud_net.protocols.sync_side import SyncedRows

Mischief = Callable[[ShareKeeper], ShareKeeper]
"""How a node goes wrong: its honest store in, the bent one out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BentBlock:
    """A block as a liar tells it; see ``share_server.StoredBlock``."""

    data: Buffer
    block_root: bytes
    block_path: Sequence[bytes]
    segment_path: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedShare:
    """A share that a liar says it stored; see ``share_server.StoredShare``."""

    cid: bytes
    share_no: int
    share_root: bytes
    share_bytes: int


class Honest(ShareKeeper):
    """Does what the store behind it does; the others override what they bend."""

    def __init__(self, store: ShareKeeper) -> None:
        self.store = store
        self.lies = 0
        """How often it did wrong."""

    async def begin(self, header: ShareHeader, salt: bytes, slot: bytes) -> int:
        """See ``ShareKeeper``."""
        return await self.store.begin(header, salt, slot)

    async def put_block(
        self, slot: bytes, share_no: int, segment_no: int, block: Buffer, segment_hash: bytes
    ) -> None:
        """See ``ShareKeeper``."""
        await self.store.put_block(slot, share_no, segment_no, block, segment_hash)

    async def finish(self, slot: bytes, share_no: int, manifest: bytes) -> StoredShare:
        """See ``ShareKeeper``."""
        return await self.store.finish(slot, share_no, manifest)

    async def put_share(
        self,
        header: ShareHeader,
        manifest: bytes,
        blocks: Sequence[Buffer],
        segment_hashes: Sequence[bytes],
    ) -> StoredShare:
        """See ``ShareKeeper``."""
        return await self.store.put_share(header, manifest, blocks, segment_hashes)

    async def abandon(self, slot: bytes, share_no: int) -> None:
        """See ``ShareKeeper``."""
        await self.store.abandon(slot, share_no)

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> StoredBlock:
        """See ``ShareKeeper``."""
        return await self.store.read_block(cid, share_no, segment_no)

    async def read_manifest(self, cid: bytes) -> bytes | None:
        """See ``ShareKeeper``."""
        return await self.store.read_manifest(cid)

    def shares_of(self, cid: bytes) -> tuple[int, ...]:
        """See ``ShareKeeper``."""
        return self.store.shares_of(cid)


class FlipsBytes(Honest):
    """Changes one bit of each block it hands out.

    With ``admits`` it signs what it sends, so that its signature convicts it before anybody;
    otherwise it signs the right root over the wrong bytes.
    """

    def __init__(self, store: ShareKeeper, *, random: Random, admits: bool = True) -> None:
        super().__init__(store)
        self._random = random
        self._admits = admits

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> StoredBlock:
        """See ``ShareKeeper``."""
        block = await self.store.read_block(cid, share_no, segment_no)
        data = bytearray(block.data)
        data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
        root = block.block_root
        if self._admits:
            salt = (await self._manifest(cid)).salt
            root = merkle.block_root(salt, share_no, segment_no, data)
        self.lies += 1
        return BentBlock(
            data=bytes(data),
            block_root=root,
            block_path=block.block_path,
            segment_path=block.segment_path,
        )

    async def _manifest(self, cid: bytes) -> AnyManifest:
        raw = await self.store.read_manifest(cid)
        assert raw is not None
        return parse_manifest(raw)


class AnswersWithAnother(Honest):
    """Answers with a good block, but of ``other``: another file, or an older version of this one.

    With ``other`` None it is the same share's next segment.
    """

    def __init__(self, store: ShareKeeper, *, other: tuple[bytes, int] | None = None) -> None:
        super().__init__(store)
        self._other = other

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> StoredBlock:
        """See ``ShareKeeper``."""
        self.lies += 1
        if self._other is not None:
            return await self.store.read_block(*self._other, segment_no)
        try:
            return await self.store.read_block(cid, share_no, segment_no + 1)
        except Refused:
            return await self.store.read_block(cid, share_no, 0)


class Stalls(Honest):
    """Waits before each answer about content: seconds, so 3600 is never."""

    def __init__(self, store: ShareKeeper, *, seconds: float) -> None:
        super().__init__(store)
        self._seconds = seconds

    async def put_block(
        self, slot: bytes, share_no: int, segment_no: int, block: Buffer, segment_hash: bytes
    ) -> None:
        """See ``ShareKeeper``."""
        await self._stall()
        await super().put_block(slot, share_no, segment_no, block, segment_hash)

    async def put_share(
        self,
        header: ShareHeader,
        manifest: bytes,
        blocks: Sequence[Buffer],
        segment_hashes: Sequence[bytes],
    ) -> StoredShare:
        """See ``ShareKeeper``."""
        await self._stall()
        return await super().put_share(header, manifest, blocks, segment_hashes)

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> StoredBlock:
        """See ``ShareKeeper``."""
        await self._stall()
        return await super().read_block(cid, share_no, segment_no)

    async def _stall(self) -> None:
        self.lies += 1
        await trio.sleep(self._seconds)


class DropsUploads(Honest):
    """Signs receipts for shares and keeps none of them."""

    def __init__(self, store: ShareKeeper) -> None:
        super().__init__(store)
        self._lengths: dict[tuple[bytes, int], int] = {}

    async def begin(self, header: ShareHeader, salt: bytes, slot: bytes) -> int:
        """See ``ShareKeeper``."""
        self._lengths[slot, header.share_no] = header.layout.share_bytes
        return 0

    async def put_block(
        self, slot: bytes, share_no: int, segment_no: int, block: Buffer, segment_hash: bytes
    ) -> None:
        """See ``ShareKeeper``."""

    async def finish(self, slot: bytes, share_no: int, manifest: bytes) -> StoredShare:
        """See ``ShareKeeper``."""
        return self._claim(manifest, share_no, self._lengths.pop((slot, share_no)))

    async def put_share(
        self,
        header: ShareHeader,
        manifest: bytes,
        blocks: Sequence[Buffer],
        segment_hashes: Sequence[bytes],
    ) -> StoredShare:
        """See ``ShareKeeper``."""
        return self._claim(manifest, header.share_no, header.layout.share_bytes)

    def _claim(self, raw: bytes, share_no: int, share_bytes: int) -> ClaimedShare:
        self.lies += 1
        manifest = parse_manifest(raw)
        assert isinstance(manifest, Manifest)
        return ClaimedShare(
            cid=content_id(raw),
            share_no=share_no,
            share_root=manifest.share_roots[share_no],
            share_bytes=share_bytes,
        )


class SignsAnother(Honest):
    """Stores shares well, and gives receipts for something else."""

    async def put_share(
        self,
        header: ShareHeader,
        manifest: bytes,
        blocks: Sequence[Buffer],
        segment_hashes: Sequence[bytes],
    ) -> StoredShare:
        """See ``ShareKeeper``."""
        return self._bend(await super().put_share(header, manifest, blocks, segment_hashes))

    async def finish(self, slot: bytes, share_no: int, manifest: bytes) -> StoredShare:
        """See ``ShareKeeper``."""
        return self._bend(await super().finish(slot, share_no, manifest))

    def _bend(self, stored: StoredShare) -> ClaimedShare:
        self.lies += 1
        return ClaimedShare(
            cid=stored.cid,
            share_no=stored.share_no,
            share_root=bytes(32),
            share_bytes=stored.share_bytes,
        )


class RefusesAll(Honest):
    """Says no to everything, and that it holds nothing."""

    async def begin(self, header: ShareHeader, salt: bytes, slot: bytes) -> int:
        """See ``ShareKeeper``."""
        raise self._no()

    async def put_share(
        self,
        header: ShareHeader,
        manifest: bytes,
        blocks: Sequence[Buffer],
        segment_hashes: Sequence[bytes],
    ) -> StoredShare:
        """See ``ShareKeeper``."""
        raise self._no()

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> StoredBlock:
        """See ``ShareKeeper``."""
        raise self._no()

    async def read_manifest(self, cid: bytes) -> bytes | None:
        """See ``ShareKeeper``."""
        raise self._no()

    def shares_of(self, cid: bytes) -> tuple[int, ...]:
        """See ``ShareKeeper``."""
        return ()

    def _no(self) -> Refused:
        self.lies += 1
        return Refused("I would rather not", code="not-permitted")


class _ShyReads:
    """Reads for sessions (``nodepool.session_reads``) that keep some rows from everybody."""

    def __init__(self, rows: RowStore, kept_back: Callable[[SignedRow], bool]) -> None:
        self._rows = rows
        self._kept_back = kept_back

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows.reads, name)

    async def view(self, meeting: Meeting) -> dict[int, RangeIndex]:
        """See ``SessionReads``."""
        view = await self._rows.reads.view(meeting)
        for row in await self._all():
            if row.table in view and self._kept_back(row):
                view[row.table].change(remove=[item_of(row.period, row.id)])
        return view

    async def raws(
        self, of: int, ids: Sequence[bytes], *, readers: Readers, max_bytes: int
    ) -> tuple[int, list[bytes]]:
        """See ``SessionReads``."""
        hidden = {row.id for row in await self._all() if self._kept_back(row)}
        shown = [row_id for row_id in ids if row_id not in hidden]
        _, raws = await self._rows.reads.raws(of, shown, readers=readers, max_bytes=max_bytes)
        return len(ids), raws

    async def _all(self) -> list[SignedRow]:
        found = await self._rows.database.read(
            lambda db: db.execute("SELECT raw FROM np_row").fetchall()
        )
        return [SignedRow.parse(raw) for (raw,) in found]


class LeavesOut:
    """A nodepool that keeps some rows from others: the contract of
    ``services.nodepool.syncer.SyncedRows``, with those rows bent away. What others send is taken as
    ever.
    """

    def __init__(self, rows: RowStore, kept_back: Callable[[SignedRow], bool]) -> None:
        self._rows = rows
        self.reads = _ShyReads(rows, kept_back)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)


def leave_out(syncer: Syncer, rows: RowStore, kept_back: Callable[[SignedRow], bool]) -> None:
    """Let a node keep rows from everybody it has sessions with from now on."""
    shy = cast("SyncedRows", LeavesOut(rows, kept_back))
    syncer._side = replace(syncer._side, rows=shy)


# Audits answered wrongly: an honest server in, what the node answers with out.


def signs_with_another_key(server: AuditServer) -> StreamHandler:
    """Sign every answer with a key that is not the node's."""
    return AuditServer(SigningKey(bytes(32)), lambda: None, server.now_s).handle


def stalls_in_audits(server: AuditServer, *, seconds: float) -> StreamHandler:
    """Answer pings at once, and all else so much later."""

    class Stalling(AuditServer):
        async def answer(self, request: wire.Request, peer: NodeId) -> wire.Reply:
            if not isinstance(request, wire.Ping):
                await trio.sleep(seconds)
            return await super().answer(request, peer)

    return Stalling(server.key, lambda: None, server.now_s).handle


def refuses_audits(server: AuditServer) -> StreamHandler:
    """Be there, and answer nothing."""

    class Refusing(AuditServer):
        async def answer(self, request: wire.Request, peer: NodeId) -> wire.Reply:
            if isinstance(request, wire.Ping):
                return await super().answer(request, peer)
            raise Refused("I would rather not", code="not-permitted")

    return Refusing(server.key, lambda: None, server.now_s).handle


def babbles(server: AuditServer) -> StreamHandler:
    """Answer with garbage."""

    async def babble(stream: Stream) -> None:
        while await stream.receive():
            await stream.send(b"\xff" * 30)

    return babble


def is_silent(server: AuditServer) -> StreamHandler:
    """Take questions and never answer."""

    async def listen(stream: Stream) -> None:
        while await stream.receive():
            await trio.lowlevel.checkpoint()

    return listen
