"""Keeps the nodepool in step with the other nodes.

Two ways, at the same time. *Push* (``protocols.row_push``): rows signed here go straight to the
connected peers; it is fast and may miss some. *Pull*: a session with a new peer at once, and with
one of this period's assigned partners about every 30 s, finds whatever is missing on either side
and moves it. Pull is what is relied on. A partner that does not answer is replaced within the same
step.
"""

from __future__ import annotations

import statistics
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from math import ceil, log
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

import trio
from blake3 import blake3

from bitcloud_net.core.errors import PeerFault, Refused, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.partners import NodeRing, assign, may_ask, position_of
from bitcloud_net.core.table_rules import DEFAULT_PARTNERS, Table
from bitcloud_net.core.units import MIB, PERIOD_S
from bitcloud_net.net.network import Network, PeerChange, PeerConnected, ProtocolId, Stream
from bitcloud_net.nodepool.outcome import RowsChanged
from bitcloud_net.protocols import sync
from bitcloud_net.protocols.pace import Pace
from bitcloud_net.protocols.row_push import FAULT_BAN_S, ORIGIN_PEERS, RELAY_PEERS, RowPush
from bitcloud_net.views import SyncHealth
from bitcloud_net.wire import sync_session as wire

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # mypy reads trio by that package's stubs

PULL_S: Final = 30.0
"""Mean time between two sessions that we start; each wait is half to one and a half of it."""
SESSION_S: Final = 120.0
"""Longest session; one that has more to move goes on in the next."""
RETRY_S: Final = 2.0
RETRIES: Final = 3
"""A new peer that cannot take a session yet is asked again so often, so far apart."""
MAX_SERVED: Final = 64
"""Streams answered at a time, pushes included; more are closed and come again."""
MAX_SERVED_PER_PEER: Final = 4
"""The same for one peer: a session and a push each way is all it needs."""
BUDGET_BYTES: Final = 256 * MIB
"""Rows that one peer may cost in one period, both ways: a first sync of half a million rows."""
COURTESY_BYTES: Final = 4 * MIB
"""The same for a known node of a large network that is not assigned to us."""
CATCH_UP_S: Final = 3600
"""Who was in step with nobody for so long takes rows as fast as it can check them."""
SPARE_HOPS: Final = 3
"""Hops beyond the fewest that could do, because the ways overlap: with one, a push reached only
82 % of 1,000 simulated nodes and left the rest to the next pull; with three, 99 % of 600."""
READER_TELLERS: Final = 2
"""Nodes that pass fresh rows on to one reader."""
MAX_TELLERS: Final = 256
"""Connected nodes up to which each works out by itself whom it tells; beyond, readers pull."""
REPLACEMENTS: Final = 4
"""Partners tried in one step; with 70 % of them off, three of four steps still find one."""


class SyncedRows(sync.SyncedRows, Protocol):
    """What the syncer needs of the nodepool (``nodepool.row_store``)."""

    @property
    def counts(self) -> Mapping[int, int]: ...

    @property
    def waiting(self) -> int: ...

    async def node_ids(self, period: int) -> list[NodeId]: ...

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None: ...

    async def sweep(self) -> None: ...


class PeriodClock(Protocol):
    """What the syncer needs of a clock."""

    def now_s(self) -> int: ...

    def period(self) -> int: ...


def clock_beacon(period: int) -> bytes:
    """Return the value that assigns random partners while no other beacon runs: public, the same
    for all, and known beforehand, which matters to lots and not to partners.
    """
    return blake3(period.to_bytes(8, "big"), derive_key_context="bitcloud v1 beacon").digest()


class Syncer:
    """The service. One per node."""

    def __init__(
        self,
        network: Network,
        rows: SyncedRows,
        *,
        clock: PeriodClock,
        random: Random,
        beacon: Callable[[int], bytes] = clock_beacon,
    ) -> None:
        self._network = network
        self._rows = rows
        self._clock = clock
        self._random = random
        self._beacon = beacon
        self._push = RowPush(network, random, self._want)
        self._ledger = _Ledger()
        self._served: Counter[NodeId] = Counter()
        self._due: OrderedDict[NodeId, None] = OrderedDict()
        self._paces: dict[NodeId, Pace] = {}
        self._tries: Counter[NodeId] = Counter()
        self._wake = trio.Event()
        self._ring = NodeRing(())
        self._ring_period = -1
        self._dead: set[NodeId] = set()
        self._nodes: set[NodeId] = set()  # that have a node row
        self._session_watchers: list[Callable[[NodeId], None]] = []

    @property
    def state(self) -> SyncHealth:
        """The present state, whole."""
        return self._ledger.state(self._clock.period(), self._rows.waiting, self._push)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve, push and pull until cancelled. Start it before the network connects to anybody.

        Raises:
            LocalFault: our own database.
        """
        self._nodes = set(await self._rows.node_ids(self._clock.period()))
        async with trio.open_nursery() as nursery:
            self._network.serve(ProtocolId(wire.PROTOCOL), self._serve)
            self._network.watch(lambda change: self._peer_changed(change, nursery))
            self._rows.watch(self._rows_changed)
            for peer in self._network.peers:
                self._want(peer)
            nursery.start_soon(self._pull_all, nursery)
            nursery.start_soon(self._push.run)
            nursery.start_soon(self._sweep_all)
            task_status.started()

    def sync_soon(self, peer: NodeId) -> None:
        """Ask for a session with a peer before the next assigned one."""
        self._want(peer)

    async def compare_with(self, peer: NodeId) -> bool:
        """Have a session with a peer now, whether it is connected or not; False when that failed.

        Cancel: safe; rows taken until then stay.
        """
        async with trio.open_nursery() as nursery:
            ended_well = await self._pull(peer, nursery)
            nursery.cancel_scope.cancel()  # no second try: others can be asked
        return ended_well

    def watch_sessions(self, on_end: Callable[[NodeId], None]) -> None:
        """Call ``on_end`` (quick, never waiting) after each session after which both should hold
        the same rows.
        """
        self._session_watchers.append(on_end)

    async def handed_over(self) -> None:
        """Return when the peers have taken the rows that were signed here. See ``RowPush``."""
        await self._push.handed_over()

    # Answering

    async def _serve(self, stream: Stream) -> None:
        peer = stream.peer
        if self._served.total() >= MAX_SERVED or self._served[peer] >= MAX_SERVED_PER_PEER:
            return
        self._served[peer] += 1
        try:
            await sync.answer(
                stream,
                self._rows,
                self._clock.now_s,
                self._allowance(peer),
                lambda raws, hops: self._push.add(raws, hops=hops, source=peer),
            )
        finally:
            self._served[peer] -= 1
            self._served += Counter()  # drops who is at zero

    def _allowance(self, peer: NodeId) -> sync.Allowance:
        limit = BUDGET_BYTES
        if len(self._ring) > 4 * DEFAULT_PARTNERS and not may_ask(
            self._ring, self._network.node_id, peer, self._beacon(self._clock.period())
        ):
            limit = COURTESY_BYTES
        pace = None if self._catches_up else self._paces.setdefault(peer, Pace())
        return _Allowance(self._ledger.spent, (peer, self._clock.period()), limit, pace)

    @property
    def _catches_up(self) -> bool:
        """Whether so many rows may be missing here that all haste is right."""
        in_step_s = self._ledger.in_step_s
        return in_step_s is None or self._clock.now_s() - in_step_s > CATCH_UP_S

    # Pulling

    def _peer_changed(self, change: PeerChange, nursery: trio.Nursery) -> None:
        if not isinstance(change, PeerConnected):
            self._tries.pop(change.peer, None)
            return
        self._dead.discard(change.peer)
        # Both ends hear of a new connection; the smaller id starts, the other in case it does not.
        # Who knows nothing yet does not wait: its first call waits for its first session.
        late = self._network.node_id > change.peer and self._ledger.sessions > 0
        nursery.start_soon(self._want_later, change.peer, PULL_S / 2 if late else 0.0)

    async def _want_later(self, peer: NodeId, wait_s: float) -> None:
        await trio.sleep(wait_s)
        self._want(peer)

    def _want(self, peer: NodeId) -> None:
        self._due[peer] = None
        self._wake.set()

    async def _pull_all(self, nursery: trio.Nursery) -> None:
        while True:
            if not self._due:
                self._wake = trio.Event()
                with trio.move_on_after(self._random.uniform(0.5, 1.5) * PULL_S):
                    await self._wake.wait()
            if self._due:
                peer, _ = self._due.popitem(last=False)
                if peer in self._network.peers:
                    await self._pull(peer, nursery)
            else:
                await self._step(nursery)

    async def _step(self, nursery: trio.Nursery) -> None:
        """Have a session with one partner; one that is dead is replaced at once."""
        for _ in range(REPLACEMENTS):
            partners = await self._partners()
            if not partners:
                return
            peer = self._random.choice(partners)
            if await self._pull(peer, nursery):
                return
            self._dead.add(peer)

    async def _partners(self) -> list[NodeId]:
        """Return this period's partners; in a small network everybody who is connected."""
        period, own = self._clock.period(), self._network.node_id
        if self._ring_period != period:
            self._ring = NodeRing(await self._rows.node_ids(period))
            self._ring_period = period
            self._dead.clear()
        if len(self._ring) <= DEFAULT_PARTNERS + 1:
            return sorted(self._network.peers)
        beacon = self._beacon(period)
        return list(assign(self._ring, own, beacon, is_dead=self._dead.__contains__).all)

    async def _pull(self, peer: NodeId, nursery: trio.Nursery) -> bool:
        """Have one session; False when the peer is of no use now."""
        try:
            report = await self._session(peer)
        except PeerFault:
            self._network.ban(peer, seconds=FAULT_BAN_S)
            self._ledger.note_failure(peer)
            return False
        except (Refused, Unavailable):
            self._ledger.note_failure(peer)
            nursery.start_soon(self._try_again, peer)
            return False
        self._tries.pop(peer, None)
        self._ledger.note(peer, report, self._clock.now_s())
        if not report.complete and report.received + report.sent:
            self._want(peer)
        if report.complete:
            for on_end in self._session_watchers:
                on_end(peer)
        return True

    async def _session(self, peer: NodeId) -> sync.SyncReport:
        with trio.move_on_after(SESSION_S):
            stream = await self._network.open_stream(peer, ProtocolId(wire.PROTOCOL))
            try:
                return await sync.reconcile(
                    stream,
                    self._rows,
                    self._clock.now_s,
                    self._allowance(peer),
                    lambda raws, hops: self._push.add(raws, hops=hops, source=peer),
                )
            finally:
                stream.reset()
        raise Unavailable("the session took too long", code="deadline-passed")

    async def _try_again(self, peer: NodeId) -> None:
        self._tries[peer] += 1
        if self._tries[peer] > RETRIES or peer not in self._network.peers:
            del self._tries[peer]
            return
        await trio.sleep(RETRY_S * self._random.uniform(0.5, 1.5))
        self._want(peer)

    # Pushing

    def _rows_changed(self, news: RowsChanged) -> None:
        for row in news.rows:
            if row.table is Table.NODE:
                (self._nodes.discard if row.body is None else self._nodes.add)(NodeId(row.owner))
        raws = [row.raw for row in news.rows]
        if news.source is None:
            self._push.add(raws, hops=self._hops(), source=None)
        elif len(raws) <= sync.MAX_NEWS_ROWS:
            for reader in self._readers() - {news.source}:
                self._push.add_for(reader, raws)

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

    # Time

    async def _sweep_all(self) -> None:
        """Drop what has expired, a little after each period begins."""
        while True:
            left_s = PERIOD_S - self._clock.now_s() % PERIOD_S
            await trio.sleep(left_s + self._random.uniform(1.0, 20.0))
            self._ledger.forget_before(self._clock.period())
            self._paces = {at: pace for at, pace in self._paces.items() if not pace.is_rested}
            await self._rows.sweep()


class _Ledger:
    """What the sessions came to."""

    def __init__(self) -> None:
        self.spent: dict[tuple[NodeId, int], int] = {}
        self.sessions = 0
        self.failed = 0
        self._received = 0
        self._sent = 0
        self._last_s: int | None = None
        self.in_step_s: int | None = None  # when a session last left nothing to do
        self._oldest_s: int | None = None
        self._ahead_s: dict[NodeId, int] = {}
        self._partners: OrderedDict[NodeId, bool] = OrderedDict()

    def note(self, peer: NodeId, report: sync.SyncReport, now_s: int) -> None:
        """Take over the report of a session that ended well."""
        self.sessions += 1
        self._received += report.received
        self._sent += report.sent
        self._last_s = now_s
        self.in_step_s = now_s if report.complete else self.in_step_s
        self._oldest_s = None if report.oldest is None else now_s - report.oldest * PERIOD_S
        self._ahead_s[peer] = report.clock_ahead_s
        self._note_partner(peer, in_step=report.complete)

    def note_failure(self, peer: NodeId) -> None:
        """Note a session that did not end well."""
        self.failed += 1
        self._note_partner(peer, in_step=False)

    def _note_partner(self, peer: NodeId, *, in_step: bool) -> None:
        self._partners.pop(peer, None)
        self._partners[peer] = in_step
        if len(self._partners) > DEFAULT_PARTNERS:
            oldest, _ = self._partners.popitem(last=False)
            self._ahead_s.pop(oldest, None)

    def forget_before(self, period: int) -> None:
        """Forget what was spent in earlier periods."""
        self.spent = {key: size for key, size in self.spent.items() if key[1] >= period}

    def state(self, period: int, waiting: int, push: RowPush) -> SyncHealth:
        """Return the present state."""
        return SyncHealth(
            partners=len(self._partners),
            in_step=sum(self._partners.values()),
            oldest_s=self._oldest_s,
            last_s=self._last_s,
            waiting=waiting,
            period_bytes=sum(size for key, size in self.spent.items() if key[1] == period),
            clock_behind_s=int(statistics.median(self._ahead_s.values() or (0,))),
            sessions=self.sessions,
            failed=self.failed,
            received=self._received,
            sent=self._sent,
            pushed=push.pushed,
            dropped=push.dropped,
        )


class _Allowance:
    """What one peer may cost in one period; shared by its sessions and pushes."""

    def __init__(
        self,
        spent: dict[tuple[NodeId, int], int],
        key: tuple[NodeId, int],
        limit: int,
        pace: Pace | None,
    ) -> None:
        self._spent = spent
        self._key = key
        self._limit = limit
        self._pace = pace

    def spend(self, size: int) -> None:
        total = self._spent.get(self._key, 0) + size
        if total > self._limit:
            raise Refused("this period's budget for you is used up", code="budget")
        self._spent[self._key] = total

    async def rest(self) -> None:
        if self._pace is not None:
            await self._pace.wait()

    def note_checked(self, rows: int) -> None:
        if self._pace is not None:
            self._pace.count(rows)
