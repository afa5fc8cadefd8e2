"""Our Yamux where py-libp2p selects its muxer: two tasks own the connection, a third watches the
link.

::

    reader   socket → records → session.receive → wakes whoever waits for these streams
    writer   session.data_to_send → records → socket; sleeps when there is nothing to say
    watcher  pings a silent peer, gives up on one that stays silent

Everyone else only changes the session's state and wakes the writer (``work``), so a cancelled
caller can never leave half a frame behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import trio
from libp2p.abc import IMuxedConn
from libp2p.connection_types import ConnectionType
from libp2p.io.exceptions import IOException
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable
from multiaddr import Multiaddr

from bitcloud_net.core.errors import Malformed
from bitcloud_net.net.noise_transport import NoiseConnection
from bitcloud_net.net.yamux_stream import YamuxStream
from bitcloud_net.wire.memory_budget import MemoryBudget
from bitcloud_net.wire.noise_records import MAX_PLAINTEXT_BYTES
from bitcloud_net.wire.yamux_events import StreamOpened
from bitcloud_net.wire.yamux_frames import GoAwayReason
from bitcloud_net.wire.yamux_session import YamuxSession
from bitcloud_net.wire.yamux_stream import StreamState

BATCH_BYTES = 4 * MAX_PLAINTEXT_BYTES
"""Sent at once: four full records, so that a system call is paid once for four."""

SLOW_LINK_S = 0.02
"""From this round trip time on, the next batch waits until the kernel has sent most of the one
before, so what is urgent overtakes what is large. On a shorter link the kernel's queue is
short."""

LONG_SEND_S = 0.25
"""After a batch that took longer, the next one is a single record: a link of 10 kB/s still moves
one between two looks at the link."""

LONG_TURN_S = 0.005
"""After so long without a pause the reader lets others run: one read may hold 20,000 frames."""

WATCH_EVERY_S = 2.0
PING_AFTER_S = 4.0
"""Silence after which a ping is sent."""
DEAD_AFTER_S = 7.0
"""Silence after a ping, or during a send, that ends the connection. It is noticed within 15 s."""
MEASURE_EVERY_S = 15.0
"""A ping is sent this often in any case: the round trip time decides the size of the windows."""
FIRST_PINGS = 4
"""Sent two seconds apart at first: a single one may have met a busy process."""

LINGER_S = 60.0
"""What a peer gets for ending a stream that our side has ended and left."""

GOODBYE_S = 0.5
"""For sending what waits, when a connection is closed in peace."""

_BROKEN = (IOException, OSError, trio.BrokenResourceError, trio.ClosedResourceError)


class YamuxMuxer(IMuxedConn):
    """One multiplexed connection. ``start`` runs it; ``close`` ends it from any task."""

    def __init__(
        self,
        conn: NoiseConnection,
        peer_id: ID,
        *,
        budget: MemoryBudget,
        max_streams: int,
        report: Callable[[str], None],
    ) -> None:
        """``report`` hears, once, how the peer broke the protocol."""
        self.peer_id = peer_id
        self.secured_conn = conn
        self.event_started = trio.Event()
        self.session = YamuxSession(
            dialled=conn.is_initiator, budget=budget, max_streams=max_streams
        )
        self._report = report
        self._writer = trio.lowlevel.ParkingLot()
        self._new_streams: deque[YamuxStream] = deque()
        self._acceptors = trio.lowlevel.ParkingLot()
        self._scope = trio.CancelScope()
        self._said_all = trio.Event()
        self._closing = False
        self._closed = trio.Event()
        self._heard_at = 0.0
        self._pinged_at = 0.0
        self._pings = 0
        self._sending_since: float | None = None

    # What libp2p asks for

    @property
    def is_initiator(self) -> bool:
        """Whether we dialled."""
        return self.secured_conn.is_initiator

    @property
    def is_established(self) -> bool:
        """Whether it runs."""
        return self.event_started.is_set() and not self.is_closed

    @property
    def is_closed(self) -> bool:
        """Whether it has ended, or is about to: no new stream should be opened on it."""
        return self._closing or self.session.peer_leaving

    async def start(self) -> None:
        """Run the connection until it ends, whoever ends it. Cancel: closes it."""
        self._heard_at = trio.current_time()
        self.event_started.set()
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._run, self._read)
                    nursery.start_soon(self._run, self._write)
                    nursery.start_soon(self._run, self._watch)
        finally:
            await self._clean_up()

    async def close(self) -> None:
        """Say goodbye, send what waits for at most half a second, and end all streams."""
        running = self.event_started.is_set() and not self._closed.is_set()
        if running and not self._closing:
            self.session.leave(GoAwayReason.NORMAL)
            await self._say_all()
        self._scope.cancel()
        if running:
            await self._closed.wait()
        else:
            await self._clean_up()

    async def open_stream(self) -> YamuxStream:
        """Open a stream. It may be used at once; the peer hears of it with the first bytes.

        Raises:
            MuxedConnUnavailable: the connection is closed.
            Unavailable: too many streams are open, or the peer is leaving.
        """
        if self.is_closed:
            raise MuxedConnUnavailable("the connection is closed")
        stream = YamuxStream(self, self.session.open(trio.current_time()))
        self.work()
        await trio.lowlevel.checkpoint()
        return stream

    async def accept_stream(self) -> YamuxStream:
        """Wait for the next stream that the peer opens.

        Raises:
            MuxedConnUnavailable: the connection is closed.
        """
        while not self._new_streams:
            if self._closing:
                raise MuxedConnUnavailable("the connection is closed")
            await self._acceptors.park()
        return self._new_streams.popleft()

    def get_remote_address(self) -> tuple[str, int] | None:
        """Where the other end is, if that is known."""
        return self.secured_conn.get_remote_address()

    def get_transport_addresses(self) -> list[Multiaddr]:
        """The same as multiaddrs."""
        return self.secured_conn.get_transport_addresses()

    def get_connection_type(self) -> ConnectionType:
        """Direct or relayed."""
        return self.secured_conn.get_connection_type()

    # For the streams

    def work(self) -> None:
        """Wake the writer, if there is something to write."""
        if self.session.wants_to_send:
            self._writer.unpark_all()

    # The three tasks

    async def _run(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run one of the three; when it returns, for whatever reason, the connection ends."""
        try:
            await task()
        except (*_BROKEN, Malformed):
            pass  # gone, or no longer genuine: nobody's fault that we could prove
        self._scope.cancel()

    async def _read(self) -> None:
        while records := await self.secured_conn.receive_records():
            turn_began = self._heard_at = trio.current_time()
            for record in records:
                try:
                    self._take_in(record)
                except Malformed as error:
                    self._report(f"broke the protocol: {error}")
                    return await self._say_all()
                if trio.current_time() - turn_began > LONG_TURN_S:
                    await trio.lowlevel.checkpoint()
                    turn_began = trio.current_time()
        return None

    def _take_in(self, record: bytes) -> None:
        for event in self.session.receive(record, self._heard_at):
            if isinstance(event, StreamOpened) and event.stream.state is not StreamState.RESET:
                self._new_streams.append(YamuxStream(self, event.stream))
                self._acceptors.unpark_all()
        self._wake_changed()
        self.work()

    def _wake_changed(self) -> None:
        for stream in self.session.pop_changed():
            if isinstance(stream.handle, YamuxStream):
                stream.handle.wake()

    async def _write(self) -> None:
        batch_bytes = BATCH_BYTES
        while True:
            pieces = self.session.data_to_send(batch_bytes)
            self._wake_changed()
            if pieces:
                self._sending_since = began = trio.current_time()
                await self.secured_conn.send_pieces(pieces)
                if self.session.round_trip_s >= SLOW_LINK_S:
                    await self.secured_conn.wait_until_sent()
                self._sending_since = None
                slow = trio.current_time() - began > LONG_SEND_S
                batch_bytes = MAX_PLAINTEXT_BYTES if slow else BATCH_BYTES
            else:
                if self._closing:
                    self._said_all.set()
                await self._writer.park()

    async def _watch(self) -> None:
        self._ping()
        while True:
            due = trio.current_time() + WATCH_EVERY_S
            await trio.sleep_until(due)
            now = trio.current_time()
            self._forgive_our_own_sleep(now, due)
            if self._is_dead(now) or (self.session.peer_leaving and not self.session.streams):
                return
            self.session.expire(left_before=now - LINGER_S)
            self._wake_changed()
            silent, long_ago = now - self._heard_at > PING_AFTER_S, now - self._pinged_at
            if silent or self._pings < FIRST_PINGS or long_ago > MEASURE_EVERY_S:
                self._ping()

    def _forgive_our_own_sleep(self, now: float, due: float) -> None:
        if now - due > WATCH_EVERY_S:  # this process was stopped: the peer's bytes may be waiting
            self._heard_at = now

    def _ping(self) -> None:
        self._pings += 1
        self._pinged_at = trio.current_time()
        self.session.ping(self._pinged_at)
        self.work()

    def _is_dead(self, now: float) -> bool:
        since = [t for t in (self.session.ping_waits_since, self._sending_since) if t is not None]
        return bool(since) and now - max(self._heard_at, min(since)) > DEAD_AFTER_S

    # The end

    async def _say_all(self) -> None:
        """Let the writer send what waits, for at most half a second."""
        self._closing = True
        self._writer.unpark_all()
        with trio.CancelScope(deadline=trio.current_time() + GOODBYE_S, shield=True):
            await self._said_all.wait()

    async def _clean_up(self) -> None:
        self._closing = True
        self.session.close()
        self._wake_changed()
        self._acceptors.unpark_all()
        with trio.CancelScope(shield=True):
            await self.secured_conn.close()
        self._closed.set()
