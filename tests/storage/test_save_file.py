"""Saving: whole or not at all, never over another file, never outside the folder."""

import errno
import os
from pathlib import Path

import pytest
import trio

from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.core.units import MIB
from bitcloud_net.storage.own_files import OwnFiles

FILES = OwnFiles()


async def save(folder: Path, name: str, data: bytes = b"data") -> Path:
    async with FILES.save(folder, name) as saving:
        await saving.write(data)
    return saving.path


@pytest.mark.parametrize("sizes", [[], [0], [1], [MIB - 1, 2, 3 * MIB], [100] * 50])
async def test_a_file_is_saved_whole(tmp_path: Path, sizes: list[int]) -> None:
    pieces = [os.urandom(size) for size in sizes]
    async with FILES.save(tmp_path, "f") as saving:
        for piece in pieces:
            await saving.write(piece)
            assert not (tmp_path / "f").exists()
    assert saving.path == tmp_path / "f"
    assert saving.path.read_bytes() == b"".join(pieces)
    assert os.listdir(tmp_path) == ["f"]


async def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.txt").write_text("mine")
    (tmp_path / "a (1).txt").symlink_to(tmp_path / "elsewhere" / "x")
    (tmp_path / "a (2).txt").mkdir()
    assert await save(tmp_path, "a.txt") == tmp_path / "a (3).txt"
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert not list((tmp_path / "elsewhere").iterdir())


async def test_many_of_one_name_all_appear(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(save, tmp_path, "f", b"%d" % number)
    found = sorted(int(path.read_bytes()) for path in tmp_path.iterdir())
    assert found == list(range(20))


async def save_and_fail(folder: Path, size: int) -> None:
    async with FILES.save(folder, "f") as saving:
        await saving.write(bytes(size))
        raise RuntimeError


@pytest.mark.parametrize("size", [10, 3 * MIB])
async def test_a_cancelled_or_failed_file_leaves_nothing(tmp_path: Path, size: int) -> None:
    with trio.CancelScope() as scope:
        async with FILES.save(tmp_path, "f") as saving:
            await saving.write(bytes(size))
            scope.cancel()
            await trio.lowlevel.checkpoint()
    with pytest.raises(RuntimeError):
        await save_and_fail(tmp_path, size)
    assert os.listdir(tmp_path) == []


async def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    for name in ("write", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(LocalFault) as caught:
                await save(tmp_path, "f", bytes(2 * MIB))
        assert caught.value.code == "disk-full"
        assert os.listdir(tmp_path) == []


async def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    (tmp_path / "f").write_text("mine")
    monkeypatch.setattr(os, "link", forbidden)
    assert (await save(tmp_path, "f", b"new")).read_bytes() == b"new"
    assert (tmp_path / "f").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["f", "f (1)"]


async def test_hostile_names_stay_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = ["../x", "/etc/x", "..", ".", "", "a/b", "-rf", "~", "a\0b", "x" * 400, "\u202ecod.exe"]
    for name in names:
        path = await save(folder, name)
        assert path.parent == folder
        assert path.read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["in"]
    assert len(os.listdir(folder)) == len(names)


async def test_a_folder_that_is_swapped_for_a_link_is_not_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    async with FILES.save(folder, "f") as saving:
        await saving.write(bytes(2 * MIB))
        folder.rename(tmp_path / "moved")
        folder.symlink_to(elsewhere)
    assert os.listdir(elsewhere) == []
    assert os.listdir(tmp_path / "moved") == ["f"]


async def test_where_a_file_goes(tmp_path: Path) -> None:
    assert await FILES.place(tmp_path, "../a") == (tmp_path, ".._a")
    assert await FILES.place(tmp_path / "new.txt", "a") == (tmp_path, "new.txt")
    with pytest.raises(BadInput) as caught:
        await FILES.place(tmp_path / "no" / "new.txt", "a")
    assert caught.value.code == "no-such-folder"


async def test_folders_are_made_and_used_again(tmp_path: Path) -> None:
    made = await FILES.make_folder(tmp_path / "new", ("a", "..", "b/c"))
    assert made == tmp_path / "new" / "a" / "__" / "b_c"
    assert await FILES.make_folder(tmp_path / "new", ("a", "..", "b/c")) == made
    assert await FILES.make_folder(tmp_path, ()) == tmp_path
    with pytest.raises(BadInput) as caught:
        await FILES.make_folder(tmp_path / "x" / "y", ("a",))
    assert caught.value.code == "no-such-folder"
    (tmp_path / "link").symlink_to("/")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(BadInput) as caught:
            await FILES.make_folder(tmp_path, (name, "a"))
        assert caught.value.code == "not-a-folder"


async def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        await save(tmp_path / "gone", "f")
    assert caught.value.code == "missing"
