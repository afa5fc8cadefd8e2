"""Whom to ask first, from what was measured."""

from __future__ import annotations

from bitcloud_net.core.keys import NodeId
from bitcloud_net.transfer.scoreboard import (
    AVOID_S,
    FIRST_HEDGE_S,
    LEAST_HEDGE_S,
    MOST_HEDGE_S,
    Scoreboard,
)

NODES = [NodeId(bytes([number]) * 32) for number in range(10)]
SHARES = list(enumerate(NODES))
K = 3


class Time:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def first(scores: Scoreboard, count: int = K) -> list[int]:
    return [number for number, _ in scores.order(SHARES, K)][:count]


def test_primary_shares_come_first_while_nothing_is_known() -> None:
    assert first(Scoreboard(Time()), 10)[:3] == [0, 1, 2]


def test_primary_shares_stay_first_among_equals() -> None:
    scores = Scoreboard(Time())
    for number, node in SHARES:
        scores.answered(node, 0.030 if number < K else 0.020)
    assert sorted(first(scores)) == [0, 1, 2]


def test_a_far_slower_primary_is_passed_over() -> None:
    scores = Scoreboard(Time())
    for number, node in SHARES:
        scores.answered(node, 0.5 if number == 1 else 0.1)
    assert 1 not in first(scores, 9)


def test_seven_slow_ones_do_not_set_the_measure() -> None:
    scores = Scoreboard(Time())
    for number, node in SHARES:
        scores.answered(node, 0.1 if number >= 7 else 2.0)
    assert sorted(first(scores)) == [7, 8, 9]


def test_nobody_looks_fast_for_being_given_up_on_early() -> None:
    scores = Scoreboard(Time())
    for node in NODES[7:]:
        scores.answered(node, 0.3)
    for node in NODES[:7]:
        scores.late(node, 0.01)
        scores.late(node, 0.01)
    assert sorted(first(scores)) == [7, 8, 9]
    scores.answered(NODES[0], 0.1)
    assert first(scores)[0] == 0, "an answer makes it good"


def test_a_failed_node_is_asked_last_for_a_while() -> None:
    time = Time()
    scores = Scoreboard(time)
    scores.failed(NODES[0])
    assert first(scores, 10)[-1] == 0
    assert scores.avoided(NODES[0])
    time.s += AVOID_S
    assert first(scores, 10)[0] == 0


def test_an_answer_ends_avoidance() -> None:
    scores = Scoreboard(Time())
    scores.failed(NODES[0])
    scores.answered(NODES[0], 0.1)
    assert not scores.avoided(NODES[0])


def test_when_a_block_is_late() -> None:
    scores = Scoreboard(Time())
    assert scores.hedge_after(K) == FIRST_HEDGE_S
    for _ in range(100):
        scores.answered(NODES[0], 0.0001)
    assert scores.hedge_after(K) == LEAST_HEDGE_S
    for _ in range(200):
        scores.answered(NODES[0], 0.2)
    assert abs(scores.hedge_after(K) - 0.3) < 1e-9
    for _ in range(200):
        scores.answered(NODES[0], 100.0)
    assert scores.hedge_after(K) == MOST_HEDGE_S
