"""Who sits on a committee, and what committees remember of days."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.tables import DAY_PERIODS
from bitcloud_net.core.trust.beacon_book import BeaconBook
from bitcloud_net.core.trust.beacon_days import Days, elect, packed, remembered, unpacked
from bitcloud_net.core.trust.beacons import (
    COMMITTEE_SEATS,
    DAYS_PER_ROW,
    Committee,
    fallback,
    genesis,
    period_of_day,
    seat,
)
from bitcloud_net.core.trust.lots import Candidate

DAY = 20_000
BEGIN = DAY * DAY_PERIODS


def nodes(count: int, *, since: int = 0, hood: str = "", seed: int = 1) -> list[Candidate]:
    chance = Random(f"{seed} {since}")
    return [
        Candidate(node=NodeId(chance.randbytes(32)), since=since, neighbourhood=hood)
        for _ in range(count)
    ]


def value(number: int) -> bytes:
    return number.to_bytes(32, "big")


@pytest.mark.parametrize("count", [0, 1, 5, 23])
def test_everybody_sits_in_a_small_network(count: int) -> None:
    everybody = nodes(count, since=BEGIN, hood="one house")
    assert seat(value(1), everybody, day=DAY).members == {item.node for item in everybody}


def test_a_large_network_draws_64_of_those_of_age() -> None:
    old, new = nodes(200, since=BEGIN - 432), nodes(500, since=BEGIN - 431)
    committee = seat(value(1), old + new, day=DAY)
    assert committee.members < {item.node for item in old}
    assert (len(committee.members), committee.quorum, committee.majority, committee.least) == (
        COMMITTEE_SEATS,
        43,
        33,
        22,
    )
    assert committee == seat(value(1), reversed(old + new), day=DAY)
    others = seat(value(2), old + new, day=DAY)
    assert len(committee.members & others.members) < 40


def test_a_new_network_takes_the_young_and_an_old_one_its_few_old() -> None:
    assert len(seat(value(1), nodes(100, since=BEGIN), day=DAY).members) == COMMITTEE_SEATS
    old = nodes(12)
    assert seat(value(1), old + nodes(100, since=BEGIN), day=DAY).members == {
        item.node for item in old
    }


def test_one_seat_for_each_neighbourhood() -> None:
    everybody = nodes(30) + nodes(500, hood="8.8.8.0/24", seed=2)
    committee = seat(value(1), everybody, day=DAY)
    hoods = Counter(item.neighbourhood for item in everybody if item.node in committee.members)
    assert hoods == {"": 30, "8.8.8.0/24": 1}


def test_everybody_of_age_sits_equally_often() -> None:
    everybody = nodes(128)
    seats: Counter[NodeId] = Counter()
    for day in range(200):
        seats.update(seat(value(day), everybody, day=DAY).members)
    assert 65 < min(seats.values()) < max(seats.values()) < 135  # 100 expected


@given(
    first=st.integers(1, 3 * DAYS_PER_ROW),
    count=st.integers(1, 3 * DAYS_PER_ROW),
)
def test_days_go_into_rows_and_come_back(first: int, count: int) -> None:
    days = {day: value(day) for day in range(first, first + count)}
    rows = packed(days)
    assert all(len(values) <= 32 * DAYS_PER_ROW for values in rows.values())
    found: dict[int, bytes] = {}
    for number, values in rows.items():
        found |= unpacked(number, values, first + count - 1)
    assert found == days


def memories(committee: Committee, days: Days, count: int) -> dict[NodeId, Days]:
    return dict.fromkeys(sorted(committee.members)[:count], days)


def test_a_majority_is_believed_and_fewer_are_not() -> None:
    committee = seat(value(1), nodes(10), day=DAY)
    true, false = {DAY: value(1)}, {DAY: value(2)}
    said = memories(committee, true, 10) | memories(committee, false, 4)
    assert remembered(said, committee) == true
    assert remembered(memories(committee, true, 5), committee) == {}
    strangers = {item.node: false for item in nodes(100, seed=9)}
    assert remembered(said | strangers, committee) == true


def test_who_comes_new_finds_the_committee_that_confirms_itself() -> None:
    """A louder crowd whose value draws others than itself is not believed."""
    everybody = nodes(1_000)
    true = seat(value(7), everybody, day=DAY)
    said: dict[NodeId, Days] = {item.node: {DAY - 1: value(666)} for item in everybody[:300]}
    said |= {member: {DAY - 1: value(7)} for member in true.members}
    assert elect(said, everybody, day=DAY, known=None) == (value(7), true)
    assert elect(said, everybody, day=DAY, known=value(666)) == (value(7), true)
    assert elect(said, everybody, day=DAY, known=value(7)) == (value(7), true)


def test_who_knows_something_keeps_it_while_nobody_confirms_another() -> None:
    everybody = nodes(1_000)
    said: dict[NodeId, Days] = {item.node: {DAY - 1: value(666)} for item in everybody[:300]}
    mine, committee = elect(said, everybody, day=DAY, known=value(7))
    assert (mine, committee) == (value(7), seat(value(7), everybody, day=DAY))
    assert elect({}, everybody, day=DAY, known=None)[0] is None


def test_days_without_a_value_hang_on_the_last_that_is_known() -> None:
    one, other = BeaconBook("town"), BeaconBook("town")
    start = fallback(genesis("town"), period_of_day(DAY))
    assert one.of_day(DAY) == start
    for book in (one, other):
        book.note_days({DAY: value(5)})
    assert one.of_day(DAY) == value(5)
    assert one.of_day(DAY + 3) == fallback(value(5), period_of_day(DAY + 3))
    assert one.memory(DAY + 3) == other.memory(DAY + 3)
    assert sorted(one.memory(DAY + 3)) == list(range(DAY, DAY + 4))
    late = BeaconBook("town")
    late.note_days(one.memory(DAY + 3))
    assert [late.of_day(DAY + at) for at in range(4)] == [one.of_day(DAY + at) for at in range(4)]


def test_certain_is_what_is_known_or_was_before_the_beginning() -> None:
    book = BeaconBook("town")
    assert not book.is_certain(DAY)
    book.note_days({DAY: value(5), DAY + 1: value(6)})
    assert book.is_certain(DAY)
    assert not book.is_certain(DAY + 2)
    assert not book.is_certain(DAY - 1)
    book.note_beginning(DAY)
    assert book.is_certain(DAY - 1)
    assert book.of_day(DAY - 1) == fallback(genesis("town"), period_of_day(DAY - 1))
