"""Bad rows of every table: refused with their own code, at the cost of the sender where an honest
one would have refused them, and nothing changes: what was good stays.

How the sender pays at the wire is in ``test_hostile_sync.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pytest
from grids import FixedClock, on_the_spot

from bitcloud_net.core import keys
from bitcloud_net.core.nodepool.bodies.fields import Text, fields_of
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import RULES, Exposure, Role, Table
from bitcloud_net.nodepool import waiting_room
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from tests.core.row_samples import PERIOD, SAMPLES, Sample, before, plain_body

TABLES = list(SAMPLES)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(PERIOD), run=on_the_spot) as opened:
        yield opened


def signed_anew(sample: Sample, at: dict[int, Any]) -> bytes:
    """The sample with other fields, signed again by everybody: what a cheat can make."""
    content, _ = cbor2.loads(sample.row(seq=2, slot=1).raw)
    for place, value in at.items():
        content[place] = value
    row_id = keys.derive(cbor2.dumps(content, canonical=True), "row")
    signers = (sample.signer, *sample.co_signers)
    signed = [[key.public, key.sign("row", row_id)] for key in signers]
    return cbor2.dumps([content, signed], canonical=True)


def badly_signed(sample: Sample) -> bytes:
    raw = bytearray(sample.row(seq=2, slot=1).raw)
    raw[-1] ^= 1
    return bytes(raw)


def not_canonical(sample: Sample) -> bytes:
    return b"\x9f" + sample.row(seq=2, slot=1).raw[1:] + b"\xff"


def too_large(sample: Sample) -> bytes:
    return signed_anew(sample, {8: {"x": "y" * RULES[sample.table].max_row_bytes}})


def too_many_slots(sample: Sample) -> bytes:
    return sample.row(seq=2, slot=RULES[sample.table].slots_per_period).raw


def lives_too_long(sample: Sample) -> bytes:
    return sample.row(seq=2, expires=PERIOD + RULES[sample.table].max_life_periods + 1).raw


def from_future(sample: Sample) -> bytes:
    return sample.row(seq=2, slot=1, period=PERIOD + 2, expires=PERIOD + 9).raw


def long_expired(sample: Sample) -> bytes:
    return sample.row(seq=2, slot=1, period=PERIOD - 9, expires=PERIOD - 2).raw


BAD = {
    "row-too-large": too_large,
    "row-not-canonical": not_canonical,
    "bad-signature": badly_signed,
    "from-future": from_future,
    "expired": long_expired,
    "slot-too-high": too_many_slots,
    "lives-too-long": lives_too_long,
    "unknown-table": lambda sample: signed_anew(sample, {1: 99}),
    "bad-key": lambda sample: signed_anew(sample, {2: bytes(32)}),
    "bad-number": lambda sample: signed_anew(sample, {4: -1}),
    "bad-body": lambda sample: signed_anew(sample, {8: {}}),
    "bad-row": lambda sample: signed_anew(sample, {0: 2}),
}
NOBODYS_FAULT = {"unknown-table", "from-future", "expired"}
"""They may come from another clock, or from who has an application that is not installed here."""


async def all_ids(store: RowStore) -> list[Any]:
    def work(db: Any) -> list[Any]:
        return [
            db.execute("SELECT tbl, key, id FROM np_row ORDER BY id").fetchall(),
            db.execute("SELECT id FROM np_proof").fetchall(),
            db.execute("SELECT * FROM np_audience").fetchall(),
        ]

    return await store.database.read(work)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("code", BAD)
async def test_a_bad_row_changes_nothing(store: RowStore, table: Table, code: str) -> None:
    sample = SAMPLES[table]
    await store.accept_many([row.raw for row in (*before(table), sample.row())], source=None)
    held = await all_ids(store)
    outcome = await store.accept(BAD[code](sample), source=None)
    assert (outcome.fate, outcome.code) == (Fate.REFUSED, code)
    assert outcome.is_senders_fault == (code not in NOBODYS_FAULT)
    assert await all_ids(store) == held
    assert (await store.accept(sample.row().raw, source=None)).fate is Fate.KNOWN


@pytest.mark.parametrize("table", TABLES)
async def test_2_to_the_63_is_no_number(store: RowStore, table: Table) -> None:
    sample = SAMPLES[table]
    await store.accept_many([row.raw for row in (*before(table), sample.row())], source=None)
    held = await all_ids(store)
    for place in (1, 4, 5, 6, 7):
        outcome = await store.accept(signed_anew(sample, {place: 2**63}), source=None)
        assert (outcome.code, outcome.is_senders_fault) == ("row-not-canonical", True)
    for name in fields_of(KINDS[table].body):
        body = plain_body(table) | {name: 2**63}
        outcome = await store.accept(signed_anew(sample, {8: body}), source=None)
        assert outcome.code == "row-not-canonical"
    assert await all_ids(store) == held


@pytest.mark.parametrize("table", TABLES)
async def test_a_copy_of_an_old_row_changes_nothing(store: RowStore, table: Table) -> None:
    """Nor does it cost who sends it: whoever has not heard of the new one is honest."""
    sample = SAMPLES[table]
    new = sample.row(seq=2, slot=1)
    await store.accept_many([row.raw for row in (*before(table), new)], source=None)
    held = await all_ids(store)
    outcome = await store.accept(sample.row().raw, source=None)
    assert (outcome.fate, outcome.is_senders_fault) == (Fate.STALE, False)
    assert await all_ids(store) == held


@pytest.mark.parametrize("table", [table for table in TABLES if SAMPLES[table].after])
async def test_what_a_row_belongs_to_may_never_come(store: RowStore, table: Table) -> None:
    """After an hour it is forgotten, and then it may come again."""
    row = SAMPLES[table].row(expires=PERIOD + 300)
    assert (await store.accept(row.raw, source=None)).fate is Fate.PARKED
    assert store.waiting == 1
    assert store.counts[table] == 0
    clock: Any = store._clock
    clock.forward(waiting_room.WAIT_PERIODS + 1)
    await store.sweep()
    assert store.waiting == 0
    assert not store.is_settled(row.id)
    assert (await store.accept(row.raw, source=None)).fate is Fate.PARKED


def versions(table: Table) -> tuple[SignedRow, SignedRow]:
    """Two rows with one number, the one with the smaller id first."""
    sample = SAMPLES[table]
    one, other = (sample.row(slot=at) for at in (0, 1))
    return (one, other) if one.id < other.id else (other, one)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("first", [0, 1])
async def test_of_two_rows_with_one_number_all_nodes_keep_the_same(
    store: RowStore, table: Table, first: int
) -> None:
    """Of a node that says two things nothing is kept: the proof has banned it."""
    pair = versions(table)
    await store.accept_many([row.raw for row in before(table)], source=None)
    outcomes = [await store.accept(pair[at].raw, source=None) for at in (first, 1 - first)]
    if RULES[table].exposure is Exposure.GLOBAL and RULES[table].writers & Role.NODE:
        assert {(await store.accept(row.raw, source=None)).code for row in pair} == {"owner-banned"}
        assert all(
            row_id not in (pair[0].id, pair[1].id) for *_, row_id in (await all_ids(store))[0]
        )
        return
    if first == 0:
        assert (outcomes[1].fate, outcomes[1].code) == (Fate.REFUSED, "number-reused")
        assert not outcomes[1].is_senders_fault
    else:
        assert outcomes[1].fate is Fate.ACCEPTED
    assert (await store.accept(pair[0].raw, source=None)).fate is Fate.KNOWN
    public = not await store.database.read(
        lambda db: db.execute("SELECT 1 FROM np_audience WHERE tbl = ?", (table,)).fetchone()
    )
    owner = SAMPLES[table].signer.public
    assert (owner in await Queries(store.database).cheats()) == public


SQL = "'); DELETE FROM np_row; --"


@pytest.mark.parametrize("table", TABLES)
async def test_sql_in_every_value_is_only_text(store: RowStore, table: Table) -> None:
    """Where text may stand it comes back as it is; in other fields it is refused."""
    sample, specs = SAMPLES[table], fields_of(KINDS[table].body)
    await store.accept_many([row.raw for row in before(table)], source=None)
    for at, name in enumerate(specs):
        body = plain_body(table) | {name: SQL}
        outcome = await store.accept(signed_anew(sample, {4: at + 2, 6: at, 8: body}), source=None)
        if isinstance(specs[name], Text) and outcome.fate is Fate.ACCEPTED:
            (found,) = await store.database.read(
                lambda db, name=name: db.execute(
                    f'SELECT "{name}" FROM "{RULES[table].name}" WHERE key = ?', (sample.row().key,)
                ).fetchone()
            )
            assert found == SQL
        else:
            assert outcome.code in ("bad-body", "bad-definition")
    assert len((await all_ids(store))[0]) >= len(before(table))


async def test_rows_of_the_very_same_content_are_one(store: RowStore) -> None:
    sample = SAMPLES[Table.USER]
    assert sample.row() == replace(sample).row()
    for fate in (Fate.ACCEPTED, Fate.KNOWN, Fate.KNOWN):
        assert (await store.accept(sample.row().raw, source=None)).fate is fate
