"""Files of a publisher's user belong to both: neither changes anything without the other."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest
from grids import NOW, FixedClock, key_of, on_the_spot

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import Body, FileBody, FolderBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.tables import Table
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from tests.core.row_samples import SAMPLES

MARY, SHOP, OTHER_SHOP = key_of("mary"), key_of("shop"), key_of("other shop")
PEER = key_of("peer").node_id
FOLDER, FILE = b"d" * 16, b"f" * 16


def signed(
    table: Table,
    suffix: bytes,
    body: Body | None,
    *others: SigningKey,
    seq: int = 1,
    signer: SigningKey = MARY,
) -> SignedRow:
    life = 100 if body is not None else 372 * 144
    return make_row(
        table,
        suffix,
        body,
        signer=signer,
        co_signers=others,
        seq=seq,
        period=NOW,
        slot=seq,
        expires=NOW + life,
    )


def publisher(key: SigningKey) -> SignedRow:
    body = SAMPLES[Table.PUBLISHER].body
    assert body is not None
    return signed(Table.PUBLISHER, b"", body, signer=key)


def folder(*others: SigningKey, seq: int = 1, sealed: bytes = b"") -> SignedRow:
    body = FolderBody(parent=b"", open_key=b"", sealed=sealed)
    return signed(Table.FOLDER, FOLDER, body, *others, seq=seq)


def file(*others: SigningKey, seq: int = 1, sealed: bytes = b"") -> SignedRow:
    return signed(Table.FILE, FILE, FileBody(folder=FOLDER, sealed=sealed), *others, seq=seq)


PERSON = signed(Table.USER, b"", UserBody(nickname="Mary"), SHOP)
FOUNDED = [publisher(SHOP), publisher(OTHER_SHOP), PERSON, folder(SHOP), file(SHOP)]


async def fates(store: RowStore, rows: Sequence[SignedRow]) -> list[Fate]:
    return [(await store.accept(row.raw, source=PEER)).fate for row in rows]


async def held(store: RowStore, table: Table, key: bytes) -> bytes | None:
    sql = "SELECT id FROM np_row WHERE tbl = ? AND key = ?"
    found = await store.database.read(lambda db: db.execute(sql, (table, key)).fetchone())
    return None if found is None else bytes(found[0])


async def test_both_signatures_are_needed(tmp_path: Path) -> None:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        assert await fates(store, FOUNDED[:3]) == [Fate.ACCEPTED] * 3
        assert await fates(store, [folder()]) == [Fate.PARKED], "hers alone is nothing"
        assert await fates(store, [folder(OTHER_SHOP, seq=2)]) == [Fate.PARKED]
        assert await fates(store, FOUNDED[3:]) == [Fate.ACCEPTED] * 2
        half = bytearray(file(SHOP, seq=9).raw)
        half[-1] ^= 1
        (outcome,) = await store.accept_many([bytes(half)], source=PEER)
        assert outcome.code == "bad-signature"


@pytest.mark.parametrize(
    "alone",
    [
        file(seq=7, sealed=b"other"),
        signed(Table.FILE, FILE, None, seq=7),
        file(OTHER_SHOP, seq=1),
        signed(Table.FILE, FILE, FileBody(folder=FOLDER, sealed=b""), signer=SHOP, seq=7),
    ],
    ids=["a change", "a deletion", "with another publisher", "the publisher alone"],
)
async def test_nobody_changes_it_alone(tmp_path: Path, alone: SignedRow) -> None:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        await fates(store, FOUNDED)
        assert await fates(store, [alone]) != [Fate.ACCEPTED]
        assert await held(store, Table.FILE, MARY.public + FILE) == FOUNDED[-1].id


async def test_both_change_and_delete_it_together(tmp_path: Path) -> None:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        await fates(store, FOUNDED)
        changed = file(SHOP, seq=2, sealed=b"new name")
        assert await fates(store, [changed]) == [Fate.ACCEPTED]
        gone = signed(Table.FILE, FILE, None, SHOP, seq=3)
        assert await fates(store, [gone]) == [Fate.ACCEPTED]


async def test_her_own_program_cannot_either(tmp_path: Path) -> None:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        await fates(store, FOUNDED)
        for body in (FileBody(folder=FOLDER, sealed=b"other"), None):
            with contextlib.suppress(BadInput):
                await store.write(Table.FILE, FILE, body, signer=MARY)
            assert await held(store, Table.FILE, MARY.public + FILE) == FOUNDED[-1].id


async def test_it_comes_to_the_same_in_any_order(tmp_path: Path) -> None:
    """With a change that she made alone among the rows, and whatever came first."""
    rows = [*FOUNDED[2:], file(seq=5, sealed=b"hers alone")]
    for at, order in enumerate(permutations(rows)):
        (tmp_path / f"{at}").mkdir()
        async with open_row_store(tmp_path / f"{at}", clock=FixedClock(), run=on_the_spot) as store:
            await fates(store, [publisher(SHOP), *order])
            assert await held(store, Table.FILE, MARY.public + FILE) == FOUNDED[-1].id
