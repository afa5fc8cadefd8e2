"""One honest end of the share protocol, and the other in a test's hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import trio

from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.erasure import get_coder
from bitcloud_net.core.files.manifest import FileHeader, build_manifest
from bitcloud_net.core.files.merkle import root
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.files.segment import CodedSegment, seal_and_code
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.net.network import Stream
from bitcloud_net.protocols.share_client import PROTOCOL, ShareClient
from bitcloud_net.protocols.share_server import ShareServer
from bitcloud_net.wire import share_session as wire
from bitcloud_net.wire.frames import FrameParser, pack_frame
from tests.transfer.memory_grid import MemoryKeeper

NODE, CLIENT = SigningKey(bytes([1]) * 32), SigningKey(bytes([2]) * 32)
P = CodeParams(2, 3)


class RawClient:
    """Says what it is told, well-formed or not, and hears what comes."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._parser = FrameParser()
        self._heard: list[tuple[int, wire.Answer]] = []

    async def say(self, number: int, message: wire.Request) -> None:
        kind, head, payload = wire.pack(message)
        await self.stream.send(pack_frame(number, kind, head, len(payload)), payload)

    async def hear(self) -> tuple[int, wire.Answer]:
        while not self._heard:
            data = await self.stream.receive()
            assert data, "the node ended the stream"
            for frame in self._parser.feed(data):
                answer = wire.parse_answer(frame.type, frame.head, frame.payload)
                self._heard.append((frame.request, answer))
        return self._heard.pop(0)

    async def ask(self, number: int, message: wire.Request) -> wire.Answer:
        await self.say(number, message)
        answered, answer = await self.hear()
        assert answered == number
        return answer


@asynccontextmanager
async def honest_server(
    keeper: MemoryKeeper | None = None,
) -> AsyncIterator[tuple[MemoryNetwork, MemoryNetwork, MemoryKeeper]]:
    """Open a storage node, and a network to reach it from."""
    keeper = keeper or MemoryKeeper()
    hub = MemoryHub(1, delay_s=0.001)
    async with hub.open(NODE) as node, hub.open(CLIENT) as client:
        node.serve(PROTOCOL, ShareServer(keeper, NODE, lambda: 1).handle)
        client.learn(node.node_id, node.addresses)
        yield node, client, keeper


@asynccontextmanager
async def raw_client(keeper: MemoryKeeper | None = None) -> AsyncIterator[RawClient]:
    """Open a stream to an honest storage node."""
    async with honest_server(keeper) as (node, client, _):
        stream = await client.open_stream(node.node_id, PROTOCOL)
        yield RawClient(stream)
        stream.reset()


@asynccontextmanager
async def client_of(handler: Callable[[Stream], Awaitable[None]]) -> AsyncIterator[ShareClient]:
    """Open an honest client of a storage node that does what ``handler`` does."""
    hub = MemoryHub(1, delay_s=0.001)
    async with (
        hub.open(NODE) as node,
        hub.open(CLIENT) as client,
        trio.open_nursery() as nursery,
    ):
        node.serve(PROTOCOL, handler)
        client.learn(node.node_id, node.addresses)
        yield ShareClient(client, node.node_id, nursery)
        nursery.cancel_scope.cancel()


class StoredFile:
    """A small file of a few segments, coded, with all that its upload needs."""

    def __init__(self, segments: int = 3, seed: int = 1) -> None:
        rng = Random(seed)
        self.keys = FileKeys.from_secret(rng.randbytes(32))
        coder = get_coder(P.k, P.n)
        self.segments: list[CodedSegment] = [
            seal_and_code(self.keys, coder, rng.randbytes(1 << 20), index=i, last=i == segments - 1)
            for i in range(segments)
        ]
        self.manifest = build_manifest(
            self.keys,
            P,
            FileHeader(size=segments << 20, content_hash=bytes(32), media_type=None),
            ciphertext_root=root([each.segment_hash for each in self.segments]),
            share_roots=[root([each.block_roots[j] for each in self.segments]) for j in range(P.n)],
        )

    def header(self, share_no: int = 0) -> ShareHeader:
        return ShareHeader(
            share_no=share_no,
            params=P,
            padded_size=self.manifest.padded_size,
            upload_id=self.keys.upload_id,
        )

    def begin(self, share_no: int = 0) -> wire.Begin:
        return wire.Begin(header=self.header(share_no).pack(), salt=self.keys.salt)

    def put(self, index: int, share_no: int = 0) -> wire.PutBlock:
        segment = self.segments[index]
        return wire.PutBlock(
            upload_id=self.keys.upload_id,
            share_no=share_no,
            segment_no=index,
            segment_hash=segment.segment_hash,
            block=bytes(segment.blocks[share_no]),
        )

    def finish(self, share_no: int = 0) -> wire.Finish:
        return wire.Finish(
            upload_id=self.keys.upload_id, share_no=share_no, manifest=self.manifest.encode()
        )
