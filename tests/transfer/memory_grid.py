"""Storage nodes in memory, for tests of transfers: honest ones, and ones that lie or stall."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import trio

from bitcloud_net.core.errors import Refused
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import Manifest, content_id, parse_manifest
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.protocols.share_client import PROTOCOL, ShareClients
from bitcloud_net.protocols.share_server import ShareServer
from bitcloud_net.transfer.download import Download, StoredFile
from bitcloud_net.transfer.scoreboard import Scoreboard
from bitcloud_net.transfer.upload import SegmentRoots, Uploaded, UploadPlan
from bitcloud_net.wire.fields import Buffer


@dataclass(frozen=True)
class KeptBlock:
    data: bytes
    block_root: bytes
    block_path: Sequence[bytes]
    segment_path: Sequence[bytes]


@dataclass(frozen=True)
class KeptShare:
    cid: bytes
    share_no: int
    share_root: bytes
    share_bytes: int


@dataclass
class Part:
    header: ShareHeader
    salt: bytes
    blocks: list[bytes] = field(default_factory=list)
    segment_hashes: list[bytes] = field(default_factory=list)

    @property
    def roots(self) -> list[bytes]:
        number = self.header.share_no
        return [merkle.block_root(self.salt, number, i, b) for i, b in enumerate(self.blocks)]


class MemoryKeeper:
    """The share store's contract in memory. ``tamper`` changes blocks as they are read."""

    def __init__(self) -> None:
        self.parts: dict[tuple[bytes, int], Part] = {}
        self.shares: dict[tuple[bytes, int], tuple[Part, bytes]] = {}
        self.blocks_received = 0
        self.flip: set[int] = set()  # segments of which a byte is changed on the way out
        self.stall_s = 0.0
        self.full = False

    async def begin(self, header: ShareHeader, salt: bytes, slot: bytes) -> int:
        if self.full:
            raise Refused("no space", code="no-space")
        part = self.parts.setdefault((slot, header.share_no), Part(header, salt))
        return len(part.blocks)

    async def put_block(
        self, slot: bytes, share_no: int, segment_no: int, block: Buffer, segment_hash: bytes
    ) -> None:
        await trio.sleep(self.stall_s)
        part = self.parts[slot, share_no]
        assert segment_no == len(part.blocks)
        part.blocks.append(bytes(block))
        part.segment_hashes.append(segment_hash)
        self.blocks_received += 1

    async def finish(self, slot: bytes, share_no: int, manifest: bytes) -> KeptShare:
        return self._keep(self.parts.pop((slot, share_no)), manifest)

    async def put_share(
        self,
        header: ShareHeader,
        manifest: bytes,
        blocks: Sequence[Buffer],
        segment_hashes: Sequence[bytes],
    ) -> KeptShare:
        if self.full:
            raise Refused("no space", code="no-space")
        parsed = parse_manifest(manifest)
        part = Part(header, parsed.salt, [bytes(b) for b in blocks], list(segment_hashes))
        self.blocks_received += len(blocks)
        return self._keep(part, manifest)

    def _keep(self, part: Part, manifest: bytes) -> KeptShare:
        parsed = parse_manifest(manifest)
        assert isinstance(parsed, Manifest)
        number = part.header.share_no
        root = merkle.root(part.roots)
        if root != parsed.share_roots[number]:
            raise Refused("the manifest is not this share's", code="manifest-mismatch")
        cid = content_id(manifest)
        self.shares[cid, number] = (part, manifest)
        return KeptShare(cid, number, root, sum(map(len, part.blocks)))

    async def abandon(self, slot: bytes, share_no: int) -> None:
        self.parts.pop((slot, share_no), None)

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> KeptBlock:
        await trio.sleep(self.stall_s)
        found = self.shares.get((cid, share_no))
        if found is None:
            raise Refused("no such share", code="share-missing")
        part, _ = found
        data, roots = part.blocks[segment_no], part.roots
        if segment_no in self.flip:
            data = bytes([data[0] ^ 1]) + data[1:]
        root = merkle.block_root(part.salt, share_no, segment_no, data)
        block_path = merkle.Tree(roots).path(segment_no)
        segment_path = merkle.Tree(part.segment_hashes).path(segment_no)
        return KeptBlock(data, root, block_path, segment_path)

    async def read_manifest(self, cid: bytes) -> bytes | None:
        return next((raw for (held, _), (_, raw) in self.shares.items() if held == cid), None)

    def shares_of(self, cid: bytes) -> tuple[int, ...]:
        return tuple(number for held, number in self.shares if held == cid)


class MemorySource:
    """A file in memory; ``changed`` makes the next reads fail as for a file that was edited."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size(self) -> int:
        return len(self.data)

    async def read(self, offset: int, length: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.data[offset : offset + length]


class MemoryJournal:
    """What an upload remembers; survives the upload."""

    def __init__(self) -> None:
        self.kept: list[SegmentRoots] = []
        self.receipts: list[StorageReceipt] = []

    @property
    def roots(self) -> tuple[SegmentRoots, ...]:
        return tuple(self.kept)

    async def segment_done(self, index: int, roots: SegmentRoots) -> None:
        assert index == len(self.kept)
        self.kept.append(roots)

    async def share_done(self, receipt: StorageReceipt) -> None:
        self.receipts.append(receipt)


@dataclass
class MemoryGrid:
    """N storage nodes and one client on a memory network."""

    hub: MemoryHub
    nodes: list[NodeId]
    keepers: list[MemoryKeeper]
    client: MemoryNetwork
    clients: ShareClients
    scores: Scoreboard

    def takers(self, params: CodeParams) -> dict[int, object]:
        return {number: self.clients.of(self.nodes[number]) for number in range(params.n)}

    def stored(self, uploaded: Uploaded) -> StoredFile:
        manifest = parse_manifest(uploaded.manifest)
        assert isinstance(manifest, Manifest)
        holders = {number: self.nodes[number] for number in uploaded.receipts}
        return StoredFile(cid=uploaded.cid, manifest=manifest, holders=holders)

    def download(self, stored: StoredFile, keys: object, on_fault: object) -> Download:
        return Download(stored, keys, self.clients.of, self.scores, on_fault)


def plan_for(data: bytes, params: CodeParams, seed: int) -> UploadPlan:
    secret = Random(seed).randbytes(32)
    return UploadPlan(secret=secret, params=params, media_type=None, size=len(data))


@asynccontextmanager
async def open_grid(count: int, seed: int, **hub_options: float) -> AsyncIterator[MemoryGrid]:
    hub = MemoryHub(seed, **hub_options)
    random = Random(seed)
    async with trio.open_nursery() as nursery:
        keepers = [MemoryKeeper() for _ in range(count)]
        nodes = [await _start_node(hub, keeper, random, nursery) for keeper in keepers]
        async with hub.open(SigningKey(random.randbytes(32))) as client:
            for node in nodes:
                client.learn(node.node_id, node.addresses)
            yield MemoryGrid(
                hub=hub,
                nodes=[node.node_id for node in nodes],
                keepers=keepers,
                client=client,
                clients=ShareClients(client, nursery),
                scores=Scoreboard(trio.current_time),
            )
            nursery.cancel_scope.cancel()


async def _start_node(
    hub: MemoryHub, keeper: MemoryKeeper, random: Random, nursery: trio.Nursery
) -> MemoryNetwork:
    key = SigningKey(random.randbytes(32))

    async def run(*, task_status: trio.TaskStatus[MemoryNetwork]) -> None:
        async with hub.open(key) as network:
            network.serve(PROTOCOL, ShareServer(keeper, key, lambda: 1).handle)
            task_status.started(network)
            await trio.sleep_forever()

    return await nursery.start(run)
