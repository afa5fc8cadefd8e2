"""The threats to rows, by the names of the threat table; here are those that no other file tests.

=============  =========================================================================
T-sql-values   here; ``test_bad_input.py`` for every field
T-no-exec      here; ``test_nothing_is_executed.py``
T-row-limits   ``test_rule_fields.py``, here for whole numbers of rows
T-verify-dos   here for the order of checks; ``test_hostile_sync.py`` for the pace
T-replay       here, across a restart, for every table
T-equivocate   here for how soon all know; ``test_bad_input.py`` for which row stays
T-skew         ``test_row_store.py``, ``test_syncer.py``, ``tests/planet/test_audits.py``
T-orphan       here with the real bounds
T-resurrect    here, for every table
T-cbor-canon   ``tests/core/test_rows.py``, ``tests/core/test_encoding.py``, ``test_bad_input.py``
T-db-corrupt   ``test_damage.py``
=============  =========================================================================
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from grids import FixedClock, connect_all, key_of, on_the_spot, open_member

from bitcloud_net.core import keys
from bitcloud_net.core.nodepool.bodies.fields import Text, fields_of
from bitcloud_net.core.nodepool.row_bodies import KINDS, FileBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import RULES, Table
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.nodepool import waiting_room
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from tests.core.row_samples import MARY, OTHERS, PERIOD, SAMPLES, Sample, before

TABLES = list(SAMPLES)
PEER = key_of("peer").node_id


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(PERIOD), run=on_the_spot) as opened:
        yield opened


async def offer(store: RowStore, *rows: SignedRow) -> list[Fate]:
    outcomes = await store.accept_many([row.raw for row in rows], source=PEER)
    return [outcome.fate for outcome in outcomes]


def hostile_lines(seed: int, count: int) -> list[str]:
    """Lines that mean something to a database, a shell, a page or a terminal."""
    chance = Random(seed)
    words = (
        "'; DROP TABLE np_row; --",
        '" OR ""="',
        "Robert'); DELETE FROM user;--",
        "%s %n ? :name @x $y ${HOME} `id`",
        "NULL",
        "x' UNION SELECT raw FROM np_row --",
        "ATTACH 'x' AS y",
        "<img src=x onerror=alert(1)>",
        "\u202eeman\u2066",
        "\\u0000 \\x00 \\",
    )
    alphabet = "'\";-%_()*/\\`[]{}<>=?!@#$&|~^:,.\u00e9\u4e2d\U0001f600 abcSELECTxyz09"
    lines = []
    while len(lines) < count:
        noise = "".join(chance.choice(alphabet) for _ in range(chance.randrange(1, 30)))
        lines.append((chance.choice(words) + noise)[:60])
    return lines


TEXTS = [
    (table, name)
    for table in TABLES
    for name, spec in fields_of(KINDS[table].body).items()
    if isinstance(spec, Text) and table is not Table.APP
]


def with_text(sample: Sample, name: str, text: str, at: int) -> SignedRow | None:
    """The sample saying ``text``, as its ``at``-th version; None where the action has no text."""
    body = replace(sample.body, **{name: text})  # type: ignore[type-var]
    try:
        return sample.row(body, seq=at + 1, slot=at % RULES[sample.table].slots_per_period)
    except keys.Malformed:
        return None


@pytest.mark.parametrize(("table", "name"), TEXTS)
async def test_t_sql_values(store: RowStore, table: Table, name: str) -> None:
    """2,000 strings and more over all tables come back from SQL and from the row as they were."""
    seed = list(RULES).index(table)
    await offer(store, *before(table))
    sql = f'SELECT "{name}" FROM "{RULES[table].name}" WHERE key = ?'
    tables = await store.database.read(lambda db: db.execute(SCHEMA).fetchall())
    for at, text in enumerate(hostile_lines(seed, 200)):
        clock: Any = store._clock
        clock.seconds = (PERIOD + at) * 600
        sample = SAMPLES[table]
        row = with_text(sample, name, text, at)
        if row is None:
            assert table in (Table.PUBLISHER_REQUEST, Table.USER_REQUEST, Table.GRID_OWNER_REQUEST)
            return
        row = replace_period(sample, row, PERIOD + at)
        assert await offer(store, row) == [Fate.ACCEPTED]
        (found,) = await store.database.read(
            lambda db, key=row.key: db.execute(sql, (key,)).fetchone()
        )
        assert found == text
    assert await store.database.read(lambda db: db.execute(SCHEMA).fetchall()) == tables
    assert len(TEXTS) * 200 >= 2_000


SCHEMA = "SELECT name, sql FROM sqlite_master ORDER BY name"


def replace_period(sample: Sample, row: SignedRow, period: int) -> SignedRow:
    return sample.row(row.body, seq=row.seq, slot=0, period=period, expires=period + 100)


async def test_t_no_exec(store: RowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """While rows of every table are taken, nothing is imported, compiled or evaluated."""
    rows = [sample.row() for sample in OTHERS]
    rows += [SAMPLES[table].row() for table in TABLES]
    await offer(store, SAMPLES[Table.USER].row())  # what the code itself loads when it first runs

    def refuse(*args: object, **_: object) -> None:
        raise AssertionError(f"{args[:1]} while rows are taken")

    class NoImports:
        def find_spec(self, name: str, *_: object) -> None:
            refuse(name)

    for name in ("eval", "exec", "compile", "open", "input"):
        monkeypatch.setattr(builtins, name, refuse)
    monkeypatch.setattr(sys, "meta_path", [NoImports()])
    fates = await offer(store, *rows)
    monkeypatch.undo()
    assert set(fates) <= {Fate.ACCEPTED, Fate.KNOWN, Fate.PARKED}
    assert store.waiting == 0


@pytest.mark.parametrize("table", TABLES)
async def test_t_replay(tmp_path: Path, table: Table) -> None:
    """Numbers are kept across restarts: an old row is no news, whoever brings it, however often."""
    old, new = SAMPLES[table].row(), SAMPLES[table].row(seq=2, slot=1)
    clock = FixedClock(PERIOD)
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as store:
        await offer(store, *before(table), new)
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as store:
        news: list[object] = []
        store.watch(news.append)
        fates = await offer(store, old, old, new, old)
        assert fates == [Fate.STALE, Fate.STALE, Fate.KNOWN, Fate.STALE]
        assert news == []


@pytest.mark.parametrize("table", TABLES)
async def test_t_resurrect(store: RowStore, table: Table) -> None:
    """The longest-lived copy of a row that was deleted never comes back: its tombstone outlives it
    by a week.
    """
    sample, rule = SAMPLES[table], RULES[table]
    copy = sample.row(expires=PERIOD + rule.max_life_periods)
    await offer(store, *before(table), copy, sample.row(deleted=True, seq=2, slot=1))
    clock: Any = store._clock
    last = rule.max_life_periods + 1  # what still may be offered, with the slack
    for periods in (1, last // 2, last - 1 - last // 2):
        clock.forward(periods)
        await store.sweep()
        assert await offer(store, copy) == [Fate.STALE]
    clock.forward(rule.tombstone_life_periods + 2 - last)
    await store.sweep()
    assert store.counts[table] == 0
    refused = await store.accept(copy.raw, source=PEER)
    assert (refused.fate, refused.code) == (Fate.REFUSED, "expired")


async def test_t_orphan(store: RowStore) -> None:
    """1,000 rows of one owner wait, for an hour; another owner's place is its own."""
    body = FileBody(folder=b"n" * 16, sealed=b"")

    def orphan(at: int, signer: keys.SigningKey = MARY) -> SignedRow:
        suffix = at.to_bytes(16, "big")
        numbers = {"seq": 1, "period": PERIOD, "slot": at, "expires": PERIOD + 99}
        return make_row(Table.FILE, suffix, body, signer=signer, **numbers)

    fates = await offer(store, *(orphan(at) for at in range(1_005)))
    assert fates == [Fate.PARKED] * 1_000 + [Fate.REFUSED] * 5
    assert await offer(store, orphan(1, key_of("other"))) == [Fate.PARKED]
    assert waiting_room.WAIT_PERIODS * 600 == 3_600
    clock: Any = store._clock
    clock.forward(waiting_room.WAIT_PERIODS)
    await store.sweep()
    assert store.waiting == 1_001
    clock.forward(1)
    await store.sweep()
    assert store.waiting == 0
    assert store.counts[Table.FILE] == 0


async def test_t_verify_dos(store: RowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever can be refused, or is known, without looking at a signature is."""
    sample = SAMPLES[Table.USER]
    new = sample.row(seq=5, slot=5)
    await offer(store, new)
    checked = []
    verify = keys.verify
    monkeypatch.setattr(
        keys, "verify", lambda *values: (checked.append(values), verify(*values))[1]
    )
    cheap = [
        sample.row(slot=RULES[Table.USER].slots_per_period, seq=9),
        sample.row(period=PERIOD + 5, expires=PERIOD + 9, seq=9),
        sample.row(period=PERIOD - 9, expires=PERIOD - 5, seq=9),
        sample.row(expires=PERIOD + RULES[Table.USER].max_life_periods + 1, seq=9),
        sample.row(seq=4),
        new,
    ]
    raws = [row.raw for row in cheap] + [b"", b"x" * 20_000, new.raw + b"\0"]
    await store.accept_many(raws, source=PEER)
    assert checked == []
    await store.accept(sample.row(seq=6, slot=6).raw, source=PEER)
    assert len(checked) == 1


async def test_t_equivocate(tmp_path: Path, autojump_clock: object) -> None:
    """Half of the nodes hear one thing, half another; within a minute all hold the proof, and the
    same row, though nobody pushes anything.
    """
    mary = key_of("mary")
    hub = MemoryHub(1)
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(open_member(hub, tmp_path / str(at), f"member {at}"))
            for at in range(12)
        ]
        await connect_all(members)
        await trio.sleep(100)
        numbers = {"seq": 7, "period": members[0].clock.period(), "slot": 0}
        numbers["expires"] = numbers["period"] + 100
        two = [
            make_row(Table.USER, b"", UserBody(nickname=name), signer=mary, **numbers)
            for name in ("Mary", "Marie")
        ]
        for at, member in enumerate(members):
            await member.store.accept(two[at % 2].raw, source=PEER)
        start = trio.current_time()
        unaware = members
        while unaware := [one for one in unaware if not await one.queries.cheats()]:
            await trio.sleep(0.5)
            assert trio.current_time() - start < 60, f"{len(unaware)} have not heard of it"
        winner = min(two, key=lambda row: row.id)
        for member in members:
            known = await member.store.accept(winner.raw, source=PEER)
            assert known.fate is Fate.KNOWN
