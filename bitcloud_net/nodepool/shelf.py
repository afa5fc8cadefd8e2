"""Rows for strangers who ask for them by name (``protocols.row_read``).

Only rows that are valid, that leave this machine, and that the one who asks may see; what it may
not see looks like what is not there. Runs in worker threads on connections that can only read.
Cancel: safe.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Final

from bitcloud_net.core.errors import Malformed, Refused
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.audience import Standing, may_see
from bitcloud_net.core.nodepool.rows import Rules, SignedRow
from bitcloud_net.core.nodepool.tables import Exposure, Table, TableRule
from bitcloud_net.nodepool.database import Database
from bitcloud_net.nodepool.readers import Standings, alone
from bitcloud_net.wire.sync_payload import MAX_BATCH_BYTES, MAX_BATCH_ROWS

MAX_SCANNED: Final = 16 * MAX_BATCH_ROWS
"""Rows looked through for one page, most of which the asking side may not see: enough of them."""

_ROW = "SELECT raw FROM np_row WHERE tbl = ? AND key = ? AND expires >= ?"
_PAGE = (
    "SELECT raw FROM np_row WHERE tbl = ? AND key > ? AND key >= ? AND key < ? AND expires >= ?"
    " ORDER BY key"
)
_FOUND = (
    "SELECT np_row.raw FROM placement JOIN np_row"
    " ON np_row.tbl = ? AND np_row.key = placement.key"
    " WHERE placement.cid = ? AND placement.key > ? AND placement.expires >= ?"
    " ORDER BY placement.key"
)
_BEHIND_ALL = b"\xff" * 256  # longer than any key


class Shelf:
    """The shelf of one node."""

    def __init__(
        self,
        database: Database,
        rules: Rules,
        period: Callable[[], int],
        *,
        keeps: Callable[[int, bytes], bool] = lambda table, key: True,
        standings: Standings = alone,
    ) -> None:
        """``keeps`` says whether this node keeps the place of a table's key, or of its beginning;
        with b"", that of all keys. ``standings`` says what the one who asks is to others.
        """
        self._standings = standings
        self._database = database
        self._rules = rules
        self._period = period
        self._keeps = keeps

    async def row(self, table: int, key: bytes, *, peer: NodeId) -> tuple[bool, bytes]:
        """Return whether the place of a key is kept here, and the row held for it, or b"".

        Raises:
            Refused: ``unknown-table``.
        """
        rule, now = self._rule(table), self._period()

        def select(db: sqlite3.Connection) -> bytes:
            found = db.execute(_ROW, (table, key, now)).fetchone()
            rows = iter([found] if found else [])
            return next(self._visible(rows, rule, self._standings(db, peer, now)), b"")

        return self._keeps(table, key), await self._database.read(select)

    async def page(
        self, table: int, prefix: bytes, after: bytes, *, peer: NodeId
    ) -> tuple[bool, bool, list[bytes]]:
        """Return whether all places are kept, whether there are more, and the rows whose key begins
        with ``prefix`` and comes behind ``after``.

        Raises:
            Refused: ``unknown-table``, or ``too-much`` to look through.
        """
        values = (table, after, prefix, prefix + _BEHIND_ALL, self._period())
        return await self._select(table, prefix, _PAGE, values, peer)

    async def found(
        self, table: int, suffix: bytes, after: bytes, *, peer: NodeId
    ) -> tuple[bool, bool, list[bytes]]:
        """Return the same for keys that end with ``suffix``.

        Raises:
            Refused: ``not-sorted``: the table has no order by the ends of its keys.
        """
        if table != Table.PLACEMENT:
            raise Refused("that table is not sorted by the ends of its keys", code="not-sorted")
        return await self._select(table, b"", _FOUND, (table, suffix, after, self._period()), peer)

    async def _select(
        self, table: int, prefix: bytes, sql: str, values: tuple[object, ...], peer: NodeId
    ) -> tuple[bool, bool, list[bytes]]:
        rule, now = self._rule(table), self._period()

        def select(db: sqlite3.Connection) -> tuple[bool, list[bytes]]:
            standing = self._standings(db, peer, now)
            raws: list[bytes] = []
            size = 0
            for raw in self._visible(db.execute(sql, values), rule, standing):
                size += len(raw) + 2
                if len(raws) == MAX_BATCH_ROWS or size > MAX_BATCH_BYTES:
                    return True, raws
                raws.append(raw)
            return False, raws

        more, raws = await self._database.read(select)
        return self._keeps(table, prefix), more, raws

    def _rule(self, table: int) -> TableRule:
        try:
            rule = self._rules(table)
        except Malformed as error:
            raise Refused(error.message, code=error.code) from error
        if not rule.leaves:
            raise Refused(f"there is no table {table}", code="unknown-table")
        return rule

    def _visible(
        self, found: Iterator[tuple[bytes]], rule: TableRule, standing: Standing
    ) -> Iterator[bytes]:
        for scanned, (raw,) in enumerate(found):
            if scanned == MAX_SCANNED:
                raise Refused("too much to look through", code="too-much")
            is_open = rule.exposure is Exposure.GLOBAL
            if is_open or may_see(SignedRow.parse(raw, self._rules), rule, standing):
                yield raw
