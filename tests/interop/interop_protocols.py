"""Three small protocols that every implementation in these tests speaks, from our side."""

from __future__ import annotations

import hashlib
import json

import trio

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.units import KIB
from bitcloud_net.net.network import Network, ProtocolId, Stream

ECHO = ProtocolId("/interop/echo/1")
"""Sends back what comes, until the end."""
SINK = ProtocolId("/interop/sink/1")
"""Takes everything, answers with its count and SHA-256 as JSON."""
SOURCE = ProtocolId("/interop/source/1")
"""Eight bytes say how much to send."""

BULK_BYTES = 100_000_000
PIECE = bytes(range(256)) * KIB


def serve_all(network: Network) -> None:
    network.serve(ECHO, echo)
    network.serve(SINK, sink)
    network.serve(SOURCE, source)


async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)
    await stream.close_write()


async def sink(stream: Stream) -> None:
    answer = await digest(stream)
    await stream.send(json.dumps(answer).encode())
    await stream.close_write()


async def source(stream: Stream) -> None:
    await pour(stream, int.from_bytes(await stream.receive(), "big"))
    await stream.close_write()


async def pour(stream: Stream, total: int) -> dict[str, object]:
    """Send ``total`` bytes and return what the other end should have seen."""
    seen = hashlib.sha256()
    for start in range(0, total, len(PIECE)):
        data = memoryview(PIECE)[: total - start]
        seen.update(data)
        await stream.send(data)
    return {"bytes": total, "sha256": seen.hexdigest()}


async def digest(stream: Stream) -> dict[str, object]:
    """Read to the end and say what came."""
    seen, total = hashlib.sha256(), 0
    while data := await stream.receive():
        seen.update(data)
        total += len(data)
    return {"bytes": total, "sha256": seen.hexdigest()}


async def read_all(stream: Stream) -> bytes:
    data = b""
    while piece := await stream.receive():
        data += piece
    return data


async def echoes_on_many_streams(network: Network, peer: NodeId, *, streams: int, size: int) -> int:
    """Run that many echoes at once and count those that came back right."""
    right = []

    async def one(index: int) -> None:
        stream = await network.open_stream(peer, ECHO)
        data = (bytes([index]) + PIECE)[:size]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send, data)
            back = b""
            while len(back) < size:
                back += await stream.receive()
        await stream.close_write()
        right.append(back == data and await stream.receive() == b"")

    async with trio.open_nursery() as nursery:
        for index in range(streams):
            nursery.start_soon(one, index)
    return right.count(True)


async def push(network: Network, peer: NodeId, total: int) -> tuple[object, object]:
    """Send ``total`` bytes; return what was sent and what the peer says it has got."""
    stream = await network.open_stream(peer, SINK)
    sent = await pour(stream, total)
    await stream.close_write()
    return sent, json.loads(await read_all(stream))


async def pull(network: Network, peer: NodeId, total: int) -> dict[str, object]:
    """Have ``total`` bytes sent and return what came."""
    stream = await network.open_stream(peer, SOURCE)
    await stream.send(total.to_bytes(8, "big"))
    return await digest(stream)
