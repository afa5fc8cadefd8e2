"""Health: the same words for the same facts everywhere."""

from __future__ import annotations

import pytest

from bitcloud_net.core.files.health import ShareHealth, classify
from bitcloud_net.views import HealthState


@pytest.mark.parametrize(
    ("alive", "expected"),
    [
        (None, "unknown"),
        (10, "healthy"),
        (8, "healthy"),
        (7, "weakened"),
        (3, "weakened"),
        (2, "unreadable"),
        (0, "unreadable"),
    ],
)
def test_three_of_ten(alive: int | None, expected: str) -> None:
    assert classify(alive, 3, 10) == expected


def test_promise_and_repair() -> None:
    assert classify(9, 3, 10, promised=10) is ShareHealth.WEAKENED
    assert classify(9, 3, 10, promised=10, repairing=True) is ShareHealth.REPAIRING
    assert classify(10, 3, 10, promised=10, repairing=True) is ShareHealth.HEALTHY
    assert classify(2, 3, 10, repairing=True) is ShareHealth.UNREADABLE


def test_file_inside_its_row() -> None:
    assert classify(None, 0, 0) is ShareHealth.HEALTHY


def test_programs_see_the_same_words() -> None:
    assert [state.value for state in ShareHealth] == [state.value for state in HealthState]
