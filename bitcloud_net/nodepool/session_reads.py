"""What sync sessions read: views cut for the peer, and rows that it may see.

A view is made of two parts. Public rows come from the sets in memory (``synced_set``), where a copy
costs next to nothing. Rows that only some may see are looked up by the keys that both sides have
shown, once, and kept until such rows change.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.meeting import Meeting
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.shards import (
    EVERYWHERE,
    LIGHT,
    Span,
    is_sharded,
    kept_span,
    place_of,
    shared_span,
)
from bitcloud_net.core.nodepool.tables import PROOFS, SyncKind, TableRule
from bitcloud_net.nodepool.app_registry import AppRegistry
from bitcloud_net.nodepool.database import Database
from bitcloud_net.nodepool.keeping import Keeping
from bitcloud_net.nodepool.loading import public_entries
from bitcloud_net.nodepool.proofs import PROOF_LIFE_PERIODS
from bitcloud_net.nodepool.readers import (
    Readers,
    acquaintances,
    hearsay,
    is_public,
    named_by,
    readers_of,
)
from bitcloud_net.nodepool.row_selection import (
    ProofSelection,
    RowSelection,
    select_raws,
    select_seen,
)
from bitcloud_net.nodepool.synced_set import SyncedSet
from bitcloud_net.wire.range_index import PERIOD_BYTES, RangeIndex, id_of, item_of
from bitcloud_net.wire.sync_payload import SHORT_ID_BYTES
from bitcloud_net.wire.sync_session import Glance, Mark

MAX_DEPTHS_APART: Final = 3
"""A table that a peer cuts so much deeper than we do is not compared: sizes of honest nodes' shards
do not differ by more, and each cut that we have not made yet costs a look at every row."""
MAX_NARROW_VIEWS: Final = 64
"""Parts of views that are kept: of so many sets and peers."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A row that is held here though its place is not."""

    key: bytes
    id: bytes

    @classmethod
    def of(cls, key: bytes, item: bytes) -> Stray:
        """Return the stray that a set has under a key."""
        return cls(key, id_of(item))

    @property
    def glance(self) -> Glance:
        """The row as a ``Look`` names it."""
        return Glance(key=self.key, short_id=self.id[:SHORT_ID_BYTES])


class SessionReads:
    """The reading side of sync sessions. Used from one trio thread."""

    def __init__(
        self,
        database: Database,
        sets: Mapping[int, SyncedSet],
        registry: AppRegistry,
        keeping: Keeping,
        changing: trio.Lock,
    ) -> None:
        """``changing`` is held while the sets take over a commit."""
        self._database = database
        self._sets = sets
        self._registry = registry
        self._keeping = keeping
        self._changing = changing
        self._narrow: OrderedDict[_Cut, tuple[int, RangeIndex]] = OrderedDict()

    @property
    def depths(self) -> dict[int, int]:
        """The sets that leave this machine, and how deep each is cut here."""
        rules = self._registry.rules
        leaving = {rule.table: self._keeping.depth(rule.table) for rule in rules if rule.leaves}
        return {PROOFS: self._keeping.depth(PROOFS)} | leaving

    async def view(self, meeting: Meeting) -> dict[int, RangeIndex]:
        """Return the sets of a meeting as both sides may see and do keep them, for one session to
        own. A set that is not known here is left out; one of which the two keep no place in common
        is empty.
        """
        known = meeting.depths.keys() & self.depths.keys()
        view = {number: await self._shared(number, meeting) for number in sorted(known)}
        await self._add_narrow(view, meeting)
        await self._remove_expired(view, meeting.period)
        await self._remove_hearsay(view, meeting)
        return view

    async def _shared(self, number: int, meeting: Meeting) -> RangeIndex:
        """Return a copy of a set's public rows at the places that both keep."""
        span = self._shared_span(number, meeting)
        if span is None:
            return RangeIndex()
        return (await self.public(number, span)).copy()

    async def public(self, number: int, span: Span) -> RangeIndex:
        """Return a set's public rows in a span that is kept here; not to be changed."""
        held = self._sets.get(number)
        if held is None:  # its application has just been removed
            return RangeIndex()
        found = held.cut(span)
        if found is None:
            async with self._changing:
                entries = await self._database.read(partial(public_entries, number=number))
                found = held.keep_cut(span, entries)
        return found

    def _shared_span(self, number: int, meeting: Meeting) -> Span | None:
        ours, theirs = self._keeping.depth(number), meeting.depths[number]
        if LIGHT in (ours, theirs):
            return None
        rule = self._rule(number)
        if number == PROOFS or (rule is not None and not is_sharded(rule)):
            return EVERYWHERE
        if abs(ours - theirs) > MAX_DEPTHS_APART:
            return None
        return shared_span(self._keeping.position, ours, position_of(meeting.peer), theirs)

    def _rule(self, number: int) -> TableRule | None:
        """Return the rule of a table whose rows leave this machine."""
        try:
            rule = self._registry.rule_of(number)
        except Malformed:
            return None
        return rule if rule.leaves else None

    def strays(self, number: int, meeting: Meeting) -> list[Stray]:
        """Return what is held here at places that the other side keeps and we do not."""
        kept = kept_span(position_of(meeting.peer), meeting.depths[number])
        held = self._sets.get(number)
        if kept is None or held is None:
            return []
        return [
            Stray.of(key, item)
            for key, item in held.strays.items()
            if place_of(number, key) in kept and self._keeping.offers(key, id_of(item))
        ]

    async def _add_narrow(self, view: dict[int, RangeIndex], meeting: Meeting) -> None:
        """Add the rows that only some may see, both sides among them."""
        numbers = [number for number in view if number in self._sets and self._sets[number].narrow]
        if not numbers:
            return
        ours = await self.readers(meeting.ours, meeting.period)
        theirs = await self.readers(meeting.theirs, meeting.period)
        for number in numbers:
            rule = self._registry.rule_of(number)
            found = await self._narrow_rows(_Cut(number, ours.of(rule), theirs.of(rule)))
            if len(view[number]):
                await self._database.read(partial(_unite, view[number], found))
            else:
                view[number] = found.copy()

    async def _narrow_rows(self, cut: _Cut) -> RangeIndex:
        version = self._sets[cut.number].narrow_version
        known = self._narrow.pop(cut, None)
        if known is None or known[0] != version:
            known = (version, await self._database.read(partial(_narrow_set, cut=cut)))
        self._narrow[cut] = known
        if len(self._narrow) > MAX_NARROW_VIEWS:
            self._narrow.popitem(last=False)
        return known[1]

    async def _remove_expired(self, view: Mapping[int, RangeIndex], period: int) -> None:
        for number, signed, row_id in await self._database.read(partial(_expired, period=period)):
            if number in view:
                view[number].change(remove=[item_of(signed, row_id)])
        if proofs := view.get(PROOFS):
            oldest = max(0, period - PROOF_LIFE_PERIODS).to_bytes(PERIOD_BYTES, "big")
            proofs.change(remove=proofs.items(0, proofs.lower_bound(oldest)))

    async def _remove_hearsay(self, view: Mapping[int, RangeIndex], meeting: Meeting) -> None:
        """Of tables that come straight from the owner, leave what one of the two sides answers for:
        as the owner, its gateway or its publisher.
        """
        straight = [
            number
            for number, items in view.items()
            if items and (rule := self._rule(number)) and rule.sync is SyncKind.OWNER
        ]
        if not straight:
            return
        ours = await self.readers(meeting.ours, meeting.period)
        theirs = await self.readers(meeting.theirs, meeting.period)
        answers_for = ours.answers_for | theirs.answers_for
        for number in straight:
            work = partial(hearsay, table=number, answers_for=answers_for)
            view[number].change(remove=await self._database.read(work))

    async def readers(self, keys: frozenset[bytes], period: int) -> Readers:
        """Return in whose name who has shown these keys sees rows."""
        standings = self._keeping.standings
        return await self._database.read(lambda db: readers_of(db, keys, period, standings))

    async def belongs(self, key: bytes, others: frozenset[bytes], period: int) -> bool:
        """Whether who has shown ``others`` has to do with ``key`` by its own word, or everybody
        has.
        """
        if await self._database.read(partial(is_public, key=key)):
            return True
        named = await self._database.read(partial(named_by, key=key))
        return not named.isdisjoint((await self.readers(others, period)).answers_for)

    async def acquaintances(self, period: int) -> frozenset[bytes]:
        """Return the nodes that share rows with us, and not with everybody."""
        if not self._keeping.keys:
            return frozenset()
        ours = await self.readers(self._keeping.keys, period)
        return await self._database.read(partial(acquaintances, readers=ours))

    async def raws(
        self, of: int, ids: Sequence[bytes], *, readers: Readers, max_bytes: int
    ) -> tuple[int, list[bytes]]:
        """Return the rows (``of`` 0: proofs) with these ids that are held and that ``readers`` may
        see, in the order asked.

        Stops before ``max_bytes`` are exceeded, but takes one at least; the first value is how many
        of ``ids`` were considered.
        """
        select: RowSelection | ProofSelection = ProofSelection()
        if of != PROOFS:
            rule = self._rule(of)
            if rule is None:
                return len(ids), []
            select = RowSelection(rule, readers.of(rule))
        return await self._database.read(
            partial(select_raws, ids=ids, select=select, most=max_bytes)
        )

    async def look(
        self, of: int, glances: Sequence[Glance], *, readers: Readers, max_bytes: int
    ) -> tuple[bytes, list[bytes]]:
        """Return a mark for each of the first of these keys, as many as fit, and the rows that are
        held in the place of those that are held there (``wire.sync_session.Seen``).
        """
        rule = self._rule(of)
        if rule is None:
            return bytes([Mark.ABSENT]) * len(glances), []
        span = self._keeping.span(rule)

        def mark_of(glance: Glance, row_id: bytes) -> int:
            if not row_id.startswith(glance.short_id) or not glance.short_id:
                return Mark.OTHER
            kept = span is not None and place_of(of, glance.key) in span
            return Mark.KEPT if kept else Mark.HELD

        select = RowSelection(rule, readers.of(rule))
        work = partial(select_seen, glances=glances, select=select, mark_of=mark_of, most=max_bytes)
        return await self._database.read(work)

    def some(self, of: int, start: int, count: int) -> list[bytes]:
        """Return the ids of ``count`` public rows from a place in the order of a set on; ``start``
        counts from 0 to 2^32 over the whole set.
        """
        held = self._sets.get(of)
        if held is None or self._rule(of) is None:
            return []
        first = start * len(held.whole) >> 32
        return [id_of(item) for item in held.whole.items(first, first + count)]


@dataclass(frozen=True, slots=True)
class _Cut:
    """What a part of a view is cut by: rows of a table that name one key of each side."""

    number: int
    ours: frozenset[bytes]
    theirs: frozenset[bytes]


def _unite(public: RangeIndex, narrow: RangeIndex, _db: sqlite3.Connection) -> None:
    """Add all of ``narrow``; in a worker thread, because there may be very many."""
    public.change(add=narrow.items(0, len(narrow)))


def _narrow_set(db: sqlite3.Connection, cut: _Cut) -> RangeIndex:
    ours, theirs = ("?" + ", ?" * (len(keys) - 1) for keys in (cut.ours, cut.theirs))
    found = db.execute(
        "SELECT DISTINCT seen.period, seen.id FROM np_audience AS seen"
        f" WHERE seen.tbl = ? AND seen.reader IN ({theirs}) AND EXISTS ("
        "SELECT 1 FROM np_audience AS held WHERE held.tbl = seen.tbl AND held.key = seen.key"
        f" AND held.reader IN ({ours}))",
        (cut.number, *cut.theirs, *cut.ours),
    )
    return RangeIndex(item_of(*row) for row in found)


def _expired(db: sqlite3.Connection, period: int) -> list[tuple[int, int, bytes]]:
    sql = "SELECT tbl, period, id FROM np_row WHERE expires < ?"
    return db.execute(sql, (period,)).fetchall()
