"""A database of every released version opens, keeps its rows, and has the newest form."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from grids import FixedClock, key_of, on_the_spot

from bitcloud_net.core.nodepool.row_bodies import UserBody
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import open_row_store

OWN_ROWS = sorted((Path(__file__).parents[1] / "snapshots").glob("own_rows-*.sql"))
SNAPSHOTS = sorted((Path(__file__).parents[1] / "snapshots").glob("nodepool-*.sql"))


def form_of(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    bare = (re.sub(r"\s+", " ", re.sub(r"--[^\n]*", "", sql)) for (sql,) in found)
    return {re.sub(r" ?([(),]) ?", r"\1", sql) for sql in bare}


@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda path: path.stem)
async def test_an_older_database_is_migrated(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    connection = sqlite3.connect(tmp_path / "old" / "nodepool.db")
    connection.executescript(snapshot.read_text("utf-8"))
    connection.close()
    for name in ("old", "new"):
        async with open_row_store(tmp_path / name, clock=FixedClock(), run=on_the_spot) as store:
            if name == "old":
                assert store.counts[Table.USER] == store.counts[Table.FOLDER] == 1
                assert (await Queries(store.database).people())[0].nickname == "Mary"
                assert await Queries(store.database).folder(key_of("mary").public, b"f" * 16)
    assert form_of(tmp_path / "old" / "nodepool.db") == form_of(tmp_path / "new" / "nodepool.db")


def test_there_is_a_snapshot() -> None:
    """One of each version that was released."""
    assert {path.stem for path in SNAPSHOTS} >= {"nodepool-1.0", "nodepool-1.3"}
    assert {path.stem for path in OWN_ROWS} >= {"own_rows-1.0", "own_rows-1.1"}


@pytest.mark.parametrize("snapshot", OWN_ROWS, ids=lambda path: path.stem)
async def test_older_own_rows_keep_their_numbers(snapshot: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "own-rows.db")
    connection.executescript(snapshot.read_text("utf-8"))
    connection.close()
    (tmp_path / "new").mkdir()
    mary = key_of("mary")
    async with open_row_store(tmp_path / "new", clock=FixedClock(), run=on_the_spot):
        pass
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        assert (await Queries(store.database).people())[0].nickname == "Mary"
        row = await store.write(Table.USER, b"", UserBody(nickname="Marie"), signer=mary)
        assert row.slot == 4
        assert row.seq > 5
    assert form_of(tmp_path / "own-rows.db") == form_of(tmp_path / "new" / "own-rows.db")
