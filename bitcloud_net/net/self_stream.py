"""Streams from a node to itself: a computer that lends space keeps shares of its own files too.

No socket and no encryption; bytes change hands in memory, held back by the same kind of window.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.net.network import Piece, ProtocolId, Stream, StreamHandler
from bitcloud_net.tasks import open_tasks

WINDOW_PIECES: Final = 8
"""Pieces on their way before the sender waits; the share protocol's are at most 1 MiB each."""


class StreamOpener(Protocol):
    """Who reaches all other nodes."""

    @property
    def node_id(self) -> NodeId: ...
    @property
    def peers(self) -> frozenset[NodeId]: ...
    def learn(self, peer: NodeId, addresses: tuple[str, ...]) -> None: ...
    async def open_stream(self, peer: NodeId, protocol: ProtocolId) -> Stream: ...


class SelfReaching:
    """Opens streams to every node, this one included.

    ``handler`` serves the streams to this node. They run in ``nursery``, which belongs to the
    caller. ``address_of`` says where a node may be reached that is not connected.
    """

    def __init__(
        self,
        network: StreamOpener,
        handler: StreamHandler,
        nursery: trio.Nursery,
        address_of: Callable[[NodeId], Awaitable[tuple[str, ...]]],
    ) -> None:
        self._network = network
        self._address_of = address_of
        self._handler = handler
        self._nursery = nursery

    async def open_stream(self, peer: NodeId, protocol: ProtocolId) -> Stream:
        """Open a stream; see ``net.network.Network.open_stream``."""
        if peer != self._network.node_id:
            if peer not in self._network.peers and (known := await self._address_of(peer)):
                self._network.learn(peer, known)
            return await self._network.open_stream(peer, protocol)
        await trio.lowlevel.checkpoint()
        near, far = stream_pair(peer)
        self._nursery.start_soon(self._serve, far)
        return near

    async def _serve(self, stream: SelfStream) -> None:
        try:
            async with open_tasks():
                await self._handler(stream)
        except Unavailable:
            return
        finally:
            stream.reset()


def stream_pair(node: NodeId) -> tuple[SelfStream, SelfStream]:
    """Return the two ends of a stream from a node to itself."""
    there_send, there_receive = trio.open_memory_channel[bytes](WINDOW_PIECES)
    back_send, back_receive = trio.open_memory_channel[bytes](WINDOW_PIECES)
    return (
        SelfStream(node, there_send, back_receive),
        SelfStream(node, back_send, there_receive),
    )


class SelfStream:
    """One end. See ``net.network.Stream``."""

    def __init__(
        self,
        node: NodeId,
        out: trio.MemorySendChannel[bytes],
        into: trio.MemoryReceiveChannel[bytes],
    ) -> None:
        self._node = node
        self._out = out
        self._into = into

    @property
    def peer(self) -> NodeId:
        """This node."""
        return self._node

    async def send(self, *pieces: Piece) -> None:
        """Hand over copies of the pieces."""
        try:
            for piece in pieces:
                if len(piece):
                    await self._out.send(bytes(piece))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise _closed() from error

    async def receive(self) -> bytes:
        """Return the next piece, ``b""`` at the end."""
        try:
            return await self._into.receive()
        except trio.EndOfChannel:
            return b""
        except trio.ClosedResourceError as error:
            raise _closed() from error

    async def close_write(self) -> None:
        """Say that nothing more will be sent."""
        self._out.close()
        await trio.lowlevel.checkpoint()

    def reset(self) -> None:
        """End the stream both ways."""
        self._out.close()
        self._into.close()


def _closed() -> Unavailable:
    return Unavailable("the stream is closed", code="node-unreachable")
