"""Keeps the nodepool in step with the other nodes.

Two ways, at the same time. *Push* (``protocols.row_push``): rows signed here go straight to the
connected peers; it is fast and may miss some. *Pull*: a session with a new peer at once, and with
this period's assigned partners as the tables' rules say (``protocols.sync_plan``), finds whatever
is missing on either side and moves it. Pull is what is relied on. A partner that does not answer is
replaced within the same step.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.errors import PeerFault, Refused, Unavailable
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.table_rules import DEFAULT_PARTNERS, Table
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.net.network import Network, PeerChange, PeerConnected, ProtocolId, Stream
from bitcloud_net.protocols import sync_ledger
from bitcloud_net.protocols.clock_watch import ClockWatch
from bitcloud_net.protocols.pace import Pace
from bitcloud_net.protocols.persons import Persons
from bitcloud_net.protocols.row_news import NewsRows, RowNews
from bitcloud_net.protocols.row_push import FAULT_BAN_S, RowPush
from bitcloud_net.protocols.sync import SyncReport, reconcile
from bitcloud_net.protocols.sync_answer import answer
from bitcloud_net.protocols.sync_ledger import PeerAllowance, SyncLedger
from bitcloud_net.protocols.sync_plan import PlannedRows, SyncPlan, asked_for
from bitcloud_net.protocols.sync_side import Side
from bitcloud_net.views import Synced, SyncHealth
from bitcloud_net.wire import sync_session as wire

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # mypy reads trio by that package's stubs

SECOND_S: Final = 15.0
"""After a new connection the node with the larger id waits so long for the other to begin."""
SESSION_S: Final = 120.0
"""Longest session; one that has more to move goes on in the next."""
RETRY_S: Final = 2.0
RETRIES: Final = 3
"""A new peer that cannot take a session yet is asked again so often, so far apart."""
MAX_SERVED: Final = 64
"""Streams answered at a time, pushes included; more are closed and come again."""
MAX_SERVED_PER_PEER: Final = 4
"""The same for one peer: a session and a push each way is all it needs."""
CATCH_UP_S: Final = 3600
"""Who was in step with nobody for so long takes rows as fast as it can check them."""
REPLACEMENTS: Final = 4
"""Partners tried in one step; with 70 % of them off, three of four steps still find one."""


class SyncedRows(NewsRows, PlannedRows, Protocol):
    """What the syncer needs of the nodepool (``nodepool.row_store``)."""

    @property
    def waiting(self) -> int: ...

    async def sweep(self) -> None: ...


class PeriodClock(Protocol):
    """What the syncer needs of a clock."""

    def now_s(self) -> int: ...

    def period(self) -> int: ...


class Syncer:
    """The service. One per node."""

    def __init__(
        self,
        network: Network,
        rows: SyncedRows,
        *,
        clock: PeriodClock,
        random: Random,
        beacon: Callable[[int], bytes],
        persons: Callable[[], Sequence[SigningKey]] = tuple,
        on_fault: Callable[[PeerFault], None] = lambda fault: None,
    ) -> None:
        """``persons`` gives the keys of people that this machine acts for; ``on_fault`` hears of
        peers that broke the protocol while we asked them or told them something.
        """
        self._network = network
        self._rows = rows
        self._clock = clock
        self._random = random
        self._on_fault = on_fault
        self._clocks = ClockWatch()
        self._push = RowPush(network, random, self._want, on_fault)
        self._persons = Persons(network.node_id, persons, rows.reads, self._want)
        self._news = RowNews(network, rows, self._push, self._persons, clock.period)
        self._side = Side(
            node=network.node_id,
            rows=rows,
            persons=self._persons,
            now_s=clock.now_s,
            random=random,
            clocks=self._clocks,
            relay=self._news.relay,
        )
        self._plan = SyncPlan(
            network,
            rows,
            random,
            beacon,
            clock.period,
            lambda: rows.reads.depths[Table.NODE],
        )
        self._ledger = SyncLedger()
        self._served: Counter[NodeId] = Counter()
        self._due: OrderedDict[NodeId, None] = OrderedDict()
        self._paces: dict[NodeId, Pace] = {}
        self._tries: Counter[NodeId] = Counter()
        self._wake = trio.Event()
        self._session_watchers: list[Callable[[NodeId], None]] = []

    @property
    def state(self) -> SyncHealth:
        """The present state, whole."""
        return self._ledger.state(
            self._clock.period(),
            self._rows.waiting,
            self._push,
            clock_behind_s=self._clocks.shown_s,
        )

    @property
    def clock_behind_s(self) -> int | None:
        """How far our clock is behind the median of five peers or more; None while fewer are
        known.
        """
        return self._clocks.behind_s

    def is_in_step(self) -> bool:
        """Whether what is known here was compared with somebody within the last period, whole."""
        state = self.state
        since_s = PERIOD_S if state.last_s is None else self._clock.now_s() - state.last_s
        return state.in_step > 0 and since_s < PERIOD_S

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve, push and pull until cancelled. Start it before the network connects to anybody.

        Raises:
            LocalFault: our own database.
        """
        await self._news.start()
        async with trio.open_nursery() as nursery:
            self._network.serve(ProtocolId(wire.PROTOCOL), self._serve)
            self._network.watch(lambda change: self._peer_changed(change, nursery))
            self._rows.watch(self._news.rows_changed)
            for peer in self._network.peers:
                self._want(peer)
            nursery.start_soon(self._pull_all, nursery)
            nursery.start_soon(self._push.run)
            nursery.start_soon(self._news.run)
            nursery.start_soon(self._sweep_all)
            task_status.started()

    def sync_soon(self, peer: NodeId) -> None:
        """Ask for a session with a peer before the next assigned one."""
        self._want(peer)

    async def sync(self, table: str = "") -> Synced:
        """Compare a table (without one: all) with some of the connected nodes now.

        Cancel: safe; rows taken until then stay.

        Raises:
            BadInput: ``unknown-table``, or one whose rows never leave this machine.
            Unavailable: ``nobody-connected``: no node could be asked.
        """
        sets = asked_for(self._rows.rules, table)
        before = self._ledger.moved
        peers = sorted(self._network.peers)
        chosen = self._random.sample(peers, min(len(peers), DEFAULT_PARTNERS))
        asked = [peer for peer in chosen if await self.compare_with(peer, sets)]
        if not asked:
            raise Unavailable("no other node can be asked now", code="nobody-connected")
        received, sent = (now - then for now, then in zip(self._ledger.moved, before, strict=True))
        return Synced(nodes=len(asked), received=received, sent=sent)

    async def compare_with(self, peer: NodeId, sets: Collection[int] | None = None) -> bool:
        """Have a session with a peer now, whether it is connected or not; False when that failed.
        ``sets`` None: all that are compared of their own accord.

        Cancel: safe; rows taken until then stay.
        """
        async with trio.open_nursery() as nursery:
            ended_well = await self._pull(peer, nursery, sets)
            nursery.cancel_scope.cancel()  # no second try: others can be asked
        return ended_well

    def watch_sessions(self, on_end: Callable[[NodeId], None]) -> None:
        """Call ``on_end`` (quick, never waiting) after each session after which both should hold
        the same rows.
        """
        self._session_watchers.append(on_end)

    async def handed_over(self) -> None:
        """Return when the peers have taken the rows that were signed here. See ``RowPush``."""
        await self._news.told()
        await self._push.handed_over()

    # Answering

    async def _serve(self, stream: Stream) -> None:
        peer = stream.peer
        if self._served.total() >= MAX_SERVED or self._served[peer] >= MAX_SERVED_PER_PEER:
            return
        self._served[peer] += 1
        try:
            await answer(stream, self._side, self._allowance(peer))
        finally:
            self._served[peer] -= 1
            self._served += Counter()  # drops who is at zero

    def _allowance(self, peer: NodeId) -> PeerAllowance:
        assigned = self._plan.is_assigned(peer)
        budget = sync_ledger.ASSIGNED if assigned else sync_ledger.COURTESY
        pace = None if self._catches_up else self._paces.setdefault(peer, Pace())
        return PeerAllowance(self._ledger, (peer, self._clock.period()), budget, pace)

    @property
    def _catches_up(self) -> bool:
        """Whether so many rows may be missing here that all haste is right."""
        in_step_s = self._ledger.in_step_s
        return in_step_s is None or self._clock.now_s() - in_step_s > CATCH_UP_S

    # Pulling

    def _peer_changed(self, change: PeerChange, nursery: trio.Nursery) -> None:
        if not isinstance(change, PeerConnected):
            self._tries.pop(change.peer, None)
            self._persons.forget(change.peer)
            return
        self._plan.note_live(change.peer)
        # Both ends hear of a new connection; the smaller id starts, the other in case it does not.
        # Who knows nothing yet does not wait: its first call waits for its first session.
        late = self._network.node_id > change.peer and self._ledger.sessions > 0
        nursery.start_soon(self._want_later, change.peer, SECOND_S if late else 0.0)

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
                with trio.move_on_after(self._plan.wait_s(trio.current_time())):
                    await self._wake.wait()
            if self._due:
                peer, _ = self._due.popitem(last=False)
                if peer in self._network.peers:
                    await self._pull(peer, nursery)
            else:
                await self._step(nursery)

    async def _step(self, nursery: trio.Nursery) -> None:
        """Compare what is due, each set with one partner; one that is dead is replaced at once."""
        left = self._plan.due(trio.current_time())
        dead = 0
        while dead < REPLACEMENTS and (chosen := await self._plan.choose(left)) is not None:
            peer, sets = chosen
            if await self._pull(peer, nursery, sets):
                left -= sets
            else:
                self._plan.note_dead(peer)
                dead += 1
        await self._bring_strays(nursery)

    async def _bring_strays(self, nursery: trio.Nursery) -> None:
        """Have a session with a node that keeps the place of a row that lies here for others."""
        place = self._rows.growth.unsettled_place(self._random)
        if place is None:
            return
        for peer in await self._plan.keepers(place):
            if await self._pull(peer, nursery):
                return
            self._plan.note_dead(peer)

    async def _pull(
        self, peer: NodeId, nursery: trio.Nursery, sets: Collection[int] | None = None
    ) -> bool:
        """Have one session; False when the peer is of no use now. ``sets`` None: all that are
        compared of their own accord.
        """
        try:
            report = await self._session(peer, self._plan.sets() if sets is None else sets)
        except PeerFault as fault:
            self._on_fault(fault)
            self._network.ban(peer, seconds=FAULT_BAN_S)
            self._ledger.note_failure(peer)
            return False
        except (Refused, Unavailable):
            self._ledger.note_failure(peer)
            nursery.start_soon(self._try_again, peer)
            return False
        self._tries.pop(peer, None)
        self._ledger.note(peer, report, self._clock.now_s())
        self._rows.growth.hear(peer, report.depths)
        if not report.complete and report.received + report.sent:
            self._want(peer)
        if report.complete:
            for on_end in self._session_watchers:
                on_end(peer)
        return True

    async def _session(self, peer: NodeId, sets: Collection[int]) -> SyncReport:
        with trio.move_on_after(SESSION_S):
            stream = await self._network.open_stream(peer, ProtocolId(wire.PROTOCOL))
            try:
                return await reconcile(stream, self._side, self._allowance(peer), sets=sets)
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

    # Time

    async def _sweep_all(self) -> None:
        """Drop what has expired, a little after each period begins."""
        while True:
            left_s = PERIOD_S - self._clock.now_s() % PERIOD_S
            await trio.sleep(left_s + self._random.uniform(1.0, 20.0))
            self._ledger.forget_before(self._clock.period())
            self._paces = {at: pace for at, pace in self._paces.items() if not pace.is_rested}
            await self._rows.sweep()
