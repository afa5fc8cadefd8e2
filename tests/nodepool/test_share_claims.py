"""What nodes said they hold is remembered, within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from grids import NOW, FixedClock, key_of, on_the_spot, write_person

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.row_bodies import PlacementBody
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.nodepool import share_claims
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import NewRow, RowStore, open_row_store
from bitcloud_net.nodepool.share_claims import ShareClaim, ShareClaims

NODES = [key_of(f"node {at}").node_id for at in range(4)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as opened:
        yield opened


def some(count: int, seed: int = 0) -> list[ShareClaim]:
    chance = Random(seed)
    return [ShareClaim(cid=chance.randbytes(32), share_no=at % 4) for at in range(count)]


async def test_claims_are_remembered_for_each_node_until_forgotten(store: RowStore) -> None:
    claims, (one, other) = ShareClaims(store.database), NODES[:2]
    made = some(5)
    await claims.note(one, made, NOW)
    await claims.note(one, made[:2], NOW + 1)
    await claims.note(other, made[:1], NOW)
    await claims.note(other, [], NOW)
    assert set(await claims.of(one)) == set(made)
    await claims.forget(one, made[0])
    assert set(await claims.of(one)) == set(made[1:])
    assert await claims.of(other) == (made[0],)
    assert await claims.of(NODES[2]) == ()


async def test_the_newest_are_kept(store: RowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_claims, "MAX_PER_NODE", 10)
    monkeypatch.setattr(share_claims, "MAX_CLAIMS", 25)
    claims = ShareClaims(store.database)
    for at, node in enumerate(NODES):
        for period in range(3):
            await claims.note(node, some(6, seed=10 * at + period), NOW + 10 * at + period)
    kept = [await claims.of(node) for node in NODES]
    assert [len(each) for each in kept] == [0, 5, 10, 10]
    assert set(some(6, seed=32)) <= set(kept[3])
    assert set(kept[1]) <= set(some(6, seed=12))


async def test_placements_that_name_a_node(store: RowStore) -> None:
    chance, person = Random(5), key_of("mary")
    await write_person(store, person, b"f" * 16)
    rows, expected = [], []
    for at in range(60):
        cid = chance.randbytes(32)
        holders = [NodeId(chance.randbytes(32)) for _ in range(5)]
        if at % 3 == 0:
            holders[chance.randrange(5)] = NODES[0]
            expected.append(cid)
        elif at % 3 == 1:  # its bytes lie across two others
            holders[1] = NodeId(bytes(16) + NODES[0][:16])
            holders[2] = NodeId(NODES[0][16:] + bytes(16))
        body = PlacementBody(manifest=b"BC", holders=tuple(holders))
        rows.append(NewRow(table=Table.PLACEMENT, key_suffix=cid, body=body))
    await store.write_many(rows, signer=person)
    queries = Queries(store.database)
    found = await queries.placements_at(NODES[0], b"", 100)
    assert [item.cid for item in found] == sorted(expected)
    middle = sorted(expected)[7]
    found = await queries.placements_at(NODES[0], middle, 3)
    assert {item.cid for item in found} <= set(sorted(expected)[7:])
    assert found[0].cid == middle
    assert await queries.placements_at(NODES[1], b"", 100) == ()
