"""Rows signed on this machine, and the numbers used for them, in a database of their own.

It is written through to the disk before the shared database knows a row. So a damaged nodepool can
be rebuilt, and no number or slot is ever used twice, even by a process killed at any instant.
"""

from __future__ import annotations

from pathlib import Path

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.rows import SignedRow
from bitcloud_net.core.table_rules import DAY_PERIODS, RULES, Table
from bitcloud_net.nodepool.database import connect_writer, transaction_on
from bitcloud_net.nodepool.migrate import OWN_ROWS

KEPT_PERIODS = 30 * DAY_PERIODS
"""How long used slots are remembered: a clock that was ahead may be set back."""


class OwnRows:
    """The own rows of all keys of this machine. Used from one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._db = connect_writer(path, OWN_ROWS, durable=True)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def seq(self, table: Table, key: bytes) -> int:
        """Return the highest number used for a key; 0 before the first."""
        found = self._db.execute(
            "SELECT seq FROM own_row WHERE tbl = ? AND key = ?", (table, key)
        ).fetchone()
        return int(found[0]) if found else 0

    def take_slots(self, owner: bytes, table: Table, period: int, count: int, floor: int) -> int:
        """Reserve ``count`` slots for good and return the first, which is at least ``floor``.

        Raises:
            Unavailable: ``slots-used-up``; there are new ones in the next period.
        """
        with transaction_on(self._db):
            found = self._db.execute(
                "SELECT next FROM own_slot WHERE owner = ? AND tbl = ? AND period = ?",
                (owner, table, period),
            ).fetchone()
            first = max(floor, int(found[0]) if found else 0)
            if first + count > RULES[table].slots_per_period:
                raise Unavailable(
                    "this period's limit of changes is reached; try again in ten minutes",
                    code="slots-used-up",
                )
            self._db.execute("DELETE FROM own_slot WHERE period < ?", (period - KEPT_PERIODS,))
            self._db.execute(
                "INSERT OR REPLACE INTO own_slot VALUES (?, ?, ?, ?)",
                (owner, table, period, first + count),
            )
        return first

    def keep(self, rows: list[SignedRow]) -> None:
        """Write rows through to the disk."""
        with transaction_on(self._db):
            self._db.executemany(
                "INSERT OR REPLACE INTO own_row (tbl, key, seq, raw) VALUES (?, ?, ?, ?)",
                [(row.table, row.key, row.seq, row.raw) for row in rows],
            )

    def newest(self, count: int | None) -> list[bytes]:
        """Return the last ``count`` rows written (all with None) in wire form, newest first."""
        found = self._db.execute(
            "SELECT raw FROM own_row ORDER BY number DESC LIMIT ?",
            (-1 if count is None else count,),
        )
        return [raw for (raw,) in found]
