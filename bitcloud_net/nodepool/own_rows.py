"""Rows signed on this machine, and the numbers used for them, in a database of their own.

It is written through to the disk before the shared database knows a row. So a damaged nodepool can
be rebuilt, and no number or slot is ever used twice, even by a process killed at any instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.nodepool.app_tables import AppDefinition, AppId
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import DAY_PERIODS, Table, TableRule
from bitcloud_net.core.trust.beacons import FIRST_PERIOD, WORD_LIFE_PERIODS
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

    def seq(self, table: int, key: bytes) -> int:
        """Return the highest number used for a key; 0 before the first."""
        found = self._db.execute(
            "SELECT seq FROM own_row WHERE tbl = ? AND key = ?", (table, key)
        ).fetchone()
        return int(found[0]) if found else 0

    def take_slots(self, owner: bytes, rule: TableRule, period: int, count: int, floor: int) -> int:
        """Reserve ``count`` slots for good and return the first, which is at least ``floor``.

        Raises:
            Unavailable: ``slots-used-up``; there are new ones in the next period.
        """
        with transaction_on(self._db):
            found = self._db.execute(
                "SELECT next FROM own_slot WHERE owner = ? AND tbl = ? AND period = ?",
                (owner, rule.table, period),
            ).fetchone()
            first = max(floor, int(found[0]) if found else 0)
            if first + count > rule.slots_per_period:
                raise Unavailable(
                    "this period's limit of changes is reached; try again in ten minutes",
                    code="slots-used-up",
                )
            self._db.execute("DELETE FROM own_slot WHERE period < ?", (period - KEPT_PERIODS,))
            self._db.execute(
                "INSERT OR REPLACE INTO own_slot VALUES (?, ?, ?, ?)",
                (owner, rule.table, period, first + count),
            )
        return first

    def keep(self, rows: list[SignedRow]) -> None:
        """Write rows through to the disk."""
        with transaction_on(self._db):
            self._db.executemany(
                "INSERT OR REPLACE INTO own_row (tbl, key, seq, raw) VALUES (?, ?, ?, ?)",
                [(row.table, row.key, row.seq, row.raw) for row in rows],
            )
            self._db.executemany(
                "DELETE FROM own_row WHERE tbl = ? AND key >= ? AND key < ?", _outlived(rows)
            )

    def apps(self) -> list[str]:
        """Return the definitions of the installed applications."""
        return [text for (text,) in self._db.execute("SELECT text FROM own_app ORDER BY id")]

    def keep_app(self, app: AppDefinition) -> None:
        """Note that an application is installed."""
        with transaction_on(self._db):
            values = (app.id, app.text)
            self._db.execute("INSERT OR REPLACE INTO own_app VALUES (?, ?)", values)

    def forget_app(self, app_id: AppId) -> None:
        """Note that an application is not installed; the numbers of its rows stay used."""
        with transaction_on(self._db):
            self._db.execute("DELETE FROM own_app WHERE id = ?", (app_id,))

    def rows_of(self, tables: Sequence[int]) -> list[bytes]:
        """Return all rows of some tables in wire form."""
        marks = ", ".join("?" * len(tables))
        sql = f"SELECT raw FROM own_row WHERE tbl IN ({marks}) ORDER BY number"
        return [raw for (raw,) in self._db.execute(sql, tuple(tables))]

    def newest(self, count: int | None) -> list[bytes]:
        """Return the last ``count`` rows written (all with None) in wire form, newest first."""
        found = self._db.execute(
            "SELECT raw FROM own_row ORDER BY number DESC LIMIT ?",
            (-1 if count is None else count,),
        )
        return [raw for (raw,) in found]


def _outlived(rows: Sequence[SignedRow]) -> list[tuple[int, bytes, bytes]]:
    """Return table and bounds of the keys of rows that have expired with these: words of beacons,
    of which there is a new key in each period. What is said of days stays.
    """
    found = []
    for row in rows:
        if row.table == Table.BEACON and row.period > FIRST_PERIOD:
            first, oldest = (
                row.owner + number.to_bytes(len(row.key_suffix), "big")
                for number in (FIRST_PERIOD, row.period - WORD_LIFE_PERIODS)
            )
            found.append((row.table, first, oldest))
    return found
