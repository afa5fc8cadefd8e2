"""How far clocks may be apart."""

from __future__ import annotations

import pytest

from bitcloud_net.core.trust.clock_check import FAULT_S, REFUSE_S, WARN_S, behind_s, may_compare


def test_the_limits() -> None:
    assert (WARN_S, FAULT_S, REFUSE_S) == (5, 10, 30)


def test_a_median_needs_five_clocks_and_bears_two_liars() -> None:
    assert behind_s([7, 7, 7, 7]) is None
    assert behind_s([7, 7, 7, 7, 7]) == 7
    assert behind_s([-(10**9), 10**9, 7, 7, 7]) == 7
    assert behind_s([]) is None


@pytest.mark.parametrize(
    ("ahead", "behind", "may"),
    [
        (29, None, True),
        (-29, None, True),
        (30, None, False),
        (-30, None, False),
        (60, 60, False),  # we are wrong ourselves
        (0, 60, False),  # it is as wrong as we are
        (20, 20, True),
        (-15, 20, False),
    ],
)
def test_whose_clock_is_near_enough(ahead: int, behind: int | None, may: bool) -> None:
    assert may_compare(ahead, behind) is may
