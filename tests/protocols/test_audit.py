"""An auditor and a node on one network: right answers, lacks, lies, garbage, floods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import (
    BadMessage,
    BadProof,
    BadSignature,
    LocalFault,
    Refused,
    Unavailable,
)
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import content_id
from bitcloud_net.core.files.share import HEADER_BYTES, ShareTrailer
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.trust import audit
from bitcloud_net.core.trust.audit import Question
from bitcloud_net.core.units import LEAF_BYTES, MIB
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.net.network import ProtocolId, Stream
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.nodepool.row_store import FREE
from bitcloud_net.protocols.audit_client import AuditClient
from bitcloud_net.protocols.audit_server import IDLE_S, MAX_QUESTIONS, AuditServer
from bitcloud_net.testing.mischief import BentBlock
from bitcloud_net.wire import audit_session as wire
from bitcloud_net.wire.frames import FrameParser, pack_frame
from tests.core.shares import store

NODE, AUDITOR = SigningKey(b"\1" * 32), SigningKey(b"\2" * 32)
FILE = store(Random(1).randbytes(3 * MIB), CodeParams(3, 10))
RAW = FILE.manifest.encode()
CID = content_id(RAW)
SHARE = 4
QUESTION = Question(cid=CID, share_no=SHARE, segment_no=1, leaf_no=3)
CHALLENGE, PERIOD, CLOCK_S = bytes(range(32)), 77, 46_200


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


class Shelf:
    """Holds share 4 of the file; ``bend`` changes what it reads."""

    def __init__(self) -> None:
        self.reads = 0
        self.bend: Callable[[BentBlock], BentBlock] = lambda block: block
        self.broken = False
        trailer = FILE.shares[SHARE][HEADER_BYTES + FILE.manifest.share_bytes :]
        self._tree = merkle.Tree(ShareTrailer.parse(trailer).block_roots)

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> BentBlock:
        self.reads += 1
        await trio.sleep(0.01)
        if self.broken:
            raise LocalFault("rotten", code="share-damaged")
        if (cid, share_no) != (CID, SHARE):
            raise Refused("no", code="no-share")
        if segment_no >= FILE.manifest.segment_count:
            raise Refused("no", code="no-such-segment")
        start = HEADER_BYTES + FILE.manifest.layout.block_start(segment_no)
        data = FILE.shares[SHARE][start : start + FILE.manifest.block_bytes(segment_no)]
        block = BentBlock(
            data=data,
            block_root=merkle.block_root(FILE.manifest.salt, SHARE, segment_no, data),
            block_path=self._tree.path(segment_no),
            segment_path=(),
        )
        return self.bend(block)

    async def read_manifest(self, cid: bytes) -> bytes | None:
        return RAW if cid == CID else None

    def shares_of(self, cid: bytes) -> tuple[int, ...]:
        return (SHARE,) if cid == CID else ()


@asynccontextmanager
async def stream_to(handler: Callable[[Stream], Awaitable[None]]) -> AsyncIterator[Stream]:
    hub = MemoryHub(1, delay_s=0.02)
    protocol = ProtocolId(wire.PROTOCOL)
    async with hub.open(NODE) as node, hub.open(AUDITOR) as auditor:
        node.serve(protocol, handler)
        auditor.learn(node.node_id, node.addresses)
        stream = await auditor.open_stream(node.node_id, protocol)
        yield stream
        stream.reset()


@asynccontextmanager
async def auditing(shelf: Shelf | None) -> AsyncIterator[AuditClient]:
    server = AuditServer(NODE, lambda: shelf, lambda: CLOCK_S)
    async with stream_to(server.handle) as stream:
        yield AuditClient(stream, AUDITOR.node_id)


async def test_a_node_that_works(clock: MockClock) -> None:
    async with auditing(Shelf()) as client:
        assert await client.ping() == pytest.approx(0.04)
        answered = await client.challenge(CHALLENGE, PERIOD)
        assert (answered.clock_s, answered.lack) == (CLOCK_S, "")
        last = audit.leaf_count(FILE.manifest, 2) - 1
        for segment_no, leaf_no in ((0, 0), (1, 7), (2, last)):
            question = replace(QUESTION, segment_no=segment_no, leaf_no=leaf_no)
            answered = await client.show(CHALLENGE, PERIOD, question, FILE.manifest)
            assert answered.lack == ""


async def test_which_shares_a_node_says_it_holds(clock: MockClock) -> None:
    async with auditing(Shelf()) as client:
        assert await client.which([bytes(32), CID]) == ((), (SHARE,))
        assert await client.which([]) == ()
    async with auditing(None) as client:
        assert await client.which([CID]) == ((),)
    answer = wire.Holds(shares=((1,),))
    async with stream_to(lambda stream: reply_to_each(stream, answer)) as stream:
        with pytest.raises(BadMessage):
            await AuditClient(stream, AUDITOR.node_id).which([CID, bytes(32)])


@pytest.mark.parametrize(
    "question",
    [
        replace(QUESTION, cid=bytes(32)),
        replace(QUESTION, share_no=5),
        replace(QUESTION, segment_no=9),
        replace(QUESTION, leaf_no=100),
    ],
)
async def test_what_a_node_does_not_hold(clock: MockClock, question: Question) -> None:
    async with auditing(Shelf()) as client:
        answered = await client.show(CHALLENGE, PERIOD, question, FILE.manifest)
        assert answered.lack == audit.NOT_HELD


async def test_a_node_that_lends_nothing_now(clock: MockClock) -> None:
    async with auditing(None) as client:
        assert (await client.show(CHALLENGE, PERIOD, QUESTION, FILE.manifest)).lack == "not-held"
        assert (await client.challenge(CHALLENGE, PERIOD)).lack == ""


async def test_a_rotten_disk_says_so_and_signs_nothing_wrong(clock: MockClock) -> None:
    shelf = Shelf()
    shelf.broken = True
    async with auditing(shelf) as client:
        answered = await client.show(CHALLENGE, PERIOD, QUESTION, FILE.manifest)
        assert answered.lack == audit.UNREADABLE
    shelf.broken, shelf.bend = False, lambda block: replace(block, data=bytes(len(block.data)))
    async with auditing(shelf) as client:  # changed after it was hashed: bad memory
        answered = await client.show(CHALLENGE, PERIOD, QUESTION, FILE.manifest)
        assert answered.lack == audit.UNREADABLE


async def test_a_lie_is_a_proof_that_anybody_can_check(clock: MockClock) -> None:
    def lie(block: BentBlock) -> BentBlock:
        data = bytes(len(block.data))
        root = merkle.block_root(FILE.manifest.salt, SHARE, QUESTION.segment_no, data)
        return replace(block, data=data, block_root=root)

    shelf = Shelf()
    shelf.bend = lie
    async with auditing(shelf) as client:
        with pytest.raises(BadProof) as caught:
            await client.show(CHALLENGE, PERIOD, QUESTION, FILE.manifest)
    proof = Proof.parse(caught.value.evidence, FREE)
    assert (proof.kind, proof.owner, proof.period) == ("audit", NODE.public, PERIOD)


async def reply_to_each(stream: Stream, reply: wire.Reply) -> None:
    parser = FrameParser()
    while data := await stream.receive():
        for frame in parser.feed(data):
            kind, head, payload = wire.pack(reply)
            await stream.send(pack_frame(frame.request, kind, head, len(payload)), payload)


async def test_a_wrong_signature(clock: MockClock) -> None:
    answer = wire.Answer(clock_s=1, signature=bytes(64))
    async with stream_to(lambda stream: reply_to_each(stream, answer)) as stream:
        client = AuditClient(stream, AUDITOR.node_id)
        with pytest.raises(BadSignature):
            await client.challenge(CHALLENGE, PERIOD)


async def test_an_answer_cannot_be_told_again(clock: MockClock) -> None:
    """What was signed for one auditor, challenge, period or question holds for no other."""
    server = AuditServer(NODE, Shelf, lambda: CLOCK_S)
    show = wire.ShowLeaf(challenge=CHALLENGE, period=PERIOD, question=QUESTION)
    old = await server.answer(show, AUDITOR.node_id)
    assert isinstance(old, wire.Answer)
    for challenge, period, question, me in (
        (bytes(32), PERIOD, QUESTION, AUDITOR),
        (CHALLENGE, PERIOD + 1, QUESTION, AUDITOR),
        (CHALLENGE, PERIOD, replace(QUESTION, leaf_no=4), AUDITOR),
        (CHALLENGE, PERIOD, QUESTION, SigningKey(b"\3" * 32)),
    ):
        async with stream_to(lambda stream: reply_to_each(stream, old)) as stream:
            with pytest.raises(BadSignature):
                await AuditClient(stream, me.node_id).show(
                    challenge, period, question, FILE.manifest
                )


@pytest.mark.parametrize(
    "reply", [wire.Pong(), wire.Answer(clock_s=1, lack="not-held", signature=bytes(64))]
)
async def test_an_answer_to_another_question(clock: MockClock, reply: wire.Reply) -> None:
    async with stream_to(lambda stream: reply_to_each(stream, reply)) as stream:
        with pytest.raises(BadMessage):
            await AuditClient(stream, AUDITOR.node_id).challenge(CHALLENGE, PERIOD)


async def test_garbage(clock: MockClock) -> None:
    async def babble(stream: Stream) -> None:
        await stream.receive()
        await stream.send(b"\xff" * 200)

    async with stream_to(babble) as stream:
        with pytest.raises(BadMessage):
            await AuditClient(stream, AUDITOR.node_id).ping()


async def test_an_end_instead_of_an_answer(clock: MockClock) -> None:
    async def leave(stream: Stream) -> None:
        await stream.receive()
        await stream.close_write()

    async with stream_to(leave) as stream:
        with pytest.raises(Unavailable):
            await AuditClient(stream, AUDITOR.node_id).ping()


async def test_an_auditor_that_asks_too_much_is_refused_for_a_while(clock: MockClock) -> None:
    shelf = Shelf()
    server = AuditServer(NODE, lambda: shelf, lambda: CLOCK_S)
    async with stream_to(server.handle) as stream:
        client = AuditClient(stream, AUDITOR.node_id)
        for _ in range(MAX_QUESTIONS):
            await client.show(CHALLENGE, PERIOD, QUESTION, FILE.manifest)
        for _ in range(100):
            with pytest.raises(Refused) as caught:
                await client.show(CHALLENGE, PERIOD, QUESTION, FILE.manifest)
            assert caught.value.code == "busy"
        assert shelf.reads == MAX_QUESTIONS
    await trio.sleep(600)
    async with stream_to(server.handle) as stream:
        await AuditClient(stream, AUDITOR.node_id).ping()


async def test_silent_auditors_hold_no_place(clock: MockClock) -> None:
    server = AuditServer(NODE, Shelf, lambda: CLOCK_S)
    async with stream_to(server.handle) as stream:
        await AuditClient(stream, AUDITOR.node_id).ping()
        assert server._streams.total() == 1
        await trio.sleep(IDLE_S + 1)
        assert server._streams.total() == 0


async def test_an_answer_is_small(clock: MockClock) -> None:
    """One leaf and its path: at most 20 KiB."""
    server = AuditServer(NODE, Shelf, lambda: CLOCK_S)
    show = wire.ShowLeaf(challenge=CHALLENGE, period=PERIOD, question=QUESTION)
    _, head, payload = wire.pack(await server.answer(show, AUDITOR.node_id))
    assert len(payload) == LEAF_BYTES
    assert len(head) + len(payload) < 17 * 1024
