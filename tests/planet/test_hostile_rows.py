"""People who write rows that mislead, or shares that contradict each other."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput, Unavailable
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.caps import ReadCap, parse_cap
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.erasure import get_coder
from bitcloud_net.core.files.layout import Layout
from bitcloud_net.core.files.manifest import FileHeader, build_manifest, content_id
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.files.segment import seal_and_code
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.files.tree import FileEntry
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.units import LEAF_BYTES, MIB
from bitcloud_net.protocols.share_client import ShareClients
from bitcloud_net.services.files.library import StoredEntry
from bitcloud_net.testing.planet import Machine, World
from bitcloud_net.wire.share_session import PutShare

from .acts import blamed, lose_disk, read, write
from .conftest import Open

P = CodeParams(3, 10)


async def place_wrongly(liar: Machine, cid: bytes, manifest: bytes, holders: list[NodeId]) -> None:
    await liar.client._parts.library.place_again(cid, manifest, tuple(holders))


@pytest.mark.parametrize("how", ["turned", "unknown", "one for all", "nobody"])
async def test_wrong_holders(
    clock: MockClock, world: Open, scratch: Path, rng: Random, how: str
) -> None:
    """Anybody may write where a file lies; who believes them is not led astray."""
    data = rng.randbytes(50_000)
    async with world(nodes=10) as grid:
        mary, john, eve = [await grid.join(name) for name in ("Mary", "John", "Eve")]
        await mary.client.publish([write(scratch / "file.bin", data)])
        await eve.client.publish([write(scratch / "mine.txt", b"Eve was here")])
        await grid.settle()
        found = await eve.client._parts.reader.find("Public/Mary/file.bin")
        true = [found.placed[number] for number in range(10)]
        wrong = {
            "turned": true[1:] + true[:1],
            "unknown": [NodeId(rng.randbytes(32)) for _ in range(10)],
            "one for all": [true[0]] * 10,
            "nobody": [NodeId(b"")] * 10,
        }[how]
        await place_wrongly(eve, found.cid, found.manifest.encode(), wrong)
        await grid.settle()
        cap = await mary.client.share("Public/Mary/file.bin")
        for person in (mary, john, eve):
            assert await read(person, "Public/Mary/file.bin") == data
            assert await read(person, cap) == data
            assert blamed(person, grid) == set()
        checked = await john.client.check(cap, verify=True)
        assert checked.health.alive == 10


async def publish_two_files_behind_one_cap(
    world: World, liar: Machine, rng: Random
) -> list[NodeId]:
    """Give shares 0-2 of one file and 3-9 of another to the nodes, under one manifest."""
    secret = rng.randbytes(32)
    keys = FileKeys.from_secret(secret)
    coder = get_coder(P.k, P.n)
    one, other = (
        seal_and_code(keys, coder, rng.randbytes(65536), index=0, last=True) for _ in range(2)
    )
    blocks = [*one.blocks[:3], *other.blocks[3:]]
    roots = [*one.block_roots[:3], *other.block_roots[3:]]
    manifest = build_manifest(
        keys,
        P,
        FileHeader(size=65536, content_hash=bytes(32), media_type=None),
        ciphertext_root=merkle.root([one.segment_hash]),
        share_roots=roots,
    )
    raw = manifest.encode()
    nodes = [node.node_id for node in world.nodes]
    layout = Layout.for_file(65536, P)
    assert liar.network is not None
    async with trio.open_nursery() as nursery:
        clients = ShareClients(liar.network, nursery)
        for number, node in enumerate(nodes):
            header = ShareHeader(
                share_no=number,
                params=P,
                padded_size=layout.padded_size,
                upload_id=keys.upload_id,
            )
            share = PutShare(
                header=header.pack(),
                segment_hashes=(one.segment_hash,),
                manifest_bytes=len(raw),
                payload=raw + bytes(blocks[number]),
            )
            await clients.of(node).put_share(share)
        nursery.cancel_scope.cancel()
    library = liar.client._parts.library
    folder = await library.make_folder(await library.home_path())
    entry = FileEntry(
        name="two.bin",
        cap=ReadCap(content_id(raw), secret),
        size=65536,
        media_type="",
        modified_s=0,
    )
    await library.list_files(
        [StoredEntry(folder=folder.folder, entry=entry, manifest=raw, holders=tuple(nodes))]
    )
    return nodes


async def test_inconsistent_shares(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """T-inconsistent-shares: two files behind one cap are found out, and no node is blamed."""
    async with world(nodes=10) as grid:
        eve, john = await grid.join("Eve"), await grid.join("John")
        await grid.settle()
        await publish_two_files_behind_one_cap(grid, eve, rng)
        await grid.settle()
        await lose_disk(grid.nodes[0])
        await trio.sleep(5)
        with pytest.raises(Unavailable) as caught:
            await read(john, "Public/Eve/two.bin")
        assert caught.value.code == "file-broken"
        assert blamed(john, grid) == set()
        with pytest.raises(Unavailable) as caught:
            await john.client.repair("Public/Eve/two.bin")
        assert caught.value.code == "file-broken"


async def test_a_row_that_names_another_files_cap(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """A wrong secret opens nothing, and the reader is told plainly."""
    async with world(nodes=10) as grid:
        mary, eve, john = [await grid.join(name) for name in ("Mary", "Eve", "John")]
        await mary.client.publish([write(scratch / "file.bin", rng.randbytes(50_000))])
        await grid.settle()
        library = eve.client._parts.library
        folder = await library.make_folder(await library.home_path())
        true = (await library.file("Public/Mary/file.bin")).entry
        entry = FileEntry(
            name="file.bin",
            cap=ReadCap(true.cap.cid, rng.randbytes(32)),
            size=10**15,
            media_type="video/mp4",
            modified_s=0,
        )
        found = await eve.client._parts.reader.find("Public/Mary/file.bin")
        stored = StoredEntry(
            folder=folder.folder,
            entry=entry,
            manifest=found.manifest.encode(),
            holders=tuple(found.placed[number] for number in range(10)),
        )
        await library.list_files([stored])
        await grid.settle()
        with pytest.raises(BadInput) as caught:
            await read(john, "Public/Eve/file.bin")
        assert caught.value.code == "wrong-key"


async def test_the_same_file_of_two_people_has_nothing_in_common(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """T-no-global-dedup: no node can tell that two people hold the same file."""
    data = rng.randbytes(2 * MIB)
    async with world(nodes=5) as grid:
        caps = []
        for name in ("Mary", "John"):
            person = await grid.join(name)
            await grid.settle()
            (done,) = await person.client.publish([write(scratch / "same.bin", data)])
            caps.append(parse_cap(await person.client.share(done.path)).cid)
        assert caps[0] != caps[1]
        leaves: set[bytes] = set()
        count = 0
        for node in grid.nodes:
            store = node.client._parts.storage._store
            assert store is not None
            for cid in caps:
                for share_no in store.shares_of(cid):
                    block = bytes((await store.read_block(cid, share_no, 0)).data)
                    pieces = [
                        block[at : at + LEAF_BYTES] for at in range(0, len(block), LEAF_BYTES)
                    ]
                    leaves.update(pieces)
                    count += len(pieces)
        assert count > 100
        assert len(leaves) == count
        assert not any(data[at : at + 64] in leaf for leaf in leaves for at in (0, MIB, MIB + 500))
