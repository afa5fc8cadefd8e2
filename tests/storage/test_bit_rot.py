"""R5: a changed byte anywhere is found on reading and by the scrub, named, and put right."""

import errno
import random
from pathlib import Path

import pytest
import trio
import trio.testing

from bitcloud_net.core.errors import LocalFault, Refused
from bitcloud_net.core.units import GIB, KIB, MIB
from bitcloud_net.storage.scrub import ScrubProgress, scrub
from bitcloud_net.storage.share_file import ShareFile, compose_share
from bitcloud_net.storage.share_store import open_share_store
from bitcloud_net.storage.store_layout import ShareName
from bitcloud_net.testing.faulty_disk import FaultyDisk
from tests.storage.store_builders import STOPPED, make

SMALL, LARGE = 10 * KIB, 3 * MIB
FLIPS = 3000


def flip(path: Path, dice: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def read_all(disk: FaultyDisk, path: Path, name: ShareName) -> None:
    share = ShareFile.open(disk, path, name)
    for segment_no in range(share.segment_count):
        share.read(segment_no)


@pytest.mark.parametrize("size", [KIB, LARGE])
def test_every_flipped_bit_is_found(size: int) -> None:
    file = make(size, k=40, n=41)
    name, path = ShareName(file.cid, 0), Path("/share")
    _, data = compose_share(file.headers[0], file.manifest, file.blocks[0], file.segment_hashes)
    disk = FaultyDisk()
    disk.create(path).write_at(0, data)
    dice = random.Random(size)
    for _ in range(FLIPS):
        offset, mask = dice.randrange(len(data)), 1 << dice.randrange(8)
        disk.flip(path, offset, mask)
        with pytest.raises(LocalFault) as caught:
            read_all(disk, path, name)
        assert caught.value.code == "share-damaged"
        assert caught.value.detail == {"cid": file.cid, "share_no": 0}
        disk.flip(path, offset, mask)
    for length in range(0, len(data), max(1, len(data) // 500)):
        cut = FaultyDisk()
        cut.create(path).write_at(0, data[:length])
        with pytest.raises(LocalFault):
            ShareFile.open(cut, path, name)


async def test_a_damaged_share_is_named_not_served_and_can_come_again(tmp_path: Path) -> None:
    file = make(LARGE)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        await file.put(store)
        await file.put(store, 1)
        before = store.usage()
        path = next(tmp_path.rglob("*-0.share"))
        data = bytearray(path.read_bytes())
        data[file.headers[0].block_offset(1)] ^= 1
        path.write_bytes(data)
        assert (await store.read_block(file.cid, 0, 0)).data == file.blocks[0][0]
        with pytest.raises(LocalFault) as caught:
            await store.read_block(file.cid, 0, 1)
        assert caught.value.code == "share-damaged"
        assert caught.value.detail == {"cid": file.cid, "share_no": 0}
        assert store.shares_of(file.cid) == (1,)
        assert (await store.read_block(file.cid, 0, 2)).data == file.blocks[0][2]
        assert await store.begin(file.headers[0], file.salt) == 0
        await file.upload(store)
        await file.check(store)
        assert store.usage() == before


async def test_a_share_that_vanished_is_damaged_until_the_next_start(tmp_path: Path) -> None:
    file = make(SMALL)
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        await file.put(store)
        next(tmp_path.rglob("*.share")).unlink()
        with pytest.raises(LocalFault) as caught:
            await store.read_block(file.cid, 0, 0)
        assert caught.value.code == "share-damaged"
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        assert store.usage().shares == 0
        with pytest.raises(Refused):
            await store.read_block(file.cid, 0, 0)


async def test_damage_is_known_after_a_lost_index(tmp_path: Path) -> None:
    files = [make(SMALL, seed=seed) for seed in range(3)]
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        for file in files:
            await file.put(store)
        before = store.usage()
    path = next(tmp_path.rglob(f"{files[0].cid.hex()}-*.share"))
    path.write_bytes(path.read_bytes()[:-1])
    (tmp_path / "index.db").unlink()
    (path.parent / "notes.txt").write_text("not ours")
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        assert store.shares_of(files[0].cid) == ()
        assert store.usage().used_bytes == before.used_bytes - 1
        await files[0].put(store)
        assert store.usage() == before
        for file in files:
            await file.check(store)
    assert (path.parent / "notes.txt").exists()


async def test_the_scrub_finds_everything_and_takes_its_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    dice = random.Random(1)
    files = [make(SMALL, seed=seed) for seed in range(30)] + [make(LARGE)]
    seen: list[ScrubProgress] = []
    async with open_share_store(tmp_path, capacity_bytes=GIB) as store:
        for file in files:
            await file.put(store)
        started = trio.current_time()
        clean = await scrub(store, seen.append, bytes_per_s=KIB, clock=STOPPED)
        assert (clean.checked, clean.damaged) == (31, ())
        assert clean.checked_bytes == store.usage().used_bytes
        assert trio.current_time() - started == pytest.approx(clean.checked_bytes / KIB, rel=0.01)
        assert seen[-1] == clean
        whole = {}
        for file in files[10:]:
            path = next(tmp_path.rglob(f"{file.cid.hex()}-0.share"))
            whole[path] = path.read_bytes()
            flip(path, dice)
        found = await scrub(store, bytes_per_s=GIB)
        assert set(found.damaged) == {ShareName(file.cid, 0) for file in files[10:]}
        for path, data in whole.items():
            path.write_bytes(data)
        assert (await scrub(store, bytes_per_s=GIB)).damaged == ()
        for file in files:
            await file.check(store)


async def test_trouble_that_passes_is_not_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make(SMALL)
    disk = FaultyDisk()
    async with open_share_store(tmp_path, capacity_bytes=GIB, disk=disk) as store:
        await file.put(store)

        def too_many(*_: object) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(disk, "open", too_many)
            with pytest.raises(LocalFault) as caught:
                await store.read_block(file.cid, 0, 0)
        assert caught.value.code == "disk-failed"
        await file.check(store)


async def test_a_disk_that_cannot_be_read_names_the_share(tmp_path: Path) -> None:
    file, other = make(SMALL), make(SMALL, seed=1)
    disk = FaultyDisk()
    async with open_share_store(tmp_path, capacity_bytes=GIB, disk=disk) as store:
        await file.put(store)
        await other.put(store)
        disk.reads_fail = lambda path: path.name.startswith(file.cid.hex())
        with pytest.raises(LocalFault) as caught:
            await store.read_block(file.cid, 0, 0)
        assert caught.value.code == "share-damaged"
        await other.check(store)
        disk.reads_fail = lambda path: False
        await scrub(store, bytes_per_s=GIB)
        await file.check(store)
