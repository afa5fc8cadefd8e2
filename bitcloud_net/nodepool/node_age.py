"""Since when each node can have been there, as far as this computer has seen.

A node's own word about its age is worth nothing, and signing again must not change it. So each
computer notes, when it takes the first row of a node, the last period before in which it was in
step with others and had none. One that has just come was never in step: it takes all it finds as
old, and whoever comes later as new. One that slept takes what came meanwhile as old as its sleep.
"""

from __future__ import annotations

import sqlite3

from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.tables import NODE_LIFE_PERIODS, Table

MEMORY_PERIODS = 2 * NODE_LIFE_PERIODS
"""A node that was away for so long is new again: its row went after half of it."""


def note_watched(db: sqlite3.Connection, period: int) -> None:
    """Note that this computer was in step with others in ``period``."""
    db.execute("INSERT OR REPLACE INTO np_watched VALUES (1, ?)", (period,))


def note_age(db: sqlite3.Connection, row: SignedRow) -> None:
    """Note the age of the node whose row was accepted, if it is one's first."""
    if row.table is Table.NODE:
        db.execute(_NOTE, (row.owner, row.period))


def forget_ages(db: sqlite3.Connection, now: int) -> None:
    """Forget nodes that are gone for long."""
    db.execute("DELETE FROM np_seen WHERE last < ?", (now - MEMORY_PERIODS,))


_NOTE = """
INSERT INTO np_seen VALUES (?, (SELECT coalesce(max(period), 0) FROM np_watched), ?)
ON CONFLICT (node) DO UPDATE SET last = excluded.last
"""
