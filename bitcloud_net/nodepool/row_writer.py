"""Writing and dropping rows inside a transaction, and noting what that means for everything that is
kept in memory beside the database.

A row that only some may see is written with the keys that it names (``np_audience``).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from bitcloud_net.core.nodepool.audience import EVERYBODY, audience_of
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.tables import TableRule
from bitcloud_net.nodepool.app_registry import AppRegistry
from bitcloud_net.nodepool.synced_set import Entry, SetChange
from bitcloud_net.nodepool.tally import Tally
from bitcloud_net.nodepool.typed_tables import apply_row, remove_row


@dataclass(frozen=True, slots=True)
class Held:
    """The row that is held under a key."""

    seq: int
    id: bytes
    period: int
    bytes: int
    co_owners: int  # how many


class RowWriter:
    """Writes the rows of one batch. ``changes`` is what the reconciled sets, and ``gains`` what the
    tally must take over after the commit; a batch that fails leaves both as they were.
    """

    def __init__(self, connection: sqlite3.Connection, registry: AppRegistry) -> None:
        self._db = connection
        self._registry = registry
        self.gains = Tally()
        self.changes: dict[int, SetChange] = {}

    def held(self, row: SignedRow) -> Held | None:
        """Return what is held under the row's key."""
        found = self._db.execute(
            "SELECT seq, id, period, length(raw), co_owners FROM np_row WHERE tbl = ? AND key = ?",
            (row.table, row.key),
        ).fetchone()
        return None if found is None else Held(*found)

    def write(self, row: SignedRow, held: Held | None) -> None:
        """Put a row in the place of what is held under its key."""
        if held is not None:
            self._leave(row.table, row.key, held.period, held.id)
        columns = (row.owner, row.seq, row.period, row.slot, row.expires, row.id, row.raw)
        self._db.execute(_WRITE_ROW, (row.table, row.key, *columns, len(row.co_owners)))
        rule = self._registry.rule_of(row.table)
        apply_row(self._db, rule, row)
        self._enter(row, rule)
        size = len(row.raw) - (held.bytes if held else 0)
        self.gains.add(rule, row.owner, 0 if held else 1, size)

    def drop(self, condition: str, values: tuple[object, ...]) -> None:
        """Drop rows. The condition is one of this package's own."""
        found = self._db.execute(
            f"SELECT tbl, key, owner, period, id, length(raw) FROM np_row WHERE {condition}", values
        ).fetchall()
        for number, key, owner, period, row_id, size in found:
            rule = self._registry.rule_of(number)
            remove_row(self._db, rule, key)
            self._leave(number, key, period, row_id)
            self.gains.add(rule, owner, -1, -size)
        self._db.execute(f"DELETE FROM np_row WHERE {condition}", values)

    def change(self, number: int) -> SetChange:
        """Return what this batch changes in a set."""
        return self.changes.setdefault(number, SetChange())

    def _enter(self, row: SignedRow, rule: TableRule) -> None:
        named = audience_of(row, rule)
        if named is EVERYBODY or not rule.leaves:
            self.change(row.table).enter(Entry.of(row.key, row.period, row.id))
            return
        self.change(row.table).narrow_in += 1
        place = (row.table, row.key)
        self._db.executemany(
            "INSERT INTO np_audience (tbl, key, reader, period, id) VALUES (?, ?, ?, ?, ?)",
            [(*place, reader, row.period, row.id) for reader in sorted(named)],
        )

    def _leave(self, number: int, key: bytes, period: int, row_id: bytes) -> None:
        narrow = self._db.execute(
            "DELETE FROM np_audience WHERE tbl = ? AND key = ?", (number, key)
        ).rowcount
        if narrow:
            self.change(number).narrow_out += 1
        else:
            self.change(number).leave(Entry.of(key, period, row_id))


_WRITE_ROW = """
INSERT INTO np_row (tbl, key, owner, seq, period, slot, expires, id, raw, co_owners)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tbl, key) DO UPDATE SET
    seq = excluded.seq, period = excluded.period, slot = excluded.slot,
    expires = excluded.expires, id = excluded.id, raw = excluded.raw,
    co_owners = excluded.co_owners
"""
