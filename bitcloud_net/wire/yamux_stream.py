"""One stream of a Yamux connection: its state, what waits to be read, what waits to be sent.

::

    state        we end      the peer ends   either resets
    OPEN         WE_ENDED    PEER_ENDED      RESET
    WE_ENDED     -           ENDED           RESET
    PEER_ENDED   ENDED       -               RESET
    ENDED        -           -               RESET
    RESET        -           -               -

``-``: nothing changes, said twice or too late. The ACK of a new stream carries no meaning here:
both sides may send at once.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import TypeAlias

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import KIB
from bitcloud_net.wire.receive_window import ReceiveWindow

Piece: TypeAlias = bytes | bytearray | memoryview

MAX_WINDOW_VALUE = 2**32 - 1
"""What a window can be on the wire. A peer that grants more has lost count."""

MERGE_BELOW_BYTES = 16 * KIB
"""Pieces smaller than this are copied together as they come. A larger one is kept as a view into
its record of at most 64 KiB, so what is held is at most four times what is unread."""


class StreamState(Enum):
    """Which directions are still open."""

    OPEN = auto()
    WE_ENDED = auto()
    PEER_ENDED = auto()
    ENDED = auto()
    RESET = auto()


class StreamEvent(Enum):
    """What changes a stream's state."""

    WE_END = auto()
    PEER_ENDS = auto()
    RESET = auto()


NEXT_STATE = {
    (StreamState.OPEN, StreamEvent.WE_END): StreamState.WE_ENDED,
    (StreamState.OPEN, StreamEvent.PEER_ENDS): StreamState.PEER_ENDED,
    (StreamState.OPEN, StreamEvent.RESET): StreamState.RESET,
    (StreamState.WE_ENDED, StreamEvent.PEER_ENDS): StreamState.ENDED,
    (StreamState.WE_ENDED, StreamEvent.RESET): StreamState.RESET,
    (StreamState.PEER_ENDED, StreamEvent.WE_END): StreamState.ENDED,
    (StreamState.PEER_ENDED, StreamEvent.RESET): StreamState.RESET,
    (StreamState.ENDED, StreamEvent.RESET): StreamState.RESET,
}
"""Whatever is not in it leaves the state as it is."""

MAY_SEND = {StreamState.OPEN, StreamState.PEER_ENDED}
MAY_RECEIVE = {StreamState.OPEN, StreamState.WE_ENDED}
OVER = {StreamState.ENDED, StreamState.RESET}


class MuxStream:
    """The state of one stream. Made and changed by its ``YamuxSession``; anyone may read it."""

    __slots__ = (
        "_outgoing",
        "_received",
        "_received_bytes",
        "abandoned",
        "ending",
        "handle",
        "id",
        "left_at",
        "opened_by_us",
        "peer_ended",
        "queued_bytes",
        "scheduled",
        "send_window",
        "state",
        "window",
    )

    def __init__(
        self, stream_id: int, *, opened_by_us: bool, window: ReceiveWindow, send_window: int
    ) -> None:
        self.id = stream_id
        self.opened_by_us = opened_by_us
        self.state = StreamState.OPEN
        self.window = window
        self.send_window = send_window
        self.queued_bytes = 0
        self.ending = False
        self.peer_ended = False
        self.abandoned = False
        self.left_at: float | None = None
        self.scheduled = False
        self.handle: object = None
        self._outgoing: deque[memoryview] = deque()
        self._received: deque[Piece] = deque()
        self._received_bytes = 0

    # --- reading ---

    @property
    def readable_bytes(self) -> int:
        """Bytes that have come and were not taken yet."""
        return self._received_bytes

    @property
    def at_end(self) -> bool:
        """Whether everything up to the peer's end of stream was taken."""
        return self.peer_ended and not self._received_bytes

    def push(self, piece: memoryview) -> None:
        """Keep a piece of payload. Its length was counted against the window before."""
        self._received_bytes += len(piece)
        if len(piece) >= MERGE_BELOW_BYTES:
            self._received.append(piece)
            return
        last = self._received[-1] if self._received else None
        if isinstance(last, bytearray) and len(last) < MERGE_BELOW_BYTES:
            last += piece
        else:
            self._received.append(bytearray(piece))

    def pop(self, max_bytes: int) -> bytes:
        """Remove and return what has come, at most ``max_bytes`` of it."""
        taken: list[Piece] = []
        room = max_bytes
        while self._received and room:
            piece = self._received.popleft()
            if len(piece) > room:
                view = memoryview(piece)
                self._received.appendleft(view[room:])
                piece = view[:room]
            taken.append(piece)
            room -= len(piece)
        self._received_bytes -= max_bytes - room
        return b"".join(taken)

    # --- sending ---

    @property
    def sendable(self) -> bool:
        """Whether there is something that may go out now: data with window, or the end."""
        if self.state not in MAY_SEND:
            return False
        return self.send_window > 0 if self.queued_bytes else self.ending

    def queue(self, piece: Piece) -> None:
        """Add a piece to what waits. It must not change while ``queued_bytes`` is not zero."""
        view = memoryview(piece).cast("B")
        if view.nbytes:
            self._outgoing.append(view)
            self.queued_bytes += view.nbytes

    def unqueue(self, size: int) -> list[memoryview]:
        """Remove the first ``size`` waiting bytes, count them against the window, return them."""
        taken: list[memoryview] = []
        self.queued_bytes -= size
        self.send_window -= size
        while size:
            view = self._outgoing.popleft()
            if len(view) > size:
                self._outgoing.appendleft(view[size:])
                view = view[:size]
            taken.append(view)
            size -= len(view)
        return taken

    def widen(self, increment: int) -> None:
        """The peer lets us send ``increment`` more bytes.

        Raises:
            Malformed: its window is larger than any window can be.
        """
        self.send_window += increment
        if self.send_window > MAX_WINDOW_VALUE:
            raise Malformed(f"window of stream {self.id} grew beyond 32 bits")

    # --- state ---

    def move(self, event: StreamEvent) -> bool:
        """Change the state by the table; return whether it changed."""
        after = NEXT_STATE.get((self.state, event), self.state)
        if after is self.state:
            return False
        self.state = after
        self.peer_ended = self.peer_ended or event is StreamEvent.PEER_ENDS
        if after is StreamState.RESET:
            self._outgoing.clear()
            self.queued_bytes = 0
            if not self.peer_ended:  # what came before an end is whole, and stays
                self.forget()
        return True

    def forget(self) -> None:
        """Drop what was received: nobody here wants it any more, or it breaks off."""
        self._received.clear()
        self._received_bytes = 0
        self.peer_ended = False

    def __repr__(self) -> str:
        return f"<MuxStream {self.id} {self.state.name}>"
