"""R2 and R4: the power goes, or the disk fails, at every single operation of a story.

Acknowledged means present: after a plain restart every share that was acknowledged is read back
whole, whatever the medium did with what was not synced and whatever is left of the index.
"""

import errno
import shutil
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import trio

from bitcloud_net.core.errors import BitcloudError
from bitcloud_net.core.units import GIB, KIB, MIB
from bitcloud_net.storage import share_part
from bitcloud_net.storage.share_store import ShareStore, open_share_store
from bitcloud_net.testing.faulty_disk import FaultyDisk, Loss, PowerCut
from tests.storage.store_builders import STOPPED, Made, make

SMALL = [make(KIB, seed=seed) for seed in range(4)]
LARGE = [make(2 * MIB + 1, seed=seed, k=3) for seed in range(2)]
INDEX = ("kept", "lost", "stale")


@dataclass(slots=True)
class Ledger:
    """What the store owes: shares that it acknowledged and was not told to remove."""

    owed: set[tuple[Made, int]] = field(default_factory=set)
    faults: list[BitcloudError] = field(default_factory=list)

    async def put(self, store: ShareStore, file: Made, share_no: int = 0) -> None:
        stored = await file.put(store, share_no)
        assert stored.share_root == file.share_roots[share_no]
        self.owed.add((file, share_no))

    async def upload(self, store: ShareStore, file: Made, share_no: int = 0) -> None:
        await file.upload(store, share_no)
        self.owed.add((file, share_no))

    async def delete(self, store: ShareStore, file: Made, share_no: int = 0) -> None:
        self.owed.discard((file, share_no))
        await store.delete(file.cid, share_no)

    async def check(self, store: ShareStore) -> None:
        for file, share_no in self.owed:
            await file.check(store, share_no)


async def story(store: ShareStore, ledger: Ledger) -> None:
    """Everything that writes: whole shares, together too, shares in blocks, giving up, removing."""
    await ledger.put(store, SMALL[0])
    await LARGE[0].send(store, upto=2)
    async with trio.open_nursery() as nursery:
        for file in SMALL:
            nursery.start_soon(ledger.put, store, file, 1)
    await LARGE[1].send(store, upto=1)
    await store.abandon(LARGE[1].upload_id, 0)
    await ledger.upload(store, LARGE[1])
    await ledger.delete(store, SMALL[0])
    await ledger.upload(store, LARGE[0])
    await ledger.put(store, SMALL[0])
    await ledger.delete(store, LARGE[1])
    await ledger.upload(store, LARGE[1])


async def run(disk: FaultyDisk, directory: Path, ledger: Ledger) -> None:
    async with open_share_store(directory, capacity_bytes=GIB, disk=disk, clock=STOPPED) as store:
        await story(store, ledger)


async def check_and_go_on(disk: FaultyDisk, directory: Path, ledger: Ledger) -> None:
    async with open_share_store(directory, capacity_bytes=GIB, disk=disk, clock=STOPPED) as store:
        await ledger.check(store)
        await story(store, ledger)
        await ledger.check(store)
        usage = store.usage()
        assert usage.reserved_bytes == 0
    shares = {path for path in disk.files() if path.suffix == ".share"}
    assert len(shares) == usage.shares
    assert set(disk.files()) - shares == {directory / "VERSION"}


async def check_only(disk: FaultyDisk, directory: Path, ledger: Ledger) -> None:
    async with open_share_store(directory, capacity_bytes=GIB, disk=disk, clock=STOPPED) as store:
        await ledger.check(store)
        assert store.usage().reserved_bytes == 0


@pytest.fixture(autouse=True)
def _sync_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_part, "SYNC_BYTES", 400 * KIB)


@pytest.fixture
def stale_index(tmp_path: Path) -> Path:
    """An index from early in the story."""
    home = tmp_path / "early"

    async def begin() -> None:
        async with open_share_store(home, capacity_bytes=GIB, disk=FaultyDisk()) as store:
            await SMALL[0].put(store, 0)
            await SMALL[1].put(store, 1)

    trio.run(begin)
    return home / "index.db"


def spoil(index: Path, how: str, stale: Path) -> None:
    if how != "kept":
        for path in index.parent.glob("index.db*"):
            path.unlink()
    if how == "stale":
        shutil.copy(stale, index)


@pytest.mark.parametrize("loss", Loss)
def test_the_power_goes_at_every_operation(tmp_path: Path, stale_index: Path, loss: Loss) -> None:
    points = 0
    for crash_at in count():
        disk, ledger = FaultyDisk(), Ledger()
        disk.crash_at = crash_at
        home = tmp_path / f"{crash_at}"
        try:
            trio.run(run, disk, home, ledger)
        except PowerCut:
            points += 1
        else:
            break
        spoil(home / "index.db", INDEX[(crash_at + list(Loss).index(loss)) % 3], stale_index)
        trio.run(check_and_go_on, disk.survivor(loss, seed=crash_at), home, ledger)
        shutil.rmtree(home)
    assert points > 80


async def tell_until_it_works(disk: FaultyDisk, directory: Path, ledger: Ledger) -> int:
    """Run the story again and again until nothing fails; return how often something did."""
    failures = 0
    while True:
        try:
            async with open_share_store(
                directory, capacity_bytes=GIB, disk=disk, clock=STOPPED
            ) as store:
                failures += await tell_until_it_works_in(store, ledger)
                return failures
        except* BitcloudError:  # the store could not even be opened
            failures += 1


async def tell_until_it_works_in(store: ShareStore, ledger: Ledger) -> int:
    failures = 0
    while True:
        try:
            await story(store, ledger)
        except* BitcloudError:
            failures += 1
            await ledger.check(store)
        else:
            await ledger.check(store)
            return failures


@pytest.mark.parametrize(("number", "length"), [(errno.EIO, 1), (errno.ENOSPC, 4)])
def test_the_disk_fails_at_every_operation(tmp_path: Path, number: int, length: int) -> None:
    """Each failure is told to whoever asked, harms nobody else, and passes when the disk does."""
    failed = 0
    for fail_at in count():
        disk, ledger = FaultyDisk(), Ledger()
        bad = range(fail_at, fail_at + length)
        disk.fail = lambda now, what, bad=bad: number if now in bad else None  # type: ignore[misc]
        home = tmp_path / f"{fail_at}"
        failed += trio.run(tell_until_it_works, disk, home, ledger) > 0
        trio.run(check_only, disk.survivor(Loss.DROPPED, seed=fail_at), home, ledger)
        shutil.rmtree(home)
        if disk.operations <= fail_at:
            break
    assert failed > 80
