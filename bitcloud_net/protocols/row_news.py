"""Who is told at once of which fresh row.

Public rows travel by hops: their origin tells its peers, who tell others. Rows that only some may
see go straight to those of our peers who may, and on from there only to others who may. Of what
lies at a place that not everybody keeps, those hear who keep it. What a table's rule lets nobody
hear unasked, nobody is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil, log
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.audience import EVERYBODY, audience_of
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.tables import SyncKind, Table, TableRule
from bitcloud_net.net.network import Network
from bitcloud_net.nodepool.outcome import RowsChanged
from bitcloud_net.protocols.persons import Persons
from bitcloud_net.protocols.row_push import ORIGIN_PEERS, RELAY_PEERS, RowPush
from bitcloud_net.protocols.sync_side import MAX_NEWS_ROWS, SyncedRows
from bitcloud_net.wire import sync_session as wire

SPARE_HOPS: Final = 3
"""Hops beyond the fewest that could do, because the ways overlap: with one, a push reached only
82 % of 1,000 simulated nodes and left the rest to the next pull; with three, 99.4 %."""
READER_TELLERS: Final = 2
"""Nodes that pass fresh rows on to one reader."""
MAX_TELLERS: Final = 256
"""Connected nodes up to which each works out by itself whom it tells; beyond, readers pull."""
MAX_NARROW_NEWS: Final = 64
"""Batches of rows for some only that wait to be told; beyond, those who may see them pull."""


class NewsRows(SyncedRows, Protocol):
    """What is asked of the nodepool here (``nodepool.row_store``)."""

    @property
    def counts(self) -> Mapping[int, int]: ...

    def rule_of(self, number: int) -> TableRule: ...

    async def node_ids(self, period: int) -> list[NodeId]: ...

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None: ...


class RowNews:
    """The news of one node. ``start`` it before rows change."""

    def __init__(
        self,
        network: Network,
        rows: NewsRows,
        push: RowPush,
        persons: Persons,
        period: Callable[[], int],
    ) -> None:
        self._network = network
        self._rows = rows
        self._push = push
        self._persons = persons
        self._period = period
        self._nodes: set[NodeId] = set()  # that have a node row
        self._untold = 0  # batches of rows for some only
        self._told = trio.Event()
        self._narrow, self._narrow_rows = trio.open_memory_channel[RowsChanged](MAX_NARROW_NEWS)

    async def start(self) -> None:
        """Learn which nodes there are."""
        self._nodes = set(await self._rows.node_ids(self._period()))

    async def run(self) -> None:
        """Tell those who may see them of rows that only some may, until cancelled."""
        async for news in self._narrow_rows:
            for peer in sorted(self._network.peers - {news.source}):
                await self._tell(peer, news.rows)
            self._untold -= 1
            self._told.set()
            self._told = trio.Event()

    async def told(self) -> None:
        """Return when all that hear of rows so far are to be pushed them. Cancel: safe."""
        while self._untold:
            await self._told.wait()

    def rows_changed(self, news: RowsChanged) -> None:
        """Hear of new rows (``RowStore.watch``)."""
        for row in news.rows:
            if row.table is Table.NODE:
                (self._nodes.discard if row.body is None else self._nodes.add)(NodeId(row.owner))
        own = news.source is None
        told = [row for row in news.rows if self._is_told(row, own=own)]
        narrow = tuple(row for row in told if self._is_narrow(row))
        everybodys = [row for row in told if not self._is_narrow(row)]
        public = [row.raw for row in everybodys]
        if own:
            self._spread(everybodys, self._hops(), None)
        elif len(public) <= MAX_NEWS_ROWS:
            for reader in self._readers() - {news.source}:
                self._push.add_for(reader, public)
        if narrow:
            self._keep(RowsChanged(tables=news.tables, rows=narrow, source=news.source))

    def relay(self, rows: Sequence[SignedRow], hops: int, source: NodeId) -> None:
        """Send rows on that were new here: those that everybody may see."""
        told = (row for row in rows if self._is_told(row, own=False))
        self._spread([row for row in told if not self._is_narrow(row)], hops, source)

    def _spread(self, rows: Sequence[SignedRow], hops: int, source: NodeId | None) -> None:
        growth = self._rows.growth
        cut = [row for row in rows if growth.is_cut(row.table)]
        whole = [row.raw for row in rows if not growth.is_cut(row.table)]
        self._push.add(whole, hops=hops, source=source)
        for row in cut:
            keeps = partial(growth.keeps, table=row.table, key=row.key)
            self._push.add_where(row.raw, keeps, hops=hops, source=source)

    def _is_told(self, row: SignedRow, *, own: bool) -> bool:
        """Whether anybody hears of a row unasked; of what comes from its owner alone, from us only
        where we are its owner.
        """
        try:
            rule = self._rows.rule_of(row.table)
        except Malformed:  # its application has just been removed
            return False
        if rule.sync is SyncKind.OWNER:
            return own and rule.leaves
        return rule.leaves and rule.sync is not SyncKind.MANUAL

    def _is_narrow(self, row: SignedRow) -> bool:
        return audience_of(row, self._rows.rule_of(row.table)) is not EVERYBODY

    def _keep(self, news: RowsChanged) -> None:
        try:
            self._narrow.send_nowait(news)
            self._untold += 1
        except trio.WouldBlock:
            self._push.dropped += 1

    async def _tell(self, peer: NodeId, rows: Sequence[SignedRow]) -> None:
        period = self._period()
        readers = await self._rows.reads.readers(self._persons.keys_of(peer, period), period)
        seen = (row for row in rows if readers.may_see(row, self._rows.rule_of(row.table)))
        self._push.add_for(peer, [row.raw for row in seen])

    def _readers(self) -> set[NodeId]:
        """Return the peers without a node row that we tell of others' fresh rows.

        Pushes go from node to node, and who only reads and publishes has no node row. Of the nodes
        that are on, the two nearest to a reader tell it: two, so that one may fail.
        """
        own, peers = self._network.node_id, self._network.peers
        on = (self._nodes & peers) | {own}
        if own not in self._nodes or len(on) > MAX_TELLERS:
            return set()

        def tells(reader: NodeId) -> bool:
            place = position_of(reader)
            nearest = sorted(on, key=lambda node: position_of(node) ^ place)
            return own in nearest[:READER_TELLERS]

        return {peer for peer in peers - self._nodes if tells(peer)}

    def _hops(self) -> int:
        """Return how often an own row must be sent on to reach every known node."""
        nodes, reached = self._rows.counts[Table.NODE], len(self._network.peers)
        if nodes <= reached + 1:
            return 0
        reached = max(1, min(reached, ORIGIN_PEERS))
        return min(wire.MAX_HOPS, SPARE_HOPS + ceil(max(0.0, log(nodes / reached, RELAY_PEERS))))
