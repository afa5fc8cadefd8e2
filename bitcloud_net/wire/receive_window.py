"""How much a peer may send on one stream before we have read: enforced, and grown to what pays.

The window must hold what can be on its way, or the sender waits for our updates: rate times round
trip time (the bandwidth-delay product). Both are measured: the rate between two updates, the
round trip by pings. A slow reader has a low rate, so its window does not grow; that is flow
control, not a fault.
"""

from __future__ import annotations

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.wire.memory_budget import MemoryBudget

INITIAL_WINDOW_BYTES = 256 * KIB
"""Fixed by Yamux: what a stream may send before it hears of any other window."""

MAX_WINDOW_BYTES = 16 * MIB
"""Fills 600 Mbit/s at 200 ms. go-yamux and py-libp2p stop at the same size."""

MIN_ROUND_TRIP_S = 0.01
"""Counted for any link: what it takes until a busy process has read and answered."""

HEADROOM = 8
"""Times the product. What is measured lags a round trip behind, so a window that holds the sender
back grows about threefold with each: 16 MiB after four. The budget, not this, bounds the memory."""

UPDATE_AFTER_BYTES = 512 * KIB
"""Read before the peer hears of it, or half of a smaller window. Half of a large one would be too
late: on a long link the sender would have nothing to do for half of the time."""


class ReceiveWindow:
    """The receive window of one stream."""

    __slots__ = ("_budget", "_consumed", "_measured", "_since", "left", "size")

    def __init__(self, budget: MemoryBudget, now: float) -> None:
        """Take the initial window out of ``budget``, which must have been asked before."""
        self._budget = budget
        self._since = now
        self._consumed = 0
        self._measured = 0
        self.size = self.left = INITIAL_WINDOW_BYTES

    def take_in(self, length: int) -> None:
        """Count a frame of ``length`` bytes, by its header.

        Raises:
            Malformed: the peer sends more than we granted (code ``window-overrun``).
        """
        if length > self.left:
            raise Malformed(
                f"sent {length} bytes into a window of {self.left}", code="window-overrun"
            )
        self.left -= length

    def consume(self, length: int, now: float, round_trip_s: float) -> int:
        """Count ``length`` bytes as read; return what to grant the peer now, mostly zero."""
        self._consumed += length
        self._measured += length
        if self._consumed < min(self.size // 2, UPDATE_AFTER_BYTES):
            return 0
        growth = self._grow(now, max(round_trip_s, MIN_ROUND_TRIP_S))
        granted = self._consumed + growth
        self.left += self._consumed
        self._consumed = 0
        return granted

    def widen(self, size: int) -> int:
        """Grow to ``size`` if the budget allows; return by how much."""
        growth = min(size, MAX_WINDOW_BYTES) - self.size
        if growth <= 0 or not self._budget.reserve(growth):
            return 0
        self.size += growth
        self.left += growth
        return growth

    def close(self) -> None:
        """Give the whole window back to the budget."""
        self._budget.release(self.size)
        self.size = self.left = 0

    def _grow(self, now: float, round_trip_s: float) -> int:
        elapsed_s = now - self._since
        if elapsed_s < round_trip_s:  # a shorter while would measure a burst, not a rate
            return 0
        product = int(self._measured * round_trip_s / elapsed_s)
        self._since = now
        self._measured = 0
        return self.widen(HEADROOM * product)
