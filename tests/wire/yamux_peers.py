"""Yamux sessions for the tests: one alone, or two joined back to back. No sockets, no clock."""

from __future__ import annotations

from bitcloud_net.wire.memory_budget import MemoryBudget
from bitcloud_net.wire.yamux_events import Event, StreamOpened
from bitcloud_net.wire.yamux_frames import FrameParser, Header, pack_header
from bitcloud_net.wire.yamux_session import YamuxSession
from bitcloud_net.wire.yamux_stream import MuxStream


def session(*, dialled: bool = False, budget: MemoryBudget | None = None, **limits) -> YamuxSession:
    return YamuxSession(dialled=dialled, budget=budget or MemoryBudget(), **limits)


def frame(type_: int, flags: int = 0, stream_id: int = 0, length: int = 0, body: bytes = b""):
    """A frame by hand; ``length`` is the body's where there is one."""
    return pack_header(type_, flags, stream_id, len(body) or length) + body


def sent(machine: YamuxSession, max_bytes: int = 1 << 24) -> bytes:
    """Everything that a session has to send."""
    out = bytearray()
    while pieces := machine.data_to_send(max_bytes):
        size = sum(len(piece) for piece in pieces)
        assert 0 < size <= max_bytes
        for piece in pieces:
            out += piece
    return bytes(out)


def headers(data: bytes) -> list[Header]:
    """The headers in what a session has sent."""
    return [item for item in FrameParser().feed(data) if isinstance(item, Header)]


class Pair:
    """Two sessions and what is on the way between them."""

    def __init__(self, *, budget: MemoryBudget | None = None) -> None:
        self.budget = budget or MemoryBudget()
        self.sides = (session(dialled=True, budget=self.budget), session(budget=self.budget))
        self.now = 1.0
        self.wires = (bytearray(), bytearray())  # from side 0, from side 1
        self.events: tuple[list[Event], list[Event]] = ([], [])

    def pull(self, side: int, max_bytes: int = 1 << 24) -> None:
        """Let a side put what it has to send on its wire."""
        for piece in self.sides[side].data_to_send(max_bytes):
            self.wires[side].extend(piece)

    def carry(self, side: int, size: int) -> None:
        """Bring some of a side's bytes to the other one."""
        piece = bytes(self.wires[side][:size])
        del self.wires[side][:size]
        self.events[1 - side].extend(self.sides[1 - side].receive(piece, self.now))

    def settle(self) -> None:
        """Carry everything until nothing is left to say."""
        while True:
            for side in (0, 1):
                self.pull(side)
            if not any(self.wires):
                return
            for side in (0, 1):
                self.carry(side, len(self.wires[side]))

    def opened(self, side: int) -> list[MuxStream]:
        """The streams that the other side has opened here, in order."""
        return [event.stream for event in self.events[side] if isinstance(event, StreamOpened)]

    def open(self, side: int = 0) -> tuple[MuxStream, MuxStream]:
        """Open one stream; return both ends of it."""
        ours = self.sides[side].open(self.now)
        self.settle()
        return ours, self.opened(1 - side)[-1]

    def read(self, side: int, stream: MuxStream, size: int = 1 << 30) -> bytes:
        return self.sides[side].take(stream, size, self.now)
