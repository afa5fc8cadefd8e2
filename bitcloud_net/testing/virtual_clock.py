"""Wall time that goes with trio's clock, so that dates and durations agree in virtual time."""

from __future__ import annotations

import trio

from bitcloud_net.clock import Clock
from bitcloud_net.core.units import PERIOD_S

START_S = 3_000_000 * PERIOD_S
"""Where virtual time begins: a date in 2027, at the start of a period."""


class VirtualClock(Clock):
    """``Clock`` for programs under ``trio.testing.MockClock``; only inside a trio program.

    ``ahead_s`` is how far it goes wrong: seconds before or behind everybody else's.
    """

    def __init__(self, *, ahead_s: int = 0) -> None:
        self._start_s = START_S + ahead_s

    def now_s(self) -> int:
        """See ``Clock``."""
        return self._start_s + int(trio.current_time())

    def forward(self, seconds: int) -> None:
        """Let the date jump, as after a sleep of the machine or when its owner sets it."""
        self._start_s += seconds
