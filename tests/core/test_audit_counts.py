"""How many leaves are asked, and whom that finds (R-AUD-03)."""

from __future__ import annotations

from random import Random

import pytest

from bitcloud_net.core.nodepool.tables import DAY_PERIODS
from bitcloud_net.core.trust.audit import LEAVES_PER_PERIOD, SUSPECT_LEAVES, leaves_to_ask

THREE_DAYS = 3 * DAY_PERIODS


@pytest.mark.parametrize("seats", [1, 2, 3, 9, 16])
def test_all_auditors_together_ask_two_leaves_in_a_period(seats: int) -> None:
    chance = Random(seats)
    asked = sum(
        leaves_to_ask(seats, is_suspect=False, chance=chance.random())
        for _ in range(seats * 10_000)
    )
    assert asked / 10_000 == pytest.approx(LEAVES_PER_PERIOD, rel=0.05)


def test_a_suspect_is_asked_by_each() -> None:
    assert leaves_to_ask(16, is_suspect=True, chance=0.999) == SUSPECT_LEAVES


@pytest.mark.parametrize(("silent", "found"), [(0.0, 0.9998), (0.4, 0.994)])
def test_a_loss_of_one_percent_is_found_in_three_days(silent: float, found: float) -> None:
    """Computed: 1 - 0.99 ** (leaves asked). Required: 99 % within three days."""
    asked = THREE_DAYS * LEAVES_PER_PERIOD * (1 - silent)
    assert 1 - 0.99**asked >= found > 0.99


@pytest.mark.parametrize(
    ("seats", "shares", "silent"),
    [(16, 10_000, 0.0), (16, 10_000, 0.4), (16, 300, 0.0), (9, 2_000, 0.2), (1, 5_000, 0.0)],
)
def test_a_loss_of_one_percent_is_found_in_a_simulation(
    seats: int, shares: int, silent: float, seed: int
) -> None:
    """Auditors that know up to 1,024 shares each, asked as they really ask.

    A node's only auditor knows a tenth or a fifth of what it holds, and finds it nearly as surely.
    """
    chance = Random(f"{seed} {seats} {shares}")
    trials = 300
    found = sum(_is_found(seats, shares, silent, chance) for _ in range(trials))
    expected = 0.99 if silent or seats > 1 else 0.985
    # Three standard deviations of the count, so that a right program fails once in 700 seeds.
    assert found >= trials * expected - 3 * (trials * expected * (1 - expected)) ** 0.5


def _is_found(seats: int, shares: int, silent: float, chance: Random) -> bool:
    dropped = set(chance.sample(range(shares), max(1, shares // 100)))
    known = [chance.sample(range(shares), min(1_024, shares)) for _ in range(seats)]
    speaking = [at for at in range(seats) if chance.random() >= silent]
    for _ in range(THREE_DAYS):
        for at in speaking:
            for _ in range(leaves_to_ask(seats, is_suspect=False, chance=chance.random())):
                if chance.choice(known[at]) in dropped:
                    return True
    return False
