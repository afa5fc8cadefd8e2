"""Reading for owner heads: what they say, and how what is held compares with them.

Each call runs in a worker thread on a connection that can only read; it sees one state, and may be
cancelled safely. ``LocalFault`` (``database-damaged``) is the only error. One look at an owner
costs a few µs for each of its rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bitcloud_net.core.keys import KEY_BYTES, PublicKey
from bitcloud_net.core.nodepool.bodies.heads import TableHead
from bitcloud_net.core.nodepool.heads import (
    COUNTED_TABLES,
    WHOLE,
    Comparison,
    Completeness,
    CountedRow,
    audience_of_head,
    compare,
    table_head,
)
from bitcloud_net.core.nodepool.row_bodies import HeadBody
from bitcloud_net.core.nodepool.rows import LAST_SIGNER_FROM_END, SignedRow
from bitcloud_net.core.nodepool.tables import Table
from bitcloud_net.nodepool.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a head says, or should say now."""

    expires: int  # its last valid period
    tables: tuple[TableHead, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadState:
    """A head that is held and valid, and how what is held compares with it."""

    head: Head
    held: Comparison


class HeadReads:
    """The reads. Made from ``RowStore.database``. Heads are named by their publisher, or
    ``PUBLIC_HEAD``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def owners(self, period: int) -> tuple[PublicKey, ...]:
        """Return the owners that have a head which is valid in ``period``, by key."""
        sql = "SELECT DISTINCT owner FROM head WHERE expires >= ? ORDER BY owner"
        found = await self._database.read(lambda db: db.execute(sql, (period,)).fetchall())
        return tuple(PublicKey(owner) for (owner,) in found)

    async def states(
        self,
        owner: PublicKey,
        period: int,
        holds: Callable[[int], bool] = lambda table: True,
    ) -> Mapping[bytes, HeadState]:
        """Compare what is held of ``owner`` with each of its heads, in those tables of which this
        node ``holds`` all rows.
        """
        return await self._database.read(lambda db: _states(db, owner, period, holds))

    async def survey(self, owner: PublicKey, soonest: int, latest: int) -> Mapping[bytes, Head]:
        """Return what the heads of ``owner`` should say now.

        Each speaks for all rows of its audience that are valid in the period ``soonest``, and ends
        with the first of them, or in ``latest``.
        """
        return await self._database.read(lambda db: _survey(db, owner, soonest, latest))


@dataclass(frozen=True, slots=True)
class _Held:
    table: int
    expires: int
    counted: CountedRow


_Audiences: TypeAlias = dict[bytes, list[_Held]]


def _survey(
    db: sqlite3.Connection, owner: bytes, soonest: int, latest: int
) -> Mapping[bytes, Head]:
    heads = {}
    for audience, rows in _held(db, owner, soonest).items():
        until = min(latest, *(row.expires for row in rows))
        tables = _by_table(rows, until)
        said = tuple(table_head(table, tables[table]) for table in sorted(tables))
        heads[audience] = Head(expires=until, tables=said)
    return heads


def _states(
    db: sqlite3.Connection, owner: bytes, period: int, holds: Callable[[int], bool]
) -> Mapping[bytes, HeadState]:
    held = _held(db, owner, period)
    states = {}
    for audience, head in _heads(db, owner, period):
        tables = _by_table(held.get(audience, ()), head.expires)
        states[audience] = HeadState(head=head, held=_compare(head, tables, holds))
    return states


def _compare(
    head: Head, held: Mapping[int, list[CountedRow]], holds: Callable[[int], bool]
) -> Comparison:
    result = WHOLE
    for said in head.tables:
        if said.table in COUNTED_TABLES and holds(said.table):
            result += compare(said, held.get(said.table, ()))
    if not held.keys() <= {said.table for said in head.tables}:  # was empty when it was signed
        result += Comparison(state=Completeness.UNSURE)
    return result


def _heads(db: sqlite3.Connection, owner: bytes, period: int) -> Iterable[tuple[bytes, Head]]:
    sql = "SELECT raw FROM np_row WHERE owner = ? AND tbl = ? AND expires >= ?"
    for (raw,) in db.execute(sql, (owner, Table.HEAD, period)).fetchall():
        row = SignedRow.parse(raw)
        if isinstance(row.body, HeadBody):  # else it was taken back
            yield row.key_suffix, Head(expires=row.expires, tables=row.body.tables)


def _held(db: sqlite3.Connection, owner: bytes, period: int) -> _Audiences:
    """Return the rows of an owner that are valid in ``period``, by the head that counts them."""
    sql = (
        f"SELECT key, seq, id, expires, substr(raw, -{LAST_SIGNER_FROM_END}, {KEY_BYTES})"
        " FROM np_row WHERE owner = ? AND tbl = ? AND expires >= ?"
    )
    held: _Audiences = {}
    for table in COUNTED_TABLES:
        for key, seq, row_id, expires, signer in db.execute(sql, (owner, table, period)):
            audience = audience_of_head(table, key, signer)
            if audience is None:
                continue
            counted = CountedRow(seq=seq, id=row_id)
            held.setdefault(audience, []).append(_Held(table, expires, counted))
    return held


def _by_table(rows: Iterable[_Held], expires: int) -> dict[int, list[CountedRow]]:
    """Return the rows that outlive a head, by table."""
    tables: dict[int, list[CountedRow]] = {}
    for row in rows:
        if row.expires >= expires:
            tables.setdefault(row.table, []).append(row.counted)
    return tables
