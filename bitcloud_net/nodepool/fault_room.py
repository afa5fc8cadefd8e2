"""Which fault rows about one node are kept: the same on every node, and never those of a crowd.

A verdict needs statements of 11 of the 16 seats of a lot, in three periods with other seats in
each. So for each of the last six periods 16 rows are kept, those whose auditors come first by the
lot of that period: others, however many, take no auditor's place. Of older rows, which no
verdict needs, the newest 16 stay for people to see.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import KEY_BYTES, NodeId
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.trust.lots import rank
from bitcloud_net.core.trust.verdicts import WINDOW_PERIODS

MAX_FAULTS = 16
"""Fault rows about one node for each period of the window, and of all before (R-NP-07)."""


@dataclass(frozen=True, slots=True)
class FaultRoom:
    """The room there is in period ``now``; ``beacon`` draws the lots."""

    db: sqlite3.Connection
    now: int
    beacon: Callable[[int], bytes]

    def make(self, row: SignedRow) -> bytes | None:
        """Return the key of the row that has to go for this one, if one has.

        Raises:
            Malformed: ``faults-full``: it is this one.
        """
        target = row.key_suffix
        rivals = [key for key in self._rivals(target, row.period) if key != row.key]
        if len(rivals) < MAX_FAULTS:
            return None
        last = max([*rivals, row.key], key=self._order(target, row.period))
        if last == row.key:
            raise Malformed("others speak about this node already", code="faults-full")
        return last

    def outlived(self) -> list[bytes]:
        """Return the keys of rows that have left the window, and of which there are newer."""
        crowded = self.db.execute(
            "SELECT target FROM fault WHERE period < ? GROUP BY target HAVING count(*) > ?",
            (self._begin, MAX_FAULTS),
        )
        return [
            key
            for (target,) in crowded.fetchall()
            for key in self._rivals(target, self._begin - 1)[MAX_FAULTS:]
        ]

    @property
    def _begin(self) -> int:
        return self.now - WINDOW_PERIODS + 1

    def _rivals(self, target: bytes, period: int) -> list[bytes]:
        """Return the keys of the rows that share the room with one of ``period``, in the order of
        old ones.
        """
        where, bound = ("period = ?", period) if period >= self._begin else (_OLD, self._begin)
        sql = f"SELECT key FROM fault WHERE target = ? AND {where} ORDER BY period DESC, key"
        return [key for (key,) in self.db.execute(sql, (target, bound)).fetchall()]

    def _order(self, target: bytes, period: int) -> Callable[[bytes], tuple[int, bytes]]:
        """Return what sorts keys, who stays longest first."""
        if period >= self._begin:
            beacon = self.beacon(period)
            return lambda key: (0, rank(beacon, NodeId(target), NodeId(key[:KEY_BYTES])))
        ages = dict(self.db.execute("SELECT key, period FROM fault WHERE target = ?", (target,)))
        return lambda key: (-ages.get(key, period), key)


_OLD = "period < ?"
