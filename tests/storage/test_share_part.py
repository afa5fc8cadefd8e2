"""A share on its way in believes after a crash only what is really on the disk."""

import contextlib
import random
from pathlib import Path

import pytest

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.storage import share_part
from bitcloud_net.storage.share_part import SharePart, UnsureSync, remove_part
from bitcloud_net.testing.faulty_disk import FaultyDisk, Loss, PowerCut
from tests.storage.store_builders import make

FILE = make(5 * MIB, k=100, n=101)
BLOCKS, HASHES, HEADER = FILE.blocks[0], FILE.segment_hashes, FILE.headers[0]
PATH = Path("/store/incoming/x.part")


@pytest.fixture(autouse=True)
def _sync_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_part, "SYNC_BYTES", 20 * KIB)


def new_disk() -> FaultyDisk:
    disk = FaultyDisk()
    disk.make_directory(PATH.parent)
    return disk


def start(disk: FaultyDisk) -> SharePart:
    return SharePart.create(disk, PATH, HEADER, FILE.salt)


def fill(part: SharePart, upto: int) -> None:
    for index in range(part.held, upto):
        part.append(index, BLOCKS[index], HASHES[index])


def held_after(disk: FaultyDisk) -> int:
    """Return how many blocks a restart believes in, having checked each of them."""
    if PATH not in disk.files():
        return 0
    try:
        part = SharePart.resume(disk, PATH)
    except Malformed:
        return 0
    for index in range(part.held):
        offset = HEADER.block_offset(index)
        found = disk.files()[PATH][offset : offset + len(BLOCKS[index])]
        assert found == BLOCKS[index], f"block {index} of {part.held} believed in"
    return part.held


def test_every_block_is_believed_when_only_the_process_died() -> None:
    disk = new_disk()
    for upto in range(len(BLOCKS) + 1):
        fill(start(disk), upto)
        assert held_after(disk.survivor(Loss.NONE, 0)) == upto


@pytest.mark.parametrize("loss", [Loss.TORN, Loss.REORDERED, Loss.DROPPED])
@pytest.mark.parametrize("again", [False, True])
def test_no_block_is_believed_that_is_not_there(loss: Loss, again: bool) -> None:
    """Also when an earlier upload of the same share was given up and its files are remembered."""
    held = []
    for seed in range(400):
        dice = random.Random(seed)
        disk = new_disk()
        if again:
            fill(start(disk), len(BLOCKS))
            disk = disk.survivor(Loss.NONE, seed)  # the system wrote it all back by itself
            remove_part(disk, PATH)
        disk.crash_at = disk.operations + dice.randint(0, 20)
        with contextlib.suppress(PowerCut):
            fill(start(disk), len(BLOCKS))
        held.append(held_after(disk.survivor(loss, seed)))
    assert loss is Loss.DROPPED or max(held) >= 2


def test_a_damaged_journal_is_believed_up_to_the_damage() -> None:
    disk = new_disk()
    fill(start(disk), len(BLOCKS))
    journal = PATH.with_suffix(".journal")
    size = len(disk.files()[journal])
    dice = random.Random(3)
    for _ in range(200):
        offset, mask = dice.randrange(size), 1 << dice.randrange(8)
        disk.flip(journal, offset, mask)
        assert held_after(disk) < len(BLOCKS)
        disk.flip(journal, offset, mask)
    assert held_after(disk) == len(BLOCKS)


def test_after_a_failed_sync_nothing_is_sure() -> None:
    disk = new_disk()
    part = start(disk)
    disk.fail = lambda number, what: 5 if what == "sync" else None
    with pytest.raises(UnsureSync):
        fill(part, len(BLOCKS))
