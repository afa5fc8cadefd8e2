"""Networks that ask for mined identities: who gets in, who is found out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from grids import NOW, FixedClock, key_of, on_the_spot, raws_of, view_of

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.row_bodies import IdentityBody, NodeBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import PROOFS, RULES, Role, Table
from bitcloud_net.core.trust.identity import Admission, Difficulty, day_of
from bitcloud_net.nodepool import proofs
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from bitcloud_net.services.trust.identity_checker import IdentityChecker
from bitcloud_net.services.trust.identity_keeper import IdentityKeeper
from bitcloud_net.transfer.mining import IdentityMiner, MiningProgress

MARY = key_of("mary")
ADMISSION = Admission(
    difficulty=Difficulty(bits=3, memory_kib=8), beacon=lambda day: day.to_bytes(32, "big")
)
OWN = key_of("checker").node_id


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(
        tmp_path, clock=FixedClock(), admission=ADMISSION, run=on_the_spot
    ) as opened:
        yield opened


def node_row(key: SigningKey = MARY) -> SignedRow:
    body = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
    return make_row(Table.NODE, b"", body, signer=key, seq=1, period=NOW, slot=0, expires=NOW + 9)


def identity_row(*, mined: bool, key: SigningKey = MARY, role: int = 1) -> SignedRow:
    puzzle = ADMISSION.puzzle(key.public, Role.NODE, day_of(NOW))
    nonce = next(nonce for nonce in range(9_999) if puzzle.holds(nonce) is mined)
    body = IdentityBody(day=day_of(NOW), nonce=nonce, registered=NOW)
    return make_row(
        Table.IDENTITY,
        bytes([role]),
        body,
        signer=key,
        seq=1,
        period=NOW,
        slot=0,
        expires=NOW + 9,
    )


async def fate(store: RowStore, row: SignedRow) -> tuple[Fate, str | None]:
    outcome = await store.accept(row.raw, source=OWN)
    return outcome.fate, outcome.code


async def test_a_node_needs_an_identity(store: RowStore) -> None:
    assert await fate(store, node_row()) == (Fate.PARKED, None)
    assert await fate(store, identity_row(mined=True)) == (Fate.ACCEPTED, None)
    assert store.counts[Table.NODE] == 1


async def test_a_free_network_asks_for_nothing(tmp_path: Path) -> None:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as free:
        assert await fate(free, node_row()) == (Fate.ACCEPTED, None)


async def test_one_command_mines_registers_and_lets_the_node_in(
    store: RowStore, tmp_path: Path
) -> None:
    seen: list[MiningProgress] = []
    miner = IdentityMiner(tmp_path / "mining.json", workers=1)
    queries = Queries(store.database)
    keeper = IdentityKeeper(queries, store, MARY, miner, ADMISSION, lambda: NOW)
    await keeper.ensure(Role.NODE, seen.append)
    assert await queries.registration(MARY.public, Role.NODE, NOW)
    assert not await queries.registration(MARY.public, Role.PUBLISHER, NOW)
    assert seen
    assert not (tmp_path / "mining.json").exists()
    await keeper.ensure(Role.NODE, seen.append)
    assert store.counts[Table.IDENTITY] == 1
    assert await fate(store, node_row()) == (Fate.ACCEPTED, None)


async def test_who_did_not_mine_is_found_out_and_goes_everywhere(
    store: RowStore, tmp_path: Path
) -> None:
    assert await fate(store, identity_row(mined=False)) == (Fate.ACCEPTED, None)
    assert await fate(store, node_row()) == (Fate.ACCEPTED, None)
    checker = IdentityChecker(store, OWN, ADMISSION)
    assert not await checker.check(identity_row(mined=False))
    assert store.counts[Table.NODE] == store.counts[Table.IDENTITY] == 0
    assert await fate(store, identity_row(mined=False)) == (Fate.REFUSED, "owner-banned")
    proofs = (await view_of(store, NOW))[PROOFS]
    _, raws = await raws_of(store, PROOFS, [proofs.item(0)[8:]], max_bytes=10**6)
    (tmp_path / "other").mkdir()
    async with open_row_store(
        tmp_path / "other", clock=FixedClock(), admission=ADMISSION, run=on_the_spot
    ) as other:
        await fate(other, identity_row(mined=False))
        (outcome,) = await other.take(PROOFS, raws, source=OWN)
        assert outcome.fate is Fate.ACCEPTED
        assert other.counts[Table.IDENTITY] == 0


async def test_who_mined_cannot_be_slandered(store: RowStore) -> None:
    good = identity_row(mined=True)
    assert await IdentityChecker(store, OWN, ADMISSION).check(good)
    slander = encoding.encode(["identity", good.raw, b""])
    (outcome, unread) = await store.take(PROOFS, [slander, slander], source=OWN)
    assert outcome.code == unread.code == "bad-proof"
    assert outcome.is_senders_fault
    assert await fate(store, good) == (Fate.ACCEPTED, None)


@pytest.mark.parametrize("role", [0, 3, Role.USER, 255])
async def test_roles_that_are_not_mined(store: RowStore, role: int) -> None:
    row = identity_row(mined=True, role=role)
    assert await fate(store, row) == (Fate.REFUSED, "bad-identity")


async def test_partners_are_always_checked_and_strangers_now_and_then(store: RowStore) -> None:
    partner = key_of("partner")
    checker = IdentityChecker(
        store, OWN, ADMISSION, deals_with=lambda key: NodeId(key) == partner.node_id
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: checker.run(task_status=task_status))
        strangers = [key_of(f"stranger {at}") for at in range(50)]
        for key in (partner, *strangers):
            await fate(store, identity_row(mined=False, key=key))
        with trio.fail_after(5):
            while partner.public not in await Queries(store.database).cheats():  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert store.counts[Table.IDENTITY] >= 45


async def test_a_stranger_is_checked_when_it_is_met(store: RowStore) -> None:
    cheat, honest = key_of("stranger 7"), key_of("honest")
    await fate(store, identity_row(mined=False, key=cheat))
    await fate(store, identity_row(mined=True, key=honest))
    checker = IdentityChecker(store, OWN, ADMISSION)
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: checker.run(task_status=task_status))
        for key in (honest, cheat, key_of("nobody"), honest):
            checker.met(key.node_id)
        with trio.fail_after(5):
            while cheat.public not in await Queries(store.database).cheats():  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert await Queries(store.database).cheats() == (cheat.public,)
    assert store.counts[Table.IDENTITY] == 1


async def test_more_cheats_than_proofs_are_kept_of(
    store: RowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "MAX_PROOFS", 2)
    checker = IdentityChecker(store, OWN, ADMISSION)
    rows = [identity_row(mined=False, key=key_of(f"cheat {at}")) for at in range(5)]
    for row in rows:
        assert await fate(store, row) == (Fate.ACCEPTED, None)
        assert not await checker.check(row)
        assert await fate(store, row) == (Fate.REFUSED, "owner-banned")
    assert store.counts[Table.IDENTITY] == 0


@pytest.mark.parametrize("table", [Table.NODE, Table.GRID, Table.PUBLISHER])
async def test_nobody_is_what_was_never_mined_by_deleting_it(store: RowStore, table: Table) -> None:
    """A deleted row counts where others belong to it, so it needs the identity, too."""
    life = RULES[table].tombstone_life_periods
    numbers = {"seq": 1, "period": NOW, "slot": 0, "expires": NOW + life}
    gone = make_row(table, b"", None, signer=MARY, **numbers)
    assert (await store.accept(gone.raw, source=None)).fate is Fate.PARKED
    role = int(RULES[table].writers)
    await store.accept(identity_row(mined=True, role=role).raw, source=None)
    assert store.counts[table] == 1


async def test_nobody_is_convicted_by_a_beacon_that_is_not_certain(tmp_path: Path) -> None:
    """A node that has just come does not know the year's beacons; it neither finds guilty nor
    believes who does, and blames no sender for it. A minute later it knows.
    """
    certain: set[int] = set()
    unsure = replace(ADMISSION, is_certain=certain.__contains__)
    liar = identity_row(mined=False)
    proof = Proof.of_identity(liar, ADMISSION)
    async with open_row_store(
        tmp_path, clock=FixedClock(), admission=unsure, run=on_the_spot
    ) as store:
        assert await fate(store, liar) == (Fate.ACCEPTED, None)
        checker = IdentityChecker(store, OWN, unsure)
        assert await checker.check(liar)
        (outcome,) = await store.take(PROOFS, [proof.raw], source=OWN)
        assert (outcome.fate, outcome.code) == (Fate.REFUSED, "unknown-day")
        assert not outcome.is_senders_fault
        certain.add(day_of(NOW))
        assert not await checker.check(liar)
        assert await Queries(store.database).bans(NOW)


async def test_a_search_begins_anew_when_the_beacon_of_its_day_was_another(
    store: RowStore, tmp_path: Path
) -> None:
    """Somebody mines before the first rows have come, and learns the true beacon meanwhile."""
    guessed, true = b"guessed".ljust(32), b"true".ljust(32)
    asked: list[bytes] = []

    def beacon(_day: int) -> bytes:
        asked.append(guessed if len(asked) < 1 else true)
        return asked[-1]

    admission = replace(ADMISSION, beacon=beacon)
    keeper = IdentityKeeper(
        Queries(store.database), store, MARY, IdentityMiner(tmp_path / "m"), admission, lambda: NOW
    )
    await keeper.ensure(Role.NODE, lambda _progress: None)
    found = await Queries(store.database).registration(MARY.public, Role.NODE, NOW)
    assert found is not None
    puzzle = replace(ADMISSION, beacon=lambda _day: true).puzzle(
        MARY.public, Role.NODE, found.body.day
    )
    assert puzzle.holds(found.body.nonce)


async def test_who_cannot_learn_the_beacon_mines_nothing_with_a_guess(
    store: RowStore, tmp_path: Path, autojump_clock: object
) -> None:
    """A small device that keeps no rows of committees: others would see an identity not mined."""
    small = replace(ADMISSION, is_certain=lambda _: False, may_begin=False)
    keeper = IdentityKeeper(
        Queries(store.database), store, MARY, IdentityMiner(tmp_path / "m"), small, lambda: NOW
    )
    with pytest.raises(Unavailable) as caught:
        await keeper.ensure(Role.NODE, lambda _progress: None)
    assert caught.value.code == "beacon-unknown"
    assert store.counts[Table.IDENTITY] == 0
