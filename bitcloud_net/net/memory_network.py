"""The network in memory: many nodes in one process, in virtual time, from a seed.

For tests of whole grids. A connection behaves like TCP: bytes arrive in order after a delay, a lost
packet costs a retransmission, a cut cable is noticed after some silence. Time is trio's clock, so
under ``trio.testing.MockClock(autojump_threshold=0)`` nothing waits in reality.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from random import Random

import trio

from bitcloud_net.core.errors import BadInput, PeerFault, Unavailable
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.net.address import full_address, split_address, usable_transports
from bitcloud_net.net.limits import NetLimits
from bitcloud_net.net.memory_link import Link
from bitcloud_net.net.memory_stream import MemoryStream
from bitcloud_net.net.network import (
    PeerChange,
    PeerConnected,
    PeerDisconnected,
    ProtocolId,
    StreamHandler,
)
from bitcloud_net.tasks import open_tasks

BAN_AFTER_FAULT_S = 600.0

_HANDSHAKE_TRIPS = 6  # one way each: TCP, Noise and Yamux take three round trips


class MemoryHub:
    """Everything between the nodes. One per test; all methods act at once and never wait."""

    def __init__(
        self,
        seed: int,
        *,
        delay_s: float = 0.0,
        loss: float = 0.0,
        bandwidth_bytes_per_s: float | None = None,
    ) -> None:
        """``delay_s`` is one way; ``loss`` is the share of chunks that need a retransmission."""
        self.delay_s = delay_s
        self.loss = loss
        self.bandwidth_bytes_per_s = bandwidth_bytes_per_s
        self.random = Random(seed)
        self._nodes: dict[NodeId, MemoryNetwork] = {}
        self._transports: dict[NodeId, str] = {}
        self._groups: list[frozenset[NodeId]] = []
        self._paused: set[NodeId] = set()
        self.links: list[Link] = []

    @asynccontextmanager
    async def open(
        self, key: SigningKey, *, limits: NetLimits | None = None
    ) -> AsyncIterator[MemoryNetwork]:
        """Be a node for as long as the block lasts; the same key gets the same address again."""
        transport = self._transports.setdefault(key.node_id, self._new_transport())
        async with open_tasks() as nursery:
            network = MemoryNetwork(self, key.node_id, transport, limits or NetLimits(), nursery)
            self._nodes[key.node_id] = network
            try:
                yield network
            finally:
                if self._nodes.get(key.node_id) is network:
                    self.kill(key.node_id)
                nursery.cancel_scope.cancel()

    def partition(self, *groups: Collection[NodeId]) -> None:
        """Cut every way between nodes of different groups; who is in none makes one more group."""
        self._groups = [frozenset(group) for group in groups]
        self._refresh()

    def heal(self) -> None:
        """End the partition."""
        self.partition()

    def pause(self, node: NodeId) -> None:
        """Stop a node like a laptop that sleeps: connected, but silent."""
        self._paused.add(node)
        self._refresh()

    def resume(self, node: NodeId) -> None:
        """Wake a paused node."""
        self._paused.discard(node)
        self._refresh()

    def kill(self, node: NodeId) -> None:
        """Switch a node off: its connections end, and nobody reaches it until it opens again."""
        self._nodes.pop(node, None)
        for link in [link for link in self.links if node in link.ends]:
            link.break_off()

    def reachable(self, one: NodeId, other: NodeId) -> bool:
        """Whether packets pass between two nodes now."""
        return not self.separated(one, other) and not {one, other} & self._paused

    def find(self, transport: str) -> MemoryNetwork | None:
        """Return the running node at an address."""
        return next((n for n in self._nodes.values() if n.transport == transport), None)

    def _new_transport(self) -> str:
        number = len(self._transports) + 1
        return f"/ip4/10.0.{number >> 8}.{number & 255}/tcp/4001"

    def separated(self, one: NodeId, other: NodeId) -> bool:
        """Whether a partition lies between two nodes."""
        return self._group(one) != self._group(other)

    def _group(self, node: NodeId) -> int:
        return next((i for i, group in enumerate(self._groups) if node in group), -1)

    def _refresh(self) -> None:
        for link in list(self.links):
            one, other = link.ends
            link.block(not self.reachable(one, other), may_break=self.separated(one, other))


class MemoryNetwork:
    """``Network`` of one node of a ``MemoryHub``."""

    def __init__(
        self,
        hub: MemoryHub,
        node_id: NodeId,
        transport: str,
        limits: NetLimits,
        nursery: trio.Nursery,
    ) -> None:
        self._hub = hub
        self._node_id = node_id
        self._limits = limits
        self._handlers: dict[ProtocolId, StreamHandler] = {}
        self._known: dict[NodeId, tuple[str, ...]] = {}
        self._links: dict[NodeId, Link] = {}
        self._dialling: dict[NodeId, trio.Event] = {}
        self._banned_until: dict[NodeId, float] = {}
        self._outbound: Counter[NodeId] = Counter()
        self._inbound: Counter[NodeId] = Counter()
        self._watchers: list[Callable[[PeerChange], None]] = []
        self.transport = transport
        self.nursery = nursery
        self.received = 0
        self.sent = 0

    @property
    def node_id(self) -> NodeId:
        """See ``Network.node_id``."""
        return self._node_id

    @property
    def addresses(self) -> tuple[str, ...]:
        """See ``Network.addresses``."""
        return (full_address(self.transport, self._node_id),)

    @property
    def peers(self) -> frozenset[NodeId]:
        """See ``Network.peers``."""
        return frozenset(self._links)

    @property
    def traffic(self) -> tuple[int, int]:
        """See ``Network.traffic``."""
        return self.received, self.sent

    def serve(self, protocol: ProtocolId, handler: StreamHandler) -> None:
        """See ``Network.serve``."""
        self._handlers[protocol] = handler

    def learn(self, peer: NodeId, addresses: tuple[str, ...]) -> None:
        """See ``Network.learn``."""
        most = self._limits.max_addresses_per_peer
        self._known[peer] = usable_transports(addresses, peer, lan=self._limits.lan, most=most)

    def watch(self, on_change: Callable[[PeerChange], None]) -> None:
        """See ``Network.watch``."""
        self._watchers.append(on_change)

    def ban(self, peer: NodeId, *, seconds: float) -> None:
        """See ``Network.ban``."""
        self._banned_until[peer] = trio.current_time() + seconds
        if peer in self._links:
            self._links[peer].break_off()

    def banned(self, peer: NodeId) -> bool:
        """Whether a ban of this peer is running."""
        return self._banned_until.get(peer, 0.0) > trio.current_time()

    async def connect(self, address: str) -> NodeId:
        """See ``Network.connect``."""
        transport, peer = split_address(address)
        if peer == self._node_id:
            raise BadInput("this is our own address", code="bad-address")
        await self._dial(peer, (transport,))
        return peer

    async def reach(self, peer: NodeId) -> None:
        """See ``Network.reach``."""
        await self._dial(peer, self._known.get(peer, ()))

    async def open_stream(self, peer: NodeId, protocol: ProtocolId) -> MemoryStream:
        """See ``Network.open_stream``."""
        if self._outbound[peer] >= self._limits.max_streams_per_peer:
            raise Unavailable("too many streams to this peer are open", code="too-many-streams")
        link = await self._dial(peer, self._known.get(peer, ()))
        await self._trips(2)
        await self._passing(link)
        other = link.peer_of(self)
        if protocol not in other._handlers:
            raise Unavailable(f"the peer does not speak {protocol}", code="protocol-unknown")
        outward, inward = link.pipe(self), link.pipe(other)
        self._outbound[peer] += 1
        here = MemoryStream(peer, inward, outward, lambda: self._outbound.subtract([peer]))
        there = MemoryStream(self._node_id, outward, inward, lambda: None)
        other.nursery.start_soon(other._run_handler, there, other._handlers[protocol])
        return here

    # Connections

    async def _dial(self, peer: NodeId, transports: Iterable[str]) -> Link:
        await trio.lowlevel.checkpoint()
        while peer in self._dialling:
            await self._dialling[peer].wait()
        if peer in self._links:
            return self._links[peer]
        self._dialling[peer] = trio.Event()
        try:
            for transport in transports:
                if (link := await self._dial_one(peer, transport)) is not None:
                    return link
        finally:
            self._dialling.pop(peer).set()
        code = "node-banned" if self.banned(peer) else "node-unreachable"
        raise Unavailable("nobody answers as this node", code=code)

    async def _dial_one(self, peer: NodeId, transport: str) -> Link | None:
        if not self._hub.reachable(self._node_id, peer):
            await trio.sleep(self._limits.handshake_deadline_s)
            return None
        await self._trips(_HANDSHAKE_TRIPS)
        other = self._hub.find(transport)
        if other is None or other.node_id != peer or self._hub.find(self.transport) is not self:
            return None
        if other.banned(self._node_id) or self.banned(peer):
            return None
        if peer in self._links:  # it dialled us meanwhile
            return self._links[peer]
        link = Link(self._hub, self, other)
        self._hub.links.append(link)
        self._gained(link)
        other._gained(link)
        return link

    async def _trips(self, count: int) -> None:
        await trio.sleep(count * self._hub.delay_s)

    async def _passing(self, link: Link) -> None:
        """Wait until packets pass again, or the connection breaks."""
        deadline = trio.current_time() + self._limits.handshake_deadline_s
        while not link.broken and not self._hub.reachable(*link.ends):
            if trio.current_time() >= deadline:
                raise Unavailable("no answer to a new stream", code="node-unreachable")
            await trio.sleep(_POLL_S)
        if link.broken:
            raise Unavailable("the connection broke", code="node-unreachable")

    def _gained(self, link: Link) -> None:
        peer = link.peer_of(self).node_id
        self._links[peer] = link
        self._tell(PeerConnected(peer=peer))

    def lost(self, link: Link) -> None:
        """A link has broken."""
        peer = link.peer_of(self).node_id
        if self._links.get(peer) is link:
            del self._links[peer]
            self._tell(PeerDisconnected(peer=peer))

    def _tell(self, change: PeerChange) -> None:
        for on_change in self._watchers:
            on_change(change)

    async def _run_handler(self, stream: MemoryStream, handler: StreamHandler) -> None:
        if self._inbound[stream.peer] >= self._limits.max_streams_per_peer:
            stream.reset()
            return
        self._inbound[stream.peer] += 1
        try:
            await handler(stream)
        except Unavailable:
            return
        except PeerFault:
            self.ban(stream.peer, seconds=BAN_AFTER_FAULT_S)
        finally:
            stream.reset()
            self._inbound[stream.peer] -= 1


_POLL_S = 0.5  # of virtual time, while packets do not pass
