"""The gateway's HTTP ports: on this machine alone, with a limit on open connections.

One ``ConnectionBook`` counts over all ports of a gateway. When it is full, a connection that waits
for its next request makes room first, then one whose client took nothing for a while (a paused
film: the player asks again from where it was). Only when all are busy is the new one refused.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

import trio

from bitcloud_net.core.errors import LocalFault

MAX_CONNECTIONS = 128
MAX_CONNECTIONS_PER_CLIENT = 16
"""A browser opens 6 for each host name. On loopback all programs are one client."""

STALLED_S = 30.0
"""A busy connection that moved no byte for so long may be closed to make room."""

IPV4_LOOPBACK = "127.0.0.1"
IPV6_LOOPBACK = "::1"

_SEND_BYTES = 256 * 1024  # so that a slow client is seen to take something
_REFUSAL_S = 1.0
_PORT_TRIES = 16
_BACKLOG = 128
_NAME_CHECK_S = 2.0


class TcpConnection(trio.abc.HalfCloseableStream):
    """One accepted connection, which remembers when it last moved a byte and whether it is idle."""

    def __init__(self, stream: trio.SocketStream, client: str) -> None:
        self.client = client  # the address it came from
        self.scope = trio.CancelScope()  # around everything that serves it
        self._stream = stream
        self._idle = True
        self._moved = trio.current_time()

    def mark_idle(self, idle: bool) -> None:  # noqa: FBT001 - a callback with one value
        """Note that the connection waits for a request, or that one began."""
        self._idle = idle
        self._moved = trio.current_time()

    @property
    def can_go(self) -> bool:
        """Whether nobody would miss it much."""
        return self._idle or trio.current_time() - self._moved >= STALLED_S

    @property
    def rank(self) -> tuple[bool, float]:
        """The lowest one goes first: idle ones before stalled ones, the longest quiet first."""
        return (not self._idle, self._moved)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything. Cancel: some of it may be out."""
        with memoryview(data) as view:
            for start in range(0, len(view), _SEND_BYTES):
                await self._stream.send_all(view[start : start + _SEND_BYTES])
                self._moved = trio.current_time()

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the system takes more bytes."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return the next bytes, ``b""`` at the end. Cancel: safe."""
        data = await self._stream.receive_some(max_bytes)
        self._moved = trio.current_time()
        return bytes(data)

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close both ways."""
        await self._stream.aclose()


class ConnectionBook:
    """The open connections of one gateway, over all its ports."""

    def __init__(
        self,
        *,
        limit: int = MAX_CONNECTIONS,
        limit_per_client: int = MAX_CONNECTIONS_PER_CLIENT,
    ) -> None:
        self._limit = limit
        self._limit_per_client = limit_per_client
        self._open: set[TcpConnection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, connection: TcpConnection) -> bool:
        """Enter a connection, closing others to make room; say False where none can go."""
        same_client = [other for other in self._open if other.client == connection.client]
        for group, limit in ((same_client, self._limit_per_client), (self._open, self._limit)):
            if len(group) >= limit and not self._make_room(group):
                return False
        self._open.add(connection)
        return True

    def release(self, connection: TcpConnection) -> None:
        """Strike out a connection that ended."""
        self._open.discard(connection)

    def _make_room(self, group: Sequence[TcpConnection] | set[TcpConnection]) -> bool:
        candidates = [connection for connection in group if connection.can_go]
        if not candidates:
            return False
        leaving = min(candidates, key=lambda connection: connection.rank)
        leaving.scope.cancel()
        self._open.discard(leaving)
        return True


ConnectionHandler: TypeAlias = Callable[[TcpConnection], Awaitable[None]]


class TcpListener:
    """One port on loopback, bound from the start; ``serve`` accepts on it.

    Made by ``open_loopback``. Whoever opened it calls ``serve`` or ``close``.
    """

    def __init__(self, listeners: Sequence[trio.SocketListener], book: ConnectionBook) -> None:
        self._listeners = listeners
        self._book = book
        self.port: int = listeners[0].socket.getsockname()[1]

    async def serve(self, handler: ConnectionHandler, *, refusal: bytes) -> None:
        """Run ``handler`` for each connection until cancelled; then all of them and the port close.

        The connection is closed when the handler returns. A client beyond the limits is sent
        ``refusal``, whole and fixed, and closed.
        """
        accept = partial(self._serve_one, handler, refusal)
        await trio.serve_listeners(accept, list(self._listeners))

    async def close(self) -> None:
        """Give the port back."""
        for listener in self._listeners:
            await listener.aclose()

    async def _serve_one(
        self, handler: ConnectionHandler, refusal: bytes, stream: trio.SocketStream
    ) -> None:
        connection = TcpConnection(stream, _client_of(stream))
        try:
            if self._book.admit(connection):
                with connection.scope:
                    await handler(connection)
            else:
                with trio.move_on_after(_REFUSAL_S):
                    await connection.send_all(refusal)
        except trio.BrokenResourceError:
            pass  # it left before it was refused
        finally:
            self._book.release(connection)
            await trio.aclose_forcefully(connection)


async def open_loopback(port: int, book: ConnectionBook, *, both: bool = False) -> TcpListener:
    """Open ``port`` (0: any free one) on 127.0.0.1, with ``both`` on ::1 too where that exists.

    A browser may try ::1 first for a name below ``localhost``. If we did not hold that port there,
    another user's program could, and would receive our labels.

    Raises:
        LocalFault: ``port-taken``, or ``port-forbidden`` (below 1024 on most systems).
    """
    for _ in range(_PORT_TRIES):
        first = await _bind(IPV4_LOOPBACK, port)
        if not both:
            return TcpListener([first], book)
        found = first.socket.getsockname()[1]
        try:
            return TcpListener([first, await _bind(IPV6_LOOPBACK, found)], book)
        except _NoSuchFamily:
            return TcpListener([first], book)
        except LocalFault:
            await first.aclose()
            if port:
                raise
    raise LocalFault("No port is free on both loopback addresses.", code="port-taken")


async def names_resolve() -> bool:
    """Say whether this system's programs reach 127.0.0.1 by a name below ``localhost``.

    Browsers always do; players and command-line tools ask the system, and plain glibc says no. The
    name that is asked for is a fixed one: a real label could end up at a DNS server.
    """
    found: list[tuple[object, ...]] = []
    with trio.move_on_after(_NAME_CHECK_S):
        try:
            found = [*await trio.socket.getaddrinfo("bitcloud-check.localhost", 80)]
        except OSError:
            return False
    hosts = {str(entry[4][0]) for entry in found if isinstance(entry[4], tuple)}
    return IPV4_LOOPBACK in hosts and hosts <= {IPV4_LOOPBACK, IPV6_LOOPBACK}


class _NoSuchFamily(Exception):
    """This machine has no IPv6 loopback."""


async def _bind(host: str, port: int) -> trio.SocketListener:
    try:
        return (await trio.open_tcp_listeners(port, host=host, backlog=_BACKLOG))[0]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"Port {port} is used by another program. Choose another one."
            raise LocalFault(text, code="port-taken", port=port) from error
        if error.errno == errno.EACCES:
            text = f"This system does not let us use port {port}. Choose one above 1023."
            raise LocalFault(text, code="port-forbidden", port=port) from error
        if host == IPV6_LOOPBACK:
            raise _NoSuchFamily from error
        text = f"Port {port} cannot be opened on this computer."
        raise LocalFault(text, code="port-unusable", port=port) from error


def _client_of(stream: trio.SocketStream) -> str:
    try:
        return str(stream.socket.getpeername()[0])
    except OSError:  # it left before it was accepted
        return ""
