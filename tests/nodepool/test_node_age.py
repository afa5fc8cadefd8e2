"""Since when a node is there: as this computer has seen it, whatever the node says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from grids import NOW, FixedClock, key_of, on_the_spot

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import Body, IdentityBody, NodeBody
from bitcloud_net.core.nodepool.rows import make_row
from bitcloud_net.core.nodepool.table_rules import NODE_LIFE_PERIODS, Role, Table
from bitcloud_net.core.trust.identity import Admission, Difficulty, day_of
from bitcloud_net.nodepool.node_age import MEMORY_PERIODS
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import RowStore, open_row_store

OLD, NEW = key_of("old"), key_of("new")
NODE = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FixedClock) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as opened:
        yield opened


async def hear(
    store: RowStore, key: SigningKey, period: int, body: Body = NODE, suffix: bytes = b""
) -> None:
    table = Table.NODE if isinstance(body, NodeBody) else Table.IDENTITY
    numbers = {"seq": period, "period": period, "slot": 0, "expires": period + NODE_LIFE_PERIODS}
    await store.accept_many(
        [make_row(table, suffix, body, signer=key, **numbers).raw], source=OLD.node_id
    )


async def ages(store: RowStore, period: int) -> dict[bytes, int]:
    return {
        node.id: node.candidate.since for node in await Queries(store.database).nodes(period=period)
    }


async def test_who_has_just_come_takes_all_it_finds_as_old(store: RowStore) -> None:
    await hear(store, OLD, NOW - 3)
    await hear(store, NEW, NOW)
    assert set((await ages(store, NOW)).values()) == {0}


async def test_who_comes_later_is_new_and_stays_so_when_it_signs_again(
    store: RowStore, clock: FixedClock
) -> None:
    await hear(store, OLD, NOW)
    await store.note_watched(NOW + 1)
    clock.forward(2)
    await hear(store, NEW, NOW - 200)  # as if it had been there for long
    for _ in range(3):
        clock.forward(10)
        await store.note_watched(clock.period())
        await hear(store, OLD, clock.period())
        await hear(store, NEW, clock.period())
    assert await ages(store, clock.period()) == {OLD.node_id: 0, NEW.node_id: NOW + 1}


async def test_who_slept_takes_what_came_meanwhile_as_old_as_its_sleep(
    tmp_path: Path, clock: FixedClock
) -> None:
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as store:
        await store.note_watched(NOW)
    clock.forward(5 * 144)
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as store:
        await hear(store, NEW, clock.period())
        assert await ages(store, clock.period()) == {NEW.node_id: NOW}


async def test_who_was_away_for_six_days_is_new_again_and_for_less_is_not(
    store: RowStore, clock: FixedClock
) -> None:
    await hear(store, OLD, NOW)
    for away, since in ((MEMORY_PERIODS - 1, 0), (MEMORY_PERIODS + 1, None)):
        clock.forward(away)
        await store.sweep()
        await store.note_watched(clock.period())
        assert await ages(store, clock.period()) == {}
        clock.forward(1)
        await hear(store, OLD, clock.period())
        expected = clock.period() - 1 if since is None else since
        assert await ages(store, clock.period()) == {OLD.node_id: expected}


async def test_where_identities_are_mined_the_later_counts(
    tmp_path: Path, clock: FixedClock
) -> None:
    easy = Admission(difficulty=Difficulty(bits=1, memory_kib=8), beacon=lambda _: bytes(32))
    async with open_row_store(tmp_path, clock=clock, admission=easy, run=on_the_spot) as store:
        identity = IdentityBody(day=day_of(NOW) - 2, nonce=0, registered=NOW - 200)
        await hear(store, OLD, NOW, identity, bytes([Role.NODE]))
        await hear(store, OLD, NOW)
        assert await ages(store, NOW) == {OLD.node_id: NOW - 200}
        await store.note_watched(NOW)
        await hear(store, NEW, NOW, identity, bytes([Role.NODE]))
        await hear(store, NEW, NOW)
        assert (await ages(store, NOW))[NEW.node_id] == NOW
