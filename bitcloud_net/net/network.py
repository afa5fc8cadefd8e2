"""What everyone else sees of the network: streams to nodes, by node id.

Two implementations keep this contract, and one conformance suite (``bitcloud_net.testing.checks``)
runs against both: ``libp2p_host`` (the real one) and ``memory_network`` (delay, loss and
partition from a seed, in virtual time).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NewType, Protocol, TypeAlias

from bitcloud_net.core.keys import NodeId

ProtocolId = NewType("ProtocolId", str)
"""Such as ``/bitcloud/share/1``."""

Piece: TypeAlias = bytes | bytearray | memoryview


class Stream(Protocol):
    """An ordered, encrypted, two-way stream of bytes to one authenticated peer.

    One task may send while another receives; two tasks must not do the same at once. A stream
    counts against the limit of its peer until both directions have ended, so whoever opens one
    ends it: with ``close_write`` and by reading to the end, or with ``reset``.
    """

    @property
    def peer(self) -> NodeId:
        """The other end, proven by the handshake."""

    async def send(self, *pieces: Piece) -> None:
        """Send the pieces, in order, waiting as long as the peer's window is full.

        Pieces must not be changed until the call returns. Cancel: the stream is reset (half a
        message may be out), the connection and its other streams are unharmed.

        Raises:
            Unavailable: the stream or its connection is closed.
        """

    async def receive(self) -> bytes:
        """Return the next 1 to 1,048,576 bytes, or ``b""`` after the peer's end of stream.

        What the peer sent before it ended its direction arrives, even if it then resets. Cancel:
        safe; no byte is lost.

        Raises:
            Unavailable: the stream was reset or its connection broke.
        """

    async def close_write(self) -> None:
        """Say that nothing more will be sent; receiving goes on."""

    def reset(self) -> None:
        """End the stream at once, both ways. Safe at any time, any number of times."""


StreamHandler: TypeAlias = Callable[[Stream], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConnected:
    """A peer has an open connection now."""

    peer: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerDisconnected:
    """The last connection of a peer ended."""

    peer: NodeId


PeerChange: TypeAlias = PeerConnected | PeerDisconnected


class Network(Protocol):
    """One node's view of the network. Made by an async context manager that owns all its tasks."""

    @property
    def node_id(self) -> NodeId:
        """Our own id: the Ed25519 public key that the handshake proves."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Our own addresses as full multiaddrs (``/ip4/…/tcp/…/p2p/…``), dialable by others."""

    @property
    def peers(self) -> frozenset[NodeId]:
        """The peers that have an open connection now."""

    def serve(self, protocol: ProtocolId, handler: StreamHandler) -> None:
        """Run ``handler`` for each stream a peer opens on ``protocol``.

        The stream belongs to the handler and is reset when it returns or raises. An error that is a
        ``PeerFault`` is reported and closes the connection; ``Unavailable`` is dropped silently.
        """

    def learn(self, peer: NodeId, addresses: tuple[str, ...]) -> None:
        """Remember where a peer may be reached; the newest knowledge replaces the older."""

    async def connect(self, address: str) -> NodeId:
        """Connect to a full multiaddr and return who answered.

        Raises:
            BadInput: not a multiaddr we can dial.
            Unavailable: nobody answered, or it was not the peer that the address names.
        """

    async def reach(self, peer: NodeId) -> None:
        """Return when the peer has a connection, dialling its known addresses where it has none.

        Raises:
            Unavailable: it cannot be reached (``node-unreachable``) or is banned (``node-banned``).
        """

    async def open_stream(self, peer: NodeId, protocol: ProtocolId) -> Stream:
        """Open a stream, dialling a known address first where there is no connection.

        A stale connection is replaced once. At most 64 streams to one peer are open at a time.
        Cancel: safe.

        Raises:
            Unavailable: the peer cannot be reached (``node-unreachable``) or is banned
                (``node-banned``), does not speak the protocol (``protocol-unknown``), or has
                ``too-many-streams`` of ours.
        """

    def ban(self, peer: NodeId, *, seconds: float) -> None:
        """Close every connection of a peer and refuse it for so long."""

    def watch(self, on_change: Callable[[PeerChange], None]) -> None:
        """Call ``on_change`` (quick, never waiting) for each peer that comes or goes."""

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes received and sent over all connections since the start."""
