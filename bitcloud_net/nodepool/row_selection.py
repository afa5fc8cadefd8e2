"""Finding rows for one peer: by id or by key, and only such as it may see.

Runs in worker threads on connections that can only read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from bitcloud_net.core.nodepool.tables import TableRule
from bitcloud_net.wire.sync_session import Glance, Mark


class RowSelection:
    """Finds rows of one table that some keys may see."""

    def __init__(self, rule: TableRule, readers: frozenset[bytes]) -> None:
        self._table = rule.table
        self._readers = readers

    def by_id(self, db: sqlite3.Connection, row_id: bytes) -> bytes | None:
        """Return the row with this id."""
        found = db.execute(
            "SELECT key, raw FROM np_row WHERE id = ? AND tbl = ?", (row_id, self._table)
        ).fetchone()
        return found[1] if found and self._may_see(db, found[0]) else None

    def by_key(self, db: sqlite3.Connection, key: bytes) -> tuple[bytes, bytes] | None:
        """Return id and row under this key."""
        found = db.execute(
            "SELECT id, raw FROM np_row WHERE tbl = ? AND key = ?", (self._table, key)
        ).fetchone()
        return found if found and self._may_see(db, key) else None

    def _may_see(self, db: sqlite3.Connection, key: bytes) -> bool:
        named = db.execute(
            "SELECT reader FROM np_audience WHERE tbl = ? AND key = ?", (self._table, key)
        ).fetchall()
        return not named or any(reader in self._readers for (reader,) in named)


class ProofSelection:
    """Finds proofs, which everybody may see."""

    def by_id(self, db: sqlite3.Connection, proof_id: bytes) -> bytes | None:
        """Return the proof with this id."""
        found = db.execute("SELECT raw FROM np_proof WHERE id = ?", (proof_id,)).fetchone()
        return found[0] if found else None


def select_raws(
    db: sqlite3.Connection,
    ids: Sequence[bytes],
    select: RowSelection | ProofSelection,
    most: int,
) -> tuple[int, list[bytes]]:
    """Return how many ids were considered before ``most`` bytes were exceeded, and their rows."""
    raws: list[bytes] = []
    size = 0
    for considered, row_id in enumerate(ids):
        if (raw := select.by_id(db, row_id)) is not None:
            size += len(raw)
            if raws and size > most:
                return considered, raws
            raws.append(raw)
    return len(ids), raws


def select_seen(
    db: sqlite3.Connection,
    glances: Sequence[Glance],
    select: RowSelection,
    mark_of: Callable[[Glance, bytes], int],
    most: int,
) -> tuple[bytes, list[bytes]]:
    """Return marks for the first of the keys, as many as fit, and the rows that are others."""
    marks = bytearray()
    raws: list[bytes] = []
    for glance in glances:
        row_id, raw = select.by_key(db, glance.key) or (b"", b"")
        mark = mark_of(glance, row_id) if raw else Mark.ABSENT
        if mark == Mark.OTHER:
            if raws and sum(map(len, raws)) + len(raw) > most:
                break
            raws.append(raw)
        marks.append(mark)
    return bytes(marks), raws
