"""Keeps the nodepool in step with the other nodes.

Two ways, at the same time. *Push*: rows signed here go straight to every connected peer, gathered
for 200 ms; a peer that is slow misses them. *Pull*: a session with a new peer at once, and with a
random one about every 30 s, finds whatever is missing on either side and moves it. Pull is what is
relied on; push only makes it fast. Rows that came from others are not pushed on.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.errors import PeerFault, Refused, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.rows import SignedRow
from bitcloud_net.core.units import MIB, PERIOD_S
from bitcloud_net.net.network import Network, PeerChange, PeerConnected, ProtocolId, Stream
from bitcloud_net.nodepool.outcome import RowsChanged
from bitcloud_net.protocols import sync
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
FAULT_BAN_S: Final = 600.0
"""How long a peer that broke the protocol is refused: one period."""
GATHER_S: Final = 0.2
"""How long fresh rows are gathered before they are pushed: a folder goes out in few messages."""
OUTBOX_BATCHES: Final = 16
"""Batches (256 KiB, shared by all peers) waiting for one peer; more than that pull brings later."""
PUSH_IDLE_S: Final = 5.0
"""How long a push stream stays open for the next batch."""
PUSH_PEERS: Final = 32
"""Peers that fresh rows are pushed to; the others pull."""
MAX_SERVED: Final = 64
"""Streams answered at a time, pushes included; more are closed and come again."""
BUDGET_BYTES: Final = 256 * MIB
"""Rows that one peer may cost in one period, both ways: a first sync of half a million rows."""

_TABLES_SET: Final = 1  # in a push: rows, of all tables


class SyncedRows(sync.SyncedRows, Protocol):
    """What the syncer needs of the nodepool (``nodepool.row_store``)."""

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None: ...

    async def sweep(self) -> None: ...


class PeriodClock(Protocol):
    """What the syncer needs of a clock."""

    def now_s(self) -> int: ...

    def period(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """How well the nodepool is in step, as far as this node can tell."""

    sessions: int = 0  # that ended well, since the start
    failed: int = 0
    last_s: int | None = None  # when the last one ended well, seconds since 1970
    received: int = 0  # rows that sessions brought
    sent: int = 0
    pushed: int = 0  # batches that peers took
    dropped: int = 0  # batches that a slow peer missed


class Syncer:
    """The service. One per node."""

    def __init__(
        self, network: Network, rows: SyncedRows, *, clock: PeriodClock, random: Random
    ) -> None:
        self._network = network
        self._rows = rows
        self._clock = clock
        self._random = random
        self._served = 0
        self._spent: dict[tuple[NodeId, int], int] = {}
        self._due: OrderedDict[NodeId, None] = OrderedDict()
        self._tries: Counter[NodeId] = Counter()
        self._wake = trio.Event()
        self._fresh: list[SignedRow] = []
        self._has_fresh = trio.Event()
        self._outboxes: dict[NodeId, trio.MemorySendChannel[tuple[bytes, ...]]] = {}
        self._state = Counter[str]()
        self._last_s: int | None = None

    @property
    def state(self) -> SyncState:
        """The present state, whole."""
        return SyncState(last_s=self._last_s, **self._state)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve, push and pull until cancelled. Register it before the network connects to anybody.

        Raises:
            LocalFault: our own database.
        """
        async with trio.open_nursery() as nursery:
            self._network.serve(ProtocolId(wire.PROTOCOL), self._serve)
            self._network.watch(lambda change: self._peer_changed(change, nursery))
            self._rows.watch(self._rows_changed)
            for peer in self._network.peers:
                self._want(peer)
            nursery.start_soon(self._pull_all, nursery)
            nursery.start_soon(self._push_all, nursery)
            nursery.start_soon(self._sweep_all)
            task_status.started()

    def sync_soon(self, peer: NodeId) -> None:
        """Ask for a session with a peer before the next random one."""
        self._want(peer)

    # Answering

    async def _serve(self, stream: Stream) -> None:
        if self._served >= MAX_SERVED:
            return
        self._served += 1
        try:
            allowance = _Allowance(self._spent, stream.peer, self._clock.period())
            await sync.answer(stream, self._rows, self._clock.period, allowance)
        finally:
            self._served -= 1

    # Pulling

    def _peer_changed(self, change: PeerChange, nursery: trio.Nursery) -> None:
        if not isinstance(change, PeerConnected):
            self._tries.pop(change.peer, None)
            return
        # Both ends hear of a new connection; the smaller id starts, the other in case it does not.
        late = self._network.node_id > change.peer
        nursery.start_soon(self._want_later, change.peer, PULL_S / 2 if late else 0.0)

    async def _want_later(self, peer: NodeId, wait_s: float) -> None:
        sessions = self._state["sessions"]
        await trio.sleep(wait_s)
        if not wait_s or self._state["sessions"] == sessions:
            self._want(peer)

    def _want(self, peer: NodeId) -> None:
        self._due[peer] = None
        self._wake.set()

    async def _pull_all(self, nursery: trio.Nursery) -> None:
        while True:
            peer = await self._next_peer()
            if peer is not None and peer in self._network.peers:
                await self._pull(peer, nursery)

    async def _next_peer(self) -> NodeId | None:
        if not self._due:
            self._wake = trio.Event()
            with trio.move_on_after(self._random.uniform(0.5, 1.5) * PULL_S):
                await self._wake.wait()
        if self._due:
            return self._due.popitem(last=False)[0]
        peers = sorted(self._network.peers)
        return self._random.choice(peers) if peers else None

    async def _pull(self, peer: NodeId, nursery: trio.Nursery) -> None:
        try:
            report = await self._session(peer)
        except PeerFault:
            self._network.ban(peer, seconds=FAULT_BAN_S)
            self._state["failed"] += 1
        except (Refused, Unavailable):
            self._state["failed"] += 1
            nursery.start_soon(self._try_again, peer)
        else:
            self._tries.pop(peer, None)
            self._note(report)
            if not report.complete and report.received + report.sent:
                self._want(peer)

    async def _session(self, peer: NodeId) -> sync.SyncReport:
        allowance = _Allowance(self._spent, peer, self._clock.period())
        with trio.move_on_after(SESSION_S):
            stream = await self._network.open_stream(peer, ProtocolId(wire.PROTOCOL))
            try:
                return await sync.reconcile(stream, self._rows, self._clock.period(), allowance)
            finally:
                stream.reset()
        raise Unavailable("the session took too long", code="deadline-passed")

    async def _try_again(self, peer: NodeId) -> None:
        self._tries[peer] += 1
        if self._tries[peer] > RETRIES:
            del self._tries[peer]
            return
        await trio.sleep(RETRY_S * self._random.uniform(0.5, 1.5))
        self._want(peer)

    def _note(self, report: sync.SyncReport) -> None:
        self._state["sessions"] += 1
        self._state["received"] += report.received
        self._state["sent"] += report.sent
        self._last_s = self._clock.now_s()

    # Pushing

    def _rows_changed(self, news: RowsChanged) -> None:
        if news.source is None and news.rows:
            self._fresh += news.rows
            self._has_fresh.set()

    async def _push_all(self, nursery: trio.Nursery) -> None:
        while True:
            await self._has_fresh.wait()
            await trio.sleep(GATHER_S)
            fresh, self._fresh = self._fresh, []
            self._has_fresh = trio.Event()
            peers = sorted(self._network.peers)
            self._random.shuffle(peers)
            batches = wire.batches([row.raw for row in fresh])
            for peer in peers[:PUSH_PEERS]:
                self._post(peer, batches, nursery)

    def _post(
        self, peer: NodeId, batches: Sequence[tuple[bytes, ...]], nursery: trio.Nursery
    ) -> None:
        if peer not in self._outboxes:
            outbox, inbox = trio.open_memory_channel[tuple[bytes, ...]](OUTBOX_BATCHES)
            self._outboxes[peer] = outbox
            nursery.start_soon(self._push_to, peer, inbox)
        for batch in batches:
            try:
                self._outboxes[peer].send_nowait(batch)
            except trio.WouldBlock:
                self._state["dropped"] += 1
                self._want(peer)

    async def _push_to(
        self, peer: NodeId, inbox: trio.MemoryReceiveChannel[tuple[bytes, ...]]
    ) -> None:
        """Push what comes into the outbox; end when nothing came for a while, or it fails."""
        try:
            stream = await self._network.open_stream(peer, ProtocolId(wire.PROTOCOL))
            try:
                await self._push_on(stream, inbox)
            finally:
                stream.reset()
        except PeerFault:
            self._network.ban(peer, seconds=FAULT_BAN_S)
        except (Refused, Unavailable):
            self._want(peer)
        finally:
            del self._outboxes[peer]
            inbox.close()

    async def _push_on(
        self, stream: Stream, inbox: trio.MemoryReceiveChannel[tuple[bytes, ...]]
    ) -> None:
        pusher = sync.Pusher(stream)
        while True:
            with trio.move_on_after(PUSH_IDLE_S) as idle:
                batch = await inbox.receive()
            if idle.cancelled_caught:
                return
            await pusher.push(_TABLES_SET, batch)
            self._state["pushed"] += 1

    # Time

    async def _sweep_all(self) -> None:
        """Drop what has expired, a little after each period begins."""
        while True:
            left_s = PERIOD_S - self._clock.now_s() % PERIOD_S
            await trio.sleep(left_s + self._random.uniform(1.0, 20.0))
            now = self._clock.period()
            self._spent = {key: size for key, size in self._spent.items() if key[1] >= now}
            await self._rows.sweep()


class _Allowance:
    """What one peer may cost in one period; shared by its sessions and pushes."""

    def __init__(self, spent: dict[tuple[NodeId, int], int], peer: NodeId, period: int) -> None:
        self._spent = spent
        self._key = (peer, period)

    def spend(self, size: int) -> None:
        total = self._spent.get(self._key, 0) + size
        if total > BUDGET_BYTES:
            raise Refused("this period's budget for you is used up", code="budget")
        self._spent[self._key] = total
