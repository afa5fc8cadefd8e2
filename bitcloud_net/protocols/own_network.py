"""The network without strangers: only peers that have greeted us as nodes of our own network.

All services but the greeter and the connector see this one. Whoever is connected and has not
greeted is not among the peers, gets no answer on any protocol, and is sent nothing: so two networks
that know each other's addresses never mix, not even in the moment before they part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from bitcloud_net.core.errors import PeerFault, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.net.network import (
    Network,
    PeerChange,
    PeerConnected,
    PeerDisconnected,
    ProtocolId,
    Stream,
    StreamHandler,
)
from bitcloud_net.protocols.hello import HELLO_DEADLINE_S

WAIT_S: Final = HELLO_DEADLINE_S
"""Longest wait for a greeting; the greeter puts out who has not greeted by then."""


class OwnNetwork:
    """``Network`` of greeted peers, on top of one of all peers, which belongs to the caller.

    Tell ``greeted`` of each greeting that named our network (``Greeter``'s ``on_greeting``).
    ``on_fault`` hears of every peer that broke a protocol while we served it.
    """

    def __init__(
        self, network: Network, on_fault: Callable[[PeerFault], None] = lambda fault: None
    ) -> None:
        self._network = network
        self._on_fault = on_fault
        self._greeted: set[NodeId] = set()
        self._changed = trio.Event()
        self._watchers: list[Callable[[PeerChange], None]] = []
        network.watch(self._note)

    @property
    def node_id(self) -> NodeId:
        """See ``Network.node_id``."""
        return self._network.node_id

    @property
    def addresses(self) -> tuple[str, ...]:
        """See ``Network.addresses``."""
        return self._network.addresses

    @property
    def peers(self) -> frozenset[NodeId]:
        """The peers that are connected and have greeted."""
        return frozenset(self._greeted)

    @property
    def traffic(self) -> tuple[int, int]:
        """See ``Network.traffic``."""
        return self._network.traffic

    def greeted(self, peer: NodeId) -> None:
        """Let a peer in, until its last connection ends. Safe to repeat."""
        if peer in self._network.peers and peer not in self._greeted:
            self._greeted.add(peer)
            self._tell(PeerConnected(peer=peer))

    def serve(self, protocol: ProtocolId, handler: StreamHandler) -> None:
        """See ``Network.serve``. A stream that comes before the greeting waits for it."""

        async def handle(stream: Stream) -> None:
            await self._met(stream.peer)
            try:
                await handler(stream)
            except PeerFault as fault:
                self._on_fault(fault)
                raise

        self._network.serve(protocol, handle)

    def learn(self, peer: NodeId, addresses: tuple[str, ...]) -> None:
        """See ``Network.learn``."""
        self._network.learn(peer, addresses)

    async def connect(self, address: str) -> NodeId:
        """See ``Network.connect``."""
        peer = await self._network.connect(address)
        await self._met(peer)
        return peer

    async def reach(self, peer: NodeId) -> None:
        """See ``Network.reach``."""
        if peer not in self._greeted:
            await self._network.reach(peer)
            await self._met(peer)

    async def open_stream(self, peer: NodeId, protocol: ProtocolId) -> Stream:
        """See ``Network.open_stream``."""
        await self.reach(peer)
        return await self._network.open_stream(peer, protocol)

    def ban(self, peer: NodeId, *, seconds: float) -> None:
        """See ``Network.ban``."""
        self._network.ban(peer, seconds=seconds)

    def watch(self, on_change: Callable[[PeerChange], None]) -> None:
        """See ``Network.watch``; a peer comes when it has greeted."""
        self._watchers.append(on_change)

    async def _met(self, peer: NodeId) -> None:
        with trio.move_on_after(WAIT_S):
            while peer not in self._greeted and peer in self._network.peers:
                await self._changed.wait()
        if peer not in self._greeted:
            raise Unavailable("this peer has not greeted us", code="node-unreachable")

    def _note(self, change: PeerChange) -> None:
        if not isinstance(change, PeerDisconnected):
            return
        if change.peer in self._greeted:
            self._greeted.discard(change.peer)
            self._tell(change)
        else:
            self._wake()

    def _tell(self, change: PeerChange) -> None:
        self._wake()
        for on_change in self._watchers:
            on_change(change)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
