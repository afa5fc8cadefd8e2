"""One storage node as its clients see it: put shares, get blocks, find shares.

All questions to a node run over one long-lived stream, numbered, any number at a time. Two tasks
own the stream, one that sends and one that receives, so a cancelled caller never leaves half a
message on it. When the stream breaks, everything that waits fails with ``Unavailable`` and the
next question opens a new one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import trio

from bitcloud_net.core.errors import BadMessage, Malformed, Refused, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.net.network import ProtocolId, Stream
from bitcloud_net.wire import share_session as wire
from bitcloud_net.wire.fields import Buffer
from bitcloud_net.wire.frames import FrameParser, pack_frame

PROTOCOL = ProtocolId(wire.PROTOCOL)

OUTBOX_MESSAGES = 4
"""Messages waiting for one stream's sender. Blocks are up to 1 MiB, so this bounds memory."""

STALL_S = 30.0
"""A node that takes no message in so long (of 1 MiB at most: 36 kB/s) has stopped reading. Its
stream is given up, and the next question opens another."""

UNACKNOWLEDGED_BLOCKS = 8
"""Blocks of one upload on their way to one node before the sender waits for ``Held``."""


_A = TypeVar("_A", bound=wire.Answer)


class StreamOpener(Protocol):
    """What a share client needs of the network."""

    async def open_stream(self, peer: NodeId, protocol: ProtocolId) -> Stream:
        """Open a stream to a peer; see ``net.network.Network``."""


@dataclass(slots=True)
class _Question:
    """A question under way and, once ``done``, its answer or why there is none."""

    done: trio.Event = field(default_factory=trio.Event)
    answer: wire.Answer | None = None
    error: Exception | None = None

    def hear(self, answer: wire.Answer) -> None:
        self.answer = answer
        self.done.set()

    def fail(self, error: Exception) -> None:
        if not self.done.is_set():
            self.error = error
            self.done.set()

    async def wait(self) -> wire.Answer:
        await self.done.wait()
        if self.error is not None:
            raise _afresh(self.error)
        assert self.answer is not None
        return _unless_refused(self.answer)


def _afresh(error: Exception) -> Exception:
    """Return a fresh exception with the same words, since one may be raised to many waiters."""
    if isinstance(error, BadMessage):
        return BadMessage(error.message, peer=error.peer, evidence=error.evidence)
    return Unavailable(str(error), code="node-unreachable")


def _unless_refused(answer: wire.Answer) -> wire.Answer:
    if isinstance(answer, wire.RefusedIs):
        raise Refused(answer.text, code=answer.error_code)
    return answer


class _Listener(Protocol):
    def hear(self, answer: wire.Answer) -> None: ...
    def fail(self, error: Exception) -> None: ...


class _Link:
    """One open stream with its two tasks."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._numbers = itertools.count(1)
        self._listeners: dict[int, _Listener] = {}
        self._send, self._to_send = trio.open_memory_channel[tuple[int, wire.Request]](
            OUTBOX_MESSAGES
        )
        self.broken = False
        self._error: Exception | None = None  # why it broke, from whoever saw it first

    def listen(self, listener: _Listener) -> int:
        """Give ``listener`` a request number and all answers to it."""
        number = next(self._numbers) & 0xFFFFFFFF
        self._listeners[number] = listener
        return number

    def forget(self, number: int) -> None:
        self._listeners.pop(number, None)

    async def say(self, number: int, message: wire.Request) -> None:
        try:
            await self._send.send((number, message))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Unavailable("the node hung up", code="node-unreachable") from error

    def say_soon(self, number: int, message: wire.Request) -> None:
        """Send a hint when there is room for it, and not at all otherwise."""
        try:
            self._send.send_nowait((number, message))
        except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
            return

    async def run(self) -> None:
        """Serve the stream until it breaks or this task is cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send_all, nursery.cancel_scope)
                heard = await self._hear_all()
                self._error = heard if self._error is None else self._error
                nursery.cancel_scope.cancel()
        finally:
            gone = Unavailable("the node hung up", code="node-unreachable")
            self._break(gone if self._error is None else self._error)

    def _break(self, error: Exception) -> None:
        self.broken = True
        self._send.close()
        self._to_send.close()
        self._stream.reset()
        for listener in list(self._listeners.values()):
            listener.fail(error)
        self._listeners.clear()

    async def _send_all(self, scope: trio.CancelScope) -> None:
        try:
            async for number, message in self._to_send:
                kind, head, payload = wire.pack(message)
                prefix = pack_frame(number, kind, head, len(payload))
                with trio.fail_after(STALL_S):
                    await self._stream.send(prefix, *([payload] if len(payload) else ()))
        except trio.TooSlowError:
            self._error = Unavailable("the node stopped reading", code="node-unreachable")
            scope.cancel()
        except Unavailable:
            scope.cancel()

    async def _hear_all(self) -> Exception:
        parser = FrameParser()
        try:
            while data := await self._stream.receive():
                for frame in parser.feed(data):
                    answer = wire.parse_answer(frame.type, frame.head, frame.payload)
                    if listener := self._listeners.get(frame.request):
                        listener.hear(answer)
        except Unavailable as error:
            return error
        except Malformed as error:
            return BadMessage(f"a storage node sent nonsense: {error}", peer=self._stream.peer)
        return Unavailable("the node closed the stream", code="node-unreachable")


class ShareClient:
    """One storage node, reached when it is first asked. Made by ``ShareClients``."""

    def __init__(self, network: StreamOpener, node: NodeId, nursery: trio.Nursery) -> None:
        self.node = node
        self._network = network
        self._nursery = nursery
        self._link: _Link | None = None
        self._opening = trio.Lock()

    async def _linked(self) -> _Link:
        if self._link is not None and not self._link.broken:
            return self._link
        async with self._opening:
            if self._link is None or self._link.broken:
                stream = await self._network.open_stream(self.node, PROTOCOL)
                self._link = _Link(stream)
                self._nursery.start_soon(self._link.run)
            return self._link

    async def _ask(self, message: wire.Request) -> wire.Answer:
        link = await self._linked()
        question = _Question()
        number = link.listen(question)
        try:
            await link.say(number, message)
            return await question.wait()
        finally:
            link.forget(number)
            if not question.done.is_set() and isinstance(message, wire.GetBlock):
                link.say_soon(0, wire.Cancel(request=number))

    async def get_block(self, cid: bytes, share_no: int, segment_no: int) -> wire.Block:
        """Ask for one block. What comes is not checked here.

        Cancel: safe; the node is told not to bother.

        Raises:
            Refused: the node does not hold it, or cannot read it now.
            Unavailable: the node cannot be reached.
            PeerFault: the answer was no answer to this.
        """
        question = wire.GetBlock(cid=cid, share_no=share_no, segment_no=segment_no)
        return self._expect(await self._ask(question), wire.Block)

    async def find(self, cids: tuple[bytes, ...]) -> tuple[tuple[int, ...], ...]:
        """Ask which shares of at most 256 files the node holds; one tuple of numbers per file."""
        found = self._expect(await self._ask(wire.Find(cids=cids)), wire.Found)
        if len(found.shares) != len(cids):
            raise BadMessage("a storage node answered about other files", peer=self.node)
        return found.shares

    async def get_manifest(self, cid: bytes) -> bytes:
        """Ask for a file's manifest; ``b""`` when the node does not know the file. Unchecked."""
        answer = self._expect(await self._ask(wire.GetManifest(cid=cid)), wire.ManifestIs)
        return bytes(answer.manifest)

    async def put_share(self, share: wire.PutShare) -> bytes:
        """Store a whole small share; return the node's receipt, unchecked."""
        return bytes(self._expect(await self._ask(share), wire.Stored).receipt)

    async def begin(self, header: bytes, salt: bytes) -> ShareUpload:
        """Start or resume the upload of one share.

        Raises:
            Refused: no space, or too many uploads at once.
            Unavailable: the node cannot be reached.
        """
        link = await self._linked()
        upload = ShareUpload(self.node, link)
        await upload.begin(header, salt)
        return upload

    def _expect(self, answer: wire.Answer, kind: type[_A]) -> _A:
        if not isinstance(answer, kind):
            raise BadMessage("a storage node answered something else", peer=self.node)
        return answer


class ShareUpload:
    """One share on its way to one node, block after block, in order."""

    def __init__(self, node: NodeId, link: _Link) -> None:
        self.node = node
        self.held = 0  # leading blocks that the node has
        self._link = link
        self._number = link.listen(self)
        self._sent = 0
        self._answer: wire.Answer | None = None
        self._error: Exception | None = None
        self._moved = trio.Event()

    def hear(self, answer: wire.Answer) -> None:
        """Take an answer from the link's receiving task."""
        if isinstance(answer, wire.Held):
            self.held = max(self.held, answer.held)
        elif isinstance(answer, wire.RefusedIs):
            self._error = Refused(answer.text, code=answer.error_code)
        else:
            self._answer = answer
        self._wake()

    def fail(self, error: Exception) -> None:
        """Take the link's end."""
        self._error = self._error or _afresh(error)
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = trio.Event()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._error is not None:
                raise self._error
            await self._moved.wait()

    async def begin(self, header: bytes, salt: bytes) -> None:
        """Open the upload and learn what the node already has."""
        await self._link.say(self._number, wire.Begin(header=header, salt=salt))
        self.held = self._sent = (await self._answered(wire.Begun)).held

    async def put(
        self, upload_id: bytes, share_no: int, segment_no: int, segment_hash: bytes, block: Buffer
    ) -> None:
        """Send the next block, waiting while ``UNACKNOWLEDGED_BLOCKS`` are under way.

        Raises:
            Refused: the node cannot take it; the upload is over.
            Unavailable: the node is gone; begin again to resume.
        """
        await self._until(lambda: self._sent - self.held < UNACKNOWLEDGED_BLOCKS)
        if self._error is not None:
            raise self._error
        message = wire.PutBlock(
            upload_id=upload_id,
            share_no=share_no,
            segment_no=segment_no,
            segment_hash=segment_hash,
            block=block,
        )
        await self._link.say(self._number, message)
        self._sent = segment_no + 1

    async def finish(self, upload_id: bytes, share_no: int, manifest: bytes) -> bytes:
        """Close the share and return the node's receipt, unchecked. It is durable then."""
        message = wire.Finish(upload_id=upload_id, share_no=share_no, manifest=manifest)
        await self._link.say(self._number, message)
        return bytes((await self._answered(wire.Stored)).receipt)

    def close(self) -> None:
        """Stop listening. What the node holds stays there for a resume."""
        self._link.forget(self._number)

    async def _answered(self, kind: type[_A]) -> _A:
        await self._until(lambda: self._answer is not None)
        answer, self._answer = self._answer, None
        if not isinstance(answer, kind):
            raise BadMessage("a storage node answered something else", peer=self.node)
        return answer


class ShareClients:
    """The storage nodes in use, one client each, as long as ``nursery`` lives.

    The nursery belongs to the caller; the clients' streams are its tasks.
    """

    def __init__(self, network: StreamOpener, nursery: trio.Nursery) -> None:
        self._network = network
        self._nursery = nursery
        self._clients: dict[NodeId, ShareClient] = {}

    def of(self, node: NodeId) -> ShareClient:
        """Return the client of a node; nothing is dialled yet."""
        if node not in self._clients:
            self._clients[node] = ShareClient(self._network, node, self._nursery)
        return self._clients[node]
