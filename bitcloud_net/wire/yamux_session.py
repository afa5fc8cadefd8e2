"""One Yamux connection as a machine: plaintext in, events out, plaintext to send out.

::

    session.receive(plaintext, now) → events      what the peer did
    session.open / queue / end / reset            what we want
    session.take(stream, n, now)    → bytes       reading gives the peer its window back
    session.data_to_send(n)         → pieces      header, payload, header, payload …
    session.pop_changed()           → streams     whose waiting tasks should look again

Payload is not in the events: it waits in its stream until somebody takes it, and the window keeps
it from growing. A peer that breaks the protocol makes ``receive`` raise ``Malformed``; then
nothing is left to do but to send what ``data_to_send`` still has (the GO_AWAY) and to close.
"""

from __future__ import annotations

from bitcloud_net.core.errors import Malformed, Unavailable
from bitcloud_net.core.units import MIB
from bitcloud_net.wire.memory_budget import MemoryBudget
from bitcloud_net.wire.receive_window import INITIAL_WINDOW_BYTES, ReceiveWindow
from bitcloud_net.wire.yamux_events import Event, PeerLeaves, Ponged, StreamOpened
from bitcloud_net.wire.yamux_frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    FrameParser,
    GoAwayReason,
    Header,
)
from bitcloud_net.wire.yamux_outbox import Outbox
from bitcloud_net.wire.yamux_stream import (
    MAY_RECEIVE,
    MAY_SEND,
    OVER,
    MuxStream,
    Piece,
    StreamEvent,
    StreamState,
)

MAX_STREAMS = 64
"""Open streams of one connection, each way. Bitcloud uses about ten, libp2p itself a few."""

SURE_STREAMS = 4
"""Streams that a peer may open on any connection, even when all others have used up the budget."""

QUESTIONS_PER_S = 500
"""How many streams and pings a peer may send. Bitcloud's own programs open a few streams an hour; a
py-libp2p that opens one for every small request gets this far. Streams beyond it are refused."""

QUESTIONS_AT_ONCE = 1000
"""And how many of them in one burst."""

FLOOD_QUESTIONS = 10_000
"""Refusing is cheap too, but not free: a peer that is so many ahead does it on purpose."""

MAX_LEARNED_WINDOW_BYTES = MIB
"""New streams begin with the window that earlier ones needed, up to this."""

MAX_STREAM_ID = 2**32 - 1

FIRST_ROUND_TRIP_S = 0.1
"""Assumed until the first ping has come back."""


class YamuxSession:
    """The state of one connection. Time is passed in: seconds on any steady clock."""

    def __init__(
        self, *, dialled: bool, budget: MemoryBudget, max_streams: int = MAX_STREAMS
    ) -> None:
        """``dialled`` is whether we opened the connection: the dialling side's ids are odd."""
        self._dialled = dialled
        self._budget = budget
        self._max_streams = max_streams
        self._parser = FrameParser()
        self._error: Malformed | None = None
        self._streams: dict[int, MuxStream] = {}
        self._counts = {True: 0, False: 0}  # open streams by whether we opened them
        self._next_id = 1 if dialled else 2
        self._ping_value = 0
        self._ping_sent_at: float | None = None
        self._outbox = Outbox(self._on_frame)
        self._questions_left = float(QUESTIONS_AT_ONCE)
        self._questions_at = 0.0
        self._changed: dict[MuxStream, None] = {}
        self._receiving: MuxStream | None = None
        self._receiving_left = 0
        self._end_after_payload = False
        self._learned_window = INITIAL_WINDOW_BYTES
        self.round_trip_s = FIRST_ROUND_TRIP_S
        self._round_trip_known = False
        self.leaving = False
        self.peer_leaving = False

    # --- what the peer does ---

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Take plaintext in and return what it means. Payload goes to its stream, see ``take``.

        Raises:
            Malformed: the peer broke the protocol (code ``window-overrun`` if it ignores its
                window, ``flood-limit`` if it asks too much). A GO_AWAY is queued; the connection
                must be closed, and every further call raises it again.
        """
        if self._error is not None:
            raise self._error
        events: list[Event] = []
        try:
            for item in self._parser.feed(data):
                if isinstance(item, memoryview):
                    self._on_payload(item)
                else:
                    self._on_header(item, now, events)
        except Malformed as error:
            self._error = error
            self.leave(GoAwayReason.PROTOCOL_ERROR)
            raise
        return events

    def _on_header(self, header: Header, now: float, events: list[Event]) -> None:
        if header.type == DATA:
            self._on_data(header, now, events)
        elif header.type == WINDOW_UPDATE:
            self._on_window_update(header, now, events)
        elif header.type == PING:
            self._on_ping(header, now, events)
        else:
            self.peer_leaving = True
            events.append(PeerLeaves(reason=header.length))

    def _on_data(self, header: Header, now: float, events: list[Event]) -> None:
        stream = self._stream_of(header, now, events)
        self._receiving = stream
        if stream is None:
            return
        if header.flags & RST:
            self._finish(stream, StreamEvent.RESET)
        if header.length and stream.abandoned:
            self.reset(stream)
        if header.length and stream.state is not StreamState.RESET:
            if stream.state not in MAY_RECEIVE:
                raise Malformed(f"payload after the end of stream {stream.id}")
            stream.window.take_in(header.length)
            self._changed[stream] = None
        self._receiving_left = header.length
        self._end_after_payload = bool(header.flags & FIN)
        if header.length == 0 and self._end_after_payload:
            self._finish(stream, StreamEvent.PEER_ENDS)

    def _on_payload(self, piece: memoryview) -> None:
        stream = self._receiving
        if stream is None or stream.state is StreamState.RESET:
            return  # for a stream that we have just reset: it was on its way
        stream.push(piece)
        self._changed[stream] = None
        self._receiving_left -= len(piece)
        if self._receiving_left == 0 and self._end_after_payload:
            self._finish(stream, StreamEvent.PEER_ENDS)

    def _on_window_update(self, header: Header, now: float, events: list[Event]) -> None:
        stream = self._stream_of(header, now, events)
        if stream is None:
            return
        stream.widen(header.length)
        if header.flags & RST:
            self._finish(stream, StreamEvent.RESET)
        elif header.flags & FIN:
            self._finish(stream, StreamEvent.PEER_ENDS)
        self._outbox.schedule(stream)

    def _on_ping(self, header: Header, now: float, events: list[Event]) -> None:
        if header.flags & SYN:
            self._allow_question(now)
            self._outbox.answer(PING, ACK, 0, header.length)
        elif self._ping_sent_at is not None and header.length == self._ping_value:
            measured = max(0.0, now - self._ping_sent_at)
            self._ping_sent_at = None
            known = self._round_trip_known
            self.round_trip_s = min(self.round_trip_s, measured) if known else measured
            self._round_trip_known = True
            events.append(Ponged(round_trip_s=measured))

    def _stream_of(self, header: Header, now: float, events: list[Event]) -> MuxStream | None:
        """The stream of a frame; None for one that is over or was refused."""
        stream = self._streams.get(header.stream_id)
        if header.flags & SYN:
            if stream is not None:
                raise Malformed(f"stream {header.stream_id} is opened twice")
            return self._accept(header.stream_id, now, events)
        ours = (header.stream_id % 2 == 1) is self._dialled
        if stream is None and ours and header.stream_id >= self._next_id:
            raise Malformed(f"frame for stream {header.stream_id}, which was never opened")
        return stream

    def _accept(self, stream_id: int, now: float, events: list[Event]) -> MuxStream | None:
        if (stream_id % 2 == 1) is self._dialled:
            raise Malformed(f"the peer opens stream {stream_id}, which is ours to open")
        if not self._admit(now):
            self._outbox.answer(WINDOW_UPDATE, RST, stream_id, 0)
            return None
        stream = self._add(stream_id, now, opened_by_us=False)
        growth = stream.window.widen(self._learned_window)
        self._outbox.answer(WINDOW_UPDATE, ACK, stream_id, growth)
        events.append(StreamOpened(stream=stream))
        return stream

    def _admit(self, now: float) -> bool:
        """Whether there is room for one more stream of the peer; then its window is reserved."""
        count = self._counts[False]
        if not self._allow_question(now) or self.leaving or count >= self._max_streams:
            return False
        return self._budget.reserve(INITIAL_WINDOW_BYTES, sure=count < SURE_STREAMS)

    # --- what we do ---

    def open(self, now: float) -> MuxStream:
        """Open a stream; it may be used at once.

        Raises:
            Unavailable: too many streams are open, or the connection ends.
        """
        if self.leaving or self.peer_leaving:
            raise Unavailable("the connection is ending", code="connection-closed")
        if self._next_id > MAX_STREAM_ID:
            raise Unavailable(
                "this connection has used up its stream ids", code="connection-closed"
            )
        if self._counts[True] >= self._max_streams:
            raise Unavailable("too many streams are open to this peer", code="too-many-streams")
        self._budget.reserve(INITIAL_WINDOW_BYTES, sure=True)  # what we want ourselves is bounded
        stream = self._add(self._next_id, now, opened_by_us=True)
        self._next_id += 2
        growth = stream.window.widen(self._learned_window)
        self._outbox.say(WINDOW_UPDATE, SYN, stream.id, growth)
        return stream

    def queue(self, stream: MuxStream, *pieces: Piece) -> None:
        """Add pieces to what a stream sends. They must not change until ``queued_bytes`` is zero.

        Raises:
            Unavailable: the stream was reset, or we have ended it.
        """
        if stream.state not in MAY_SEND or stream.ending:
            raise Unavailable("the stream is closed", code="stream-closed")
        for piece in pieces:
            stream.queue(piece)
        self._outbox.schedule(stream)

    def end(self, stream: MuxStream) -> None:
        """Say, after all that is queued, that we send no more. Safe in every state."""
        if stream.state in MAY_SEND:
            stream.ending = True
            self._outbox.schedule(stream)

    def reset(self, stream: MuxStream) -> None:
        """End a stream at once, both ways. Safe in every state; what waits is dropped."""
        if stream.state not in OVER:
            self._outbox.say(WINDOW_UPDATE, RST, stream.id, 0)
        self._finish(stream, StreamEvent.RESET)
        stream.forget()

    def abandon(self, stream: MuxStream, now: float) -> None:
        """Reset a stream, but gently where our end was sent already: nobody reads here any more,
        and the reset follows if the peer sends more, or has not ended its side by ``expire``.

        An immediate one would overtake our own end in libraries that look at the reset first.
        """
        if stream.state is StreamState.WE_ENDED:
            stream.forget()
            stream.abandoned = True
            stream.left_at = now
        else:
            self.reset(stream)

    def take(self, stream: MuxStream, max_bytes: int, now: float) -> bytes:
        """Return what has come, at most ``max_bytes``, and let the peer send as much again."""
        data = stream.pop(max_bytes)
        if stream.state in MAY_RECEIVE:
            granted = stream.window.consume(len(data), now, self.round_trip_s)
            if granted:
                self._outbox.grant(stream, granted)
                learned = max(self._learned_window, stream.window.size)
                self._learned_window = min(learned, MAX_LEARNED_WINDOW_BYTES)
        return data

    def ping(self, now: float) -> None:
        """Queue a ping, unless one is still unanswered; ``Ponged`` brings the answer."""
        if self._ping_sent_at is None:
            self._ping_value = (self._ping_value + 1) % 2**32
            self._outbox.say(PING, SYN, 0, self._ping_value)
            self._ping_sent_at = now

    @property
    def ping_waits_since(self) -> float | None:
        """When the unanswered ping was queued, or None."""
        return self._ping_sent_at

    def leave(self, reason: GoAwayReason) -> None:
        """Queue a GO_AWAY and refuse new streams from now on; what is open may run on."""
        if not self.leaving:
            self.leaving = True
            self._outbox.say(GO_AWAY, 0, 0, reason)

    def close(self) -> list[MuxStream]:
        """Reset every stream without a word, as the connection is gone, and return them."""
        streams = list(self._streams.values())
        for stream in streams:
            self._finish(stream, StreamEvent.RESET)
        self.leaving = self.peer_leaving = True
        return streams

    def expire(self, *, left_before: float) -> None:
        """Reset what we ended and left before that time, and the peer never ended."""
        for stream in list(self._streams.values()):
            if stream.left_at is not None and stream.left_at < left_before:
                self.reset(stream)

    # --- what there is to send ---

    def data_to_send(self, max_bytes: int) -> list[Piece]:
        """Return what to send now, at most ``max_bytes``; see ``Outbox.take``."""
        return self._outbox.take(max_bytes)

    @property
    def wants_to_send(self) -> bool:
        """Whether ``data_to_send`` would return anything."""
        return self._outbox.waiting

    def pop_changed(self) -> list[MuxStream]:
        """Return the streams in which anything changed since the last call."""
        changed = list(self._changed)
        self._changed.clear()
        return changed

    @property
    def streams(self) -> tuple[MuxStream, ...]:
        """The open streams."""
        return tuple(self._streams.values())

    # --- inside ---

    def _on_frame(self, stream: MuxStream, last: bool) -> None:  # noqa: FBT001 - Outbox's call
        self._changed[stream] = None
        if last:
            self._finish(stream, StreamEvent.WE_END)

    def _allow_question(self, now: float) -> bool:
        """Count a stream or a ping of the peer; return whether it keeps to its measure.

        Raises:
            Malformed: it is far beyond (code ``flood-limit``).
        """
        earned = (now - self._questions_at) * QUESTIONS_PER_S
        self._questions_left = min(QUESTIONS_AT_ONCE, self._questions_left + earned) - 1
        self._questions_at = now
        if self._questions_left < -FLOOD_QUESTIONS:
            raise Malformed("more pings and streams than allowed", code="flood-limit")
        return self._questions_left >= 0

    def _add(self, stream_id: int, now: float, *, opened_by_us: bool) -> MuxStream:
        stream = MuxStream(
            stream_id,
            opened_by_us=opened_by_us,
            window=ReceiveWindow(self._budget, now),
            send_window=INITIAL_WINDOW_BYTES,
        )
        self._streams[stream_id] = stream
        self._counts[opened_by_us] += 1
        return stream

    def _finish(self, stream: MuxStream, event: StreamEvent) -> bool:
        """Move a stream on; forget it here once both directions are over."""
        if not stream.move(event):
            return False
        self._changed[stream] = None
        if stream.state in OVER and self._streams.pop(stream.id, None) is not None:
            self._counts[stream.opened_by_us] -= 1
            stream.window.close()
        return True
