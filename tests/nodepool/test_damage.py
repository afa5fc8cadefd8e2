"""Damaged, foreign and newer databases; a process killed between two commits."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from grids import FixedClock, files, key_of, on_the_spot, raws_of, write_person

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.nodepool.row_bodies import UserBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import open_row_store

MARY, BOB = key_of("mary"), key_of("bob")
FOLDER = b"f" * 16


async def fill(folder: Path) -> list[SignedRow]:
    """Write Mary's rows as own ones and Bob's as a stranger's; return Mary's."""
    own: list[SignedRow] = []
    (folder / "elsewhere").mkdir(parents=True)
    clock = FixedClock()
    async with open_row_store(folder / "elsewhere", clock=clock, run=on_the_spot) as other:
        foreign = await other.write(Table.USER, b"", UserBody(nickname="Bob"), signer=BOB)
    async with open_row_store(folder, clock=clock, run=on_the_spot) as store:
        own += await write_person(store, MARY, FOLDER)
        own += await store.write_many(files(Random(1), FOLDER, 50), signer=MARY)
        await store.accept(foreign.raw, source=None)
        assert store.counts[Table.USER] == 2
    return own


def zero_a_page(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 6] = bytes(4096 * 3)
    path.write_bytes(data)


def garbage_everywhere(path: Path) -> None:
    path.write_bytes(Random(1).randbytes(path.stat().st_size))


def cut_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [zero_a_page, garbage_everywhere, cut_short])
async def test_a_damaged_nodepool_is_set_aside_and_own_rows_come_back(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    own = await fill(tmp_path)
    path = tmp_path / "nodepool.db"
    damage(path)
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        assert store.counts[Table.FILE] == store.counts[Table.PLACEMENT] == 50
        people = await Queries(store.database).people()
        assert [person.nickname for person in people] == ["Mary"]
        again = await store.write(Table.USER, b"", UserBody(nickname="Marie"), signer=MARY)
        assert again.seq > own[0].seq
        assert again.slot > own[0].slot
    assert (tmp_path / "nodepool.db.damaged").exists()
    assert "rebuilt" in caplog.text


def flip_a_bit(path: Path, chance: Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


@pytest.mark.parametrize("turn", range(25))
async def test_one_wrong_bit_anywhere_is_noticed(tmp_path: Path, rng: Random, turn: int) -> None:
    own = await fill(tmp_path)
    flip_a_bit(tmp_path / "nodepool.db", rng)
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        assert (tmp_path / "nodepool.db.damaged").exists()
        assert store.counts[Table.FILE] == store.counts[Table.PLACEMENT] == 50
        held = await store.database.read(lambda db: db.execute("SELECT raw FROM np_row").fetchall())
        assert {row.raw for row in own} == {raw for (raw,) in held}


async def test_after_a_crash_rows_that_are_not_what_they_say_are_noticed(tmp_path: Path) -> None:
    own = await fill(tmp_path)
    path = tmp_path / "nodepool.db"
    (tmp_path / "nodepool.db.seal").unlink()
    content = next(row for row in own if row.table == Table.FILE).raw
    data = path.read_bytes()
    at = data.index(content[100:140]) + 20  # amid the sealed name, where SQLite sees nothing
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        assert (tmp_path / "nodepool.db.damaged").exists()
        assert store.counts[Table.FILE] == 50


async def test_a_crash_alone_is_no_damage(tmp_path: Path) -> None:
    await fill(tmp_path)
    (tmp_path / "nodepool.db.seal").unlink()
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        assert store.counts[Table.USER] == 2
        assert not (tmp_path / "nodepool.db.seal").exists()  # nobody relies on it meanwhile
    assert (tmp_path / "nodepool.db.seal").exists()
    assert not (tmp_path / "nodepool.db.damaged").exists()


@pytest.mark.parametrize("turn", range(15))
async def test_a_wrong_bit_in_the_own_rows_loses_none(
    tmp_path: Path, rng: Random, turn: int
) -> None:
    own = await fill(tmp_path)
    flip_a_bit(tmp_path / "own-rows.db", rng)
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        held = await store.database.read(lambda db: db.execute("SELECT raw FROM np_row").fetchall())
        assert {row.raw for row in own} <= {raw for (raw,) in held}
        again = await store.write(Table.USER, b"", UserBody(nickname="Marie"), signer=MARY)
        assert again.seq > own[0].seq
        assert again.slot > own[0].slot


@pytest.mark.parametrize("damage", [garbage_everywhere, cut_short])
async def test_damaged_own_rows_go_on_above_what_was_used(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    own = await fill(tmp_path)
    damage(tmp_path / "own-rows.db")
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        assert store.counts[Table.FILE] == 50
        row = await store.write(Table.USER, b"", UserBody(nickname="Marie"), signer=MARY)
        assert row.seq > own[0].seq
        assert row.slot > own[0].slot
    assert "own rows are damaged" in caplog.text


async def test_a_newer_or_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    await fill(tmp_path)
    path = tmp_path / "nodepool.db"
    (tmp_path / "nodepool.db.seal").unlink()  # as whoever opened it would have done
    for pragma, code in (
        ("user_version = 131072", "database-too-new"),
        ("application_id = 5", "database-foreign"),
    ):
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA {pragma}")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(LocalFault) as caught:
            async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot):
                pass
        assert caught.value.code == code
        assert path.read_bytes() == before


async def test_own_rows_survive_the_loss_of_the_whole_nodepool(tmp_path: Path) -> None:
    own = await fill(tmp_path)
    for name in ("nodepool.db", "nodepool.db-wal", "nodepool.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        for table in {row.table for row in own}:
            lost = [row for row in own if row.table == table]
            considered, raws = await raws_of(store, table, [row.id for row in lost])
            assert considered == len(lost)
            assert raws == [row.raw for row in lost]


WRITER = """
import sys, trio
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.nodepool.row_bodies import UserBody
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.nodepool.row_store import open_row_store
from grids import FixedClock, key_of

async def main():
    clock = FixedClock()
    async with open_row_store(Path(sys.argv[1]), clock=clock) as store:
        for number in range(100000):
            body = UserBody(nickname=str(number))
            try:
                row = await store.write(Table.USER, b"", body, signer=key_of("mary"))
            except Unavailable:
                clock.forward(1)
                continue
            print(row.seq, row.period, row.slot, flush=True)

trio.run(main)
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_killed_process_never_uses_a_number_or_slot_twice(tmp_path: Path, lines: int) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parent)]
    seen: list[tuple[int, ...]] = []
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(lines):
            seen.append(tuple(map(int, process.stdout.readline().split())))
        os.kill(process.pid, signal.SIGKILL)
        seen += [tuple(map(int, line.split())) for line in process.stdout if line.count(" ") == 2]
        process.wait()
        process.stdout.close()
    assert len({number for number, _, _ in seen}) == len(seen)
    assert len({(period, slot) for _, period, slot in seen}) == len(seen)
