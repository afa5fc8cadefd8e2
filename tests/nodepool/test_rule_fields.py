"""Each field of a table's rule has an effect, on every table (R-NP-05).

``sync``, ``partners``, ``near_partners`` and ``check_every_s`` say whom a set is compared with, and
how often; their tests are with the syncer's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from grids import FixedClock, on_the_spot

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.audience import EVERYBODY, Standing, audience_of, may_see
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import RULES, Exposure, Table, TableRule
from bitcloud_net.nodepool import acceptance
from bitcloud_net.nodepool.outcome import Fate, Outcome
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from tests.core.row_samples import PERIOD, SAMPLES, Sample, before

TABLES = list(SAMPLES)
STRANGER = SigningKey(b"x" * 32)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(PERIOD), run=on_the_spot) as opened:
        yield opened


async def offer(store: RowStore, row: SignedRow) -> Outcome:
    return await store.accept(row.raw, source=None)


async def prepare(store: RowStore, table: Table) -> Sample:
    await store.accept_many([row.raw for row in before(table)], source=None)
    return SAMPLES[table]


def code_of(sample: Sample, rules: dict[str, Any], **changes: Any) -> str | None:
    """How a row of the sample is refused where the table's rule has other values."""
    rule = replace(RULES[sample.table], **rules)
    try:
        SignedRow.parse(sample.row(**changes).raw, lambda _: rule)
    except Malformed as error:
        return error.code
    return None


@pytest.mark.parametrize("table", TABLES)
def test_number_and_name_are_of_one_table_alone(table: Table) -> None:
    rule = RULES[table]
    assert rule.table == table
    assert [item.name for item in RULES.values()].count(rule.name) == 1


@pytest.mark.parametrize("table", TABLES)
def test_key_suffix_bytes(table: Table) -> None:
    sample, length = SAMPLES[table], RULES[table].key_suffix_bytes
    for wrong in {length - 1, length + 1, 0} - {length, -1}:
        with pytest.raises(Malformed) as caught:
            replace(sample, suffix=b"k" * wrong).row()
        assert caught.value.code == "bad-key"


@pytest.mark.parametrize("table", TABLES)
def test_max_row_bytes(table: Table) -> None:
    sample = SAMPLES[table]
    length = len(sample.row().raw)
    assert code_of(sample, {"max_row_bytes": length}) is None
    assert code_of(sample, {"max_row_bytes": length - 1}) == "row-too-large"


@pytest.mark.parametrize("table", TABLES)
def test_max_co_owners(table: Table) -> None:
    sample, most = SAMPLES[table], RULES[table].max_co_owners
    signers = tuple(SigningKey(bytes([at]) * 32) for at in range(100, 101 + most))
    with pytest.raises(Malformed) as caught:
        replace(sample, co_signers=signers).row()
    assert caught.value.code == "bad-row"


@pytest.mark.parametrize("table", TABLES)
async def test_slots_per_period(store: RowStore, table: Table) -> None:
    sample, slots = await prepare(store, table), RULES[table].slots_per_period
    refused = await offer(store, sample.row(slot=slots))
    assert (refused.fate, refused.code) == (Fate.REFUSED, "slot-too-high")
    assert refused.is_senders_fault
    assert (await offer(store, sample.row(slot=slots - 1))).fate is Fate.ACCEPTED


@pytest.mark.parametrize("table", TABLES)
async def test_max_life_periods(store: RowStore, table: Table) -> None:
    sample, life = await prepare(store, table), RULES[table].max_life_periods
    for wrong in (life + 1, -1):
        refused = await offer(store, sample.row(expires=PERIOD + wrong))
        assert (refused.fate, refused.code) == (Fate.REFUSED, "lives-too-long")
    assert (await offer(store, sample.row(expires=PERIOD + life))).fate is Fate.ACCEPTED


@pytest.mark.parametrize("table", TABLES)
async def test_tombstone_life_periods(store: RowStore, table: Table) -> None:
    sample, life = SAMPLES[table], RULES[table].tombstone_life_periods
    for wrong in (life - 1, life + 1):
        row = make_row(
            table,
            sample.suffix,
            None,
            signer=sample.signer,
            co_signers=sample.co_signers,
            seq=1,
            period=PERIOD,
            slot=0,
            expires=PERIOD + wrong,
        )
        assert (await offer(store, row)).code == "lives-too-long"
    assert (await offer(store, sample.row(deleted=True))).fate is Fate.ACCEPTED


@pytest.mark.parametrize("table", [table for table in TABLES if RULES[table].key_suffix_bytes])
async def test_max_rows_per_owner(
    store: RowStore, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Own deletions count, too: they are rows that everybody holds for a while."""
    sample = SAMPLES[table]
    rule = replace(RULES[table], max_rows_per_owner=2)
    monkeypatch.setattr(store._registry, "rule_of", lambda number: _rule(number, rule))
    parts = KINDS[table].key
    for at in range(3):
        tail = bytes([at + 1]) * (0 if parts[-1].signs else parts[-1].length)
        if table is Table.CERTIFICATE:
            tail = bytes([at + 1]) * 32
        suffix = sample.suffix[: len(sample.suffix) - len(tail)] + tail
        outcome = await offer(store, replace(sample, suffix=suffix).row(deleted=True, slot=at))
        expected = (Fate.ACCEPTED, None) if at < 2 else (Fate.REFUSED, "owner-full")
        assert (outcome.fate, outcome.code) == expected


def _rule(number: int, changed: TableRule) -> TableRule:
    return changed if number == changed.table else RULES[number]


@pytest.mark.parametrize("table", TABLES)
async def test_writers(store: RowStore, table: Table) -> None:
    """Whose role is not among a table's writers waits for the row that would give it the role."""
    sample = SAMPLES[table]
    kind = KINDS[table]
    row = sample.row()
    places = kind.writers(row, sample.body)
    if kind.founds:
        assert places == ()
        return
    assert places
    for found in ([place] for place in places):
        await store.accept_many(
            [item.raw for item in before(table) if (item.table, item.key) not in found], source=None
        )
    outcome = await offer(store, row)
    assert outcome.fate in (Fate.PARKED, Fate.ACCEPTED)  # another role of the writer's will do
    if len(places) == 1:
        assert outcome.fate is Fate.PARKED


@pytest.mark.parametrize("table", TABLES)
def test_exposure_and_members(table: Table) -> None:
    sample, rule, kind = SAMPLES[table], RULES[table], KINDS[table]
    row = sample.row()
    named = audience_of(row, rule)
    stranger = Standing(key=STRANGER.public)
    if named is EVERYBODY:
        assert rule.exposure is Exposure.GLOBAL or kind.is_public(row)
        assert may_see(row, rule, stranger)
        return
    assert named == {row.owner, *row.co_owners, *kind.others(row)}
    assert not may_see(row, rule, stranger)
    assert all(may_see(row, rule, Standing(key=key)) for key in named)
    helper = Standing(key=STRANGER.public, acts_for=named)
    assert may_see(row, rule, helper) == (rule.exposure is Exposure.GRID)
    member = Standing(key=STRANGER.public, member_of=named)
    assert may_see(row, rule, member) == rule.members
    hidden = replace(rule, exposure=Exposure.PRIVATE, members=False)
    assert not may_see(row, hidden, Standing(key=row.owner))
    assert not hidden.leaves


@pytest.mark.parametrize("table", [table for table in TABLES if RULES[table].follows_user])
async def test_follows_user(store: RowStore, table: Table) -> None:
    """Mary has no publisher, so a row that one has signed waits until she has it."""
    sample = await prepare(store, table)
    shared = replace(sample, co_signers=(STRANGER,)).row()
    assert (await offer(store, shared)).fate is Fate.PARKED
    assert (await offer(store, sample.row())).fate is Fate.ACCEPTED


def test_no_field_is_without_a_test() -> None:
    """Who adds a field says here where its effect is tested."""
    here = {
        "table",
        "name",
        "exposure",
        "members",
        "writers",
        "key_suffix_bytes",
        "max_row_bytes",
        "slots_per_period",
        "max_rows_per_owner",
        "max_table_bytes",
        "max_life_periods",
        "max_co_owners",
        "follows_user",
    }
    in_apps = {"columns", "check"}  # tests/nodepool/test_apps.py, tests/core/test_app_tables.py
    in_sync = {"sync", "partners", "near_partners", "check_every_s"}
    assert {field.name for field in fields(TableRule)} == here | in_apps | in_sync


@pytest.mark.parametrize("table", TABLES)
async def test_max_table_bytes(
    store: RowStore, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of one table's rows leaves the room of the others."""
    sample = await prepare(store, table)
    held = store._tally.bytes_of(table)
    rule = replace(RULES[table], max_table_bytes=held + len(sample.row().raw) - 1)
    monkeypatch.setattr(store._registry, "rule_of", lambda number: _rule(number, rule))
    refused = await offer(store, sample.row())
    assert (refused.fate, refused.code) == (Fate.REFUSED, "table-full")
    assert not refused.is_senders_fault
    rule = replace(rule, max_table_bytes=rule.max_table_bytes + 1)
    assert (await offer(store, sample.row())).fate is Fate.ACCEPTED


async def test_the_pool_as_a_whole_has_a_limit(
    store: RowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptance, "MAX_POOL_BYTES", 500)
    assert (await offer(store, SAMPLES[Table.USER].row())).fate is Fate.ACCEPTED
    refused = await offer(store, SAMPLES[Table.PUBLISHER].row())
    assert (refused.fate, refused.code) == (Fate.REFUSED, "pool-full")
    assert store.counts[Table.USER] == 1
