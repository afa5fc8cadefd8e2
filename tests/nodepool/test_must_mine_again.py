"""Who loses the place that was mined for, and who keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from grids import NOW, FixedClock, key_of, on_the_spot

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.nodepool.row_bodies import IdentityBody, NodeBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.tables import DAY_PERIODS, Role, Table
from bitcloud_net.core.trust.identity import Admission, Difficulty, day_of
from bitcloud_net.core.trust.verdicts import Ban
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from bitcloud_net.services.trust.identity_keeper import IdentityKeeper
from bitcloud_net.transfer.mining import IdentityMiner

MARY = key_of("mary")
ADMISSION = Admission(
    difficulty=Difficulty(bits=1, memory_kib=8), beacon=lambda day: day.to_bytes(32, "big")
)
PEER = key_of("peer").node_id
LIFE = 3 * DAY_PERIODS


class Dates(FixedClock):
    """Wall time in periods."""

    @property
    def now(self) -> int:
        return self.period()

    @now.setter
    def now(self, period: int) -> None:
        self.seconds = period * 600


@pytest.fixture
def clock() -> Dates:
    return Dates()


@pytest.fixture
async def store(tmp_path: Path, clock: Dates) -> AsyncIterator[RowStore]:
    async with open_row_store(
        tmp_path, clock=clock, admission=ADMISSION, run=on_the_spot
    ) as opened:
        yield opened


def node_row(period: int, *, seq: int, gone: bool = False) -> SignedRow:
    body = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
    life = LIFE + 7 * DAY_PERIODS if gone else LIFE
    return make_row(
        Table.NODE,
        b"",
        None if gone else body,
        signer=MARY,
        seq=seq,
        period=period,
        slot=0,
        expires=period + life,
    )


def identity_row(period: int, *, seq: int = 1, registered: int | None = None) -> SignedRow:
    registered = period if registered is None else registered
    day = day_of(registered)
    puzzle = ADMISSION.puzzle(MARY.public, Role.NODE, day)
    nonce = next(nonce for nonce in range(99) if puzzle.holds(nonce))
    return make_row(
        Table.IDENTITY,
        bytes([Role.NODE]),
        IdentityBody(day=day, nonce=nonce, registered=registered),
        signer=MARY,
        seq=seq,
        period=period,
        slot=0,
        expires=period + 365 * DAY_PERIODS,
    )


async def fate(store: RowStore, row: SignedRow) -> tuple[Fate, str | None]:
    outcome = await store.accept(row.raw, source=PEER)
    return outcome.fate, outcome.code


async def settle(store: RowStore, clock: Dates, period: int) -> None:
    clock.now = period
    await store.sweep()


async def test_a_node_that_is_away_for_days_keeps_its_place_until_they_are_three(
    store: RowStore, clock: Dates
) -> None:
    assert (await fate(store, identity_row(NOW)))[0] is Fate.ACCEPTED
    assert (await fate(store, node_row(NOW, seq=1)))[0] is Fate.ACCEPTED
    back = NOW + LIFE + 3 * DAY_PERIODS
    await settle(store, clock, back)
    assert store.counts[Table.NODE] == 0
    assert (await fate(store, node_row(back, seq=2)))[0] is Fate.ACCEPTED
    late = back + LIFE + 3 * DAY_PERIODS + 1
    await settle(store, clock, late)
    assert await fate(store, node_row(late, seq=3)) == (Fate.REFUSED, "must-mine-again")
    assert await Queries(store.database).registration(MARY.public, Role.NODE, late) is None
    assert (await fate(store, identity_row(late, seq=2)))[0] is Fate.ACCEPTED
    assert await Queries(store.database).registration(MARY.public, Role.NODE, late)
    assert (await fate(store, node_row(late, seq=4)))[0] is Fate.ACCEPTED


async def test_signing_the_old_registration_again_is_not_mining(
    store: RowStore, clock: Dates
) -> None:
    await fate(store, identity_row(NOW))
    await fate(store, node_row(NOW, seq=1))
    late = NOW + 2 * LIFE + 1
    await settle(store, clock, late)
    assert (await fate(store, identity_row(late, seq=2, registered=NOW)))[0] is Fate.ACCEPTED
    assert await fate(store, node_row(late, seq=2)) == (Fate.REFUSED, "must-mine-again")


async def test_who_leaves_may_come_back_for_three_days(store: RowStore, clock: Dates) -> None:
    await fate(store, identity_row(NOW))
    await fate(store, node_row(NOW, seq=1))
    assert (await fate(store, node_row(NOW + 1, seq=2, gone=True)))[0] is Fate.ACCEPTED
    clock.now = NOW + 1 + 3 * DAY_PERIODS
    assert (await fate(store, node_row(clock.now, seq=3)))[0] is Fate.ACCEPTED
    clock.now += 1
    assert (await fate(store, node_row(clock.now, seq=5, gone=True)))[0] is Fate.ACCEPTED
    clock.now += 3 * DAY_PERIODS + 1
    assert await fate(store, node_row(clock.now, seq=6)) == (Fate.REFUSED, "must-mine-again")


async def test_a_fraud_costs_the_identity_and_unreliability_does_not(
    store: RowStore, clock: Dates
) -> None:
    await fate(store, identity_row(NOW))
    await fate(store, node_row(NOW, seq=1))
    slow = Ban(target=MARY.node_id, since=NOW, until=NOW + 1, reason="too-slow")
    assert await store.ban(slow)
    assert (store.counts[Table.NODE], store.counts[Table.IDENTITY]) == (0, 1)
    clock.now = NOW + 2
    assert (await fate(store, node_row(NOW + 2, seq=2)))[0] is Fate.ACCEPTED
    fraud = Ban(target=MARY.node_id, since=NOW + 2, until=NOW + 3, reason="fraud")
    assert await store.ban(fraud)
    assert store.counts[Table.IDENTITY] == 0
    clock.now = NOW + 4
    again = identity_row(NOW + 4, seq=2, registered=NOW)
    assert await fate(store, again) == (Fate.REFUSED, "must-mine-again")
    assert (await fate(store, identity_row(NOW + 4, seq=3)))[0] is Fate.ACCEPTED
    assert (await fate(store, node_row(NOW + 4, seq=3)))[0] is Fate.ACCEPTED


async def test_the_keeper_mines_again_and_only_then(
    store: RowStore, clock: Dates, tmp_path: Path
) -> None:
    queries = Queries(store.database)
    keeper = IdentityKeeper(
        queries, store, MARY, IdentityMiner(tmp_path / "m.json"), ADMISSION, lambda: clock.now
    )

    async def registered() -> int | None:
        await keeper.ensure(Role.NODE, lambda _: None)
        return await keeper.registered(Role.NODE)

    assert await registered() == NOW
    await fate(store, node_row(NOW, seq=1))
    await settle(store, clock, NOW + LIFE + DAY_PERIODS)
    assert await registered() == NOW
    await settle(store, clock, NOW + LIFE + 4 * DAY_PERIODS)
    assert await registered() == clock.now
    fraud = Ban(target=MARY.node_id, since=clock.now, until=clock.now + 6, reason="fraud")
    await store.ban(fraud)
    with pytest.raises(BadInput, match="banned for fraud for 70 more minutes") as caught:
        await registered()
    assert caught.value.code == "owner-banned"
    clock.now += 7
    assert await registered() == clock.now


async def test_a_registration_is_signed_again_in_time(
    store: RowStore, clock: Dates, tmp_path: Path
) -> None:
    queries = Queries(store.database)
    keeper = IdentityKeeper(
        queries, store, MARY, IdentityMiner(tmp_path / "m.json"), ADMISSION, lambda: clock.now
    )
    await keeper.ensure(Role.PUBLISHER, lambda _: None)
    for days in range(0, 3 * 365, 100):
        await settle(store, clock, NOW + days * DAY_PERIODS)
        await keeper.renew(Role.PUBLISHER)
        found = await queries.registration(MARY.public, Role.PUBLISHER, clock.now)
        assert found is not None
        assert found.body.registered == NOW
    assert store.counts[Table.IDENTITY] == 1
