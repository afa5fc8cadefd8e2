"""The private list on the disk."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.storage import avoid_list
from bitcloud_net.storage.avoid_list import AvoidedKey, open_avoid_list


def somebody(letter: bytes, *, since_s: int = 5, reason: str = "because") -> AvoidedKey:
    return AvoidedKey(key=letter * 32, name="John", reason=reason, since_s=since_s)


async def test_it_is_kept_and_private(tmp_path: Path) -> None:
    path = tmp_path / "private.db"
    async with open_avoid_list(path) as opened:
        await opened.add(somebody(b"a", since_s=1))
        await opened.add(somebody(b"b", since_s=2))
        await opened.add(somebody(b"b", since_s=2, reason="another"))
        await opened.add(somebody(b"c", since_s=3))
        await opened.remove(b"c" * 32)
        await opened.remove(b"d" * 32)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with open_avoid_list(path) as opened:
        assert [each.reason for each in opened.all()] == ["another", "because"]
        assert b"a" * 32 in opened
        assert b"c" * 32 not in opened


async def test_it_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avoid_list, "MAX_AVOIDED", 2)
    async with open_avoid_list(tmp_path / "private.db") as opened:
        for letter in (b"a", b"b", b"b"):
            await opened.add(somebody(letter))
        with pytest.raises(BadInput) as caught:
            await opened.add(somebody(b"c"))
        assert caught.value.code == "too-many"


async def test_a_damaged_one_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "private.db"
    path.write_bytes(b"no database at all" * 100)
    async with open_avoid_list(path) as opened:
        assert opened.all() == ()
        await opened.add(somebody(b"a"))
    assert (tmp_path / "private.db.damaged").exists()


async def test_a_newer_one_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "private.db"
    async with open_avoid_list(path):
        pass
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(LocalFault) as caught:
        async with open_avoid_list(path):
            pass
    assert caught.value.code == "database-too-new"
