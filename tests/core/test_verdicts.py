"""Verdicts and bans: what it takes, how long it lasts, how seldom it is wrong."""

from __future__ import annotations

from math import comb
from random import Random

import pytest

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.lots import Candidate, Lot, draw
from bitcloud_net.core.verdicts import (
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
LOT = Lot(seats=tuple(AUDITORS[:16]), believed=frozenset(AUDITORS[:24]), quorum=11)
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
    assert verdict(statements(10) + statements(6, start=24)) is None
    assert verdict(statements(10) + statements(10)) is None  # nobody speaks twice
    assert verdict(statements(10) + statements(1, start=20)) is not None


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


def chance_of_eleven(hostile: float) -> float:
    return sum(comb(16, k) * hostile**k * (1 - hostile) ** (16 - k) for k in range(11, 17))


def test_a_million_windows_at_30_percent_hostile_ban_at_most_two_wrongly() -> None:
    random, bad = Random(2026).random, chance_of_eleven(0.3)
    wrong = 0
    for _ in range(1_000_000):
        hits = (random() < bad) + (random() < bad) + (random() < bad)
        hits += (random() < bad) + (random() < bad) + (random() < bad)
        wrong += hits >= 3
    assert wrong <= 2


def test_a_node_that_is_down_is_banned_within_six_periods_at_20_percent_silent() -> None:
    chance = Random(7)
    everybody = [Candidate(node=NodeId(chance.randbytes(32)), since=0) for _ in range(200)]
    silent = {item.node for item in chance.sample(everybody, 40)}
    banned = 0
    for trial in range(60):
        target = everybody[trial].node
        seen: dict[NodeId, int] = {}
        lots = {
            period: draw(b"%d" % period, target, everybody, period=10_000 + period)
            for period in range(6)
        }
        said: list[Statement] = []
        for period, lot in lots.items():
            for auditor in set(lot.seats) - silent:
                seen[auditor] = seen.get(auditor, 0) | 1 << (5 - period)
        said = [
            Statement(
                auditor=who, target=target, reason=FaultReason.PING_TIMEOUT, period=5, recent=r
            )
            for who, r in seen.items()
        ]
        banned += judge(said, lots.__getitem__, [], now=5) is not None
    assert banned >= 59
