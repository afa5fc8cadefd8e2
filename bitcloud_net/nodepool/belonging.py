"""What a row must find here before it is taken: its owner's role, and what it belongs to.

Roles are looked up in the nodepool itself: a key is a node because it has a node's row, and so on.
A deleted row counts: what belonged to it stays until it expires. A deletion needs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from bitcloud_net.core.bodies.kinds import Parents, owner_has_a_role
from bitcloud_net.core.identity import Admission
from bitcloud_net.core.row_bodies import KINDS
from bitcloud_net.core.rows import SignedRow
from bitcloud_net.core.tables import Table, TableRule


def missing_rows(
    db: sqlite3.Connection, row: SignedRow, rule: TableRule, admission: Admission
) -> Parents:
    """Return the rows of which one has to come before ``row`` is taken; nothing when it may be."""
    if row.body is None:
        return ()
    for places in _needed(row, rule, admission):
        if not any(_is_there(db, table, key) for table, key in places):
            return places
    if rule.follows_user and row.co_owners != _publisher_of(db, row.owner):
        return ((Table.USER, row.owner),)
    return ()


def _needed(row: SignedRow, rule: TableRule, admission: Admission) -> Iterator[Parents]:
    """Yield alternatives: of each, one row must be there."""
    kind = KINDS.get(row.table)
    if kind is None:
        yield owner_has_a_role(rule, row)
        return
    if kind.identity is not None and not admission.is_free:
        yield ((Table.IDENTITY, kind.identity(row)),)
    if writers := kind.writers(row, row.body):
        yield writers
    for place in kind.parents(row, row.body):
        yield (place,)


def _is_there(db: sqlite3.Connection, table: int, key: bytes) -> bool:
    sql = "SELECT 1 FROM np_row WHERE tbl = ? AND key = ?"
    return db.execute(sql, (table, key)).fetchone() is not None


def _publisher_of(db: sqlite3.Connection, user: bytes) -> tuple[bytes, ...]:
    """Return who has signed a user's row beside the user."""
    sql = "SELECT reader FROM np_audience WHERE tbl = ? AND key = ? AND reader != ?"
    return tuple(reader for (reader,) in db.execute(sql, (Table.USER, user, user)))
