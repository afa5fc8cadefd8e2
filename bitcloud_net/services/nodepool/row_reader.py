"""Reads rows that this node does not keep: from three nodes near the owner, trusting none of them.

Every row is checked here, so of several answers the highest number is right, whoever gave it. What
a liar can do is to say that there is nothing, or to give an older row: three nodes would have to
agree on that. A row that does not hold is its sender's fault; that one is missing is nobody's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from random import Random
from typing import Final, TypeVar

import trio

from bitcloud_net.core.errors import PeerFault, Refused, Unavailable
from bitcloud_net.core.keys import KEY_BYTES, NodeId, PublicKey
from bitcloud_net.core.nodepool.bodies.heads import PUBLIC_HEAD
from bitcloud_net.core.nodepool.heads import WHOLE, CountedRow, audience_of_head, compare
from bitcloud_net.core.nodepool.partners import NodeRing, position_of
from bitcloud_net.core.nodepool.row_bodies import HeadBody
from bitcloud_net.core.nodepool.rows import Rules, SignedRow
from bitcloud_net.core.nodepool.shards import place_of
from bitcloud_net.core.nodepool.tables import Table, TableRule
from bitcloud_net.core.units import MIB
from bitcloud_net.net.network import Network, ProtocolId
from bitcloud_net.protocols.known_nodes import KnownNodes
from bitcloud_net.protocols.row_read import Page, RowAsker
from bitcloud_net.tasks import open_tasks
from bitcloud_net.wire.row_read import PROTOCOL

ANSWERS: Final = 3
"""Equal answers that make it certain that there is no row; all nodes, where there are fewer."""
MAX_TRIES: Final = 12
"""Nodes asked for one row: with 70 % of them off, three still answer in two of three reads."""
ANSWER_S: Final = 10.0
LISTING_S: Final = 60.0
MAX_LISTED_BYTES: Final = 32 * MIB
"""Rows of one listing, such as a person's files."""
FAULT_BAN_S: Final = 600.0
"""How long a node that sent a row which does not hold is refused: one period."""

Rows = dict[tuple[int, bytes], SignedRow]
"""The best row for each table and key."""

_T = TypeVar("_T")


class RowReader:
    """One per node."""

    def __init__(
        self,
        network: Network,
        nodes: KnownNodes,
        rules: Rules,
        *,
        period: Callable[[], int],
        random: Random,
    ) -> None:
        self._random = random
        self._network = network
        self._nodes = nodes
        self._rules = rules
        self._period = period

    async def row(self, table: int, key: bytes) -> SignedRow | None:
        """Return the newest row for a key, a tombstone too; None when there is certainly none.

        Cancel: safe.

        Raises:
            Unavailable: ``too-few-answers``: none has it, and not enough of them could be asked.
        """
        near = await self._near(place_of(table, key))
        wanted = min(ANSWERS, len(near))
        tries = iter(near)
        answers: list[Page] = []

        async def one_more() -> None:
            for node in tries:
                page = await self._ask(node, lambda asker: asker.row(table, key), ANSWER_S)
                if page is not None and page.keeps:
                    answers.append(page)
                    return

        async with open_tasks() as tasks:
            for _ in range(wanted):
                tasks.start_soon(one_more)
        best = self._best(row for page in answers for row in page.rows).get((table, key))
        if best is None and (len(answers) < wanted or not wanted):
            raise Unavailable("too few nodes could be asked for the row", code="too-few-answers")
        return best

    async def owner(self, owner: PublicKey, tables: tuple[int, ...]) -> Rows:
        """Return an owner's rows in some tables.

        One node is enough where the owner's head says that nothing is missing; else three are
        asked, and the best of all is returned. Cancel: safe.

        Raises:
            Unavailable: ``too-few-answers``: nobody could be asked.
        """
        head = await self._head(owner)

        async def listing(asker: RowAsker) -> Rows:
            rows: Rows = {}
            for table in tables:
                rows |= await self._pages(lambda after, t=table: asker.page(t, owner, after))  # type: ignore[misc]
            return rows

        place, is_enough = position_of(owner), partial(_is_whole, head=head, tables=tables)
        return await self._collect(place, listing, is_enough)

    async def table(self, table: int) -> Rows:
        """Return the rows of a table, as three nodes near this one know it. Raises as ``owner``."""

        async def listing(asker: RowAsker) -> Rows:
            return await self._pages(lambda after: asker.page(table, b"", after))

        return await self._collect(position_of(self._network.node_id), listing, _never)

    async def find(self, table: int, suffix: bytes) -> Rows:
        """Return the rows of all owners whose key ends with ``suffix``. Raises as ``owner``."""

        async def listing(asker: RowAsker) -> Rows:
            return await self._pages(lambda after: asker.found(table, suffix, after))

        return await self._collect(position_of(suffix), listing, _never)

    async def sample(self) -> Rows:
        """Return the rows of some nodes, from three places of the order of keys that are drawn by
        chance. Raises as ``owner``.
        """

        async def listing(asker: RowAsker) -> Rows:
            page = await asker.page(Table.NODE, b"", self._random.randbytes(KEY_BYTES))
            first = await asker.page(Table.NODE, b"", b"")  # a small network, and around the end
            return {(row.table, row.key): row for row in (*first.rows, *page.rows)}

        return await self._collect(position_of(self._network.node_id), listing, _never)

    async def _collect(
        self,
        place: int,
        listing: Callable[[RowAsker], Awaitable[Rows]],
        is_enough: Callable[[Rows], bool],
    ) -> Rows:
        """Ask one node after the other until the rows are enough, or three have answered."""
        found: Rows = {}
        answers = 0
        for node in await self._near(place):
            rows = await self._ask(node, listing, LISTING_S)
            if rows is None:
                continue
            answers += 1
            found = self._best((*found.values(), *rows.values()))
            if answers == ANSWERS or is_enough(found):
                break
        if not answers:
            raise Unavailable("no node could be asked for the rows", code="too-few-answers")
        return found

    async def _pages(self, ask: Callable[[bytes], Awaitable[Page]]) -> Rows:
        rows: Rows = {}
        after, size = b"", 0
        while True:
            page = await ask(after)
            if not page.keeps:
                raise Refused("it does not keep that place", code="not-kept")
            rows |= {(row.table, row.key): row for row in page.rows}
            size += sum(len(row.raw) for row in page.rows)
            if not page.more or size > MAX_LISTED_BYTES:
                return rows
            after = page.rows[-1].key

    async def _head(self, owner: PublicKey) -> SignedRow | None:
        try:
            return await self.row(Table.HEAD, owner + PUBLIC_HEAD)
        except Unavailable:
            return None

    # Nodes

    async def _near(self, place: int) -> list[NodeId]:
        """Return the nodes nearest to a place; whoever is connected where no node is known."""
        known = await self._nodes.known()
        ring = known.ring if known.ids else NodeRing(self._network.peers)
        nearest = islice(ring.nearest(place), MAX_TRIES + 1)
        return [node for node in nearest if node != self._network.node_id][:MAX_TRIES]

    async def _ask(
        self, node: NodeId, question: Callable[[RowAsker], Awaitable[_T]], seconds: float
    ) -> _T | None:
        """Return a node's answer; None when it has none, or a wrong one."""
        try:
            with trio.move_on_after(seconds):
                async with self._asker(node) as asker:
                    return await question(asker)
        except PeerFault:
            self._network.ban(node, seconds=FAULT_BAN_S)
        except (Refused, Unavailable):
            pass
        return None

    @asynccontextmanager
    async def _asker(self, node: NodeId) -> AsyncIterator[RowAsker]:
        stream = await self._network.open_stream(node, ProtocolId(PROTOCOL))
        try:
            yield RowAsker(stream, self._rules)
        finally:
            stream.reset()

    # Rows

    def _best(self, rows: Iterator[SignedRow] | tuple[SignedRow, ...]) -> Rows:
        """Return of each key the row that wins, among those that are valid now."""
        now, best = self._period(), Rows()
        for row in rows:
            held = best.get((row.table, row.key))
            if _is_valid(row, self._rules(row.table), now) and (
                held is None or row.beats(held.seq, held.id)
            ):
                best[row.table, row.key] = row
        return best


def _never(_rows: Rows) -> bool:
    return False


def _is_valid(row: SignedRow, rule: TableRule, now: int) -> bool:
    life = row.expires - row.period
    most = rule.tombstone_life_periods if row.body is None else rule.max_life_periods
    return row.period <= now + 1 and now <= row.expires and 0 <= life <= most


def _is_whole(rows: Rows, head: SignedRow | None, tables: tuple[int, ...]) -> bool:
    if head is None or not isinstance(head.body, HeadBody):
        return False
    held: Mapping[int, list[CountedRow]] = {table: [] for table in tables}
    for row in rows.values():
        last_signer = (row.owner, *row.co_owners)[-1]
        audience = audience_of_head(row.table, row.key, last_signer)
        if row.expires >= head.expires and audience == PUBLIC_HEAD:
            held[row.table].append(CountedRow(seq=row.seq, id=row.id))
    return all(
        compare(said, held[said.table]) == WHOLE
        for said in head.body.tables
        if said.table in tables
    )
