"""Every table in the nodepool: what a row needs, its SQL columns, its audience, its deletion."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from grids import FixedClock, on_the_spot

from bitcloud_net.core.nodepool.bodies.fields import Amount, Bytes, Many, Record, fields_of
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import RULES, Exposure, Table
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from tests.core.row_samples import PERIOD, SAMPLES, before

TABLES = list(SAMPLES)
BELONGING = [table for table in TABLES if before(table) and SAMPLES[table].after]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(PERIOD), run=on_the_spot) as opened:
        yield opened


async def offer(store: RowStore, *rows: SignedRow) -> list[Fate]:
    outcomes = await store.accept_many([row.raw for row in rows], source=None)
    return [outcome.fate for outcome in outcomes]


async def select(store: RowStore, sql: str, *values: Any) -> list[Any]:
    return await store.database.read(lambda db: db.execute(sql, values).fetchall())


async def columns_of(store: RowStore, row: SignedRow) -> dict[str, Any]:
    def work(db: sqlite3.Connection) -> dict[str, Any]:
        sql = f'SELECT * FROM "{RULES[row.table].name}" WHERE key = ?'
        cursor = db.execute(sql, (row.key,))
        names = [column[0] for column in cursor.description]
        return dict(zip(names, cursor.fetchone(), strict=True))

    return await store.database.read(work)


@pytest.mark.parametrize("table", TABLES)
async def test_a_good_row_is_taken_with_its_columns(store: RowStore, table: Table) -> None:
    for row in before(table):
        assert await offer(store, row) == [Fate.ACCEPTED]
    sample = SAMPLES[table]
    row = sample.row()
    assert await offer(store, row) == [Fate.ACCEPTED]
    kind = KINDS[table]
    by_name = await columns_of(store, row)
    for part, item in zip(kind.key, kind.parts(row), strict=True):
        expected = int.from_bytes(item, "big") if part.is_number else item
        assert by_name.pop(part.name) == expected
    for name, spec in fields_of(kind.body).items():
        value, held = getattr(sample.body, name), by_name.pop(name)
        if isinstance(spec, Amount):
            assert held == str(value)
        elif isinstance(spec, Many | Record) and not isinstance(getattr(spec, "of", 0), Bytes):
            assert json.loads(held) is not None
        elif not isinstance(value, tuple):
            assert held == value
    assert by_name.pop("key") == row.key
    assert [by_name.pop(name) for name in ("seq", "period", "expires")] == [1, PERIOD, PERIOD + 100]
    assert list(by_name.values()) == ([row.owner] if kind.key else [])


@pytest.mark.parametrize("table", BELONGING)
async def test_a_row_waits_for_what_it_belongs_to(store: RowStore, table: Table) -> None:
    """It may come first; it is taken once all is there, whatever the order."""
    row = SAMPLES[table].row()
    assert await offer(store, row) == [Fate.PARKED]
    for needed in reversed(before(table)):
        await offer(store, needed)
    assert store.counts[table] >= 1
    assert await offer(store, row) == [Fate.KNOWN]
    assert store.waiting == 0


@pytest.mark.parametrize("table", TABLES)
async def test_a_deleted_row_leaves_its_tombstone_only(store: RowStore, table: Table) -> None:
    await offer(store, *before(table), SAMPLES[table].row())
    gone = SAMPLES[table].row(deleted=True, seq=2)
    assert await offer(store, gone) == [Fate.ACCEPTED]
    assert not await select(store, f'SELECT 1 FROM "{RULES[table].name}" WHERE key = ?', gone.key)
    assert await offer(store, SAMPLES[table].row()) == [Fate.STALE]


@pytest.mark.parametrize("table", TABLES)
async def test_whom_a_row_names_is_noted_for_as_long_as_it_is_held(
    store: RowStore, table: Table
) -> None:
    rule, kind = RULES[table], KINDS[table]
    row, gone = SAMPLES[table].row(), SAMPLES[table].row(deleted=True, seq=2)
    named = {row.owner, *row.co_owners, *kind.others(row)}
    if rule.exposure is Exposure.GLOBAL or kind.is_public(row):
        named = set()
    sql = "SELECT reader FROM np_audience WHERE tbl = ? AND key = ?"
    for version in (row, gone):
        await offer(store, *before(table), version)
        assert {item for (item,) in await select(store, sql, table, row.key)} == named
    store._clock.forward(rule.tombstone_life_periods + 2)  # type: ignore[attr-defined]
    await store.sweep()
    assert not await select(store, sql, table, row.key)
