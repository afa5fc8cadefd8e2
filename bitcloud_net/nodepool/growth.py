"""How the nodepool of one node grows and shrinks: tables are cut deeper, and less deep again.

When a table's depth rises, its rows at places that are not kept any more become strays; they go
when others keep them (``stray_book``). When it falls, strays at places that are kept again are kept
again, and what is missing comes from others by reconciliation.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Final

import trio

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.shards import (
    EVERYWHERE,
    LIGHT,
    Depth,
    DepthRule,
    is_sharded,
    kept_span,
    place_of,
)
from bitcloud_net.core.nodepool.tables import Table, TableRule
from bitcloud_net.nodepool.app_registry import AppRegistry
from bitcloud_net.nodepool.database import Database
from bitcloud_net.nodepool.keeping import Keeping
from bitcloud_net.nodepool.loading import keep_depths, load_set
from bitcloud_net.nodepool.sample import SAMPLE_ROWS
from bitcloud_net.nodepool.session_reads import SessionReads, Stray
from bitcloud_net.nodepool.stray_book import StrayBook
from bitcloud_net.nodepool.synced_set import SetChange, SyncedSet
from bitcloud_net.nodepool.tally import Tally

log = logging.getLogger(__name__)


def _is_node(db: sqlite3.Connection, key: bytes) -> bool:
    return db.execute("SELECT 1 FROM node WHERE key = ?", (key,)).fetchone() is not None


MAX_HEARD: Final = 256
"""Nodes whose depths are remembered: the newest."""


class _Heard:
    """How deep others cut their sets, as they said."""

    def __init__(self) -> None:
        self._depths: OrderedDict[NodeId, Mapping[int, int]] = OrderedDict()

    def note(self, peer: NodeId, depths: Mapping[int, int]) -> None:
        self._depths[peer] = {**self._depths.pop(peer, {}), **depths}
        if len(self._depths) > MAX_HEARD:
            self._depths.popitem(last=False)

    def depths(self, table: int) -> list[int]:
        found = (depths.get(table, LIGHT) for depths in self._depths.values())
        return [depth for depth in found if depth != LIGHT]

    def depth(self, peer: NodeId, table: int, default: int) -> int:
        return self._depths.get(peer, {}).get(table, default)


class Growth:
    """Used from one trio thread."""

    def __init__(
        self,
        database: Database,
        sets: dict[int, SyncedSet],
        registry: AppRegistry,
        reads: SessionReads,
        keeping: Keeping,
        rule: DepthRule,
        changing: trio.Lock,
        drop: Callable[[int, Sequence[Stray]], Awaitable[None]],
    ) -> None:
        """``changing`` is held while the sets take over a commit; ``drop`` drops rows of a table
        that need not be kept here.
        """
        self._database = database
        self._sets = sets
        self._registry = registry
        self._reads = reads
        self._keeping = keeping
        self._rule = rule
        self._changing = changing
        self._drop = drop
        self._strays = StrayBook(sets)
        self._heard = _Heard()
        self._drawn_in = -1  # last period in which a sample brought nothing new

    async def note_kept(self, of: int, rows: Sequence[Stray], *, peer: NodeId) -> None:
        """Hear that ``peer`` keeps rows at their place that are held here as strays; let those go
        that enough others keep, and that are not kept here for another reason. Only the word of
        nodes counts, which cost something to make up.
        """
        if not rows or not await self._database.read(partial(_is_node, key=peer)):
            return
        if settled := self._strays.note(of, rows, peer):
            if self._keeping.is_light:
                self._keeping.handed.update(stray.id for stray in settled)
            else:
                await self._drop(of, settled)

    def unsettled_place(self, random: Random) -> int | None:
        """Return the place of a row that is held here and that not enough of those who keep its
        place are known to have; None: there is none.
        """
        return self._strays.unsettled_place(random, self._keeping.offers)

    def hear(self, peer: NodeId, depths: Mapping[int, int]) -> None:
        """Hear how deep a node cuts the sets that we compared with it."""
        self._heard.note(peer, depths)

    def is_cut(self, table: int) -> bool:
        """Whether there are places of a table that are not kept here."""
        return self._keeping.span(self._registry.rule_of(table)) != EVERYWHERE

    def keeps(self, peer: NodeId, table: int, key: bytes) -> bool:
        """Whether a node keeps the place of a row; who has not said so is taken to be like us."""
        like_us = 0 if self._keeping.is_light else self._keeping.depth(table)
        depth = self._heard.depth(peer, table, like_us)
        span = kept_span(position_of(peer), depth)
        return span is not None and place_of(table, key) in span

    async def weigh(self, tally: Tally) -> None:
        """Cut tables deeper that have grown too large, and less deep when they have shrunk. Due
        once in each period.
        """
        if self._keeping.is_light:
            return
        for rule in self._registry.rules:
            if is_sharded(rule):
                before = self._keeping.depths.get(rule.table, Depth())
                size = await self._shard_bytes(rule, tally.bytes_of(rule.table))
                others = self._heard.depths(rule.table)
                depth = before.among(others, size, self._rule).after(size, self._rule)
                if depth != before:
                    await self._set_depth(rule, depth)

    async def _shard_bytes(self, rule: TableRule, table_bytes: int) -> int:
        """Return the size of the own shard, from how many of the rows lie in it."""
        if not self._keeping.depth(rule.table):
            return table_bytes
        rows = len(await self._reads.public(rule.table, self._keeping.shard(rule)))
        return table_bytes * rows // max(1, len(self._sets[rule.table]))

    async def _set_depth(self, rule: TableRule, depth: Depth) -> None:
        async with self._changing:
            moves = depth.value != self._keeping.depth(rule.table)
            self._keeping.depths[rule.table] = depth
            depths = dict(self._keeping.depths)
            await self._database.write(partial(keep_depths, depths=depths))
            if moves:
                await self._cut_anew(rule)
                log.info("table %s is cut to depth %d now", rule.name, depth.value)

    async def _cut_anew(self, rule: TableRule) -> None:
        span = self._keeping.span(rule)
        cut = await self._database.read(partial(load_set, number=rule.table, span=span))
        cut.narrow_version = self._sets[rule.table].narrow_version + 1
        self._sets[rule.table] = cut
        self.fill_sample()

    # The sample of nodes

    def draws_sample(self, period: int) -> bool:
        """Whether more nodes are wanted for the sample, and there may be more of them."""
        full = len(self._keeping.sample) >= SAMPLE_ROWS
        return not full and self.is_cut(Table.NODE) and period != self._drawn_in

    def note_drawn(self, new: int, period: int) -> None:
        """Hear how many nodes that were new a sample has brought."""
        if not new:
            self._drawn_in = period

    def fill_sample(self) -> None:
        """Choose the sample among all strays of nodes."""
        for key in self._sets[Table.NODE].strays:
            self._keeping.sample.offer(key)

    def note_changes(self, changes: Mapping[int, SetChange]) -> None:
        """Hear what a batch changed, after the sets took it over."""
        change = changes.get(Table.NODE)
        if change is None:
            return
        strays = self._sets[Table.NODE].strays
        for entry in change.remove:
            if entry.key not in strays:
                self._keeping.sample.leave(entry.key)
        for entry in change.add:
            if entry.key in strays:
                self._keeping.sample.offer(entry.key)
