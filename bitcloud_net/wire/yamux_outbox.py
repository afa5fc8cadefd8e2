"""What waits to be sent on a Yamux connection, and in which order it goes.

Answers and window updates first, then the streams in turn, one frame each: a large upload holds up
a small question for no longer than one frame of 64 KiB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire.noise_records import MAX_PLAINTEXT_BYTES
from bitcloud_net.wire.yamux_frames import DATA, FIN, HEADER_BYTES, WINDOW_UPDATE, pack_header
from bitcloud_net.wire.yamux_stream import MAY_RECEIVE, MuxStream, Piece

MAX_PAYLOAD_BYTES = MAX_PLAINTEXT_BYTES - HEADER_BYTES
"""65,507: header and payload fill one Noise record exactly, so the receiver cuts nothing in two."""

MAX_UNSENT_ANSWERS = 4096
"""Answers (pongs, resets) that wait to be sent. A peer that asks for more does not read them."""


class Outbox:
    """The frames of one connection that are still to be sent."""

    __slots__ = ("_answers", "_control", "_on_frame", "_ready", "_updates")

    def __init__(self, on_frame: Callable[[MuxStream, bool], None]) -> None:
        """``on_frame`` hears of each DATA frame that goes out, and whether it ends the stream."""
        self._on_frame = on_frame
        self._control = bytearray()
        self._answers = 0
        self._updates: dict[MuxStream, int] = {}
        self._ready: deque[MuxStream] = deque()

    def say(self, type_: int, flags: int, stream_id: int, value: int) -> None:
        """Add a frame without payload."""
        self._control += pack_header(type_, flags, stream_id, value)

    def answer(self, type_: int, flags: int, stream_id: int, value: int) -> None:
        """Add a frame that the peer has caused.

        Raises:
            Malformed: it asks faster than it reads (code ``flood-limit``).
        """
        self._answers += 1
        if self._answers > MAX_UNSENT_ANSWERS:
            raise Malformed("the peer asks faster than it reads", code="flood-limit")
        self.say(type_, flags, stream_id, value)

    def grant(self, stream: MuxStream, increment: int) -> None:
        """Add to the next window update of a stream."""
        self._updates[stream] = self._updates.get(stream, 0) + increment

    def schedule(self, stream: MuxStream) -> None:
        """Give a stream its turn, if it has something that may go out."""
        if not stream.scheduled and stream.sendable:
            stream.scheduled = True
            self._ready.append(stream)

    @property
    def waiting(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._control or self._updates or self._ready)

    def take(self, max_bytes: int) -> list[Piece]:
        """Remove and return what goes out next, at most ``max_bytes``, as pieces in order.

        Payload comes as views of what was queued: copy or send it before the next ``await``.
        """
        self._flush_updates()
        pieces: list[Piece] = []
        room = max_bytes
        if self._control:
            pieces.append(bytes(self._control[:room]))
            room -= len(pieces[0])
            del self._control[: len(pieces[0])]
            self._answers = min(self._answers, len(self._control) // HEADER_BYTES)
        while self._ready and room > HEADER_BYTES:
            stream = self._ready.popleft()
            stream.scheduled = False
            if stream.sendable:
                room -= self._take_frame(stream, room, pieces)
                self.schedule(stream)
        return pieces

    def _flush_updates(self) -> None:
        for stream, increment in self._updates.items():
            if stream.state in MAY_RECEIVE:
                self.say(WINDOW_UPDATE, 0, stream.id, increment)
        self._updates.clear()

    def _take_frame(self, stream: MuxStream, room: int, pieces: list[Piece]) -> int:
        """Move one frame of a sendable stream to ``pieces`` and return its size.

        The end is a frame of its own, as in go and js: js-libp2p looks at the flags of a frame
        before its payload, and drops the payload of a stream that it takes for closed.
        """
        if not stream.queued_bytes:
            pieces.append(pack_header(WINDOW_UPDATE, FIN, stream.id, 0))
            self._on_frame(stream, True)
            return HEADER_BYTES
        size = min(stream.queued_bytes, stream.send_window, MAX_PAYLOAD_BYTES, room - HEADER_BYTES)
        pieces.append(pack_header(DATA, 0, stream.id, size))
        pieces.extend(stream.unqueue(size))
        self._on_frame(stream, False)
        return HEADER_BYTES + size
