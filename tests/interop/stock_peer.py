"""A py-libp2p peer as the library comes, with its own TCP, Noise and Yamux: a program of its own.

It prints its address as the first line, then obeys one JSON command per line of its standard input
and answers each with one JSON line, as ``peer.mjs`` does.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator

import trio
from libp2p import new_host
from libp2p.abc import IHost, INetStream
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_pair
from libp2p.host.ping import PingService
from libp2p.identity.identify.identify import ID as IDENTIFY
from libp2p.identity.identify.identify import parse_identify_response
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID, Transport
from multiaddr import Multiaddr

ECHO, SINK, SOURCE = "/interop/echo/1", "/interop/sink/1", "/interop/source/1"
PIECE = bytes(range(256)) * 1024


async def pieces(stream: INetStream) -> AsyncIterator[bytes]:
    while True:
        try:
            yield await stream.read(len(PIECE))
        except StreamEOF:
            return


async def digest(stream: INetStream) -> dict[str, object]:
    seen, total = hashlib.sha256(), 0
    async for data in pieces(stream):
        seen.update(data)
        total += len(data)
    return {"bytes": total, "sha256": seen.hexdigest()}


async def pour(stream: INetStream, total: int) -> dict[str, object]:
    seen = hashlib.sha256()
    for start in range(0, total, len(PIECE)):
        data = PIECE[: total - start]
        seen.update(data)
        await stream.write(data)
    return {"bytes": total, "sha256": seen.hexdigest()}


async def echo(stream: INetStream) -> None:
    async for data in pieces(stream):
        await stream.write(data)
    await stream.close()


async def sink(stream: INetStream) -> None:
    await stream.write(json.dumps(await digest(stream)).encode())
    await stream.close()


async def source(stream: INetStream) -> None:
    await pour(stream, int.from_bytes(await stream.read(8), "big"))
    await stream.close()


class Commands:
    """What can be asked of this peer."""

    def __init__(self, host: IHost) -> None:
        self.host = host

    async def connect(self, address: str) -> ID:
        info = info_from_p2p_addr(Multiaddr(address))
        await self.host.connect(info)
        return info.peer_id

    async def open(self, address: str, protocol: str) -> INetStream:
        return await self.host.new_stream(await self.connect(address), [protocol])

    async def ping(self, address: str) -> dict[str, object]:
        (microseconds,) = await PingService(self.host).ping(await self.connect(address))
        return {"ms": microseconds / 1000}

    async def identify(self, address: str) -> dict[str, object]:
        peer = await self.connect(address)
        stream = await self.host.new_stream(peer, [IDENTIFY])
        answer = parse_identify_response(b"".join([data async for data in pieces(stream)]))
        return {"agentVersion": answer.agent_version, "protocols": list(answer.protocols)}

    async def echo(self, address: str, streams: int, **wishes: int) -> dict[str, object]:
        same = []

        async def one() -> None:
            stream = await self.open(address, ECHO)
            data, back = (PIECE * 8)[: wishes["bytes"]], b""
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.write, data)
                while len(back) < len(data):
                    back += await stream.read(len(data) - len(back))
            await stream.close()
            same.append(back == data)

        async with trio.open_nursery() as nursery:
            for _ in range(streams):
                nursery.start_soon(one)
        return {"same": same.count(True)}

    async def push(self, address: str, **wishes: int) -> dict[str, object]:
        stream = await self.open(address, SINK)
        sent = await pour(stream, wishes["bytes"])
        await stream.close_write()
        answer = b"".join([data async for data in pieces(stream)])
        return {"sent": sent, "answer": json.loads(answer)}

    async def pull(self, address: str, **wishes: int) -> dict[str, object]:
        stream = await self.open(address, SOURCE)
        await stream.write(wishes["bytes"].to_bytes(8, "big"))
        return await digest(stream)

    async def peers(self) -> dict[str, object]:
        return {"peers": [str(peer) for peer in self.host.get_connected_peers()]}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    logging.disable()
    pair = create_new_key_pair(os.urandom(32))
    noise = Transport(pair, noise_privkey=create_noise_pair().private_key)
    host = new_host(key_pair=pair, sec_opt={PROTOCOL_ID: noise}, muxer_preference="YAMUX")
    for protocol, handler in ((ECHO, echo), (SINK, sink), (SOURCE, source)):
        host.set_stream_handler(protocol, handler)
    async with host.run(listen_addrs=[Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        say(str(host.get_addrs()[0]))
        commands = Commands(host)
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            wishes = json.loads(line)
            try:
                answer = await getattr(commands, wishes.pop("command"))(**wishes)
            except Exception as error:  # noqa: BLE001 - the test shows it
                answer = {"error": repr(error)}
            say(json.dumps(answer))


if __name__ == "__main__":
    trio.run(main)
