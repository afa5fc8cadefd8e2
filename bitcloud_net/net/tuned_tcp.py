"""TCP as we want it below libp2p: tuned sockets, counted bytes, an accept loop with limits.

py-libp2p's own listener sets SO_REUSEPORT, so a second node on the same port would start without
an error and take half of the callers; ours opens its sockets itself, before libp2p starts."""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain

import trio
from libp2p.abc import IListener, IRawConnection
from libp2p.custom_types import THandler
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.transport.tcp.tcp import TCP
from multiaddr import Multiaddr

from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.core.units import KIB
from bitcloud_net.net.limits import Admission

READ_BYTES = 256 * KIB
"""Read from the socket at once: four Noise records per system call under load."""

UNSENT_BYTES = 256 * KIB
"""What may lie unsent in the kernel before "writable" says no. trio's 16 KiB are gone before a
busy process has had its turn; the megabytes that a system allows hold up what is urgent."""

_KEEPALIVE = (
    ("TCP_KEEPIDLE", 10),
    ("TCP_KEEPINTVL", 3),
    ("TCP_KEEPCNT", 3),  # a silent idle connection is dropped after 19 s
    ("TCP_USER_TIMEOUT", 30_000),  # ms; and one with bytes in flight after 30 s
)
_BACKLOG = 256
_OUT_OF_DESCRIPTORS_PAUSE_S = 0.1

Accept = Callable[["TunedStream"], Awaitable[None]]


class Traffic:
    """Bytes received and sent since the start, over all connections."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0


class TunedStream(TrioTCPStream):
    """One tuned socket, read in large pieces, its bytes counted."""

    def __init__(
        self,
        stream: trio.SocketStream,
        traffic: Traffic,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(stream)
        tune(stream.socket)
        self._traffic = traffic
        self._on_close: Callable[[], None] | None = on_close
        self._ahead = memoryview(b"")

    async def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._traffic.sent += len(data)
        await super().write(data)

    async def read(self, n: int | None = None) -> bytes:
        """Return 1 to ``n`` bytes, or ``b""`` at the end; without ``n`` what one call gives."""
        if not self._ahead:
            try:
                data = await self.stream.receive_some(READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise ConnectionClosedError(str(error), transport="tcp") from error
            self._traffic.received += len(data)
            if n is None or n >= len(data):
                return bytes(data)  # no copy: it is bytes already
            self._ahead = memoryview(data)
        piece = self._ahead[:n]
        self._ahead = self._ahead[len(piece) :]
        return bytes(piece)

    async def close(self) -> None:
        """Close the socket, and say so once."""
        if self._on_close is not None:
            self._on_close()
            self._on_close = None
        await super().close()


class TunedTcp(TCP):
    """The only transport: dials and listens on TCP."""

    def __init__(
        self, sockets: dict[str, list[trio.SocketListener]], admission: Admission, traffic: Traffic
    ) -> None:
        """``sockets`` come from ``open_listeners`` and belong to the transport from now on."""
        super().__init__()
        self._sockets = sockets
        self._admission = admission
        self._traffic = traffic

    async def dial(self, maddr: Multiaddr) -> IRawConnection:
        """Connect and tune."""
        connection = await super().dial(maddr)
        assert isinstance(connection, RawConnection)
        assert isinstance(connection.stream, TrioTCPStream)
        connection.stream = TunedStream(connection.stream.stream, self._traffic)
        return connection

    def create_listener(self, handler_function: THandler) -> TunedListener:  # type: ignore[override]
        """Return the listener of libp2p's swarm, which hands accepted sockets to the handler."""
        return TunedListener(handler_function, self._sockets, self._admission, self._traffic)


class TunedListener(IListener):
    """Accepts on sockets that were opened before, as many as ``Admission`` lets in."""

    background_nursery: trio.Nursery  # set by the swarm before it calls listen()

    def __init__(
        self,
        accept: Accept,
        sockets: dict[str, list[trio.SocketListener]],
        admission: Admission,
        traffic: Traffic,
    ) -> None:
        self._accept = accept
        self._sockets = sockets
        self._admission = admission
        self._traffic = traffic
        self._listeners: list[trio.SocketListener] = []

    async def listen(self, maddr: Multiaddr) -> None:
        """Start to accept on the sockets that were opened for ``maddr``."""
        self._listeners = self._sockets.pop(str(maddr))
        for listener in self._listeners:
            self.background_nursery.start_soon(self._accept_loop, listener)

    def get_addrs(self) -> tuple[Multiaddr, ...]:
        """The addresses with their real ports, wildcards left as they are."""
        return tuple(_listening_address(listener.socket) for listener in self._listeners)

    async def close(self) -> None:
        """Stop accepting; connections that were accepted live on."""
        for listener in self._listeners:
            await listener.aclose()

    async def _accept_loop(self, listener: trio.SocketListener) -> None:
        while True:
            try:
                stream = await listener.accept()
            except trio.ClosedResourceError:
                return
            except OSError:  # out of descriptors: the queue keeps the callers meanwhile
                await trio.sleep(_OUT_OF_DESCRIPTORS_PAUSE_S)
                continue
            self._admit(stream)

    def _admit(self, stream: trio.SocketStream) -> None:
        try:
            ip = str(stream.socket.getpeername()[0])
        except OSError:  # gone already
            stream.socket.close()
            return
        if not self._admission.admit(ip):
            stream.socket.close()
            return
        tuned = TunedStream(stream, self._traffic, lambda: self._admission.closed(ip))
        self.background_nursery.start_soon(self._handshake, tuned)

    async def _handshake(self, stream: TunedStream) -> None:
        try:
            await self._accept(stream)
        finally:
            self._admission.handshake_ended()


def tune(sock: trio.socket.SocketType) -> None:
    """Send small frames at once, and notice a peer that vanished without a word.

    The names differ from system to system; each is set where it exists.
    """
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        return  # closed by the other end meanwhile; the next read says so


async def open_listeners(addresses: Sequence[str]) -> dict[str, list[trio.SocketListener]]:
    """Open the listening sockets of multiaddrs such as ``/ip4/0.0.0.0/tcp/4001``, all or none.

    Raises:
        BadInput: not an address of TCP over IP.
        LocalFault: ``port-taken``, or the address is not of this machine (``cannot-listen``).
    """
    sockets: dict[str, list[trio.SocketListener]] = {}
    try:
        for address in addresses:
            host, port = _host_and_port(address)
            sockets[str(Multiaddr(address))] = await _open_listener(host, port)
    except BaseException:
        for listener in chain.from_iterable(sockets.values()):
            listener.socket.close()
        raise
    return sockets


async def _open_listener(host: str, port: int) -> list[trio.SocketListener]:
    try:
        return list(await trio.open_tcp_listeners(port, host=host, backlog=_BACKLOG))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise LocalFault(
                f"port {port} is in use by another program; choose another one",
                code="port-taken",
                port=port,
            ) from error
        raise LocalFault(
            f"cannot listen on {host}, port {port}: {error}", code="cannot-listen", host=host
        ) from error


def _host_and_port(address: str) -> tuple[str, int]:
    parts = address.split("/")
    try:
        Multiaddr(address)
        _, family, host, protocol, port = parts
        if family in ("ip4", "ip6") and protocol == "tcp":
            return host, int(port)
    except Exception as error:  # multiaddr raises many types
        raise BadInput(f"cannot listen on {address!r}: not a multiaddr of TCP") from error
    raise BadInput(f"cannot listen on {address!r}: only /ip4/…/tcp/… and /ip6/…/tcp/…")


def _listening_address(sock: trio.socket.SocketType) -> Multiaddr:
    host, port = sock.getsockname()[:2]
    family = "ip6" if ":" in host else "ip4"
    return Multiaddr(f"/{family}/{host}/tcp/{port}")
