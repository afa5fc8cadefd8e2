"""A peer that breaks the rules of the sync protocol costs little and is cut off; others go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from grids import FixedClock, Member, key_of, open_member, until, write_person

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.nodepool.row_bodies import UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.core.units import MIB
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.net.network import ProtocolId, Stream
from bitcloud_net.protocols import pace, sync_ledger
from bitcloud_net.protocols.sync_ledger import Budget
from bitcloud_net.services.nodepool import syncer
from bitcloud_net.wire import negentropy
from bitcloud_net.wire import sync_session as wire
from bitcloud_net.wire.frames import FrameParser, pack_frame

FOLDER = b"f" * 16
HELLO = wire.Hello(
    now_s=FixedClock().now_s(),
    sets=(wire.SetDepth(set=Table.NODE), wire.SetDepth(set=Table.USER)),
)


@asynccontextmanager
async def one_and_rude(tmp_path: Path) -> AsyncIterator[tuple[Member, MemoryNetwork]]:
    hub = MemoryHub(1)
    async with AsyncExitStack() as stack:
        member = await stack.enter_async_context(open_member(hub, tmp_path / "one", "one"))
        rude = await stack.enter_async_context(hub.open(key_of("rude")))
        await rude.connect(member.network.addresses[0])
        yield member, rude


async def open_stream(member: Member, rude: MemoryNetwork) -> Stream:
    return await rude.open_stream(member.key.node_id, ProtocolId(wire.PROTOCOL))


async def ask(stream: Stream, message: wire.Request) -> wire.Answer:
    kind, head, payload = wire.pack(message)
    await stream.send(pack_frame(1, kind, head, len(payload)), payload)
    parser = FrameParser()
    while True:
        data = await stream.receive()
        if not data:
            raise Unavailable("ended", code="stream-ended")
        for frame in parser.feed(data):
            return wire.parse_answer(frame.type, frame.head, frame.payload)


def framed(message: wire.Request) -> bytes:
    kind, head, payload = wire.pack(message)
    return pack_frame(1, kind, head, len(payload)) + payload


def forged_row() -> bytes:
    raw = bytearray(good_row().raw)
    raw[-1] ^= 1
    return bytes(raw)


def good_row() -> SignedRow:
    body = UserBody(nickname="Eve")
    now = FixedClock().period()
    numbers = {"seq": 1, "period": now, "slot": 0, "expires": now + 9}
    return make_row(Table.USER, b"", body, signer=key_of("eve"), **numbers)


RUDE: dict[str, Callable[[], bytes]] = {
    "garbage": lambda: b"\xff" * 200,
    "a frame that is too large": lambda: (10**7).to_bytes(4, "big") + bytes(100),
    "an unknown message": lambda: pack_frame(1, 99, encoding.encode([])),
    "an answer instead of a question": lambda: pack_frame(1, 68, encoding.encode([0, 0])),
    "a head that is no list": lambda: pack_frame(1, 1, encoding.encode(5), 0),
    "a state cut short": lambda: pack_frame(1, 1, encoding.encode([0]), 5) + bytes(5),
    "a forged row": lambda: framed(wire.Rows(set=1, raws=(forged_row(),))),
    "bytes that are no row": lambda: framed(wire.Rows(set=1, raws=(b"row",))),
    "a proof of nothing": lambda: framed(wire.Rows(set=0, raws=(b"proof",))),
    "endless ranges": lambda: (
        framed(HELLO) + framed(wire.Recon(set=1, message=b"\x61" + b"\x01\x00\x00" * 20_000))
    ),
    "broken reconciliation": lambda: (
        framed(wire.Hello(now_s=FixedClock().now_s(), sets=(wire.SetDepth(set=1),)))
        + framed(wire.Recon(set=1, message=b"\x61\xff"))
    ),
}


@pytest.mark.parametrize("name", RUDE)
async def test_what_breaks_the_protocol_ends_the_connection(
    tmp_path: Path, autojump_clock: object, name: str
) -> None:
    async with one_and_rude(tmp_path) as (member, rude):
        stream = await open_stream(member, rude)
        await stream.send(RUDE[name]())
        await until(lambda: rude.node_id not in member.network.peers, 5, name)
        assert member.store.counts[Table.USER] == 0
        await write_person(member.store, key_of("mary"), FOLDER)  # all else goes on


async def send_slowly(stream: Stream, message: bytes) -> None:
    for at in range(len(message)):
        await stream.send(message[at : at + 1])
        await trio.sleep(5)


async def test_slow_bytes_are_not_waited_for(tmp_path: Path, autojump_clock: object) -> None:
    async with one_and_rude(tmp_path) as (member, rude):
        stream = await open_stream(member, rude)
        start = trio.current_time()
        message = framed(wire.Rows(set=1, raws=(good_row().raw,)))
        with pytest.raises(Unavailable):
            await send_slowly(stream, message)
        assert trio.current_time() - start < 60
        assert member.syncer._served.total() == 0


async def test_silence_frees_the_place(tmp_path: Path, autojump_clock: object) -> None:
    async with one_and_rude(tmp_path) as (member, rude):
        streams = [await open_stream(member, rude) for _ in range(10)]
        await trio.sleep(1)
        assert member.syncer._served.total() == syncer.MAX_SERVED_PER_PEER
        await trio.sleep(40)
        assert member.syncer._served.total() == 0
        assert rude.node_id in member.network.peers  # silence is nobody's fault
        for stream in streams:
            stream.reset()


async def test_endless_rounds_are_refused(tmp_path: Path, autojump_clock: object) -> None:
    async with one_and_rude(tmp_path) as (member, rude):
        await write_person(member.store, key_of("mary"), FOLDER)
        stream = await open_stream(member, rude)
        assert isinstance(await ask(stream, HELLO), wire.HelloIs)
        query = wire.Recon(set=Table.USER, message=bytes.fromhex("61000001") + bytes(16))
        answers = [await ask(stream, query) for _ in range(wire.MAX_ROUNDS + 1)]
        assert isinstance(answers[-2], wire.ReconIs)
        refused = answers[-1]
        assert isinstance(refused, wire.RefusedIs)
        assert refused.error_code == "too-many-rounds"
        unknown = await ask(stream, wire.Recon(set=77, message=b"\x61"))
        assert isinstance(unknown, wire.RefusedIs)


async def test_the_budget_ends_a_flood(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_ledger, "ASSIGNED", Budget(rows_bytes=3_000, compare_bytes=MIB))
    async with one_and_rude(tmp_path) as (member, rude):
        stream = await open_stream(member, rude)
        flood = wire.Rows(set=1, raws=(good_row().raw,) * 4)
        answers = [await ask(stream, flood) for _ in range(5)]
        assert isinstance(answers[0], wire.Took)
        last = answers[-1]
        assert isinstance(last, wire.RefusedIs)
        assert last.error_code == "budget"
        other = await open_stream(member, rude)
        refused = await ask(other, flood)
        assert isinstance(refused, wire.RefusedIs)
        member.clock.forward(1)
        fresh = await ask(await open_stream(member, rude), flood)
        assert isinstance(fresh, wire.Took)


DEAR_QUESTIONS: dict[str, wire.Request] = {
    "the states of all sets": HELLO,
    "rows that nobody has": wire.Want(set=1, ids=tuple(bytes([at, 1]) * 16 for at in range(200))),
    "a range compared": wire.Recon(set=2, message=bytes.fromhex("61000001") + bytes(16)),
}


@pytest.mark.parametrize("name", DEAR_QUESTIONS)
async def test_questions_that_move_no_rows_have_a_budget_too(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    limit = Budget(rows_bytes=MIB, compare_bytes=200_000)
    monkeypatch.setattr(sync_ledger, "ASSIGNED", limit)
    async with one_and_rude(tmp_path) as (member, rude):
        await write_person(member.store, key_of("mary"), FOLDER)
        asked = answered = 0
        while asked < 10_000:
            stream = await open_stream(member, rude)  # a new one, so that rounds count anew
            answers = [await ask(stream, HELLO)]
            answers += [await ask(stream, DEAR_QUESTIONS[name]) for _ in range(10)]
            stream.reset()
            await trio.lowlevel.checkpoint()
            refused = [each for each in answers if isinstance(each, wire.RefusedIs)]
            asked, answered = asked + 11, answered + 11 - len(refused)
            if refused:
                break
        codes = {each.error_code for each in refused}
        assert "budget" in codes
        assert codes <= {"budget", "unknown-set"}  # without a Hello no set is known
        assert answered <= limit.compare_bytes // 1_000
        member.clock.forward(1)
        assert isinstance(await ask(await open_stream(member, rude), HELLO), wire.HelloIs)


async def test_a_new_hello_brings_no_new_rounds(tmp_path: Path, autojump_clock: object) -> None:
    async with one_and_rude(tmp_path) as (member, rude):
        await write_person(member.store, key_of("mary"), FOLDER)
        stream = await open_stream(member, rude)
        query = wire.Recon(set=Table.USER, message=bytes.fromhex("61000001") + bytes(16))
        for _ in range(wire.MAX_ROUNDS):
            await ask(stream, HELLO)
            assert isinstance(await ask(stream, query), wire.ReconIs)
        refused = await ask(stream, query)
        assert isinstance(refused, wire.RefusedIs)
        assert refused.error_code == "too-many-rounds"


def lie(request: wire.Request, count: int, *, stingy: bool) -> wire.Answer:
    """Promise rows that are never given, in messages that never end."""
    match request:
        case wire.Hello():
            states = tuple(
                wire.SetState(set=number, count=99, fingerprint=bytes(16)) for number in range(1, 6)
            )
            return wire.HelloIs(now_s=request.now_s, states=states)
        case wire.Recon():
            ids = b"".join(bytes([count % 256, at]) * 16 for at in range(200))
            return wire.ReconIs(message=b"\x61\x00\x00\x02" + negentropy.varint(200) + ids)
        case wire.Want():
            return wire.RowsAre(considered=1 if stingy else len(request.ids), raws=())
        case wire.Rows():
            return wire.Took(taken=0, refused=0)


@pytest.mark.parametrize("stingy", [False, True])
async def test_a_partner_that_lies_costs_one_session(
    tmp_path: Path, autojump_clock: object, stingy: bool
) -> None:
    async with one_and_rude(tmp_path) as (member, rude):
        asked: list[wire.Request] = []

        async def handle(stream: Stream) -> None:
            parser = FrameParser()
            while data := await stream.receive():
                for frame in parser.feed(data):
                    asked.append(wire.parse_request(frame.type, frame.head, frame.payload))
                    answer = lie(asked[-1], len(asked), stingy=stingy)
                    kind, head, payload = wire.pack(answer)
                    await stream.send(pack_frame(frame.request, kind, head, len(payload)), payload)

        rude.serve(ProtocolId(wire.PROTOCOL), handle)
        member.syncer.sync_soon(rude.node_id)
        await until(lambda: member.syncer.state.sessions + member.syncer.state.failed > 0, 300)
        assert len(asked) < 30
        assert (rude.node_id in member.network.peers) == (not stingy)
        assert sum(member.store.counts.values()) == 0


async def test_signatures_are_checked_at_a_bounded_pace(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-verify-dos: at most 200 signatures a second for one peer, and nothing is lost."""
    checked: list[float] = []
    verify = SignedRow.verify

    def counted(row: SignedRow) -> None:
        checked.append(trio.current_time())
        verify(row)

    def person(number: int) -> bytes:
        now = FixedClock().period()
        numbers = {"seq": 1, "period": now, "slot": 0, "expires": now + 9}
        body = UserBody(nickname="")
        return make_row(Table.USER, b"", body, signer=key_of(f"p{number}"), **numbers).raw

    async with one_and_rude(tmp_path) as (member, rude):
        async with open_member(rude._hub, tmp_path / "two", "two") as friend:
            await friend.network.connect(member.network.addresses[0])
            await until(lambda: member.syncer.state.in_step > 0, 60, "it has caught up")
        monkeypatch.setattr(SignedRow, "verify", counted)
        started = trio.current_time()
        raws = [person(number) for number in range(6_000)]

        async def flood(mine: list[bytes]) -> None:
            stream = await open_stream(member, rude)
            for batch in wire.batches(mine):
                again = wire.Rows(set=1, raws=batch)
                for _ in range(3):  # what is held already costs nothing
                    await ask(stream, again)

        async with trio.open_nursery() as nursery:
            for at in range(4):
                nursery.start_soon(flood, raws[at::4])
        assert member.store.counts[Table.USER] == 6_000
        assert len(checked) == 6_000
        for seconds in range(1, 40):
            early = sum(at <= started + seconds for at in checked)
            batches = 4 * wire.MAX_BATCH_ROWS  # one more of each stream may be under way
            assert early <= pace.BURST_ROWS + pace.ROWS_PER_S * seconds + batches
        assert checked[-1] - started > (6_000 - pace.BURST_ROWS) / pace.ROWS_PER_S - 11
