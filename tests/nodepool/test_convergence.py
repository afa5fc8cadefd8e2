"""Whatever order rows come in, twice or late: every node ends with the same state."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import trio
from grids import NOW, FixedClock, key_of, on_the_spot, view_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitcloud_net.core.nodepool.row_bodies import Body, FileBody, FolderBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import RULES, Table
from bitcloud_net.nodepool.row_store import open_row_store

PEOPLE = [key_of("ann"), key_of("bob")]
FOLDERS = [b"a" * 16, b"b" * 16]
FILES = [b"1" * 16, b"2" * 16, b"3" * 16]


def body_of(table: Table, chance: Random) -> tuple[bytes, Body | None]:
    if table is Table.USER:
        return b"", UserBody(nickname=f"N{chance.randrange(3)}")
    if table is Table.FOLDER:
        suffix = chance.choice(FOLDERS)
        parent = chance.choice([b"", FOLDERS[0]]) if suffix == FOLDERS[1] else b""
        return suffix, FolderBody(parent=parent, open_key=b"", sealed=chance.randbytes(3))
    body = FileBody(folder=chance.choice(FOLDERS), sealed=chance.randbytes(3))
    return chance.choice(FILES), None if chance.random() < 0.2 else body


def some_rows(seed: int, count: int) -> list[SignedRow]:
    """Rows of two owners on few keys, who sometimes use one number or slot twice."""
    chance = Random(seed)
    rows = []
    for slot in range(count):
        table = chance.choice([Table.USER, Table.FOLDER, Table.FILE, Table.FILE])
        suffix, body = body_of(table, chance)
        rule = RULES[table]
        life = rule.tombstone_life_periods if body is None else chance.randrange(2, 50)
        period = NOW - chance.randrange(2)
        signer, seq = chance.choice(PEOPLE), chance.randrange(1, 6)
        numbers = {"seq": seq, "period": period, "slot": slot - slot % 2, "expires": period + life}
        rows.append(make_row(table, suffix, body, signer=signer, **numbers))
    basis = [
        make_row(
            Table.USER,
            b"",
            UserBody(nickname="x"),
            signer=who,
            seq=0,
            period=NOW,
            slot=15,
            expires=NOW + 9,
        )
        for who in PEOPLE
    ]
    return rows[:15] + basis


async def state_after(rows: list[SignedRow], cuts: list[int]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        async with open_row_store(Path(folder), clock=FixedClock(), run=on_the_spot) as store:
            start = 0
            for cut in [*cuts, len(rows)]:
                batch = [row.raw for row in rows[start:cut]]
                await store.accept_many(batch, source=None)
                start = max(start, cut)
            tables = {}
            for name in ("np_row", "user", "folder", "file"):
                columns = "tbl, key, seq, id, expires, raw" if name == "np_row" else "*"
                sql = f"SELECT {columns} FROM {name} ORDER BY key"
                found = await store.database.read(lambda db, sql=sql: db.execute(sql).fetchall())
                tables[name] = sorted(found)
            view = await view_of(store, NOW)
            sets = {number: items.items(0, len(items)) for number, items in view.items()}
            held = {row[3] for row in tables["np_row"]}
            assert held == {item[8:] for number, items in sets.items() if number for item in items}
            return {"tables": tables}


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.integers(1, 15), st.randoms(use_true_random=False), st.data())
def test_any_order_duplication_and_batching_ends_in_one_state(
    seed: int, count: int, shuffler: Random, data: st.DataObject
) -> None:
    rows = some_rows(seed, count)
    other = rows + [row for row in rows if shuffler.random() < 0.3]
    shuffler.shuffle(other)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(other)), max_size=4)))

    async def compare() -> None:
        assert await state_after(rows, []) == await state_after(other, cuts)

    trio.run(compare)


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_what_was_lost_at_first_makes_no_difference_in_the_end(seed: int, shuffler: Random) -> None:
    rows = some_rows(seed, 15)
    arrived = [row for row in rows if shuffler.random() < 0.6]
    late = [row for row in rows if row not in arrived]

    async def compare() -> None:
        assert await state_after(rows, []) == await state_after(arrived + late, [len(arrived)])

    trio.run(compare)
