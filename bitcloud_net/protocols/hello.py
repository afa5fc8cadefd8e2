"""Greets every peer as soon as it is connected, and puts out those of another network.

Both ends see the connection appear. The one with the smaller node id opens the stream and speaks
first, so there is one exchange however the connection came about.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

from bitcloud_net.core.errors import BadMessage, Malformed, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.net.network import Network, PeerChange, PeerConnected, ProtocolId, Stream
from bitcloud_net.tasks import open_tasks
from bitcloud_net.wire.hello import PROTOCOL, Greeting, GreetingReader, pack

if TYPE_CHECKING:
    from trio_typing import TaskStatus

log = logging.getLogger(__name__)

HELLO_DEADLINE_S: Final = 10.0
"""From the connection to the end of the exchange: as long as its handshake might have taken."""

BAN_STRANGER_S: Final = 600.0
"""A node of another network is not asked again for so long; it may have been set up anew then."""

BAN_SILENT_S: Final = 30.0
"""One that said nothing may be overloaded, or a laptop that fell asleep: it soon gets a new try."""

ASK_AGAIN_S: Final = 1.0
"""A node that has just opened its port may not serve its protocols yet."""

MAX_WAITING: Final = 1024
"""New connections not greeted yet; as many as a host has connections at all."""

OnGreeting: TypeAlias = Callable[[NodeId, Greeting], None]
OnStranger: TypeAlias = Callable[[NodeId, str], None]


class Greeter:
    """Runs ``/bitcloud/hello/1`` for one network for as long as ``run`` is running.

    ``describe`` says what we tell of ourselves now. ``on_greeting`` hears each peer of our network,
    once per connection, and ``on_stranger`` each that was put out, with the reason:
    ``other-network``, ``no-hello`` (it does not speak Bitcloud) or ``bad-hello``. Both are quick
    and never wait. What a peer says of its addresses is passed on to ``network.learn``.
    """

    def __init__(
        self,
        network: Network,
        describe: Callable[[], Greeting],
        on_greeting: OnGreeting,
        on_stranger: OnStranger = lambda peer, reason: None,
    ) -> None:
        self._network = network
        self._describe = describe
        self._on_greeting = on_greeting
        self._on_stranger = on_stranger
        self._met: dict[NodeId, trio.Event] = {}
        self._new: trio.MemorySendChannel[NodeId]
        self._arrivals: trio.MemoryReceiveChannel[NodeId]
        self._new, self._arrivals = trio.open_memory_channel(MAX_WAITING)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Greet until cancelled; peers that are connected already come first."""
        self._network.serve(ProtocolId(PROTOCOL), self._answer)
        self._network.watch(self._note)
        for peer in self._network.peers:
            self._note(PeerConnected(peer=peer))
        task_status.started()
        async with open_tasks() as tasks:
            async for peer in self._arrivals:
                tasks.start_soon(self._meet, peer)

    def _note(self, change: PeerChange) -> None:
        if isinstance(change, PeerConnected):
            try:
                self._new.send_nowait(change.peer)
            except trio.WouldBlock:
                self._put_out(change.peer, "no-hello")  # more of them than a host can have

    async def _meet(self, peer: NodeId) -> None:
        met = self._met[peer] = trio.Event()
        with trio.move_on_after(HELLO_DEADLINE_S) as scope:
            while self._speaks_first(peer) and not met.is_set():
                await self._ask(peer)
                with trio.move_on_after(ASK_AGAIN_S):
                    await met.wait()
            await met.wait()
        if self._met.get(peer) is met:  # else it has left and come again, and is met anew
            del self._met[peer]
            if scope.cancelled_caught and peer in self._network.peers:
                self._put_out(peer, "no-hello")

    def _speaks_first(self, peer: NodeId) -> bool:
        return self._network.node_id < peer and peer in self._network.peers

    async def _ask(self, peer: NodeId) -> None:
        try:
            stream = await self._network.open_stream(peer, ProtocolId(PROTOCOL))
            try:
                await stream.send(pack(self._describe()))
                greeting = await _receive(stream)
                await stream.close_write()
                self._judge(peer, greeting)
            finally:
                stream.reset()
        except Malformed:
            self._put_out(peer, "bad-hello")
        except Unavailable:
            return  # gone, or not ready yet: whoever called us sees

    async def _answer(self, stream: Stream) -> None:
        with trio.move_on_after(HELLO_DEADLINE_S):
            try:
                greeting = await _receive(stream)
            except Malformed as error:
                raise BadMessage(error.message, peer=stream.peer) from error
            await stream.send(pack(self._describe()))
            await stream.close_write()
            await _ended(stream)  # it has read our answer, and can tell its user
            self._judge(stream.peer, greeting)

    def _judge(self, peer: NodeId, greeting: Greeting) -> None:
        if greeting.network_id != self._describe().network_id:
            self._put_out(peer, "other-network")
            return
        if peer in self._met:
            self._met[peer].set()
        if greeting.addresses:
            self._network.learn(peer, greeting.addresses)
        self._on_greeting(peer, greeting)

    def _put_out(self, peer: NodeId, reason: str) -> None:
        log.info("peer %s put out: %s", peer.hex()[:16], reason)
        if peer in self._met:
            self._met[peer].set()
        seconds = BAN_SILENT_S if reason == "no-hello" else BAN_STRANGER_S
        self._network.ban(peer, seconds=seconds)
        self._on_stranger(peer, reason)


async def _receive(stream: Stream) -> Greeting:
    reader = GreetingReader()
    while data := await stream.receive():
        if (greeting := reader.feed(data)) is not None:
            return greeting
    raise Malformed("the stream ended before the greeting")


async def _ended(stream: Stream) -> None:
    try:
        if await stream.receive():
            raise BadMessage("more than a greeting", peer=stream.peer)
    except Unavailable:
        return  # it has judged already
