"""A file counts as saved before only when it is the very bytes under the very name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from blake3 import blake3

from bitcloud_net.storage.saved_before import saved_before

DATA = b"bytes of a file" * 100_000


def ask(folder: Path, name: str = "a.bin", data: bytes = DATA) -> Path | None:
    return saved_before(folder, name, len(data), blake3(data).digest())


def test_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(DATA)
    assert ask(tmp_path) == tmp_path / "a.bin"
    (tmp_path / "empty").write_bytes(b"")
    assert ask(tmp_path, "empty", b"") == tmp_path / "empty"


@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA + b"x", b"B" + DATA[1:]])
def test_other_bytes(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.bin").write_bytes(data)
    assert ask(tmp_path) is None


def test_nothing_there(tmp_path: Path) -> None:
    assert ask(tmp_path) is None
    assert ask(tmp_path / "no folder") is None


def test_a_name_is_made_safe_first(tmp_path: Path) -> None:
    (tmp_path / "_-rf").write_bytes(DATA)
    assert ask(tmp_path, "-rf") == tmp_path / "_-rf"
    (tmp_path.parent / "outside").write_bytes(DATA)
    assert ask(tmp_path, "../outside") is None


def test_links_folders_and_pipes_are_not_it(tmp_path: Path) -> None:
    (tmp_path / "true").write_bytes(DATA)
    (tmp_path / "a.bin").symlink_to(tmp_path / "true")
    assert ask(tmp_path) is None
    (tmp_path / "folder").mkdir()
    assert ask(tmp_path, "folder", b"") is None
    os.mkfifo(tmp_path / "pipe")
    assert ask(tmp_path, "pipe", b"") is None, "and nobody waits for a writer"
