"""Verdicts and bans: what it takes, how long it lasts, how seldom it is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from math import comb
from random import Random

import pytest

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.lots import Candidate, Electorate, Lot
from bitcloud_net.core.trust.verdicts import (
    Ban,
    FaultReason,
    Statement,
    bad_periods,
    judge,
    may_report,
    seen_again,
)

TARGET = NodeId(b"t" * 32)
AUDITORS = [NodeId(bytes([at]) * 32) for at in range(1, 31)]
LOT = Lot(seats=tuple(AUDITORS[:16]), quorum=11)
NOW = 1_000


def statements(
    count: int, recent: int = 0b111, *, period: int = NOW, reason: int = 1, start: int = 0
) -> list[Statement]:
    return [
        Statement(
            auditor=auditor,
            target=TARGET,
            reason=FaultReason(reason),
            period=period,
            recent=recent,
        )
        for auditor in AUDITORS[start : start + count]
    ]


def verdict(said: list[Statement], earlier: list[Ban] | None = None, now: int = NOW) -> Ban | None:
    return judge(said, lambda _: LOT, earlier or [], now=now)


def test_eleven_of_sixteen_and_three_of_six() -> None:
    assert verdict(statements(11)) is not None
    assert verdict(statements(10)) is None
    assert verdict(statements(16, recent=0b11)) is None
    assert verdict(statements(16, recent=0b101001)) is not None
    assert verdict([]) is None


@pytest.mark.parametrize("reason", list(FaultReason))
def test_every_reason_is_named(reason: FaultReason) -> None:
    ban = verdict(statements(11, reason=reason))
    assert ban is not None
    assert ban.reason == reason.name.lower().replace("_", "-")


def test_who_has_no_seat_is_not_counted() -> None:
    assert verdict(statements(10) + statements(14, start=16)) is None
    assert verdict(statements(10) + statements(10)) is None  # nobody speaks twice
    assert verdict(statements(10) + statements(1, start=15)) is not None


def test_old_statements_do_not_count() -> None:
    assert bad_periods(statements(16, period=NOW - 6), lambda _: LOT, now=NOW) == []
    assert bad_periods(statements(16, 0b1, period=NOW - 5), lambda _: LOT, now=NOW) == [NOW - 5]
    future = statements(16, 0b1, period=NOW + 1)
    assert bad_periods(future, lambda _: LOT, now=NOW) == []


def test_bans_grow_and_end() -> None:
    history: list[Ban] = []
    lengths = []
    now = NOW
    for _ in range(5):
        assert verdict(statements(16, period=now), history, now) is not None
        ban = verdict(statements(16, period=now), history, now)
        assert ban is not None
        lengths.append(ban.until - ban.since)
        history.append(ban)
        assert verdict(statements(16, period=now), history, now) is None
        assert ban.holds(now)
        assert ban.holds(ban.until)
        assert not ban.holds(ban.until + 1)
        now = ban.until + 3
    assert lengths == [1, 6, 144, 144, 144]
    later = now + 31 * 144
    ban = verdict(statements(16, period=later), history, later)
    assert ban is not None
    assert ban.until - ban.since == 1


def test_periods_before_the_end_of_a_ban_do_not_count_again() -> None:
    first = verdict(statements(16))
    assert first is not None
    now = first.until + 1
    assert verdict(statements(16, 0b111111, period=now), [first], now) is None
    assert verdict(statements(16, 0b111111, period=now + 2), [first], now + 2) is not None


def test_the_bits_of_a_repeated_failure() -> None:
    assert seen_again(0, NOW, NOW) == 1
    assert seen_again(1, NOW, NOW) == 1
    assert seen_again(1, NOW, NOW + 1) == 0b11
    assert seen_again(0b1, NOW, NOW + 2) == 0b101
    assert seen_again(0b111111, NOW, NOW + 1) == 0b111111
    assert seen_again(0b111111, NOW, NOW + 50) == 1


@pytest.mark.parametrize(
    ("reached", "partners", "may"), [(8, 16, True), (7, 16, False), (0, 0, False)]
)
def test_an_auditor_whose_line_is_down_says_nothing(reached: int, partners: int, may: bool) -> None:
    assert may_report(reached, partners) is may


# One million windows (the design's acceptance test 7): drawn fast, and checked against real lots,
# real statements and the real judge.

ELIGIBLE = 300


def nodes(count: int, seed: int) -> list[Candidate]:
    chance = Random(seed)
    return [Candidate(node=NodeId(chance.randbytes(32)), since=0) for _ in range(count)]


def chances(hostile: float) -> list[float]:
    """How likely each number of hostile seats is, from 0 to 16, drawn from ``ELIGIBLE``."""
    bad = round(ELIGIBLE * hostile)
    ways = [comb(bad, k) * comb(ELIGIBLE - bad, 16 - k) for k in range(17)]
    return [way / comb(ELIGIBLE, 16) for way in ways]


def banned_fast(hostile_seats: Sequence[int]) -> bool:
    """Whether six periods ban, by the number of seats whose holders speak in each."""
    return sum(seats >= 11 for seats in hostile_seats) >= 3


def window(
    speakers: set[NodeId], everybody: list[Candidate], target: NodeId, first: int
) -> tuple[list[int], Ban | None]:
    """Let all ``speakers``, seated or not, say in each of six periods that the target fails. Return
    how many of them had a seat in each, and what the judge says."""
    beacons = {period: b"%d" % period for period in range(first, first + 6)}
    electorate = Electorate(everybody)
    lots = {at: electorate.draw(beacons[at], target, at) for at in beacons}
    last = first + 5
    said = [
        Statement(
            auditor=who,
            target=target,
            reason=FaultReason.CORRUPT_DATA,
            period=last,
            recent=0b111111,
        )
        for who in speakers
    ]
    seats = [len(speakers.intersection(lots[at].seats)) for at in sorted(lots)]
    return seats, judge(said, lots.__getitem__, [], now=last)


@pytest.mark.parametrize("hostile", [0.3, 0.6, 0.65])
def test_the_fast_way_says_what_the_judge_says(hostile: float) -> None:
    """With so many hostile nodes that bans occur, too; and lots are drawn as they should be."""
    everybody = nodes(ELIGIBLE + 1, seed=3)
    target = everybody.pop().node
    bad = {item.node for item in everybody[: round(ELIGIBLE * hostile)]}
    counts: Counter[int] = Counter()
    bans = 0
    for at in range(60):
        seats, ban = window(bad, everybody, target, 10_000 + 6 * at)
        assert banned_fast(seats) == (ban is not None)
        bans += ban is not None
        counts.update(seats)
    mean = sum(seats * times for seats, times in counts.items()) / counts.total()
    assert abs(mean - 16 * hostile) < 0.4
    assert bans == 0 if hostile < 0.5 else bans > 5


def test_a_million_windows_at_30_percent_hostile_ban_at_most_two_wrongly() -> None:
    """All hostile nodes speak ill of an honest one in every period. Expected: one in 30 runs."""
    weights = list(accumulate(chances(0.3)))
    seats = Random(2026).choices(range(17), cum_weights=weights, k=6_000_000)
    bad = [at for at, count in enumerate(seats) if count >= 11]
    windows = Counter(at // 6 for at in bad)
    wrong = sum(periods >= 3 for periods in windows.values())
    assert 6_500 < len(bad) < 7_500, "one wrong verdict in 860 periods"
    assert wrong <= 2


def test_a_node_that_is_down_is_banned_within_six_periods_at_20_percent_silent() -> None:
    everybody = nodes(ELIGIBLE + 1, seed=7)
    target = everybody.pop().node
    honest = {item.node for item in everybody[ELIGIBLE // 5 :]}
    missed = sum(window(honest, everybody, target, 10_000 + 6 * at)[1] is None for at in range(200))
    assert missed <= 2, "99 % of 200"


def test_it_is_banned_as_surely_by_who_knows_a_few_nodes_less() -> None:
    """One in 25 nodes is unknown to the judge, and honest ones among them have seats."""
    everybody = nodes(ELIGIBLE + 1, seed=8)
    target = everybody.pop().node
    honest = {item.node for item in everybody[ELIGIBLE // 5 :]}
    known = [item for at, item in enumerate(everybody) if at % 25]
    missed = 0
    for at in range(100):
        first = 10_000 + 6 * at
        electorate, theirs = Electorate(everybody), Electorate(known)
        seats = [electorate.draw(b"%d" % at, target, at).seats for at in range(first, first + 6)]
        views = [theirs.draw(b"%d" % at, target, at).seats for at in range(first, first + 6)]
        heard = [
            len(honest.intersection(seat).intersection(view))
            for seat, view in zip(seats, views, strict=True)
        ]
        missed += not banned_fast(heard)
    assert missed <= 2
