"""``Network`` over a running libp2p host."""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import cast

import trio
from libp2p.abc import INetConn, INetStream, INetwork, INotifee
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from bitcloud_net.core.errors import BadInput, PeerFault, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.net.address import (
    expand_wildcard,
    full_address,
    split_address,
    usable_transports,
)
from bitcloud_net.net.libp2p_stream import Libp2pStream, MuxerStream, NoAnswer
from bitcloud_net.net.libp2p_swarm import Gate, QuietHost, TidySwarm
from bitcloud_net.net.limits import Pace
from bitcloud_net.net.network import (
    PeerChange,
    PeerConnected,
    PeerDisconnected,
    ProtocolId,
    StreamHandler,
)
from bitcloud_net.net.peer_id import node_id_from_bytes, peer_id_bytes
from bitcloud_net.net.tuned_tcp import Traffic
from bitcloud_net.tasks import open_tasks

log = logging.getLogger(__name__)

BAN_AFTER_FAULT_S = 600.0
"""A peer that broke the protocol is refused this long: enough for an upgrade, too long to flood."""

STAGGER_S = 0.5
"""How long one address of a peer has for itself before the next one is dialled beside it."""


class Libp2pNetwork(INotifee):
    """One node's libp2p. Made by ``open_libp2p_network``, which owns its tasks."""

    def __init__(
        self,
        node_id: NodeId,
        host: QuietHost,
        swarm: TidySwarm,
        gate: Gate,
        traffic: Traffic,
        nursery: trio.Nursery,
    ) -> None:
        self._node_id = node_id
        self._host = host
        self._swarm = swarm
        self._gate = gate
        self._traffic = traffic
        self._nursery = nursery
        self._known: OrderedDict[NodeId, tuple[str, ...]] = OrderedDict()
        self._dialling: dict[NodeId, trio.Event] = {}
        self._connections: Counter[NodeId] = Counter()
        self._outbound: Counter[NodeId] = Counter()
        self._inbound: Counter[NodeId] = Counter()
        self._paces: dict[NodeId, Pace] = {}
        self._watchers: list[Callable[[PeerChange], None]] = []
        gate.count = lambda peer: self._connections[peer]
        swarm.register_notifee(self)
        swarm.set_stream_handler(self._accept_stream)

    # What the contract asks for

    @property
    def node_id(self) -> NodeId:
        """See ``Network.node_id``."""
        return self._node_id

    @property
    def addresses(self) -> tuple[str, ...]:
        """See ``Network.addresses``."""
        return tuple(
            full_address(transport, self._node_id)
            for listener in self._swarm.listeners.values()
            for address in listener.get_addrs()
            for transport in expand_wildcard(str(address))
        )

    @property
    def peers(self) -> frozenset[NodeId]:
        """See ``Network.peers``."""
        return frozenset(self._connections)

    @property
    def traffic(self) -> tuple[int, int]:
        """See ``Network.traffic``."""
        return self._traffic.received, self._traffic.sent

    def watch(self, on_change: Callable[[PeerChange], None]) -> None:
        """See ``Network.watch``."""
        self._watchers.append(on_change)

    def learn(self, peer: NodeId, addresses: tuple[str, ...]) -> None:
        """See ``Network.learn``. Addresses that we would not dial are left out."""
        limits = self._gate.limits
        most = limits.max_addresses_per_peer
        self._known[peer] = usable_transports(addresses, peer, lan=limits.lan, most=most)
        self._known.move_to_end(peer)
        if len(self._known) > limits.max_known_peers:
            self._known.popitem(last=False)

    def serve(self, protocol: ProtocolId, handler: StreamHandler) -> None:
        """See ``Network.serve``."""

        async def run(net_stream: INetStream) -> None:
            await self._run_handler(cast(NetStream, net_stream), handler)

        self._host.set_stream_handler(TProtocol(protocol), run)

    def ban(self, peer: NodeId, *, seconds: float) -> None:
        """See ``Network.ban``."""
        self._gate.ban(peer, seconds)
        self._nursery.start_soon(self._swarm.close_peer, _libp2p_id(peer))

    async def connect(self, address: str) -> NodeId:
        """See ``Network.connect``."""
        transport, peer = split_address(address)
        if peer == self._node_id:
            raise BadInput("this is our own address", code="bad-address")
        await self._dial(peer, (transport,))
        return peer

    async def reach(self, peer: NodeId) -> None:
        """See ``Network.reach``."""
        await trio.lowlevel.checkpoint()
        await self._dial(peer, self._known.get(peer, ()))

    async def open_stream(self, peer: NodeId, protocol: ProtocolId) -> Libp2pStream:
        """See ``Network.open_stream``."""
        if self._outbound[peer] >= self._gate.limits.max_streams_per_peer:
            raise Unavailable("too many streams to this peer are open", code="too-many-streams")
        now = trio.current_time()
        await trio.sleep(self._paces.setdefault(peer, Pace(now)).wait_s(now))
        connection = self._live_connection(peer)
        if connection is not None:
            try:
                return await self._open_on(connection, peer, protocol)
            except Unavailable as error:
                if _is_live(connection) and not isinstance(error, NoAnswer):
                    raise
            await connection.close()  # it was stale: once more on a new one, and then the truth
        connection = await self._dial(peer, self._known.get(peer, ()))
        return await self._open_on(connection, peer, protocol)

    # Faults

    def report_fault(self, peer: NodeId, reason: str) -> None:
        """A layer below has ended a connection because the peer broke the protocol."""
        log.warning("peer %s %s; banned for %d s", peer.hex()[:16], reason, BAN_AFTER_FAULT_S)
        self.ban(peer, seconds=BAN_AFTER_FAULT_S)

    # Outbound

    def _live_connection(self, peer: NodeId) -> SwarmConn | None:
        for connection in reversed(self._swarm.get_connections(_libp2p_id(peer))):
            if _is_live(connection):
                return cast(SwarmConn, connection)
        return None

    async def _dial(self, peer: NodeId, transports: tuple[str, ...]) -> SwarmConn:
        while peer in self._dialling:
            await self._dialling[peer].wait()
        if (connection := self._live_connection(peer)) is not None:
            return connection
        if not transports:
            raise Unavailable("no address of this node is known", code="node-unreachable")
        if self._gate.banned(peer):
            raise Unavailable("this node is banned for now", code="node-banned")
        self._dialling[peer] = trio.Event()
        try:
            return await self._dial_first(peer, transports)
        finally:
            self._dialling.pop(peer).set()

    async def _dial_first(self, peer: NodeId, transports: tuple[str, ...]) -> SwarmConn:
        """Return the first connection that comes about; the addresses start one after another."""
        made: list[SwarmConn] = []

        async def attempt(transport: str, ended: trio.Event) -> None:
            if (connection := await self._dial_one(peer, transport)) is not None:
                made.append(connection)
                tasks.cancel_scope.cancel()
            ended.set()

        async with open_tasks() as tasks:
            for transport in transports:
                ended = trio.Event()
                tasks.start_soon(attempt, transport, ended)
                with trio.move_on_after(STAGGER_S):
                    await ended.wait()
        if not made:
            raise Unavailable(
                f"nobody answers as this node at {', '.join(transports)}", code="node-unreachable"
            )
        return made[0]

    async def _dial_one(self, peer: NodeId, transport: str) -> SwarmConn | None:
        with trio.move_on_after(self._gate.limits.handshake_deadline_s):
            try:
                address = Multiaddr(transport)
                return cast(SwarmConn, await self._swarm.dial_addr(address, _libp2p_id(peer)))
            except (BaseLibp2pError, OSError) as error:
                log.debug("no connection at %s: %s", transport, error)
        return None

    async def _open_on(
        self, connection: SwarmConn, peer: NodeId, protocol: ProtocolId
    ) -> Libp2pStream:
        self._outbound[peer] += 1
        stream: Libp2pStream | None = None
        try:
            with trio.CancelScope(shield=True):  # one small frame; half of it would be a leak
                muxed = await connection.muxed_conn.open_stream()
            stream = self._wrap(muxed, peer, self._outbound)
            await stream.negotiate(protocol)
            return stream
        except BaseException as error:
            if stream is not None:
                stream.reset()
            else:
                _drop(self._outbound, peer)
            if isinstance(error, BaseLibp2pError | OSError):
                raise Unavailable("the connection broke", code="node-unreachable") from error
            raise

    def _wrap(self, muxed: object, peer: NodeId, counter: Counter[NodeId]) -> Libp2pStream:
        return Libp2pStream(cast(MuxerStream, muxed), peer, lambda: _drop(counter, peer))

    # Inbound

    async def _accept_stream(self, net_stream: INetStream) -> None:
        peer = node_id_from_bytes(net_stream.muxed_conn.peer_id.to_bytes())
        if self._inbound[peer] >= self._gate.limits.max_streams_per_peer:
            await net_stream.reset()
            return
        self._inbound[peer] += 1
        try:
            await self._host._swarm_stream_handler(net_stream)
        except (BaseLibp2pError, OSError):
            return  # the stream ended while its protocol was agreed on
        finally:
            _drop(self._inbound, peer)

    async def _run_handler(self, net_stream: NetStream, handler: StreamHandler) -> None:
        peer = node_id_from_bytes(net_stream.muxed_conn.peer_id.to_bytes())
        stream = Libp2pStream(cast(MuxerStream, net_stream.muxed_stream), peer, lambda: None)
        try:
            await handler(stream)
        except Unavailable:
            return
        except PeerFault as fault:
            self.report_fault(peer, f"broke the protocol: {fault.code}")
        finally:
            stream.reset()

    # libp2p's notifications

    async def connected(self, network: INetwork, conn: INetConn) -> None:
        """Count a connection; the first one is news."""
        peer = node_id_from_bytes(conn.muxed_conn.peer_id.to_bytes())
        self._connections[peer] += 1
        if self._connections[peer] == 1:
            self._tell(PeerConnected(peer=peer))

    async def disconnected(self, network: INetwork, conn: INetConn) -> None:
        """Count it out; the last one is news."""
        peer = node_id_from_bytes(conn.muxed_conn.peer_id.to_bytes())
        if self._connections[peer]:
            _drop(self._connections, peer)
            if peer not in self._connections:
                self._paces.pop(peer, None)
                self._tell(PeerDisconnected(peer=peer))

    async def opened_stream(self, network: INetwork, stream: INetStream) -> None:
        """Not needed."""

    async def closed_stream(self, network: INetwork, stream: INetStream) -> None:
        """Not needed."""

    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None:
        """Not needed."""

    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None:
        """Not needed."""

    def _tell(self, change: PeerChange) -> None:
        for on_change in self._watchers:
            on_change(change)

    async def close_all(self) -> None:
        """Close every connection, all at the same time."""
        async with trio.open_nursery() as nursery:
            for connection in self._swarm.get_connections():
                nursery.start_soon(_closed(connection))


def _is_live(connection: INetConn) -> bool:
    return not connection.is_closed and connection.muxed_conn.is_established


def _closed(connection: INetConn) -> Callable[[], Awaitable[None]]:
    return connection.close


def _drop(counter: Counter[NodeId], peer: NodeId) -> None:
    counter[peer] -= 1
    if counter[peer] <= 0:
        del counter[peer]


def _libp2p_id(peer: NodeId) -> ID:
    return ID(peer_id_bytes(peer))
