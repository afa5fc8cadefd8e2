"""From a failing node to its ban and back: auditors by lot, statements, verdicts, proofs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from grids import NOW, FixedClock, key_of, on_the_spot, view_of

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.row_bodies import FaultBody, NodeBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import PROOFS, Role, Table
from bitcloud_net.core.trust.lots import draw
from bitcloud_net.core.trust.verdicts import Ban, FaultReason
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import RowStore, number_alone, open_row_store
from bitcloud_net.services.trust.auditor import Auditor
from bitcloud_net.services.trust.judge import Judge

KEYS = [key_of(f"node {at}") for at in range(10)]
TARGET = KEYS[0]


class Door:
    """Notes whom the judge shuts out."""

    def __init__(self, node_id: NodeId) -> None:
        self.node_id = node_id
        self.shut: dict[NodeId, float] = {}

    def ban(self, peer: NodeId, *, seconds: float) -> None:
        self.shut[peer] = seconds


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FixedClock) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as opened:
        for key in KEYS:
            await write_node(opened, key)
        yield opened


async def write_node(store: RowStore, key: SigningKey) -> SignedRow:
    body = NodeBody(name="one of many", roles=Role.NODE, addresses=(), capacity=1, used=0)
    return await store.write(Table.NODE, b"", body, signer=key)


def auditor(
    store: RowStore, key: SigningKey, clock: FixedClock, failing: dict[NodeId, FaultReason]
) -> Auditor:
    async def probe(target: NodeId, leaves: int) -> FaultReason | None:
        return failing.get(target)

    queries = Queries(store.database)
    return Auditor(queries, store, key, probe, clock=clock, beacon=number_alone, random=Random(1))


def judge_of(store: RowStore, clock: FixedClock, bans: list[Ban]) -> tuple[Judge, Door]:
    door = Door(KEYS[9].node_id)
    judge = Judge(
        Queries(store.database),
        store,
        door,
        period=clock.period,
        beacon=number_alone,
        on_ban=bans.append,
    )
    return judge, door


@pytest.mark.parametrize("reason", list(FaultReason))
async def test_three_bad_periods_ban_a_node_and_the_ban_ends(
    store: RowStore, clock: FixedClock, reason: FaultReason
) -> None:
    failing = {TARGET.node_id: reason}
    auditors = [auditor(store, key, clock, failing) for key in KEYS[1:]]
    told: list[Ban] = []
    judge, door = judge_of(store, clock, told)
    for _ in range(3):
        assert await judge.review() == []
        clock.forward(1)
        for one in auditors:
            await one.audit()
    (ban,) = await judge.review()
    assert (ban.target, ban.since, ban.until) == (TARGET.node_id, NOW + 3, NOW + 4)
    assert ban.reason == reason.text
    assert door.shut == {TARGET.node_id: 1_200}
    assert told == [ban]
    assert await judge.review() == []
    queries = Queries(store.database)
    case = await queries.case(ban)
    assert (case.name, case.proof) == ("one of many", "")
    assert [word.auditor for word in case.statements] == sorted(key.node_id for key in KEYS[1:])
    assert {(word.reason, word.recent) for word in case.statements} == {(reason, 0b111)}
    assert await queries.node(TARGET.public) is None
    with pytest.raises(BadInput) as caught:
        await write_node(store, TARGET)
    assert caught.value.code == "owner-banned"
    clock.forward(2)
    await write_node(store, TARGET)
    assert await judge.review() == []
    assert await queries.node(TARGET.public) is not None


async def test_one_fault_row_is_signed_again_with_a_higher_count(
    store: RowStore, clock: FixedClock
) -> None:
    one = auditor(store, KEYS[1], clock, {TARGET.node_id: FaultReason.CORRUPT_DATA})
    for _ in range(4):
        await one.audit()
        await one.audit()  # twice in a period says nothing new
        clock.forward(1)
    clock.forward(1)
    await one.audit()
    fault = await Queries(store.database).fault(KEYS[1].public, TARGET.public)
    assert fault is not None
    assert fault.body == FaultBody(reason=FaultReason.CORRUPT_DATA, count=5, recent=0b111101)
    assert store.counts[Table.FAULT] == 1


async def test_an_auditor_whose_line_is_down_says_nothing(
    store: RowStore, clock: FixedClock
) -> None:
    everybody = {key.node_id: FaultReason.PING_TIMEOUT for key in KEYS[:6]}
    await auditor(store, KEYS[9], clock, everybody).audit()
    assert store.counts[Table.FAULT] == 0
    slow = {key.node_id: FaultReason.TOO_SLOW for key in KEYS[:6]}
    await auditor(store, KEYS[9], clock, slow).audit()
    assert store.counts[Table.FAULT] == 0, "it is more likely slow itself"
    few = {key.node_id: FaultReason.PING_TIMEOUT for key in KEYS[:3]}
    await auditor(store, KEYS[9], clock, few).audit()
    assert store.counts[Table.FAULT] == 3


async def test_at_most_sixteen_faults_for_a_target_and_the_same_everywhere(
    tmp_path: Path, clock: FixedClock
) -> None:
    rows = []
    for at in range(30):
        key = key_of(f"auditor {at}")
        body = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
        numbers = {"seq": 1, "period": NOW, "slot": 0, "expires": NOW + 100}
        rows.append(make_row(Table.NODE, b"", body, signer=key, **numbers))
        fault = FaultBody(reason=FaultReason.TOO_SLOW, count=1, recent=1)
        rows.append(make_row(Table.FAULT, TARGET.public, fault, signer=key, **numbers))
    kept = []
    for seed in range(4):
        Random(seed).shuffle(rows)
        (tmp_path / str(seed)).mkdir()
        async with open_row_store(tmp_path / str(seed), clock=clock, run=on_the_spot) as store:
            outcomes = await store.accept_many([row.raw for row in rows], source=None)
            assert {o.code for o in outcomes} <= {None, "faults-full"}
            assert store.counts[Table.FAULT] == 16
            kept.append((await view_of(store, NOW))[Table.FAULT].items(0, 99))
    assert kept[0] == kept[1] == kept[2] == kept[3]


async def test_a_large_network_bans_by_other_auditors_in_each_period_whatever_a_crowd_says(
    store: RowStore, clock: FixedClock
) -> None:
    """Sixteen others have seats in each period. A crowd that has none speaks first, to take the
    places of those who have.
    """
    many = [*KEYS, *(key_of(f"many {at}") for at in range(120))]
    for key in many[len(KEYS) :]:
        await write_node(store, key)
    target = many[-1].node_id
    nodes = await Queries(store.database).nodes(period=NOW)
    candidates = [node.candidate for node in nodes]
    seats = {
        period: draw(number_alone(period), target, candidates, period=period).seats
        for period in range(NOW + 1, NOW + 4)
    }
    crowd = [key for key in many if not any(key.node_id in some for some in seats.values())]
    assert len(crowd) > 60
    judge, _ = judge_of(store, clock, [])
    bans: list[Ban] = []
    for period in seats:
        assert bans == []
        clock.forward(1)
        seated = [key for key in many if key.node_id in seats[period]]
        for key in crowd + seated:
            body = FaultBody(reason=FaultReason.CORRUPT_DATA, count=6, recent=0b111111)
            with suppress(BadInput):  # faults-full
                await store.write(Table.FAULT, target, body, signer=key)
        bans += await judge.review()
    assert [ban.target for ban in bans] == [target]
    assert store.counts[Table.FAULT] <= 3 * 16
    clock.forward(6)
    await store.sweep()
    assert store.counts[Table.FAULT] == 16


async def test_a_proof_bans_a_node_at_once_but_never_takes_a_persons_files(
    store: RowStore, clock: FixedClock
) -> None:
    numbers = {"period": NOW, "slot": 7, "expires": NOW + 9}
    one, other = (
        make_row(
            Table.NODE,
            b"",
            NodeBody(name=name, roles=Role.NODE, addresses=(), capacity=0, used=0),
            signer=TARGET,
            seq=2**40,
            **numbers,
        )
        for name in ("one", "other")
    )
    await store.write(Table.USER, b"", UserBody(nickname="Operator"), signer=TARGET)
    told: list[Ban] = []
    judge, door = judge_of(store, clock, told)
    await store.take(PROOFS, [Proof.of(one, other).raw], source=None)
    await judge.review()
    assert [ban.reason for ban in told] == ["fraud"]
    assert told[0].until == NOW + 144
    case = await Queries(store.database).case(told[0])
    assert (case.name, case.proof, case.statements) == ("one of many", "number", ())
    assert TARGET.node_id in door.shut
    queries = Queries(store.database)
    assert await queries.node(TARGET.public) is None
    assert await queries.person(TARGET.public) is not None
    (refused,) = await store.accept_many([one.raw], source=None)
    assert (refused.fate, refused.code) == (Fate.REFUSED, "owner-banned")
    assert not refused.is_senders_fault
    clock.forward(145)
    assert (await queries.bans(clock.period()))[0].holds(NOW)
    clock.forward(4_320)
    await store.sweep()
    assert await queries.bans(clock.period()) == ()
    assert (await queries.case(told[0])).name == ""


async def test_auditors_have_a_seat_or_keep_silent(store: RowStore, clock: FixedClock) -> None:
    many = [key_of(f"more {at}") for at in range(50)]
    for key in many:
        await write_node(store, key)
    nodes = await Queries(store.database).nodes(period=NOW)
    candidates = [node.candidate for node in nodes]
    beacon = number_alone(NOW)
    found = await auditor(store, many[0], clock, {}).audit()
    expected = {
        node.id
        for node in nodes
        if node.id != many[0].node_id
        and many[0].node_id in draw(beacon, node.id, candidates, period=NOW).seats
    }
    assert set(found) == expected
    assert 5 < len(found) < 30


async def test_a_machine_that_was_set_up_again_is_not_banned(
    tmp_path: Path, clock: FixedClock
) -> None:
    rows = []
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        async with open_row_store(tmp_path / name, clock=clock, run=on_the_spot) as store:
            rows.append(await write_node(store, TARGET))
        clock.seconds += 60
    assert rows[0].slot == rows[1].slot
    (tmp_path / "other").mkdir()
    async with open_row_store(tmp_path / "other", clock=clock, run=on_the_spot) as other:
        outcomes = await other.accept_many([row.raw for row in rows], source=None)
        assert [o.fate for o in outcomes] == [Fate.ACCEPTED] * 2
        node = await Queries(other.database).node(TARGET.public)
        assert node is not None
        assert node.seq == rows[1].seq
        assert await Queries(other.database).bans(NOW) == ()
