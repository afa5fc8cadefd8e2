"""In whose name rows are seen: keys that were shown, and what these keys are to others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from bitcloud_net.core.nodepool.audience import EVERYBODY, Standing, TableRow, audience_of
from bitcloud_net.core.nodepool.table_rules import RULES
from bitcloud_net.core.nodepool.tables import Exposure, Table, TableRule
from bitcloud_net.wire.range_index import item_of

MAX_SUFFIX_BYTES: Final = 128
"""More than follows the owner in any key."""

_NAMING: Final = tuple(
    rule.table
    for rule in RULES.values()
    if rule.exposure is not Exposure.GLOBAL and not rule.follows_user
)
"""Tables whose rows name others. What a user keeps names whom the user's row names, too, and would
only be a long list of them."""

Standings: TypeAlias = Callable[[sqlite3.Connection, bytes, int], Standing]
"""Says what a key is to others in a period (``nodepool.standing``)."""


@dataclass(frozen=True, slots=True)
class Readers:
    """The keys in whose name somebody sees rows, by what a table's rule asks."""

    plain: frozenset[bytes]
    acts_for: frozenset[bytes] = frozenset()
    member_of: frozenset[bytes] = frozenset()

    @property
    def all(self) -> frozenset[bytes]:
        """The keys themselves, and all that they have to do with."""
        return self.plain | self.acts_for | self.member_of

    @property
    def answers_for(self) -> frozenset[bytes]:
        """The keys themselves, and those that they act for."""
        return self.plain | self.acts_for

    def of(self, rule: TableRule) -> frozenset[bytes]:
        """Return the keys of which a row of this table must name one."""
        keys = self.plain
        if rule.exposure is Exposure.GRID:
            keys |= self.acts_for
        return keys | self.member_of if rule.members else keys

    def may_see(self, row: TableRow, rule: TableRule) -> bool:
        """Whether they may see a row."""
        named = audience_of(row, rule)
        return named is EVERYBODY or not named.isdisjoint(self.of(rule))


def readers_of(
    db: sqlite3.Connection, keys: Iterable[bytes], period: int, standings: Standings
) -> Readers:
    """Return in whose name who has shown these keys sees rows in ``period``."""
    plain = frozenset(keys)
    found = [standings(db, key, period) for key in sorted(plain)]
    return Readers(
        plain=plain,
        acts_for=frozenset[bytes]().union(*(standing.acts_for for standing in found)),
        member_of=frozenset[bytes]().union(*(standing.member_of for standing in found)),
    )


def related_to(db: sqlite3.Connection, readers: Readers) -> frozenset[bytes]:
    """Return all keys that ``readers`` have to do with: what they act for and belong to, and who
    else is named where they are: the other side of a contract, who is trusted, who was asked.
    """
    own = sorted(readers.plain)
    found = db.execute(
        "SELECT DISTINCT other.reader FROM np_audience AS own JOIN np_audience AS other"
        f" ON other.tbl = own.tbl AND other.key = own.key WHERE own.reader IN ({_marks(own)})",
        own,
    ).fetchall()
    return readers.all.union(key for (key,) in found)


def named_by(db: sqlite3.Connection, key: bytes) -> frozenset[bytes]:
    """Return the keys that ``key`` itself has named in its own rows, and ``key``: what others say
    about it makes nobody its acquaintance.
    """
    end = key + b"\xff" * MAX_SUFFIX_BYTES
    sql = "SELECT DISTINCT reader FROM np_audience WHERE tbl = ? AND key BETWEEN ? AND ?"
    found = (db.execute(sql, (table, key, end)).fetchall() for table in _NAMING)
    return frozenset({key}).union(reader for readers in found for (reader,) in readers)


def hearsay(db: sqlite3.Connection, table: int, answers_for: frozenset[bytes]) -> list[bytes]:
    """Return the items of a table's rows for whose owner nobody here answers: none of these keys
    is the owner's own, or that of its publisher.
    """
    sql = "SELECT owner, period, id FROM np_row WHERE tbl = ?"
    by_owner: dict[bytes, list[bytes]] = {}
    for owner, period, row_id in db.execute(sql, (table,)):
        by_owner.setdefault(owner, []).append(item_of(period, row_id))
    return [
        item
        for owner, items in by_owner.items()
        if answers_for.isdisjoint({owner, *_publishers_of(db, owner)})
        for item in items
    ]


def _publishers_of(db: sqlite3.Connection, user: bytes) -> list[bytes]:
    sql = "SELECT reader FROM np_audience WHERE tbl = ? AND key = ?"
    return [reader for (reader,) in db.execute(sql, (Table.USER, user))]


def acquaintances(db: sqlite3.Connection, readers: Readers) -> frozenset[bytes]:
    """Return the nodes that share rows with ``readers`` which not everybody may see: those that
    such a row names beside them, and the gateways of their grids and publishers.
    """
    own, known = sorted(readers.plain), sorted(readers.all)
    found = db.execute(
        "SELECT DISTINCT node.key FROM np_audience AS own JOIN np_audience AS other"
        " ON other.tbl = own.tbl AND other.key = own.key JOIN node ON node.key = other.reader"
        f" WHERE own.reader IN ({_marks(own)})",
        own,
    ).fetchall()
    found += db.execute(
        "SELECT gateway.gateway FROM gateway JOIN node ON node.key = gateway.gateway"
        f" WHERE gateway.owner IN ({_marks(known)}) OR gateway.publisher IN ({_marks(known)})",
        known + known,
    ).fetchall()
    return frozenset(key for (key,) in found) - readers.plain


def _marks(values: Sequence[object]) -> str:
    return "?" + ", ?" * (len(values) - 1)


def is_public(db: sqlite3.Connection, key: bytes) -> bool:
    """Whether a key is one of a publisher or a grid, who are known to everybody."""
    sql = "SELECT 1 FROM np_row WHERE tbl IN (?, ?) AND key = ?"
    return db.execute(sql, (Table.GRID, Table.PUBLISHER, key)).fetchone() is not None


def alone(_db: sqlite3.Connection, key: bytes, _period: int) -> Standing:
    """Return the standing of a key that is nothing to others."""
    return Standing(key=key)
