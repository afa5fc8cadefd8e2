"""What a row must find here before it is taken: its owner's role, and what it belongs to.

Roles are looked up in the nodepool itself: a key is a node because it has a node's row, and so on.
A deleted row counts: what belonged to it stays until it expires. So a deletion needs the identity
that its row would need, lest anybody be what it was; and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from bitcloud_net.core.nodepool.bodies.kinds import Parents, Place, owner_has_a_role
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.tables import Table, TableRule
from bitcloud_net.core.trust.identity import Admission


class Belonging:
    """Answers for one batch. What was found is remembered until ``forget``: a folder's files all
    ask for the same rows.
    """

    def __init__(self, db: sqlite3.Connection, admission: Admission) -> None:
        self._db = db
        self._admission = admission
        self._there: set[Place] = set()
        self._publishers: dict[bytes, tuple[bytes, ...]] = {}

    def forget(self) -> None:
        """Look anew: rows were dropped, or a user's row has changed."""
        self._there.clear()
        self._publishers.clear()

    def missing_rows(self, row: SignedRow, rule: TableRule) -> Parents:
        """Return the rows of which one has to come before ``row`` is taken; nothing when it may
        be.
        """
        for places in _needed(row, rule, self._admission):
            if not any(map(self._is_there, places)):
                return places
        if (
            rule.follows_user
            and row.body is not None
            and row.co_owners != self._publisher_of(row.owner)
        ):
            return ((Table.USER, row.owner),)
        return ()

    def _is_there(self, place: Place) -> bool:
        if place in self._there:
            return True
        sql = "SELECT 1 FROM np_row WHERE tbl = ? AND key = ?"
        if self._db.execute(sql, place).fetchone() is None:
            return False
        self._there.add(place)
        return True

    def _publisher_of(self, user: bytes) -> tuple[bytes, ...]:
        """Return who has signed a user's row beside the user."""
        if user not in self._publishers:
            sql = "SELECT reader FROM np_audience WHERE tbl = ? AND key = ? AND reader != ?"
            found = self._db.execute(sql, (Table.USER, user, user))
            self._publishers[user] = tuple(reader for (reader,) in found)
        return self._publishers[user]


def _needed(row: SignedRow, rule: TableRule, admission: Admission) -> Iterator[Parents]:
    """Yield alternatives: of each, one row must be there."""
    kind = KINDS.get(row.table)
    if kind is not None and kind.identity is not None and not admission.is_free:
        yield ((Table.IDENTITY, kind.identity(row)),)
    if row.body is None:
        return
    if kind is None:
        yield owner_has_a_role(rule, row)
        return
    if writers := kind.writers(row, row.body):
        yield writers
    for place in kind.parents(row, row.body):
        yield (place,)
