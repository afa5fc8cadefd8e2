"""A client against storage nodes that answer wrongly, too much, too late or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadMessage, BitcloudError, PeerFault, Refused, Unavailable
from bitcloud_net.net.network import Stream
from bitcloud_net.protocols.share_client import STALL_S, UNACKNOWLEDGED_BLOCKS, ShareClient
from bitcloud_net.protocols.share_server import ShareServer
from bitcloud_net.wire import share_session as wire
from bitcloud_net.wire.frames import Frame, FrameParser, pack_frame
from tests.transfer.memory_grid import MemoryKeeper
from tests.vectors import make_share_protocol as vectors

from .share_peers import NODE, StoredFile, client_of

FILE = StoredFile()
BLOCK = vectors.ANSWERS["block-of-one-segment"]

Reply = Callable[[Frame], "list[tuple[int, wire.Answer]] | bytes"]


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


def answering(reply: Reply) -> Callable[[Stream], Awaitable[None]]:
    """Return a storage node that answers each question as ``reply`` says."""

    async def handle(stream: Stream) -> None:
        parser = FrameParser()
        while data := await stream.receive():
            for frame in parser.feed(data):
                said = reply(frame)
                if isinstance(said, bytes):
                    await stream.send(said)
                    continue
                for number, answer in said:
                    kind, head, payload = wire.pack(answer)
                    await stream.send(pack_frame(number, kind, head, len(payload)), payload)

    return handle


def always(answer: wire.Answer) -> Callable[[Stream], Awaitable[None]]:
    return answering(lambda frame: [(frame.request, answer)])


async def ask_all(client: ShareClient) -> list[BitcloudError]:
    """Ask everything one can ask; return the errors that came, one for each question."""
    errors = []
    header, salt = FILE.header().pack(), FILE.keys.salt
    share = wire.PutShare(header=header, segment_hashes=(), manifest_bytes=0, payload=b"x")
    questions: list[Callable[[], Awaitable[object]]] = [
        lambda: client.get_block(bytes(32), 0, 0),
        lambda: client.find((bytes(32),)),
        lambda: client.get_manifest(bytes(32)),
        lambda: client.put_share(share),
        lambda: client.begin(header, salt),
    ]
    for question in questions:
        with trio.fail_after(30):
            try:
                await question()
            except BitcloudError as error:
                errors.append(error)
    return errors


RIGHT = (wire.Block, wire.Found, wire.ManifestIs, wire.Stored, wire.Begun)


@pytest.mark.parametrize("name", [n for n, a in vectors.ANSWERS.items() if "refused" not in n])
async def test_an_answer_to_another_question_is_a_fault(clock: MockClock, name: str) -> None:
    answer = vectors.ANSWERS[name]
    if isinstance(answer, wire.Held):
        return  # an acknowledgement of an upload is waited past
    async with client_of(always(answer)) as client:
        errors = await ask_all(client)
    wrong = [kind for kind in RIGHT if not isinstance(answer, kind)]
    if isinstance(answer, wire.Found) and len(answer.shares) != 1:
        wrong.append(wire.Found)
    assert len(errors) == len(wrong)
    assert {type(error) for error in errors} <= {BadMessage}
    assert all(isinstance(e, PeerFault) and e.peer == NODE.node_id for e in errors)


async def test_a_refusal_is_a_refusal_whatever_it_says(clock: MockClock) -> None:
    no = wire.RefusedIs(error_code="corrupt-block", text="your fault")
    async with client_of(always(no)) as client:
        errors = await ask_all(client)
    assert [type(error) for error in errors] == [Refused] * 5
    assert {error.code for error in errors} == {"corrupt-block"}


@pytest.mark.parametrize("reason", vectors.REFUSED_ANSWERS)
async def test_nonsense_is_a_fault_and_ends_the_stream(clock: MockClock, reason: str) -> None:
    raw = vectors.REFUSED_ANSWERS[reason]
    async with client_of(answering(lambda frame: raw)) as client:
        errors = await ask_all(client)
    assert [type(error) for error in errors] == [BadMessage] * 5
    assert all(isinstance(e, PeerFault) and e.peer == NODE.node_id for e in errors)


async def test_random_bytes(clock: MockClock, rng: Random) -> None:
    """Only our own errors come out, whatever a node sends."""

    def noise(frame: Frame) -> bytes:
        raw = rng.randbytes(rng.choice([1, 20, 300]))
        kind = rng.choice([64, 65, 66, 67, 68, 69, 127])
        return (
            pack_frame(rng.choice([frame.request, 0, 7]), kind, raw) if rng.random() < 0.7 else raw
        )

    for _ in range(50):
        async with client_of(answering(noise)) as client:
            with trio.move_on_after(20):
                errors = await ask_all(client)
                assert {type(e) for e in errors} <= {BadMessage, Unavailable, Refused}


async def test_silence_is_left_to_the_caller(clock: MockClock) -> None:
    async def silent(stream: Stream) -> None:
        await trio.sleep_forever()

    async with client_of(silent) as client:
        with trio.move_on_after(60) as scope:
            await client.get_block(bytes(32), 0, 0)
        assert scope.cancelled_caught
        share = wire.PutShare(
            header=bytes(64), segment_hashes=(), manifest_bytes=0, payload=bytes(1 << 20)
        )
        with pytest.raises(Unavailable), trio.fail_after(2 * STALL_S):
            await client.put_share(share)  # nobody reads it


@pytest.mark.parametrize("how", ["ends", "resets", "in an answer"])
async def test_a_node_that_hangs_up(clock: MockClock, how: str) -> None:
    async def hang_up(stream: Stream) -> None:
        await stream.receive()
        if how == "in an answer":
            kind, head, payload = wire.pack(BLOCK)
            await stream.send((pack_frame(1, kind, head, len(payload)) + bytes(payload))[:50])
        if how == "resets":
            stream.reset()
        else:
            await stream.close_write()

    async with client_of(hang_up) as client:
        errors = await ask_all(client)
    assert [type(error) for error in errors] == [Unavailable] * 5
    assert {error.code for error in errors} == {"node-unreachable"}


async def test_the_next_question_opens_a_new_stream(clock: MockClock) -> None:
    streams = 0

    async def dies_once(stream: Stream) -> None:
        nonlocal streams
        streams += 1
        if streams == 1:
            await stream.receive()
            return
        await always(wire.Found(shares=((0,),)))(stream)

    async with client_of(dies_once) as client:
        with pytest.raises(Unavailable):
            await client.find((bytes(32),))
        for _ in range(3):
            assert await client.find((bytes(32),)) == ((0,),)
    assert streams == 2


async def test_answers_nobody_asked_for_are_passed_over(clock: MockClock) -> None:
    def chatter(frame: Frame) -> list[tuple[int, wire.Answer]]:
        right = wire.Found(shares=((5,),))
        return [
            (99, BLOCK),
            (0, wire.Begun(held=1)),
            (frame.request, right),
            (frame.request, BLOCK),
        ]

    async with client_of(answering(chatter)) as client:
        for _ in range(5):
            assert await client.find((bytes(32),)) == ((5,),)


async def test_a_thousand_questions_at_once(clock: MockClock) -> None:
    """Answers in any order reach who asked."""
    waiting: list[tuple[int, int]] = []

    def last_first(frame: Frame) -> list[tuple[int, wire.Answer]]:
        request = wire.parse_request(frame.type, frame.head, frame.payload)
        assert isinstance(request, wire.Find)
        waiting.append((frame.request, request.cids[0][0]))
        if len(waiting) < 50:
            return []
        said: list[tuple[int, wire.Answer]] = [
            (number, wire.Found(shares=((share,),))) for number, share in reversed(waiting)
        ]
        waiting.clear()
        return said

    async def ask(client: ShareClient, share: int) -> None:
        assert await client.find((bytes([share]) * 32,)) == ((share,),)

    async with client_of(answering(last_first)) as client, trio.open_nursery() as nursery:
        for number in range(1000):
            nursery.start_soon(ask, client, number % 128)


async def test_a_caller_that_leaves_says_so_and_harms_nobody(clock: MockClock) -> None:
    cancelled: list[int] = []

    def reply(frame: Frame) -> list[tuple[int, wire.Answer]]:
        match wire.parse_request(frame.type, frame.head, frame.payload):
            case wire.Cancel(request=number):
                cancelled.append(number)
            case wire.Find():
                return [(frame.request, wire.Found(shares=((),)))]
        return []

    async with client_of(answering(reply)) as client:
        with trio.move_on_after(1):
            await client.get_block(bytes(32), 0, 0)
        assert await client.find((bytes(32),)) == ((),)
    assert cancelled == [1]


async def test_an_upload_waits_for_acknowledgements(clock: MockClock) -> None:
    """No more than a few blocks are under way to a node that does not say that it holds them."""
    received = 0

    def begins_only(frame: Frame) -> list[tuple[int, wire.Answer]]:
        nonlocal received
        if frame.type == wire.Begin.TYPE:
            return [(frame.request, wire.Begun(held=0))]
        received += 1
        return []

    async with client_of(answering(begins_only)) as client:
        upload = await client.begin(FILE.header().pack(), FILE.keys.salt)
        with trio.move_on_after(30):
            for number in range(100):
                await upload.put(FILE.keys.upload_id, 0, number, bytes(32), bytes(100))
    assert received == UNACKNOWLEDGED_BLOCKS


@pytest.mark.parametrize("at", [wire.PutBlock.TYPE, wire.Finish.TYPE])
async def test_an_upload_that_is_refused_on_the_way(clock: MockClock, at: int) -> None:
    def reply(frame: Frame) -> list[tuple[int, wire.Answer]]:
        if frame.type == wire.Begin.TYPE:
            return [(frame.request, wire.Begun(held=0))]
        if frame.type == at:
            return [(frame.request, wire.RefusedIs(error_code="disk-full", text="sorry"))]
        return []

    async with client_of(answering(reply)) as client:
        upload = await client.begin(FILE.header().pack(), FILE.keys.salt)

        async def send_all() -> None:
            for number in range(3):
                await upload.put(FILE.keys.upload_id, 0, number, bytes(32), bytes(100))
                await trio.sleep(1)
            await upload.finish(FILE.keys.upload_id, 0, b"manifest")

        with pytest.raises(Refused) as caught:
            await send_all()
    assert caught.value.code == "disk-full"


async def test_a_node_that_says_it_holds_all_already(clock: MockClock) -> None:
    """It gets no block, and its word counts for nothing without a receipt."""
    async with client_of(always(wire.Begun(held=2**24))) as client:
        upload = await client.begin(FILE.header().pack(), FILE.keys.salt)
        assert upload.held == 2**24
        with pytest.raises(BadMessage):
            await upload.finish(FILE.keys.upload_id, 0, b"manifest")


async def test_both_honest_ends(clock: MockClock) -> None:
    keeper = MemoryKeeper()
    server = ShareServer(keeper, NODE, lambda: 1)
    async with client_of(server.handle) as client:
        upload = await client.begin(FILE.header().pack(), FILE.keys.salt)
        for index in range(3):
            block = FILE.put(index)
            await upload.put(block.upload_id, 0, block.segment_no, block.segment_hash, block.block)
        receipt = await upload.finish(FILE.keys.upload_id, 0, FILE.manifest.encode())
        assert receipt
        ((cid, _),) = keeper.shares
        assert await client.find((cid,)) == ((0,),)
        assert await client.get_manifest(cid) == FILE.manifest.encode()
        got = await client.get_block(cid, 0, 2)
        assert bytes(got.block) == bytes(FILE.segments[2].blocks[0])
        assert server.received_bytes == sum(len(each.blocks[0]) for each in FILE.segments)
        assert server.served_bytes == len(got.block)


async def test_a_stream_whose_node_stops_reading_is_replaced(clock: MockClock) -> None:
    streams: list[Stream] = []

    async def reads_only_from_the_second(stream: Stream) -> None:
        streams.append(stream)
        if len(streams) == 1:
            await trio.sleep_forever()
        await always(wire.Found(shares=((3,),)))(stream)

    async with client_of(reads_only_from_the_second) as client, trio.open_nursery() as nursery:
        share = wire.PutShare(
            header=FILE.header().pack(), segment_hashes=(), manifest_bytes=0, payload=bytes(2**20)
        )

        async def put() -> None:
            with pytest.raises(Unavailable):
                await client.put_share(share)

        for _ in range(10):  # more than any window takes
            nursery.start_soon(put)
        with trio.move_on_after(STALL_S / 2):
            await client.find((bytes(32),))
        with trio.fail_after(2 * STALL_S):
            while len(streams) < 2:
                try:
                    assert await client.find((bytes(32),)) == ((3,),)
                except Unavailable:
                    continue
        nursery.cancel_scope.cancel()
