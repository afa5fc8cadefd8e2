"""Who may write what: roles, foreign keys, and what belongs to two (R-NP-02)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from grids import FixedClock, on_the_spot

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.audience import Standing
from bitcloud_net.core.nodepool.bodies.certificates import REVOKED, CertificateBody, CertificateKind
from bitcloud_net.core.nodepool.bodies.contracts import ContractState
from bitcloud_net.core.nodepool.row_bodies import (
    FileBody,
    FolderBody,
    UserBody,
)
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import RULES, Table
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from bitcloud_net.nodepool.standing import standing_of
from tests.core.row_samples import (
    FOLDER_ID,
    GATEWAY,
    GRID,
    MARY,
    NODE,
    OTHER_SHOP,
    OTHERS,
    PERIOD,
    SAMPLES,
    SHOP,
    Sample,
    before,
    contract,
)

STRANGER = SigningKey(b"x" * 32)
NUMBERS = {"period": PERIOD, "expires": PERIOD + 100}
FOLDER = FolderBody(parent=b"", open_key=b"", sealed=b"")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(PERIOD), run=on_the_spot) as opened:
        await offer(opened, *(sample.row() for sample in OTHERS), SAMPLES[Table.PUBLISHER].row())
        yield opened


async def offer(store: RowStore, *rows: SignedRow) -> list[Fate]:
    outcomes = await store.accept_many([row.raw for row in rows], source=None)
    return [outcome.fate for outcome in outcomes]


def own(body: Any, suffix: bytes, *publisher: SigningKey, seq: int = 1, slot: int = 0) -> SignedRow:
    table = {UserBody: Table.USER, FolderBody: Table.FOLDER, FileBody: Table.FILE}[type(body)]
    return make_row(
        table, suffix, body, signer=MARY, co_signers=publisher, seq=seq, slot=slot, **NUMBERS
    )


def mary(*publisher: SigningKey, seq: int = 1, slot: int = 0) -> SignedRow:
    return own(UserBody(nickname="Mary"), b"", *publisher, seq=seq, slot=slot)


async def test_who_is_a_publishers_user_shares_every_file_with_it(store: RowStore) -> None:
    """Both signatures are needed; what lacks one waits, and is never taken as it is."""
    assert await offer(store, mary(SHOP)) == [Fate.ACCEPTED]
    assert await offer(store, own(FOLDER, FOLDER_ID)) == [Fate.PARKED]
    assert await offer(store, own(FOLDER, b"g" * 16, OTHER_SHOP, slot=1)) == [Fate.PARKED]
    assert await offer(store, own(FOLDER, b"h" * 16, SHOP, slot=2)) == [Fate.ACCEPTED]
    assert store.counts[Table.FOLDER] == 1


async def test_who_has_no_publisher_shares_with_none(store: RowStore) -> None:
    assert await offer(store, mary()) == [Fate.ACCEPTED]
    assert await offer(store, own(FOLDER, FOLDER_ID, SHOP)) == [Fate.PARKED]
    assert await offer(store, own(FOLDER, b"g" * 16, slot=1)) == [Fate.ACCEPTED]
    assert await offer(store, mary(SHOP, seq=2, slot=1)) == [Fate.ACCEPTED]
    assert store.counts[Table.FOLDER] == 2  # the first was taken when its time had come


async def test_a_publisher_must_be_one(store: RowStore) -> None:
    assert await offer(store, mary(STRANGER)) == [Fate.PARKED]


async def test_what_two_have_signed_one_alone_neither_changes_nor_deletes(store: RowStore) -> None:
    both = own(FOLDER, FOLDER_ID, SHOP)
    await offer(store, mary(SHOP), both)
    life = RULES[Table.FOLDER].tombstone_life_periods
    deletion = {"seq": 9, "period": PERIOD, "slot": 1, "expires": PERIOD + life}
    alone = make_row(Table.FOLDER, FOLDER_ID, None, signer=MARY, **deletion)
    together = make_row(Table.FOLDER, FOLDER_ID, None, signer=MARY, co_signers=[SHOP], **deletion)
    assert await offer(store, alone) == [Fate.STALE]
    assert await offer(store, own(FOLDER, FOLDER_ID, seq=2**62, slot=2)) == [Fate.STALE]
    assert await offer(store, both) == [Fate.KNOWN]
    assert await offer(store, together) == [Fate.ACCEPTED]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_all_nodes_end_with_the_same_row_whatever_came_first(
    tmp_path: Path, order: Sequence[int]
) -> None:
    life = RULES[Table.USER].tombstone_life_periods
    rows = [
        mary(seq=5),
        mary(SHOP, seq=2, slot=1),
        mary(SHOP, seq=3, slot=2),
        make_row(
            Table.USER, b"", None, signer=MARY, seq=9, slot=3, period=PERIOD, expires=PERIOD + life
        ),
    ]
    async with open_row_store(tmp_path, clock=FixedClock(PERIOD), run=on_the_spot) as store:
        await offer(store, SAMPLES[Table.PUBLISHER].row())
        for at in order:
            await offer(store, rows[at])
        assert await offer(store, rows[2]) == [Fate.KNOWN]


@pytest.mark.parametrize("table", [Table.NODE_CONTRACT, Table.PUBLISHER_CONTRACT])
async def test_a_contract_goes_on_when_both_sign_again(store: RowStore, table: Table) -> None:
    sample = SAMPLES[table]
    await offer(store, *before(table), sample.row())
    kind: Any = type(sample.body)
    ended = sample.row(contract(kind, state=ContractState.ENDED), seq=2, slot=1)
    assert await offer(store, ended) == [Fate.ACCEPTED]
    assert await offer(store, sample.row()) == [Fate.STALE]
    assert await offer(store, sample.row(deleted=True, seq=3)) == [Fate.ACCEPTED]


ROLES = [
    table for table in SAMPLES if SAMPLES[table].after and table not in (Table.GRID, Table.HEAD)
]


@pytest.mark.parametrize("table", ROLES)
async def test_who_lacks_the_role_waits_to_have_it(store: RowStore, table: Table) -> None:
    """Writers by role: a stranger's row of each table is never taken, whatever else is there."""
    sample = SAMPLES[table]
    for needed in Table:
        if needed in SAMPLES and needed is not table:
            await offer(store, *before(needed), SAMPLES[needed].row())
    stranger = replace(sample, signer=STRANGER)
    assert await offer(store, stranger.row(slot=1)) == [Fate.PARKED]
    assert await offer(store, sample.row()) in ([Fate.ACCEPTED], [Fate.KNOWN])


async def standing(store: RowStore, key: SigningKey, period: int = PERIOD) -> Standing:
    return await store.database.read(lambda db: standing_of(db, key.public, period))


async def with_all(store: RowStore, *tables: Table) -> None:
    for table in tables:
        await offer(store, *before(table), SAMPLES[table].row())


async def test_a_stranger_is_nothing_to_anybody(store: RowStore) -> None:
    await with_all(store, Table.GATEWAY, Table.PUBLISHER_CONTRACT)
    assert await standing(store, STRANGER) == Standing(key=STRANGER.public)


async def test_a_grid_acts_for_a_publisher_while_their_contract_runs(store: RowStore) -> None:
    await with_all(store, Table.PUBLISHER_CONTRACT)
    body: Any = SAMPLES[Table.PUBLISHER_CONTRACT].body
    last = body.ends + body.confirming + body.disputing
    assert (await standing(store, GRID)).acts_for == {SHOP.public}
    assert (await standing(store, GRID, last)).acts_for == {SHOP.public}
    assert (await standing(store, GRID, last + 1)).acts_for == frozenset()
    assert (await standing(store, GRID, body.begins - 1)).acts_for == frozenset()


async def test_a_gateway_acts_for_its_grid_and_for_publishers_under_contract(
    store: RowStore,
) -> None:
    await with_all(store, Table.GATEWAY)
    assert (await standing(store, GATEWAY)).acts_for == {GRID.public}
    await with_all(store, Table.PUBLISHER_CONTRACT)
    assert (await standing(store, GATEWAY)).acts_for == {GRID.public, SHOP.public}
    life = PERIOD + RULES[Table.GATEWAY].tombstone_life_periods
    gone = SAMPLES[Table.GATEWAY].row(deleted=True, seq=2, slot=1)
    assert gone.expires == life
    await offer(store, gone)
    assert (await standing(store, GATEWAY)).acts_for == frozenset()


async def test_a_grid_owner_alone_opens_no_publishers_rows_to_its_gateways(
    store: RowStore,
) -> None:
    """The contract of another grid does not help either."""
    await with_all(store, Table.PUBLISHER_CONTRACT)
    other = Sample(
        table=Table.GATEWAY,
        suffix=GATEWAY.public + SHOP.public,
        body=SAMPLES[Table.GATEWAY].body,
        signer=NODE,
    )
    grid = replace(SAMPLES[Table.GRID], signer=NODE)
    assert await offer(store, grid.row(), other.row()) == [Fate.ACCEPTED] * 2
    assert (await standing(store, GATEWAY)).acts_for == {NODE.public}


def certificate(kind: int, *, seq: int = 1, slot: int = 0) -> SignedRow:
    return make_row(
        Table.CERTIFICATE,
        bytes([kind]) + MARY.public,
        CertificateBody(since=PERIOD, reason=0 if kind < REVOKED else 5),
        signer=SHOP,
        seq=seq,
        slot=slot,
        **NUMBERS,
    )


async def test_a_user_is_a_member_by_the_own_row_or_by_a_certificate(store: RowStore) -> None:
    assert (await standing(store, MARY)).member_of == frozenset()
    await offer(store, certificate(CertificateKind.USER))
    assert (await standing(store, MARY)).member_of == {SHOP.public}
    await offer(store, certificate(CertificateKind.USER | REVOKED, slot=1))
    assert (await standing(store, MARY)).member_of == frozenset()
    await offer(store, mary(SHOP))
    assert (await standing(store, MARY)).member_of == {SHOP.public}
