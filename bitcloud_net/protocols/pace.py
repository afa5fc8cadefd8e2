"""How fast one peer may make us check signatures.

A signature costs 0.2 ms, its sender nothing that matters. So what a peer sends unasked is checked
at a bounded pace: it waits for our answers, and nothing is refused. Rows that are held already cost
no signature and are not counted.
"""

from __future__ import annotations

from typing import Final

import trio

ROWS_PER_S: Final = 200
"""Rows of one peer that are checked in a second, over time: four hundredths of a core."""
BURST_ROWS: Final = 1_000
"""Rows that may come at once after a silence: a folder of five hundred files."""


class Pace:
    """The pace of one peer, shared by all its streams. Uses trio's clock."""

    def __init__(self) -> None:
        self._left = float(BURST_ROWS)
        self._at = trio.current_time()

    async def wait(self) -> None:
        """Wait until rows may be checked again. Cancel: safe."""
        self._refill()
        while self._left < -1:  # not 0: rounding would make it wait for nothing, for ever
            await trio.sleep(-self._left / ROWS_PER_S)
            self._refill()

    def count(self, rows: int) -> None:
        """Note that so many rows were checked."""
        self._left -= rows

    @property
    def is_rested(self) -> bool:
        """Whether it stands as at first, so that nothing is lost by forgetting it."""
        self._refill()
        return self._left >= BURST_ROWS

    def _refill(self) -> None:
        now = trio.current_time()
        self._left = min(BURST_ROWS, self._left + (now - self._at) * ROWS_PER_S)
        self._at = now
