"""Streams of the memory network: bytes that arrive later, in order, within a window."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from math import inf
from typing import Protocol

import trio

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.units import KIB
from bitcloud_net.net.ending import Ending
from bitcloud_net.net.network import Piece

WINDOW_BYTES = 256 * KIB
"""Sent and not yet received bytes of one direction: Yamux's first window."""

_CHUNK_BYTES = 64 * KIB


class End(Enum):
    """What can end one direction of a stream."""

    FINISHED = auto()
    RESET = auto()


class Path(Protocol):
    """The way from one end of a connection to the other, as a pipe needs it."""

    @property
    def broken(self) -> bool:
        """Whether the connection has ended."""

    @property
    def horizon(self) -> float:
        """Nothing that arrives after this instant is there yet."""

    def arrival(self, size: int) -> float:
        """Return when so many bytes, sent now, arrive; counts them."""


class Pipe:
    """One direction of one stream."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: deque[tuple[float, bytes | End]] = deque()
        self._unread = 0
        self._news = trio.Event()
        self._room = trio.Event()
        self._closed = False

    async def put(self, data: memoryview) -> int:
        """Send the first bytes of ``data``, when there is room, and return how many."""
        while self._unread >= WINDOW_BYTES and not self._path.broken and not self._closed:
            await self._room.wait()
        if self._path.broken or self._closed:
            raise Unavailable("the stream is closed", code="stream-closed")
        chunk = bytes(data[: min(_CHUNK_BYTES, WINDOW_BYTES - self._unread)])
        self._unread += len(chunk)
        self._queue.append((self._path.arrival(len(chunk)), chunk))
        self.wake_reader()
        return len(chunk)

    @property
    def done(self) -> bool:
        """Whether nobody waits at it any more, so that its link may forget it."""
        return self._closed and not self._unread

    def end(self, how: End) -> None:
        """End this direction after what was sent before."""
        if not self._closed:
            self._closed = True
            self._queue.append((self._path.arrival(0), how))
            self.wake_reader()
            self.wake_writer()

    async def get(self) -> bytes:
        """Return the next bytes, or ``b""`` at the end."""
        await trio.lowlevel.checkpoint()
        while True:
            if self._path.broken:
                raise Unavailable("the connection broke", code="stream-closed")
            if self._queue and self._queue[0][0] <= self._path.horizon:
                return self._take()
            self._news = trio.Event()
            with trio.move_on_at(self._next_arrival()):
                await self._news.wait()

    def drop(self) -> None:
        """The reader is gone: forget what it has not read, and stop the writer."""
        self._closed = True
        self._unread = 0
        self._queue.clear()
        self._queue.append((-inf, End.RESET))
        self.wake_reader()
        self.wake_writer()

    def postpone(self, until: float, since: float) -> None:
        """Let what would have arrived from ``since`` on arrive at ``until`` at the earliest."""
        self._queue = deque(
            (max(at, until) if at >= since else at, item) for at, item in self._queue
        )
        self.wake_reader()

    def wake_reader(self) -> None:
        """Let a waiting reader look again."""
        self._news.set()

    def wake_writer(self) -> None:
        """Let a waiting writer look again."""
        self._room.set()
        self._room = trio.Event()

    def _take(self) -> bytes:
        _, item = self._queue[0]
        if item is End.FINISHED:
            return b""  # stays, for whoever asks again
        if isinstance(item, End):
            raise Unavailable("the stream was reset", code="stream-closed")
        self._queue.popleft()
        self._unread -= len(item)
        self.wake_writer()
        return item

    def _next_arrival(self) -> float:
        if not self._queue or self._path.horizon < trio.current_time():
            return inf  # nothing under way, or held up: somebody will wake us
        return self._queue[0][0]


class MemoryStream:
    """One end of a stream between two nodes of a ``MemoryHub``."""

    __slots__ = ("_ending", "_inward", "_outward", "_peer")

    def __init__(
        self, peer: NodeId, inward: Pipe, outward: Pipe, on_end: Callable[[], None]
    ) -> None:
        self._peer = peer
        self._inward = inward
        self._outward = outward
        self._ending = Ending(on_end)

    @property
    def peer(self) -> NodeId:
        """See ``Stream.peer``."""
        return self._peer

    async def send(self, *pieces: Piece) -> None:
        """See ``Stream.send``."""
        try:
            await trio.lowlevel.checkpoint()
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[await self._outward.put(rest) :]
        except BaseException:
            self.reset()
            raise

    async def receive(self) -> bytes:
        """See ``Stream.receive``."""
        try:
            data = await self._inward.get()
        except Unavailable:
            self.reset()
            raise
        if not data:
            self._ending.reading()
        return data

    async def close_write(self) -> None:
        """See ``Stream.close_write``."""
        await trio.lowlevel.checkpoint()
        self._outward.end(End.FINISHED)
        self._ending.writing()

    def reset(self) -> None:
        """See ``Stream.reset``."""
        self._outward.end(End.RESET)
        self._inward.drop()
        self._ending.both()
