"""The clocks of those we compared rows with, and what they say about ours."""

from __future__ import annotations

import statistics
from collections import OrderedDict
from typing import Final

from bitcloud_net.core.errors import Refused
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust import clock_check

MAX_PEERS: Final = 32
"""Peers whose clock is remembered, the newest: twice the partners of a period."""


class ClockWatch:
    """One per node. Only peers that we asked count: nobody can push his time on us."""

    def __init__(self) -> None:
        self._ahead_s: OrderedDict[NodeId, int] = OrderedDict()

    def note(self, peer: NodeId, ahead_s: int) -> None:
        """Remember how far a peer's clock is ahead of ours."""
        self._ahead_s.pop(peer, None)
        self._ahead_s[peer] = ahead_s
        if len(self._ahead_s) > MAX_PEERS:
            self._ahead_s.popitem(last=False)

    @property
    def shown_s(self) -> int:
        """How far our clock is behind the median of the peers, however few; to be shown."""
        return int(statistics.median(self._ahead_s.values() or (0,)))

    @property
    def behind_s(self) -> int | None:
        """The same, to judge others by: None while fewer than five clocks are known."""
        return clock_check.behind_s(self._ahead_s.values())

    def check(self, ahead_s: int) -> None:
        """Return when a clock so far ahead of ours is near enough to compare rows.

        Raises:
            Refused: ``clock-off``.
        """
        if not clock_check.may_compare(ahead_s, self.behind_s):
            raise Refused(
                "the two clocks are half a minute or more apart: one of them must be set right",
                code="clock-off",
            )
