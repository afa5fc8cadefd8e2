"""The seam: one contract for the real disk and the faulty one, and what a crash leaves."""

import errno
import random
from pathlib import Path

import pytest

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.storage.disk import Disk, RealDisk, disk_faults, replace_file
from bitcloud_net.testing.faulty_disk import SECTOR_BYTES, FaultyDisk, Loss, PowerCut


@pytest.fixture(params=[RealDisk, FaultyDisk])
def disk(request: pytest.FixtureRequest) -> Disk:
    made: Disk = request.param()
    return made


@pytest.fixture
def home(disk: Disk, tmp_path: Path) -> Path:
    disk.make_directory(tmp_path / "a" / "b")
    return tmp_path / "a" / "b"


def test_bytes_are_read_back_by_position(disk: Disk, home: Path) -> None:
    file = disk.create(home / "x")
    file.write_at(0, b"hello world")
    file.write_at(6, b"there")
    file.sync()
    assert file.size() == 11
    assert file.read_at(6, 100) == b"there"
    assert file.read_at(11, 5) == b""
    file.close()
    again = disk.open(home / "x")
    assert again.read_at(0, 5) == b"hello"
    again.close()
    again.close()


def test_a_name_is_created_once(disk: Disk, home: Path) -> None:
    disk.create(home / "x").close()
    with pytest.raises(FileExistsError):
        disk.create(home / "x")


def test_rename_replaces_and_unlink_forgives(disk: Disk, home: Path) -> None:
    replace_file(disk, home / "new", b"new")
    replace_file(disk, home / "old", b"old")
    disk.rename(home / "new", home / "old")
    disk.sync_directory(home)
    disk.unlink(home / "never")
    assert disk.names(home) == ["old"]
    file = disk.open(home / "old")
    assert file.read_at(0, 9) == b"new"
    file.close()


def test_missing_files_are_missing(disk: Disk, home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        disk.open(home / "x")
    with pytest.raises(FileNotFoundError):
        disk.modified_s(home / "x")


def test_truncate_cuts_and_fills_with_zeros(disk: Disk, home: Path) -> None:
    file = disk.create(home / "x")
    file.write_at(0, b"hello")
    file.truncate(2)
    file.truncate(4)
    assert file.read_at(0, 9) == b"he\0\0"
    file.close()


def test_the_real_disk_is_private_and_follows_no_link(tmp_path: Path) -> None:
    disk = RealDisk()
    disk.make_directory(tmp_path / "p" / "q")
    disk.create(tmp_path / "p" / "q" / "f").close()
    assert (tmp_path / "p").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "p" / "q").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "p" / "q" / "f").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "p" / "q" / "f")
    with pytest.raises(OSError, match="symbolic"):
        disk.open(tmp_path / "link")
    with pytest.raises(FileExistsError):
        disk.create(tmp_path / "link")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EROFS, "disk-forbidden"),
        (errno.EACCES, "disk-forbidden"),
        (errno.EIO, "disk-failed"),
    ],
)
def test_errors_are_sorted_for_a_person(number: int, code: str) -> None:
    with pytest.raises(LocalFault) as caught, disk_faults("Saving"):
        raise OSError(number, "why")
    assert caught.value.code == code
    assert caught.value.message.startswith("Saving: ")


def test_what_was_not_synced_is_lost_torn_or_reordered() -> None:
    home = Path("/d")
    disk = FaultyDisk()
    disk.make_directory(home)
    replace_file(disk, home / "x", b"a" * 4 * SECTOR_BYTES)
    file = disk.open(home / "x", writable=True)
    file.write_at(0, b"b" * 4 * SECTOR_BYTES)
    found = {
        loss: {disk.survivor(loss, seed).files()[home / "x"][::SECTOR_BYTES] for seed in range(200)}
        for loss in Loss
    }
    assert found[Loss.NONE] == {b"bbbb"}
    assert found[Loss.DROPPED] == {b"aaaa"}
    assert found[Loss.TORN] == {b"aaaa", b"baaa", b"bbaa", b"bbba", b"bbbb"}
    assert len(found[Loss.REORDERED]) == 16


def test_names_that_were_not_synced_may_be_gone() -> None:
    home = Path("/d")
    disk = FaultyDisk()
    disk.make_directory(home)
    file = disk.create(home / "x")
    file.write_at(0, b"data")
    file.sync()
    disk.rename(home / "x", home / "y")
    assert disk.survivor(Loss.DROPPED, 0).names(home) == []
    disk.sync_directory(home)
    assert disk.survivor(Loss.DROPPED, 0).files() == {home / "y": b"data"}


def test_replacing_a_file_survives_every_crash() -> None:
    home = Path("/d")
    before, after = b"old" * 700, b"new" * 900
    points = 0
    for crash_at in range(100):
        disk = FaultyDisk()
        disk.make_directory(home)
        replace_file(disk, home / "x", before)
        disk.crash_at = disk.operations + crash_at
        try:
            replace_file(disk, home / "x", after)
        except PowerCut:
            points += 1
            for loss in Loss:
                found = disk.survivor(loss, random.Random(crash_at).getrandbits(32))
                assert found.files()[home / "x"] in (before, after)
        else:
            assert disk.survivor(Loss.DROPPED, 0).files()[home / "x"] == after
            break
    assert points == 6  # unlink, create, write, sync, rename, sync of the directory
