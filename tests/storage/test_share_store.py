"""The share store, as a storage node uses it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from bitcloud_net.core.errors import BadInput, LocalFault, Refused
from bitcloud_net.core.units import GIB, KIB, MIB
from bitcloud_net.storage import share_part
from bitcloud_net.storage.share_store import MAX_READ_BLOCKS, open_share_store
from tests.storage.store_builders import Made, make

SMALL, LARGE = 10 * KIB, 3 * MIB + 5


@pytest.mark.parametrize("size", [0, 1, SMALL, MIB, LARGE])
async def test_a_share_comes_back_as_it_went_in(tmp_path: Path, size: int) -> None:
    file = make(size)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        whole = await file.put(store, 0)
        pieces = await file.upload(store, 2)
        assert store.shares_of(file.cid) == (0, 2)
        assert whole.share_root == file.share_roots[0]
        assert whole.share_bytes == sum(map(len, file.blocks[0]))
        assert pieces.share_root == file.share_roots[2]
        for share_no in (0, 2):
            await file.check(store, share_no)
        blocks = await store.read_blocks(file.cid, 2, 0, min(MAX_READ_BLOCKS, file.segments))
        assert [block.data for block in blocks] == list(file.blocks[2])


async def test_both_ways_in_write_the_same_file(tmp_path: Path) -> None:
    file = make(LARGE)
    written = []
    for way in (Made.put, Made.upload):
        directory = tmp_path / way.__name__
        async with open_share_store(directory, capacity_bytes=GIB) as store:
            await way(file, store, 1)
        [share] = directory.rglob("*.share")
        assert share.name == f"{file.cid.hex()}-1.share"
        assert share.parent.name == file.cid.hex()[:2]
        written.append(share.read_bytes())
        assert not list((directory / "incoming").iterdir())
    assert written[0] == written[1]


async def test_everything_is_private(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    async with open_share_store(directory, capacity_bytes=GIB) as store:
        await make(SMALL).put(store)
        await make(LARGE).send(store, upto=1)
        for path in [directory, *directory.rglob("*")]:
            expected = 0o700 if path.is_dir() else 0o600
            if not path.name.startswith("index.db"):  # SQLite's, inside a private directory
                assert path.stat().st_mode & 0o777 == expected, path


async def test_shares_survive_a_restart_with_and_without_the_index(tmp_path: Path) -> None:
    file = make(SMALL)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        await file.put(store, 1)
        before = store.usage()
    for damage in (None, b"", b"not a database" * 1000):
        if damage is not None:
            (tmp_path / "index.db").write_bytes(damage)
        async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
            assert store.usage() == before
            await file.check(store, 1)


async def test_an_upload_goes_on_after_a_restart(tmp_path: Path) -> None:
    file = make(LARGE)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        assert await file.send(store, upto=2) == 0
        assert store.held(file.upload_id, 0) == 2
        reserved = store.usage().reserved_bytes
        assert reserved > sum(map(len, file.blocks[0]))
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        assert store.usage().reserved_bytes == reserved
        assert await file.send(store) == 2
        await store.finish(file.upload_id, 0, file.manifest)
        assert store.usage().reserved_bytes == 0
        await file.check(store)


async def test_a_restart_believes_what_was_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share_part, "SYNC_BYTES", 1)
    file = make(LARGE)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        await file.send(store, upto=3)
    part = next((tmp_path / "incoming").glob("*.part"))
    data = bytearray(part.read_bytes())
    data[file.headers[0].block_offset(2)] ^= 1  # the last record says that two blocks are safe
    part.write_bytes(data)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        assert await file.send(store) == 2
        await store.finish(file.upload_id, 0, file.manifest)
        await file.check(store)


async def test_the_same_share_is_written_once(tmp_path: Path) -> None:
    file = make(SMALL)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        first = await file.put(store)
        written = next(tmp_path.rglob("*.share")).stat().st_mtime_ns
        assert await file.put(store) == first
        assert await store.begin(file.headers[0], file.salt) == file.segments
        assert await store.finish(file.upload_id, 0, file.manifest) == first
        assert next(tmp_path.rglob("*.share")).stat().st_mtime_ns == written
        assert store.usage().shares == 1


async def test_a_junk_share_under_the_same_id_is_in_nobody_s_way(tmp_path: Path) -> None:
    file, junk = make(SMALL), make(SMALL, seed=1)
    mine, theirs = b"m" * 16, b"t" * 16
    header = replace(junk.headers[0], upload_id=file.upload_id)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        await store.begin(header, junk.salt, theirs)
        for index in range(junk.segments):
            await store.put_block(
                theirs, 0, index, junk.blocks[0][index], junk.segment_hashes[index]
            )
        await store.finish(theirs, 0, junk.manifest)
        assert await store.begin(file.headers[0], file.salt, mine) == 0
        for index in range(file.segments):
            await store.put_block(mine, 0, index, file.blocks[0][index], file.segment_hashes[index])
        await store.finish(mine, 0, file.manifest)
        await file.check(store)
        assert await store.begin(file.headers[0], file.salt, mine) == file.segments


async def test_many_at_once_are_all_acknowledged_and_counted_once(tmp_path: Path) -> None:
    files = [make(SMALL, seed=seed) for seed in range(40)]
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        async with trio.open_nursery() as nursery:
            for file in files + files[:10]:
                nursery.start_soon(file.put, store)
        for file in files:
            await file.check(store)
        usage = store.usage()
        assert (usage.shares, usage.reserved_bytes) == (40, 0)
        assert usage.used_bytes == sum(p.stat().st_size for p in tmp_path.rglob("*.share"))
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        assert store.usage() == usage


async def test_a_share_that_is_not_the_manifests_is_not_kept(tmp_path: Path) -> None:
    file, other = make(SMALL), make(SMALL, seed=1)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        for manifest, blocks, hashes in (
            (other.manifest, file.blocks[0], file.segment_hashes),
            (file.manifest, file.blocks[1], file.segment_hashes),
            (file.manifest, file.blocks[0], other.segment_hashes),
            (file.manifest, (b"short",), file.segment_hashes),
            (file.manifest, (), ()),
            (b"no manifest", file.blocks[0], file.segment_hashes),
        ):
            with pytest.raises(Refused) as caught:
                await store.put_share(file.headers[0], manifest, blocks, hashes)
            assert caught.value.code == "manifest-mismatch"
        for manifest in (other.manifest, b"", file.manifest[:-1]):
            await file.send(store)
            with pytest.raises(Refused) as caught:
                await store.finish(file.upload_id, 0, manifest)
            assert caught.value.code == "manifest-mismatch"
            assert await store.begin(file.headers[0], file.salt) == 0
            await store.abandon(file.upload_id, 0)
        usage = store.usage()
        assert (usage.shares, usage.used_bytes, usage.reserved_bytes) == (0, 0, 0)
        assert not list((tmp_path / "incoming").iterdir())
        assert not list(tmp_path.rglob("*.share"))


async def test_blocks_come_in_order_and_whole(tmp_path: Path) -> None:
    file = make(LARGE)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:

        async def put(index: int, block: bytes, segment_hash: bytes = bytes(32)) -> str:
            with pytest.raises(BadInput) as caught:
                await store.put_block(file.upload_id, 0, index, block, segment_hash)
            return caught.value.code

        assert await put(0, file.blocks[0][0]) == "no-upload"
        await file.send(store, upto=1)
        assert await put(0, file.blocks[0][0]) == "out-of-order"
        assert await put(2, file.blocks[0][2]) == "out-of-order"
        assert await put(1, file.blocks[0][1][:-1]) == "wrong-length"
        assert await put(1, file.blocks[0][1], b"short") == "wrong-length"
        with pytest.raises(BadInput) as caught:
            await store.finish(file.upload_id, 0, file.manifest)
        assert caught.value.code == "incomplete"
        await file.upload(store)
        with pytest.raises(BadInput) as caught:
            await store.finish(make(LARGE, seed=1).upload_id, 0, make(LARGE, seed=1).manifest)
        assert caught.value.code == "no-upload"


async def test_an_upload_id_belongs_to_one_upload(tmp_path: Path) -> None:
    file = make(LARGE)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        await file.send(store, upto=1)
        for header, salt in (
            (file.headers[0], bytes(32)),
            (replace(file.headers[0], padded_size=4096), file.salt),
        ):
            with pytest.raises(BadInput) as caught:
                await store.begin(header, salt)
            assert caught.value.code == "other-upload"
        assert await file.send(store) == 1


async def test_space_is_promised_before_it_is_used(tmp_path: Path) -> None:
    file = make(LARGE)
    size = sum(map(len, file.blocks[0])) + 20 * KIB
    async with open_share_store(tmp_path, capacity_bytes=2 * size) as store:
        await store.begin(file.headers[0], file.salt)
        await store.begin(file.headers[1], file.salt)
        with pytest.raises(Refused) as caught:
            await store.begin(file.headers[2], file.salt)
        assert caught.value.code == "no-space"
        store.set_capacity(size)
        with pytest.raises(Refused) as caught:
            await make(SMALL).put(store)
        assert caught.value.code == "no-space"
        store.set_capacity(2 * size)
        await store.abandon(file.upload_id, 0)
        await store.abandon(file.upload_id, 0)
        await file.upload(store, 2)
        assert not list((tmp_path / "incoming").glob(f"{file.upload_id.hex()}-0*"))
    async with open_share_store(tmp_path, capacity_bytes=GIB, disk_reserve_bytes=1 << 60) as store:
        with pytest.raises(Refused):
            await make(SMALL).put(store)


async def test_a_deleted_share_is_gone_and_may_come_again(tmp_path: Path) -> None:
    file = make(SMALL)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        await file.put(store)
        await file.check(store)
        await store.delete(file.cid, 0)
        await store.delete(file.cid, 0)
        assert store.usage().used_bytes == store.usage().shares == 0
        assert store.shares_of(file.cid) == ()
        assert await store.read_manifest(file.cid) is None
        with pytest.raises(Refused) as caught:
            await store.read_block(file.cid, 0, 0)
        assert caught.value.code == "no-share"
        await file.put(store)
        await file.check(store)


async def test_only_what_exists_is_read(tmp_path: Path) -> None:
    file = make(SMALL)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        await file.put(store)
        for share_no, segment_no, code in ((1, 0, "no-share"), (0, 1, "no-such-segment")):
            with pytest.raises(Refused) as caught:
                await store.read_block(file.cid, share_no, segment_no)
            assert caught.value.code == code
        for count in (0, MAX_READ_BLOCKS + 1):
            with pytest.raises(BadInput):
                await store.read_blocks(file.cid, 0, 0, count)


async def test_one_program_at_a_time(tmp_path: Path) -> None:
    async with open_share_store(tmp_path, capacity_bytes=GIB):
        with pytest.raises(LocalFault) as caught:
            async with open_share_store(tmp_path, capacity_bytes=GIB):
                pass
        assert caught.value.code == "store-in-use"


@pytest.mark.parametrize(("text", "code"), [("2\n", "store-too-new"), ("?", "store-damaged")])
async def test_a_store_of_another_version_is_left_alone(
    tmp_path: Path, text: str, code: str
) -> None:
    (tmp_path / "VERSION").write_text(text)
    with pytest.raises(LocalFault) as caught:
        async with open_share_store(tmp_path, capacity_bytes=GIB):
            pass
    assert caught.value.code == code
    assert [path.name for path in tmp_path.iterdir()] == ["VERSION"]


async def test_parts_nobody_goes_on_with_are_dropped(tmp_path: Path) -> None:
    file = make(LARGE)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        for share_no in range(3):
            await file.send(store, share_no, upto=1)
    incoming = tmp_path / "incoming"
    name = file.upload_id.hex()
    eight_days_s = 8 * 24 * 3600
    stat = (incoming / f"{name}-0.part").stat()
    os.utime(incoming / f"{name}-0.part", (stat.st_atime, stat.st_mtime - eight_days_s))
    (incoming / f"{name}-1.journal").unlink()
    (incoming / "7.once").write_bytes(b"half a share")
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        assert not (incoming / "7.once").exists()
        assert not (incoming / f"{name}-0.part").exists()
        assert await file.send(store, 1) == 0  # of no use without its journal
        assert await file.send(store, 2) == 1
        for share_no in (1, 2):
            await store.finish(file.upload_id, share_no, file.manifest)
        assert store.usage().reserved_bytes == 0


async def test_more_uploads_than_open_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bitcloud_net.storage.uploads.MAX_OPEN_PARTS", 2)
    files = [make(LARGE, seed=seed) for seed in range(5)]
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        for index in range(files[0].segments):
            for file in files:
                await file.send(store, upto=index + 1)
                assert len(store._uploads._open) <= 2
        for file in files:
            await store.finish(file.upload_id, 0, file.manifest)
            await file.check(store)


async def test_a_cancelled_put_leaves_the_store_in_order(tmp_path: Path) -> None:
    files = [make(SMALL, seed=seed) for seed in range(20)]
    async with (
        open_share_store(tmp_path, capacity_bytes=GIB) as store,
        trio.open_nursery() as nursery,
    ):
        for file in files:
            nursery.start_soon(file.put, store)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        held = [file for file in files if store.shares_of(file.cid)]
        assert store.usage().shares == len(held)
        assert store.usage().reserved_bytes == 0
        for file in held:
            await file.check(store)


async def test_nothing_is_taken_in_after_closing(tmp_path: Path) -> None:
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        await make(LARGE).send(store)
        store._commits.close()
        for late in (make(SMALL).put(store), make(LARGE).upload(store)):
            with pytest.raises(LocalFault) as caught:
                await late
            assert caught.value.code == "store-closed"
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        assert await make(LARGE).send(store) == make(LARGE).segments


async def test_a_begin_that_is_cancelled_promises_nothing(tmp_path: Path) -> None:
    file = make(LARGE)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        for deadline in range(6):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(store.begin, file.headers[0], file.salt)
                    for _ in range(deadline):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()
            await store.abandon(file.upload_id, 0)
            assert store.usage().reserved_bytes == 0
        await file.upload(store)
