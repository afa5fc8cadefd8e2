"""What this node keeps of all that there is: rows that it may see, at places that it keeps.

Whatever its place, a row stays that has to do with the node and its people, and so do the rows of a
random sample of nodes, for lots and partners.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import KEY_BYTES, NodeId
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.shards import (
    EVERYWHERE,
    LIGHT,
    Depth,
    Span,
    is_sharded,
    kept_span,
    place_of,
    shard_of,
)
from bitcloud_net.core.nodepool.tables import Table, TableRule
from bitcloud_net.nodepool.readers import Readers, Standings, readers_of, related_to
from bitcloud_net.nodepool.sample import Sample


class Keeping:
    """Who we are, and how deep each table is cut here. Changed between batches only."""

    def __init__(
        self,
        node: NodeId | None,
        persons: Iterable[bytes],
        standings: Standings,
        *,
        is_light: bool = False,
    ) -> None:
        """``node`` None: nobody in particular, who keeps everything that is offered.

        ``is_light``: a small device that keeps no place of any table.
        """
        self.node = node
        self.keys = frozenset(persons) | ({node} if node is not None else set())
        self.position = position_of(node) if node is not None else 0
        self.depths: dict[int, Depth] = {}
        self.sample = Sample(node or b"")
        self.standings = standings
        self.is_light = is_light
        self.handed: set[bytes] = set()  # ids of own rows that enough others keep, on a light node
        self.followed: frozenset[bytes] = frozenset()  # whose rows a light node keeps for a while

    def act_for(self, keys: Iterable[bytes]) -> None:
        """Keep what these keys may see, too."""
        self.keys |= frozenset(keys)

    def depth(self, table: int) -> int:
        """Return how deep a table is cut here."""
        if self.is_light:
            return LIGHT
        depth = self.depths.get(table)
        return depth.value if depth else 0

    def span(self, rule: TableRule) -> Span | None:
        """Return the places of a table that are kept here; None: no place at all."""
        if self.is_light:
            return None
        if not is_sharded(rule):
            return EVERYWHERE
        return kept_span(self.position, self.depth(rule.table))

    def offers(self, key: bytes, row_id: bytes) -> bool:
        """Whether others should hear of a row that is held here out of its place. A light node has
        read all but its own from them, and shows its own until three others keep them.
        """
        return not self.is_light or (key[:KEY_BYTES] in self.keys and row_id not in self.handed)

    def keeps(self, rule: TableRule, key: bytes) -> bool:
        """Whether the places of all keys that begin with ``key`` are kept here."""
        span = self.span(rule)
        if span is None or span == EVERYWHERE or len(key) < KEY_BYTES:
            return span == EVERYWHERE
        return place_of(rule.table, key) in span

    def shard(self, rule: TableRule) -> Span:
        """Return the own shard of a table, whose size decides its depth."""
        return shard_of(self.position, self.depth(rule.table))


class Keeper:
    """Says for one batch what is kept. Looks up what we are to others when it matters."""

    def __init__(self, keeping: Keeping, db: sqlite3.Connection, now: int) -> None:
        self._keeping = keeping
        self._db = db
        self._now = now
        self._readers: Readers | None = None
        self._related: frozenset[bytes] | None = None

    def check(self, row: SignedRow, rule: TableRule) -> None:
        """Return when a row that came from elsewhere is ours to keep.

        Raises:
            Malformed: ``not-for-us``: others may see it and we may not; ``not-kept``: others keep
                its place and we do not.
        """
        if self._keeping.node is None:
            return
        if not rule.leaves or not self._may_see(row, rule):
            raise Malformed("the row is for others", code="not-for-us")
        if self.keeps_place(row.key, rule):
            return
        sample = self._keeping.sample
        if not self.is_related(row.key) and not (row.table == Table.NODE and sample.wants(row.key)):
            raise Malformed("the row is at a place that others keep", code="not-kept")

    def is_at_home(self, table: int, key: bytes) -> bool:
        """Whether a row is kept here whatever its place."""
        return self.is_related(key) or (table == Table.NODE and key in self._keeping.sample)

    def keeps_place(self, key: bytes, rule: TableRule) -> bool:
        """Whether the place of a row is one that is kept here."""
        span = self._keeping.span(rule)
        return span == EVERYWHERE or (span is not None and place_of(rule.table, key) in span)

    def is_related(self, key: bytes) -> bool:
        """Whether a row with this key has to do with us: it is by, or about, somebody we know."""
        if self._related is None:
            self._related = related_to(self._db, self._own_readers()) | self._keeping.followed
        return key[:KEY_BYTES] in self._related or key[KEY_BYTES:] in self._related

    def _may_see(self, row: SignedRow, rule: TableRule) -> bool:
        return row.owner in self._keeping.keys or self._own_readers().may_see(row, rule)

    def _own_readers(self) -> Readers:
        if self._readers is None:
            keeping = self._keeping
            self._readers = readers_of(self._db, keeping.keys, self._now, keeping.standings)
        return self._readers
