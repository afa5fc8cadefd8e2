"""The audited node's side: answer who asks, cheaply, and never sign what was not read and hashed.

A leaf is cut out of a block that the store has hashed against its share's root. So an honest node
cannot sign a wrong claim: what it has lost it does not hold, and what its disk has spoilt it cannot
read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import BadMessage, LocalFault, Malformed, Refused, Unavailable
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.manifest import Manifest, parse_manifest
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.trust import audit
from bitcloud_net.core.trust.audit import Question, Shown, Statement
from bitcloud_net.core.units import LEAF_BYTES, PERIOD_S
from bitcloud_net.net.network import Stream
from bitcloud_net.wire import audit_session as wire
from bitcloud_net.wire.fields import Buffer
from bitcloud_net.wire.frames import Frame, FrameParser, pack_frame

MAX_STREAMS_PER_PEER: Final = 2
"""One is enough; another may still be dying."""
MAX_QUESTIONS: Final = 64
"""Questions of one peer in ten minutes. An auditor asks seven at most, or twice as many when its
period ends within ours."""
READERS: Final = 2
"""Leaves read from the disk at a time, for all auditors together."""
IDLE_S: Final = 15.0
"""How long the next question of a stream is waited for."""


class AuditedBlock(Protocol):
    """A block as read from the disk, hashed, with its path to the share's root."""

    @property
    def data(self) -> Buffer: ...
    @property
    def block_root(self) -> bytes: ...
    @property
    def block_path(self) -> Sequence[bytes]: ...


class Shelf(Protocol):
    """What audits need of the share store (``storage.share_store``)."""

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> AuditedBlock: ...

    async def read_manifest(self, cid: bytes) -> bytes | None: ...

    def shares_of(self, cid: bytes) -> tuple[int, ...]: ...


class AuditServer:
    """Answers audits with the node's key. ``shelf`` returns the store, or None where nothing is
    lent now; ``now_s`` is the node's own clock.
    """

    def __init__(
        self, key: SigningKey, shelf: Callable[[], Shelf | None], now_s: Callable[[], int]
    ) -> None:
        self.key = key
        self._shelf = shelf
        self.now_s = now_s
        self._streams: Counter[NodeId] = Counter()
        self._asked: Counter[NodeId] = Counter()  # in these ten minutes
        self._since = float("-inf")
        self._reading = trio.CapacityLimiter(READERS)

    async def handle(self, stream: Stream) -> None:
        """Answer one stream until it ends. Cancel: safe.

        Raises:
            PeerFault: the auditor broke the protocol.
            Unavailable: the stream broke, or nothing came for 15 s.
        """
        peer = stream.peer
        if self._streams[peer] >= MAX_STREAMS_PER_PEER:
            raise Unavailable("too many streams of one auditor", code="too-many-streams")
        self._streams[peer] += 1
        try:
            await self._serve(stream)
        finally:
            self._streams[peer] -= 1
            self._streams += Counter()  # drops who has none

    async def _serve(self, stream: Stream) -> None:
        parser = FrameParser(wire.MAX_QUESTION_BYTES)
        while data := await _receive(stream):
            try:
                for frame in parser.feed(data):
                    await self._reply(stream, frame)
            except Malformed as error:
                raise BadMessage(error.message, peer=stream.peer) from error

    async def _reply(self, stream: Stream, frame: Frame) -> None:
        request = wire.parse_request(frame.type, frame.head, frame.payload)
        try:
            reply = await self.answer(request, stream.peer)
        except Refused as error:
            reply = wire.RefusedIs(error_code=error.code, text=error.message[: wire.MAX_TEXT])
        kind, head, payload = wire.pack(reply)
        await stream.send(pack_frame(frame.request, kind, head, len(payload)), payload)

    async def answer(self, request: wire.Request, peer: NodeId) -> wire.Reply:
        """Answer one question of ``peer``.

        Raises:
            Refused: ``busy``: it asked too much.
        """
        self._count(peer)
        match request:
            case wire.Ping():
                return wire.Pong()
            case wire.Challenge():
                return self._signed(peer, request.challenge, request.period, None, None)
            case wire.ShowLeaf():
                return await self._show(peer, request)
            case wire.Which():
                return wire.Holds(shares=tuple(map(self._held, request.cids)))

    def _held(self, cid: bytes) -> tuple[int, ...]:
        shelf = self._shelf()
        return () if shelf is None else shelf.shares_of(cid)[: wire.MAX_SHARES_PER_NODE]

    def _count(self, peer: NodeId) -> None:
        now = trio.current_time()
        if now - self._since >= PERIOD_S:
            self._asked.clear()
            self._since = now
        self._asked[peer] += 1
        if self._asked[peer] > MAX_QUESTIONS:
            raise Refused("too many questions in ten minutes", code="busy")

    async def _show(self, peer: NodeId, request: wire.ShowLeaf) -> wire.Answer:
        question = request.question
        leaf: Buffer = b""
        claim: Shown | str
        try:
            async with self._reading:
                claim, leaf = await self._read(question)
        except Refused:
            claim = audit.NOT_HELD
        except LocalFault:
            claim = audit.UNREADABLE
        return self._signed(peer, request.challenge, request.period, question, claim, leaf)

    async def _read(self, question: Question) -> tuple[Shown, Buffer]:
        """Read a leaf and its paths.

        Raises:
            Refused: the share, or the place in it, is not here.
            LocalFault: the disk does not give it.
        """
        shelf = self._shelf()
        if shelf is None:
            raise Refused("this node does not hold that share", code="no-share")
        block = await shelf.read_block(question.cid, question.share_no, question.segment_no)
        raw = await shelf.read_manifest(question.cid)
        manifest = None if raw is None else parse_manifest(raw)
        if not isinstance(manifest, Manifest):
            raise Refused("this node does not hold that share", code="no-share")
        return _cut(block, manifest, question)

    def _signed(
        self,
        peer: NodeId,
        challenge: bytes,
        period: int,
        question: Question | None,
        claim: Shown | str | None,
        leaf: Buffer = b"",
    ) -> wire.Answer:
        statement = Statement(
            auditor=peer,
            challenge=challenge,
            period=period,
            clock_s=self.now_s(),
            question=question,
            claim=claim,
        )
        shown = claim if isinstance(claim, Shown) else None
        return wire.Answer(
            clock_s=statement.clock_s,
            lack=claim if isinstance(claim, str) else "",
            leaf_path=shown.leaf_path if shown else (),
            block_path=shown.block_path if shown else (),
            signature=self.key.sign(audit.ANSWER_KIND, statement.encode()),
            leaf=leaf,
        )


def _cut(block: AuditedBlock, manifest: Manifest, question: Question) -> tuple[Shown, Buffer]:
    hashes = merkle.hash_leaves(manifest.salt, question.share_no, question.segment_no, block.data)
    tree = merkle.Tree(hashes)
    if question.leaf_no >= len(hashes):
        raise Refused("there is no such leaf", code="no-such-leaf")
    if tree.root != block.block_root:
        raise LocalFault("a block changed after it was read", code="share-damaged")
    start = question.leaf_no * LEAF_BYTES
    shown = Shown(
        leaf_hash=hashes[question.leaf_no],
        leaf_path=tree.path(question.leaf_no),
        block_path=tuple(block.block_path),
    )
    return shown, memoryview(block.data)[start : start + LEAF_BYTES]


async def _receive(stream: Stream) -> bytes:
    with trio.move_on_after(IDLE_S):
        return await stream.receive()
    raise Unavailable("the auditor was silent for too long", code="peer-silent")
