"""A storage node against clients that know the protocol, that do not, and that mean harm."""

from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random
from unittest.mock import patch

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import LocalFault, Unavailable
from bitcloud_net.core.files.manifest import content_id
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.keys import SigningKey, verify
from bitcloud_net.core.trust.false_claims import BLOCK_KIND, BlockClaim
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.net.network import Stream
from bitcloud_net.protocols import share_server
from bitcloud_net.protocols.share_client import PROTOCOL
from bitcloud_net.protocols.share_server import ShareServer
from bitcloud_net.transfer.download import proves
from bitcloud_net.wire import share_session as wire
from bitcloud_net.wire.frames import pack_frame
from tests.transfer.memory_grid import MemoryKeeper
from tests.vectors import make_share_protocol as vectors

from .share_peers import CLIENT, NODE, RawClient, StoredFile, honest_server, raw_client

FILE = StoredFile()
CID = content_id(FILE.manifest.encode())


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0)


async def upload(client: RawClient, share_no: int = 0, file: StoredFile = FILE) -> wire.Answer:
    assert isinstance(await client.ask(1, file.begin(share_no)), wire.Begun)
    for index in range(len(file.segments)):
        await client.say(1, file.put(index, share_no))
    await client.say(1, file.finish(share_no))
    while isinstance(answer := (await client.hear())[1], wire.Held):
        pass
    return answer


async def is_ended(stream: Stream) -> bool:
    """Whether the node ends the stream without a further word."""
    with trio.move_on_after(5):
        try:
            while await stream.receive():
                pass
        except Unavailable:
            return True
    return False


async def test_a_share_goes_in_and_its_blocks_come_out(clock: MockClock) -> None:
    async with raw_client() as client:
        stored = await upload(client)
        assert isinstance(stored, wire.Stored)
        receipt = StorageReceipt.parse_and_verify(bytes(stored.receipt))
        assert (receipt.node, receipt.cid, receipt.share_no) == (NODE.node_id, CID, 0)
        assert receipt.share_root == FILE.manifest.share_roots[0]
        for index in range(3):
            block = await client.ask(7, wire.GetBlock(cid=CID, share_no=0, segment_no=index))
            assert isinstance(block, wire.Block)
            assert proves(FILE.manifest, index, 0, block)
            root = FILE.segments[index].block_roots[0]
            claim = BlockClaim(
                cid=CID,
                share_no=0,
                segment_no=index,
                block_root=root,
                block_path=block.block_path,
                period=1,  # as the peers of this test keep it
            )
            verify(NODE.node_id, BLOCK_KIND, claim.encode(), block.signature)
        found = await client.ask(8, wire.Find(cids=(CID, bytes(32))))
        assert found == wire.Found(shares=((0,), ()))
        manifest = await client.ask(9, wire.GetManifest(cid=CID))
        assert manifest == wire.ManifestIs(manifest=FILE.manifest.encode())
        assert await client.ask(9, wire.GetManifest(cid=bytes(32))) == wire.ManifestIs(manifest=b"")


async def test_an_upload_goes_on_where_it_was(clock: MockClock) -> None:
    keeper = MemoryKeeper()
    async with raw_client(keeper) as client:
        await client.ask(1, FILE.begin())
        await client.say(1, FILE.put(0))
        assert (await client.hear())[1] == wire.Held(
            upload_id=FILE.keys.upload_id, share_no=0, held=1
        )
    async with raw_client(keeper) as client:
        assert await client.ask(1, FILE.begin()) == wire.Begun(held=1)
        assert await client.ask(2, FILE.begin()) == wire.Begun(held=1), "begun twice is no harm"
        for index in (1, 2):
            await client.say(2, FILE.put(index))
        await client.say(2, FILE.finish())
        while isinstance(answer := (await client.hear())[1], wire.Held):
            pass
        assert isinstance(answer, wire.Stored)
        assert keeper.blocks_received == 3


async def test_many_questions_at_once_are_all_answered(clock: MockClock) -> None:
    async with raw_client() as client:
        await upload(client)
        for number in range(100, 200):
            await client.say(number, wire.GetBlock(cid=CID, share_no=0, segment_no=number % 3))
            if number % 4 == 3:  # answers of half a MiB each: hear some before asking on
                for _ in range(4):
                    await client.hear()


async def test_what_is_not_there_is_refused(clock: MockClock) -> None:
    async with raw_client() as client:
        requests: list[wire.Request] = [
            wire.GetBlock(cid=CID, share_no=0, segment_no=0),
            wire.Finish(upload_id=bytes(16), share_no=0, manifest=b""),
            wire.Begin(header=bytes(64), salt=bytes(32)),
        ]
        for number, request in enumerate(requests):
            assert isinstance(await client.ask(number, request), wire.RefusedIs)
        assert await client.ask(4, wire.Abandon(upload_id=bytes(16), share_no=0)) == wire.Begun(
            held=0
        )


async def test_blocks_of_an_upload_that_was_not_begun_are_dropped(clock: MockClock) -> None:
    keeper = MemoryKeeper()
    async with raw_client(keeper) as client:
        await client.say(1, FILE.put(0))
        assert await client.ask(2, wire.Find(cids=())) == wire.Found(shares=())
        assert keeper.blocks_received == 0


async def test_an_abandoned_upload_begins_anew(clock: MockClock) -> None:
    async with raw_client() as client:
        await client.ask(1, FILE.begin())
        await client.say(1, FILE.put(0))
        await client.hear()
        abandon = wire.Abandon(upload_id=FILE.keys.upload_id, share_no=0)
        assert await client.ask(2, abandon) == wire.Begun(held=0)
        assert await client.ask(3, FILE.begin()) == wire.Begun(held=0)


async def test_a_cancelled_question_is_not_read_for(clock: MockClock) -> None:
    async with honest_server() as (node, network, keeper):
        client = RawClient(await network.open_stream(node.node_id, PROTOCOL))
        await upload(client)
        reads = 0
        read_block = keeper.read_block

        async def slow_read(*question: object) -> object:
            nonlocal reads
            reads += 1
            await trio.sleep(1)
            return await read_block(*question)  # type: ignore[arg-type]

        keeper.read_block = slow_read  # type: ignore[assignment, method-assign]
        for number in range(1, 21):
            await client.say(number, wire.GetBlock(cid=CID, share_no=0, segment_no=0))
        for number in range(3, 21):
            await client.say(0, wire.Cancel(request=number))
        assert {(await client.hear())[0] for _ in range(2)} == {1, 2}
        await trio.sleep(30)
        assert reads == 2
        client.stream.reset()


@pytest.mark.parametrize("name", vectors.REFUSED_REQUESTS)
async def test_nonsense_ends_the_stream_and_bans_the_peer(clock: MockClock, name: str) -> None:
    async with honest_server() as (node, network, _):
        stream = await network.open_stream(node.node_id, PROTOCOL)
        await stream.send(vectors.REFUSED_REQUESTS[name])
        assert await is_ended(stream)
        assert node.banned(CLIENT.node_id)


async def test_random_bytes(clock: MockClock, rng: Random) -> None:
    """Whatever comes, the node goes on serving others."""
    for _ in range(60):
        async with honest_server() as (node, network, _):
            stream = await network.open_stream(node.node_id, PROTOCOL)
            raw = rng.randbytes(rng.choice([1, 11, 40, 400]))
            if rng.random() < 0.6:  # a right prefix lets it get further
                kind = rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 64])
                raw = pack_frame(1, kind, raw[: rng.randrange(len(raw) + 1)])
            await stream.send(raw)
            await stream.close_write()
            await is_ended(stream)


@pytest.mark.parametrize("length", [1, 10, 11, 500])
async def test_half_a_message(clock: MockClock, length: int) -> None:
    """A client that hangs up in a message leaves nothing behind."""
    keeper = MemoryKeeper()
    kind, head, payload = wire.pack(FILE.put(0))
    raw = pack_frame(1, kind, head, len(payload)) + bytes(payload)
    async with honest_server(keeper) as (node, network, _):
        client = RawClient(await network.open_stream(node.node_id, PROTOCOL))
        await client.ask(1, FILE.begin())
        await client.stream.send(raw[:length])
        client.stream.reset()
        await trio.sleep(1)
        assert keeper.blocks_received == 0
        assert not node.banned(CLIENT.node_id)


async def test_any_order_of_right_messages(clock: MockClock, rng: Random) -> None:
    """Right messages in a wrong order are answered or dropped; nothing breaks, nothing is lost."""
    messages: list[wire.Request] = [
        FILE.begin(),
        FILE.begin(1),
        *(FILE.put(index) for index in range(3)),
        FILE.put(0, 1),
        FILE.finish(),
        FILE.finish(1),
        wire.Abandon(upload_id=FILE.keys.upload_id, share_no=1),
        wire.GetBlock(cid=CID, share_no=0, segment_no=2),
        wire.Cancel(request=3),
        wire.Find(cids=(CID,)),
    ]
    for _ in range(40):
        async with raw_client(StrictKeeper()) as client:
            rng.shuffle(messages)
            for number, message in enumerate(messages[:9], start=1):
                await client.say(number, message)
            await client.say(77, wire.GetManifest(cid=bytes(32)))
            while (await client.hear())[0] != 77:
                pass


async def test_too_many_uploads_are_refused(clock: MockClock) -> None:
    async with raw_client() as client:
        header = FILE.header()
        answer: wire.Answer | None = None
        for number in range(share_server.MAX_UPLOADS + 1):
            other = ShareHeader(
                share_no=0,
                params=header.params,
                padded_size=header.padded_size,
                upload_id=number.to_bytes(16, "big"),
            )
            answer = await client.ask(number, wire.Begin(header=other.pack(), salt=bytes(32)))
        assert isinstance(answer, wire.RefusedIs)
        assert answer.error_code == "busy"


async def test_too_many_streams_are_closed(clock: MockClock) -> None:
    async with honest_server() as (node, network, _):
        streams = [
            await network.open_stream(node.node_id, PROTOCOL)
            for _ in range(share_server.MAX_STREAMS + 1)
        ]
        assert await is_ended(streams.pop())
        for stream in streams:
            client = RawClient(stream)
            assert await client.ask(1, wire.Find(cids=())) == wire.Found(shares=())
        streams.pop().reset()
        await trio.sleep(1)
        client = RawClient(await network.open_stream(node.node_id, PROTOCOL))
        assert await client.ask(1, wire.Find(cids=())) == wire.Found(shares=())
        assert not node.banned(CLIENT.node_id)


async def test_a_client_faster_than_the_disk_is_held_back(clock: MockClock) -> None:
    """Small shares that wait for the disk take 32 MiB at most, however many are sent."""
    waiting = most = 0

    class SlowKeeper(MemoryKeeper):
        async def put_share(self, *share: object) -> object:  # type: ignore[override]
            nonlocal waiting, most
            waiting += sum(map(len, share[2]))  # type: ignore[call-overload]
            most = max(most, waiting)
            await trio.sleep(1)
            waiting -= sum(map(len, share[2]))  # type: ignore[call-overload]
            raise LocalFault("disk /home/mary/store is full", code="disk-full")

    small = StoredFile(segments=2)
    manifest = small.manifest.encode()
    payload = manifest + b"".join(bytes(each.blocks[0]) for each in small.segments)
    share = wire.PutShare(
        header=small.header().pack(),
        segment_hashes=tuple(each.segment_hash for each in small.segments),
        manifest_bytes=len(manifest),
        payload=payload,
    )
    with patch.object(share_server, "INTAKE_BYTES", 4 << 20):
        async with raw_client(SlowKeeper()) as client, trio.open_nursery() as nursery:

            async def send() -> None:
                for number in range(20):
                    await client.say(number, share)

            nursery.start_soon(send)
            for _ in range(20):
                _, answer = await client.hear()
                assert isinstance(answer, wire.RefusedIs)
                assert (answer.error_code, answer.text) == ("disk-full", share_server.OWN_TROUBLE)
    assert 2 << 20 < most <= 4 << 20


async def test_a_share_of_another_length_than_its_header_says(clock: MockClock) -> None:
    async with raw_client() as client:
        share = wire.PutShare(
            header=FILE.header().pack(), segment_hashes=(), manifest_bytes=0, payload=b"short"
        )
        answer = await client.ask(1, share)
        assert isinstance(answer, wire.RefusedIs)
        assert answer.error_code == "malformed"


async def test_a_client_that_does_not_listen_harms_nobody_else(clock: MockClock) -> None:
    async with honest_server() as (node, network, _):
        deaf = RawClient(await network.open_stream(node.node_id, PROTOCOL))
        await upload(deaf)
        with trio.move_on_after(60):
            for number in itertools.count(1):
                await deaf.say(number, wire.GetBlock(cid=CID, share_no=0, segment_no=0))
        other = RawClient(await network.open_stream(node.node_id, PROTOCOL))
        block = await other.ask(1, wire.GetBlock(cid=CID, share_no=0, segment_no=0))
        assert isinstance(block, wire.Block)


class StrictKeeper(MemoryKeeper):
    """Refuses what the real store refuses."""

    async def put_block(self, *block: object) -> None:  # type: ignore[override]
        try:
            await super().put_block(*block)  # type: ignore[arg-type]
        except (AssertionError, KeyError) as error:
            raise LocalFault("out of order", code="out-of-order") from error

    async def finish(self, upload_id: bytes, share_no: int, manifest: bytes) -> object:  # type: ignore[override]
        part = self.parts.get((upload_id, share_no))
        if part is None or len(part.blocks) < len(FILE.segments):
            raise LocalFault("incomplete", code="incomplete")
        return await super().finish(upload_id, share_no, manifest)

    async def abandon(self, upload_id: bytes, share_no: int) -> None:
        self.parts.pop((upload_id, share_no), None)


async def test_who_knows_an_upload_id_cannot_take_its_place(clock: MockClock) -> None:
    """Another holder of the file begins the upload here with junk, before and after its owner."""
    keeper, mallory = MemoryKeeper(), SigningKey(bytes([9]) * 32)
    junk = StoredFile(seed=2)
    junk.keys = replace(junk.keys, upload_id=FILE.keys.upload_id)
    hub = MemoryHub(1, delay_s=0.001)
    async with hub.open(NODE) as node, hub.open(CLIENT) as owner, hub.open(mallory) as rude:
        node.serve(PROTOCOL, ShareServer(keeper, NODE, lambda: 1).handle)
        clients = []
        for network in (rude, owner):
            network.learn(node.node_id, node.addresses)
            clients.append(RawClient(await network.open_stream(node.node_id, PROTOCOL)))
        bad, good = clients
        assert isinstance(await bad.ask(1, junk.begin()), wire.Begun)
        await bad.say(1, junk.put(0))
        await trio.sleep(1)
        assert await good.ask(1, FILE.begin()) == wire.Begun(held=0)
        await bad.say(2, wire.Abandon(upload_id=FILE.keys.upload_id, share_no=0))
        await trio.sleep(1)
        assert isinstance(await upload(good), wire.Stored)
        assert keeper.shares_of(CID) == (0,)
