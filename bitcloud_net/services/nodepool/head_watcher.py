"""Notices rows that were left out, by their owners' heads, and asks others for them.

A session that ended well with a partner that leaves rows out looks like any other. So after each
change the rows of an owner are compared with its head. Some may be on their way, so nothing is done
for a while; then this node has sessions with peers that have not been asked: first with those that
are connected, then with the nodes nearest to the owner. One session brings all that is missing of
anybody. Nobody is blamed: who lacks a row may never have had it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.keys import NodeId, PublicKey
from bitcloud_net.core.nodepool.heads import COUNTED_TABLES, WHOLE, Completeness
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.nodepool.head_reads import HeadState
from bitcloud_net.nodepool.outcome import RowsChanged
from bitcloud_net.protocols.known_nodes import KnownNodes

if TYPE_CHECKING:
    from trio_typing import TaskStatus

GRACE_S: Final = 20.0
"""How long after the last news of an owner its rows may be on their way."""
PATIENCE_S: Final = 120.0
"""How long somebody of whom there is news all the time is left alone."""
LOOK_S: Final = 5.0
MAX_LOOKS: Final = 256
"""Owners compared in one look: after a start the rest follow in the next ones."""
MAX_ASKED: Final = 16
"""Peers asked about one owner in a period: a head that promises rows which nobody has ever seen
costs its readers no more."""


class Heads(Protocol):
    """What is known (``nodepool.head_reads``)."""

    async def owners(self, period: int) -> tuple[PublicKey, ...]: ...

    async def states(
        self, owner: PublicKey, period: int, holds: Callable[[int], bool]
    ) -> Mapping[bytes, HeadState]: ...


class Rows(Protocol):
    """What is held (``nodepool.row_store``)."""

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None: ...


class Sessions(Protocol):
    """Who compares rows with others (``services.nodepool.syncer``)."""

    async def compare_with(self, peer: NodeId) -> bool: ...

    def watch_sessions(self, on_end: Callable[[NodeId], None]) -> None: ...


class Peers(Protocol):
    """Who is connected (``net.network.Network``)."""

    @property
    def node_id(self) -> NodeId: ...

    @property
    def peers(self) -> frozenset[NodeId]: ...


@dataclass(frozen=True, slots=True)
class _News:
    """Since when, and until when, rows of an owner came that were not compared yet."""

    first_s: float
    last_s: float

    def is_over(self, now: float) -> bool:
        """Whether what belongs to them had time to come."""
        return now - self.last_s >= GRACE_S or now - self.first_s >= PATIENCE_S


@dataclass(slots=True)
class _Lacking:
    """An owner of whom rows are missing."""

    asked: set[NodeId] = field(default_factory=set)


_TOLD = frozenset({Table.HEAD, *COUNTED_TABLES})


class HeadWatcher:
    """The service. One per node."""

    def __init__(
        self,
        heads: Heads,
        rows: Rows,
        nodes: KnownNodes,
        sessions: Sessions,
        network: Peers,
        *,
        period: Callable[[], int],
        random: Random,
        holds: Callable[[int, PublicKey], bool] = lambda table, owner: True,
    ) -> None:
        """``holds`` says whether this node keeps all rows that an owner has in a table."""
        self._heads = heads
        self._rows = rows
        self._nodes = nodes
        self._sessions = sessions
        self._network = network
        self._period = period
        self._random = random
        self._holds = holds
        self._changed: dict[PublicKey, _News] = {}
        self._lacking: dict[PublicKey, _Lacking] = {}
        self._asked_in = 0  # the period
        self._news = trio.Event()

    @property
    def owners_lacking(self) -> int:
        """Owners of whom rows are missing here, and not just on their way."""
        return len(self._lacking)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled. Start it after the syncer.

        Raises:
            LocalFault: ``database-damaged``.
        """
        self._rows.watch(self._rows_changed)
        self._sessions.watch_sessions(self._session_ended)
        long_ago = _News(first_s=-PATIENCE_S, last_s=-PATIENCE_S)
        self._changed = dict.fromkeys(await self._heads.owners(self._period()), long_ago)
        task_status.started()
        while True:
            await self.look()
            await self._pause()

    async def look(self) -> None:
        """Compare what changed with the heads, and ask one peer where rows have been missing."""
        if self._asked_in != self._period():
            self._asked_in = self._period()
            for lacking in self._lacking.values():
                lacking.asked.clear()
        now = trio.current_time()
        due = (
            owner
            for owner, news in self._changed.items()
            if owner in self._lacking or news.is_over(now)
        )
        await self._compare(list(islice(due, MAX_LOOKS)))
        if (peer := await self._next_peer()) is None:
            return
        self._session_ended(peer)
        if await self._sessions.compare_with(peer):
            await self._compare(list(self._lacking))

    def _rows_changed(self, news: RowsChanged) -> None:
        now = trio.current_time()
        for owner in {row.owner for row in news.rows if row.table in _TOLD}:
            first_s = self._changed[owner].first_s if owner in self._changed else now
            self._changed[owner] = _News(first_s=first_s, last_s=now)
        self._news.set()

    def _session_ended(self, peer: NodeId) -> None:
        for lacking in self._lacking.values():
            lacking.asked.add(peer)

    async def _pause(self) -> None:
        if not self._changed and not self._lacking:
            self._news = trio.Event()
            await self._news.wait()
        await trio.sleep(LOOK_S * self._random.uniform(0.5, 1.5))

    async def _compare(self, owners: Iterable[PublicKey]) -> None:
        now = self._period()
        for owner in owners:
            self._changed.pop(owner, None)
            holds = partial(self._holds_of, owner)
            states = await self._heads.states(owner, now, holds)
            found = sum((each.held for each in states.values()), start=WHOLE)
            if found.state is not Completeness.LACKING:
                self._lacking.pop(owner, None)
            else:
                self._lacking.setdefault(owner, _Lacking())

    def _holds_of(self, owner: PublicKey, table: int) -> bool:
        return self._holds(table, owner)

    async def _next_peer(self) -> NodeId | None:
        """Return whom to ask now: somebody who has not been asked, for the first owner that has
        such a peer left.
        """
        for owner, lacking in self._lacking.items():
            if len(lacking.asked) < MAX_ASKED:
                for peer in await self._candidates(owner):
                    if peer not in lacking.asked:
                        return peer
        return None

    async def _candidates(self, owner: PublicKey) -> Iterable[NodeId]:
        """Return whom to ask about an owner, best first: nodes that are connected, then the nodes
        nearest to the owner, then whoever is connected.
        """
        own, peers = self._network.node_id, self._network.peers
        known = await self._nodes.known()
        near = known.ring.nearest(position_of(owner))
        far = (node for node in near if node != own and node not in peers)
        return chain(self._shuffled(known.ids & peers), far, self._shuffled(peers - known.ids))

    def _shuffled(self, peers: Iterable[NodeId]) -> list[NodeId]:
        return self._random.sample(ordered := sorted(peers), len(ordered))
