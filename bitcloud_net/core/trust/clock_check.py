"""How wrong a clock may be (R-AUD-06), measured against others, because nobody knows the time.

A clock is shown, never changed: to set it is the person's and the system's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Final

WARN_S: Final = 5
"""So far off, the person is warned."""
FAULT_S: Final = 10
"""So far off, auditors call it a fault."""
REFUSE_S: Final = 30
"""So far off, nobody compares rows with it: periods would be mistaken for each other."""
MIN_PEERS: Final = 5
"""Clocks that a median needs: fewer could be one liar's."""


def behind_s(ahead_s: Iterable[int]) -> int | None:
    """Return by how many seconds our clock is behind the median of others, given how far each of
    them is ahead of ours; None while fewer than five are known.
    """
    known = list(ahead_s)
    return int(median(known)) if len(known) >= MIN_PEERS else None


def may_compare(ahead_s: int, behind_s: int | None) -> bool:
    """Whether the clock of somebody who is ``ahead_s`` of us is near enough to compare rows: to
    ours, and to the median, so that two that are wrong alike compare nothing either.
    """
    return abs(ahead_s) < REFUSE_S and abs(ahead_s - (behind_s or 0)) < REFUSE_S
