"""The storage node's side of the share protocol: take shares in, hand blocks out.

One call of ``ShareServer.handle`` serves one client's stream until it ends. Inside, one task
receives, one sends, two read blocks from the disk, and each upload under way has one that writes;
queues between them are short, so a client that is faster than our disk is held back by its own
window. What a client may ask at once is bounded; more is answered ``busy`` or waits on the wire.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol
from unicodedata import normalize

import trio
from blake3 import blake3

from bitcloud_net.core.errors import (
    BadInput,
    BadMessage,
    BitcloudError,
    LocalFault,
    Malformed,
    Refused,
    Unavailable,
)
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.sealing import UPLOAD_ID_BYTES
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.trust.false_claims import BLOCK_KIND, BlockClaim
from bitcloud_net.core.units import MIB
from bitcloud_net.net.network import Stream
from bitcloud_net.tasks import open_tasks
from bitcloud_net.wire import share_session as wire
from bitcloud_net.wire.fields import Buffer
from bitcloud_net.wire.frames import FrameParser, pack_frame

SLOT_CONTEXT: Final = "bitcloud v1 upload slot"
MAX_UPLOADS: Final = 64
"""Uploads under way on one stream: a folder is published eight files at a time."""
MAX_SMALL_PUTS: Final = 32
"""Small shares of one stream on their way to the disk at once; they share one group commit."""
MAX_WAITING_READS: Final = 64
"""Block questions of one stream waiting for the disk; cancelled ones leave the queue unread."""
READERS: Final = 2
"""Blocks of one stream read at the same time: one from the disk while one is sent."""
INTAKE_MESSAGES: Final = 4
"""Blocks of one upload waiting to be written, up to 1 MiB each."""
INTAKE_BYTES: Final = 32 * MIB
"""Everything of one stream that waits for the disk, whatever the limits above would allow: eight
files at a time with two blocks of 1 MiB each, twice."""
MAX_STREAMS: Final = 4
"""Streams of one client: one is enough, another may still be dying, and two are left for tools."""
ACKNOWLEDGE_BLOCKS: Final = 4
"""A ``Held`` goes out after so many blocks, or as soon as nothing more waits."""
OUTBOX_MESSAGES: Final = 4
"""Answers waiting for the stream's sender, up to 1 MiB each."""


OWN_TROUBLE: Final = "this node has trouble of its own"
"""All that a client is told of our disk, besides the code: messages for our owner name folders."""

_ANSWERED = (Refused, BadInput, LocalFault, Malformed)
"""Errors that a client is told about; anything else ends the stream or is a bug."""


class StoredShare(Protocol):
    """What the store says of a share that is durable now."""

    @property
    def cid(self) -> bytes: ...
    @property
    def share_no(self) -> int: ...
    @property
    def share_root(self) -> bytes: ...
    @property
    def share_bytes(self) -> int: ...


class StoredBlock(Protocol):
    """A block as read from the disk, checked, with its Merkle paths."""

    @property
    def data(self) -> Buffer: ...
    @property
    def block_root(self) -> bytes: ...
    @property
    def block_path(self) -> Sequence[bytes]: ...
    @property
    def segment_path(self) -> Sequence[bytes]: ...


class ShareKeeper(Protocol):
    """What the server needs of the share store (``storage.share_store``)."""

    async def begin(self, header: ShareHeader, salt: bytes, slot: bytes) -> int: ...

    async def put_block(
        self, slot: bytes, share_no: int, segment_no: int, block: Buffer, segment_hash: bytes
    ) -> None: ...

    async def finish(self, slot: bytes, share_no: int, manifest: bytes) -> StoredShare: ...

    async def put_share(
        self,
        header: ShareHeader,
        manifest: bytes,
        blocks: Sequence[Buffer],
        segment_hashes: Sequence[bytes],
    ) -> StoredShare: ...

    async def abandon(self, slot: bytes, share_no: int) -> None: ...

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> StoredBlock: ...

    async def read_manifest(self, cid: bytes) -> bytes | None: ...

    def shares_of(self, cid: bytes) -> tuple[int, ...]: ...


class ShareServer:
    """Serves the share protocol out of one store, signing as one node."""

    def __init__(self, keeper: ShareKeeper, key: SigningKey, period: Callable[[], int]) -> None:
        self.keeper = keeper
        self.key = key
        self.period = period
        self.received_bytes = 0  # of blocks taken in since the start
        self.served_bytes = 0  # of blocks handed out since the start
        self._streams: Counter[NodeId] = Counter()

    async def handle(self, stream: Stream) -> None:
        """Serve one stream until the client ends it. Cancel: safe; unfinished uploads can resume.

        Raises:
            PeerFault: the client broke the protocol.
            Unavailable: the connection is gone, or the client has ``too-many-streams``.
        """
        if self._streams[stream.peer] >= MAX_STREAMS:
            raise Unavailable("too many streams of one client", code="too-many-streams")
        self._streams[stream.peer] += 1
        try:
            async with open_tasks() as nursery:
                session = _Session(self, stream, nursery)
                await session.run()
                nursery.cancel_scope.cancel()
        finally:
            self._streams[stream.peer] -= 1
            self._streams += Counter()  # drops who has none


class _Session:
    def __init__(self, server: ShareServer, stream: Stream, nursery: trio.Nursery) -> None:
        self._server = server
        self._keeper = server.keeper
        self._stream = stream
        self._nursery = nursery
        self._outbox, self._to_send = trio.open_memory_channel[tuple[int, wire.Answer]](
            OUTBOX_MESSAGES
        )
        self._reads, self._to_read = trio.open_memory_channel[tuple[int, wire.GetBlock]](
            MAX_WAITING_READS
        )
        self._uploads: dict[tuple[bytes, int], _Intake] = {}
        self._small_puts = trio.CapacityLimiter(MAX_SMALL_PUTS)
        self._intake = _Room(INTAKE_BYTES)
        self._unread: set[int] = set()  # numbers of block questions nobody has read for yet

    async def run(self) -> None:
        self._nursery.start_soon(self._send_all)
        for _ in range(READERS):
            self._nursery.start_soon(self._read_all)
        parser = FrameParser()
        while data := await self._stream.receive():
            try:
                for frame in parser.feed(data):
                    request = wire.parse_request(frame.type, frame.head, frame.payload)
                    await self._take(frame.request, request)
            except Malformed as error:
                message = f"nonsense on the share protocol: {error}"
                raise BadMessage(message, peer=self._stream.peer) from error

    # One case per message: a table, however long.
    async def _take(self, number: int, request: wire.Request) -> None:  # noqa: C901
        match request:
            case wire.PutBlock() | wire.Finish():
                await self._continue_upload(number, request)
            case wire.GetBlock():
                self._unread.add(number)
                await self._reads.send((number, request))
            case wire.PutShare():
                place = object()
                await self._small_puts.acquire_on_behalf_of(place)
                await self._intake.take(len(request.payload))
                self._nursery.start_soon(self._put_share, number, request, place)
            case wire.Begin():
                await self._answer(number, lambda: self._begin(number, request))
            case wire.Cancel():
                self._unread.discard(request.request)
            case wire.Find():
                shares = tuple(self._held(cid) for cid in request.cids)
                await self._outbox.send((number, wire.Found(shares=shares)))
            case wire.GetManifest():
                await self._answer(number, lambda: self._manifest(request))
            case wire.Abandon():
                await self._answer(number, lambda: self._abandon(request))

    async def _send_all(self) -> None:
        async for number, answer in self._to_send:
            kind, head, payload = wire.pack(answer)
            prefix = pack_frame(number, kind, head, len(payload))
            if len(payload):
                await self._stream.send(prefix, payload)
            else:
                await self._stream.send(prefix)

    async def _answer(self, number: int, make: Callable[[], Awaitable[wire.Answer]]) -> bool:
        """Send what ``make`` returns, or why it could not; return whether it could."""
        try:
            answer = await make()
        except _ANSWERED as error:
            await self._outbox.send((number, _refusal(error)))
            return False
        await self._outbox.send((number, answer))
        return True

    # Handing out

    async def _read_all(self) -> None:
        async for number, question in self._to_read.clone():
            if number in self._unread:
                self._unread.discard(number)
                await self._answer(number, lambda question=question: self._block(question))  # type: ignore[misc]

    async def _block(self, question: wire.GetBlock) -> wire.Answer:
        cid, share_no, segment_no = question.cid, question.share_no, question.segment_no
        block = await self._keeper.read_block(cid, share_no, segment_no)
        self._server.served_bytes += len(block.data)
        claim = BlockClaim(
            cid=cid,
            share_no=share_no,
            segment_no=segment_no,
            block_root=block.block_root,
            block_path=tuple(block.block_path),
            period=self._server.period(),
        )
        return wire.Block(
            block_path=claim.block_path,
            segment_path=tuple(block.segment_path),
            signature=self._server.key.sign(BLOCK_KIND, claim.encode()),
            block=block.data,
        )

    def _held(self, cid: bytes) -> tuple[int, ...]:
        return self._keeper.shares_of(cid)[: wire.MAX_SHARES_PER_NODE]

    async def _manifest(self, question: wire.GetManifest) -> wire.Answer:
        return wire.ManifestIs(manifest=await self._keeper.read_manifest(question.cid) or b"")

    # Taking in

    def _slot(self, upload_id: bytes) -> bytes:
        """Return where an upload of this client is kept. Every holder of a file knows its upload
        id: with that alone one could begin it elsewhere, with junk, before its owner does."""
        hasher = blake3(self._stream.peer + upload_id, derive_key_context=SLOT_CONTEXT)
        return hasher.digest(length=UPLOAD_ID_BYTES)

    async def _begin(self, number: int, request: wire.Begin) -> wire.Answer:
        if len(self._uploads) >= MAX_UPLOADS:
            raise Refused("too many uploads at once; finish some first", code="busy")
        header = ShareHeader.parse(request.header)
        intake = _Intake(header.upload_id, header.share_no)
        if (old := self._uploads.get(intake.name)) is not None:
            await old.stop()  # what it still has is written first, and so counts as held
        held = await self._keeper.begin(header, request.salt, self._slot(header.upload_id))
        self._uploads[intake.name] = intake
        self._nursery.start_soon(self._take_in, intake)
        return wire.Begun(held=held)

    async def _continue_upload(self, number: int, request: wire.PutBlock | wire.Finish) -> None:
        intake = self._uploads.get((request.upload_id, request.share_no))
        if intake is not None:
            await self._intake.take(_length(request))
            if not await intake.put(number, request):
                self._intake.give(_length(request))
        elif isinstance(request, wire.Finish):
            error = Refused("this upload is not under way; begin it again", code="no-upload")
            await self._outbox.send((number, _refusal(error)))

    async def _take_in(self, intake: _Intake) -> None:
        """Write the blocks of one upload, in order, until it is finished or fails."""
        try:
            async for number, request in intake.messages:
                try:
                    if not await self._take_one(number, request, intake):
                        return
                finally:
                    self._intake.give(_length(request))
        finally:
            self._intake.give(sum(_length(request) for request in intake.end()))
            if self._uploads.get(intake.name) is intake:
                del self._uploads[intake.name]

    async def _take_one(
        self, number: int, request: wire.PutBlock | wire.Finish, intake: _Intake
    ) -> bool:
        """Carry out one message of an upload; return whether more may follow."""
        if isinstance(request, wire.PutBlock):
            return await self._write(number, request, intake)
        await self._answer(number, lambda: self._finish(request))
        return False

    async def _write(self, number: int, request: wire.PutBlock, intake: _Intake) -> bool:
        try:
            await self._keeper.put_block(
                self._slot(request.upload_id),
                request.share_no,
                request.segment_no,
                request.block,
                request.segment_hash,
            )
        except _ANSWERED as error:
            await self._outbox.send((number, _refusal(error)))
            return False
        self._server.received_bytes += len(request.block)
        intake.unacknowledged += 1
        if intake.unacknowledged >= ACKNOWLEDGE_BLOCKS or intake.empty:
            intake.unacknowledged = 0
            held = wire.Held(
                upload_id=request.upload_id, share_no=request.share_no, held=request.segment_no + 1
            )
            await self._outbox.send((number, held))
        return True

    async def _finish(self, request: wire.Finish) -> wire.Answer:
        manifest = bytes(request.manifest)
        slot = self._slot(request.upload_id)
        stored = await self._keeper.finish(slot, request.share_no, manifest)
        return self._receipt(stored)

    async def _put_share(self, number: int, request: wire.PutShare, place: object) -> None:
        try:
            await self._answer(number, lambda: self._store_small(request))
        finally:
            self._intake.give(len(request.payload))
            self._small_puts.release_on_behalf_of(place)

    async def _store_small(self, request: wire.PutShare) -> wire.Answer:
        header = ShareHeader.parse(request.header)
        payload = memoryview(request.payload)
        manifest, blocks = payload[: request.manifest_bytes], payload[request.manifest_bytes :]
        stored = await self._keeper.put_share(
            header, bytes(manifest), _cut(header, blocks), request.segment_hashes
        )
        self._server.received_bytes += len(blocks)
        return self._receipt(stored)

    async def _abandon(self, request: wire.Abandon) -> wire.Answer:
        if (intake := self._uploads.get((request.upload_id, request.share_no))) is not None:
            await intake.stop()
        await self._keeper.abandon(self._slot(request.upload_id), request.share_no)
        return wire.Begun(held=0)

    def _receipt(self, stored: StoredShare) -> wire.Stored:
        receipt = StorageReceipt.build(
            self._server.key,
            cid=stored.cid,
            share_no=stored.share_no,
            share_root=stored.share_root,
            share_bytes=stored.share_bytes,
            period=self._server.period(),
        )
        return wire.Stored(receipt=receipt.encode())


def _refusal(error: BitcloudError) -> wire.RefusedIs:
    text = OWN_TROUBLE if isinstance(error, LocalFault) else error.message
    return wire.RefusedIs(error_code=error.code, text=normalize("NFC", text)[: wire.MAX_TEXT])


def _length(request: wire.PutBlock | wire.Finish) -> int:
    return len(request.block if isinstance(request, wire.PutBlock) else request.manifest)


def _cut(header: ShareHeader, blocks: memoryview) -> list[Buffer]:
    """Cut the blocks of a small share apart."""
    layout = header.layout
    if len(blocks) != layout.share_bytes:
        raise Malformed("a share of another length than its header says")
    starts = [layout.block_start(index) for index in range(layout.segment_count)]
    return [blocks[at : at + layout.block_bytes(i)] for i, at in enumerate(starts)]


class _Intake:
    """The blocks of one upload between the stream and the disk."""

    def __init__(self, upload_id: bytes, share_no: int) -> None:
        self.name = (upload_id, share_no)
        self.unacknowledged = 0
        self._ended = trio.Event()
        self._send, self.messages = trio.open_memory_channel[
            tuple[int, wire.PutBlock | wire.Finish]
        ](INTAKE_MESSAGES)

    async def put(self, number: int, request: wire.PutBlock | wire.Finish) -> bool:
        """Queue a message; return False when the upload failed meanwhile: its client was told."""
        try:
            await self._send.send((number, request))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True

    @property
    def empty(self) -> bool:
        return self.messages.statistics().current_buffer_used == 0

    async def stop(self) -> None:
        """Take nothing more, and wait until what is here is written."""
        self._send.close()
        await self._ended.wait()

    def end(self) -> list[wire.PutBlock | wire.Finish]:
        """The writing task is through; return what it leaves."""
        left = []
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                left.append(self.messages.receive_nowait()[1])
        self._send.close()
        self.messages.close()
        self._ended.set()
        return left


class _Room:
    """So many bytes may wait for the disk. One larger thing alone finds room, too."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0
        self._given = trio.Event()

    async def take(self, count: int) -> None:
        """Wait until there is room for ``count`` bytes."""
        while self._taken_bytes and self._taken_bytes + count > self._limit_bytes:
            await self._given.wait()
        self._taken_bytes += count

    def give(self, count: int) -> None:
        """Give room back."""
        self._taken_bytes -= count
        self._given.set()
        self._given = trio.Event()
