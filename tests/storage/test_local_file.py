"""A person's own files: what is published, and that it is that very file."""

import os
import socket
from pathlib import Path

import pytest

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.storage.local_file import READ_AT_ONCE_BYTES, PlannedFile
from bitcloud_net.storage.own_files import OwnFiles
from bitcloud_net.storage.walk import walk

SIZES = [0, 1, READ_AT_ONCE_BYTES, READ_AT_ONCE_BYTES + 1, 3 * MIB]


async def planned(path: Path) -> PlannedFile:
    [file] = (await OwnFiles().walk([path])).files
    return file


@pytest.mark.parametrize("size", SIZES)
async def test_a_file_is_read_piece_by_piece(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "f").write_bytes(data)
    file = await planned(tmp_path / "f")
    assert (file.size, file.parts) == (size, ("f",))
    assert file.modified_s == int((tmp_path / "f").stat().st_mtime)
    async with OwnFiles().open(file) as source:
        assert source.size == size
        assert await source.read(0, size) == data
        for offset in range(0, size, MIB):
            length = min(MIB, size - offset)
            assert await source.read(offset, length) == data[offset : offset + length]


@pytest.mark.parametrize("size", [10, 3 * MIB])
@pytest.mark.parametrize("change", ["append", "touch", "replace", "truncate"])
async def test_a_changed_file_is_never_read(tmp_path: Path, size: int, change: str) -> None:
    path = tmp_path / "f"

    def alter() -> None:
        if change == "append":
            with path.open("ab") as file:
                file.write(b"x")
        elif change == "touch":
            os.utime(path, (1, 1))
        elif change == "replace":
            (tmp_path / "g").write_bytes(bytes(size))
            (tmp_path / "g").replace(path)
        else:
            os.truncate(path, 1)

    path.write_bytes(bytes(size))
    file = await planned(path)
    alter()
    with pytest.raises(BadInput) as caught:
        async with OwnFiles().open(file):
            pass
    assert caught.value.code == "file-changed"
    if size > READ_AT_ONCE_BYTES and change != "replace":
        path.write_bytes(bytes(size))
        async with OwnFiles().open(await planned(path)) as source:
            alter()
            with pytest.raises(BadInput) as caught:
                await source.read(0, KIB)
            assert caught.value.code == "file-changed"


async def test_reading_past_the_end_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    async with OwnFiles().open(await planned(tmp_path / "f")) as source:
        with pytest.raises(BadInput) as caught:
            await source.read(1, 3)
    assert caught.value.code == "file-changed"


def specials(folder: Path) -> dict[str, str]:
    """Make one of each thing that is not published; return their names and codes."""
    (folder / "target").write_bytes(b"secret")
    (folder / "link").symlink_to(folder / "target")
    (folder / "folder-link").symlink_to(folder)
    (folder / "dangling").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    here = Path.cwd()
    os.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    os.chdir(here)
    (folder / "line\nend").write_bytes(b"")
    os.close(os.open(os.fsencode(folder) + b"/no\xfftext", os.O_CREAT | os.O_WRONLY))
    return {
        "link": "symlink",
        "folder-link": "symlink",
        "dangling": "symlink",
        "pipe": "not-a-file",
        "socket": "not-a-file",
        "line\nend": "bad-name",
        os.fsdecode(b"no\xfftext"): "bad-name",
    }


async def test_what_a_person_names_must_be_publishable(tmp_path: Path) -> None:
    wrong = {**specials(tmp_path), "nothing": "missing", "target/x": "missing"}
    for name, code in wrong.items():
        with pytest.raises(BadInput) as caught:
            await OwnFiles().walk([tmp_path / "target", tmp_path / name])
        assert caught.value.code == code, name
    for path in ("/dev/null", "/"):
        with pytest.raises(BadInput):
            await OwnFiles().walk([Path(path)])


async def test_what_is_found_and_cannot_be_published_is_left_out_and_named(tmp_path: Path) -> None:
    wrong = specials(tmp_path)
    found = await OwnFiles().walk([tmp_path])
    assert [file.parts for file in found.files] == [(tmp_path.name, "target")]
    assert sorted(skipped.reason.code for skipped in found.skipped) == sorted(wrong.values())


async def test_a_link_put_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"abc")
    (tmp_path / "f").write_bytes(b"abc")
    file = await planned(tmp_path / "f")
    (tmp_path / "f").unlink()
    (tmp_path / "f").symlink_to(tmp_path / "secret")
    with pytest.raises(BadInput) as caught:
        async with OwnFiles().open(file):
            pass
    assert caught.value.code == "symlink"


def test_folders_are_walked_in_order(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", "b/c/3", "empty/", "z"):
        path = tmp_path / "top" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_text(name)
    (tmp_path / "single").write_text("")
    found = walk([tmp_path / "top" / ".." / "top", tmp_path / "single"])
    names = ["/".join(file.parts) for file in found.files]
    assert names == ["top/a", "top/z", "top/b/1", "top/b/2", "top/b/c/3", "single"]
    assert found.skipped == ()


def test_two_things_never_get_one_name(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same").write_text("")
    with pytest.raises(BadInput) as caught:
        walk([tmp_path / "x" / "same", tmp_path / "y" / "same"])
    assert caught.value.code == "same-name"
    (tmp_path / "x" / "a\u0308").write_text("")
    (tmp_path / "x" / "\u00e4").write_text("")
    found = walk([tmp_path / "x"])
    assert len(found.files) == 2
    assert [skipped.reason.code for skipped in found.skipped] == ["same-name"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    (tmp_path / "f").chmod(0)
    with pytest.raises(BadInput) as caught:
        walk([tmp_path / "f"])
    assert caught.value.code == "unreadable"
    assert [reason.code for reason in walk([tmp_path]).skipped] == ["unreadable"]
