"""The only reader of wall time. Durations come from ``trio.current_time()``, dates from here."""

from __future__ import annotations

import time

from bitcloud_net.core.units import PERIOD_S


class Clock:
    """Wall time; tests hand in one of their own with the same two methods."""

    def now_s(self) -> int:
        """Return seconds since 1970 in UTC, as a whole number."""
        return int(time.time())

    def period(self) -> int:
        """Return the nodepool's present period: whole spans of 600 s since 1970."""
        return self.now_s() // PERIOD_S
