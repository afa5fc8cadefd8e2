"""Accepting rows: who wins, what is refused and with which code, what is left as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from grids import NOW, FixedClock, files, key_of, on_the_spot, raws_of, view_of, write_person

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import BadInput, Malformed, Unavailable
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import Body, FileBody, FolderBody, NodeBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import PROOFS, RULES, Role, Table
from bitcloud_net.nodepool import acceptance, waiting_room
from bitcloud_net.nodepool.outcome import Fate, Outcome, RowsChanged
from bitcloud_net.nodepool.proofs import PROOF_LIFE_PERIODS, Proof, ProofKind
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import FREE, NewRow, RowStore, open_row_store

MARY = key_of("mary")
FOLDER = b"f" * 16
YEAR = RULES[Table.USER].max_life_periods


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FixedClock) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as opened:
        yield opened


def user(
    nickname: str | None = "Mary",
    *,
    signer: SigningKey = MARY,
    seq: int = 1,
    period: int = NOW,
    slot: int = 0,
    life: int = 100,
) -> SignedRow:
    body = None if nickname is None else UserBody(nickname=nickname)
    numbers = {"seq": seq, "period": period, "slot": slot, "expires": period + life}
    return make_row(Table.USER, b"", body, signer=signer, **numbers)


def row(table: Table, suffix: bytes, body: Body | None, **changes: int) -> SignedRow:
    numbers = {"seq": 1, "period": NOW, "slot": 0, "expires": NOW + 10} | changes
    return make_row(table, suffix, body, signer=MARY, **numbers)


async def offer(store: RowStore, *rows: SignedRow) -> list[Outcome]:
    return list(await store.accept_many([item.raw for item in rows], source=None))


async def nicknames(store: RowStore) -> list[str]:
    return [person.nickname for person in await Queries(store.database).people()]


# Who wins


async def test_the_higher_number_wins_in_any_order(store: RowStore) -> None:
    first, second = user("Mary", seq=1, slot=0), user("Marie", seq=7, slot=1)
    assert [o.fate for o in await offer(store, second)] == [Fate.ACCEPTED]
    assert [o.fate for o in await offer(store, first)] == [Fate.STALE]
    assert [o.fate for o in await offer(store, second)] == [Fate.KNOWN]
    assert await nicknames(store) == ["Marie"]
    assert store.counts[Table.USER] == 1


async def test_replay_an_old_row_after_a_restart_changes_nothing(
    tmp_path: Path, clock: FixedClock
) -> None:
    old, new = user("Mary", seq=1), user("Marie", seq=2, slot=1)
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as store:
        await offer(store, old, new)
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as store:
        assert [o.fate for o in await offer(store, old)] == [Fate.STALE]
        assert await nicknames(store) == ["Marie"]


async def test_a_tombstone_deletes_and_stays(store: RowStore, clock: FixedClock) -> None:
    life = RULES[Table.USER].tombstone_life_periods
    born = user("Mary", life=YEAR)
    await offer(store, born, user(None, seq=2, slot=1, life=life))
    assert await nicknames(store) == []
    clock.forward(YEAR - 1)
    await store.sweep()
    assert [o.fate for o in await offer(store, born)] == [Fate.STALE]  # nothing rises again
    clock.forward(RULES[Table.USER].tombstone_life_periods)
    await store.sweep()
    (late,) = await offer(store, born)
    assert (late.fate, late.code) == (Fate.REFUSED, "expired")
    assert store.counts[Table.USER] == 0


async def test_expired_rows_are_dropped_one_period_later(
    store: RowStore, clock: FixedClock
) -> None:
    news: list[RowsChanged] = []
    await offer(store, user(life=5))
    store.watch(news.append)
    clock.forward(6)
    await store.sweep()
    assert await nicknames(store) == ["Mary"]
    assert len((await view_of(store, NOW + 5))[Table.USER]) == 1
    assert len((await view_of(store, NOW + 6))[Table.USER]) == 0
    clock.forward(1)
    await store.sweep()
    assert await nicknames(store) == []
    assert [(item.tables, item.rows) for item in news] == [(frozenset({Table.USER}), ())]


async def test_a_node_that_does_not_sign_again_is_gone_after_three_days(
    store: RowStore, clock: FixedClock
) -> None:
    body = NodeBody(name="n", roles=Role.NODE, addresses=(), capacity=1, used=0)
    await store.write(Table.NODE, b"", body, signer=MARY)
    clock.forward(432)
    await store.sweep()
    assert len(await Queries(store.database).nodes(period=clock.period())) == 1
    clock.forward(1)
    assert len(await Queries(store.database).nodes(period=clock.period())) == 0
    clock.forward(1)
    await store.sweep()
    assert store.counts[Table.NODE] == 0


# What is refused


@pytest.mark.parametrize(
    ("offered", "code"),
    [
        (user(period=NOW + 2), "from-future"),
        (user(period=NOW - 500, life=10), "expired"),
        (user(life=YEAR + 1), "lives-too-long"),
        (user(period=NOW + 1, life=-1), "lives-too-long"),
        (user(None, life=10), "lives-too-long"),
        (user(slot=16), "slot-too-high"),
        (user(slot=2**63 - 1), "slot-too-high"),
    ],
)
async def test_refusals_have_their_codes_and_change_nothing(
    store: RowStore, offered: SignedRow, code: str
) -> None:
    good = user("Good", signer=key_of("good"))
    refused, taken = await offer(store, offered, good)
    assert (refused.fate, refused.code) == (Fate.REFUSED, code)
    assert taken.fate is Fate.ACCEPTED
    assert await nicknames(store) == ["Good"]
    assert store.is_settled(offered.id)


async def test_a_forged_row_is_refused_and_the_good_one_stays(store: RowStore) -> None:
    await offer(store, user("Mary"))
    content, signatures = encoding.decode(user("Evil", seq=2, slot=1).raw, max_bytes=9999)  # type: ignore[misc]
    forged = [[signatures[0][0], b"\0" * 64]]  # type: ignore[index]
    (outcome,) = await store.accept_many([encoding.encode([content, forged])], source=None)
    assert (outcome.fate, outcome.code) == (Fate.REFUSED, "bad-signature")
    assert outcome.is_senders_fault
    assert await nicknames(store) == ["Mary"]


async def test_bytes_that_are_no_row_are_the_senders_fault(store: RowStore) -> None:
    outcomes = await store.accept_many([b"", b"\xff" * 20, b"x" * 20_000], source=None)
    assert [o.code for o in outcomes] == ["row-not-canonical", "row-not-canonical", "row-too-large"]
    assert all(o.is_senders_fault and o.row is None for o in outcomes)


async def test_skewed_clocks_lose_no_row_and_none_is_more_than_ten_minutes_early(
    store: RowStore, clock: FixedClock
) -> None:
    for early_s in range(-1200, 1201, 60):
        signed = user(signer=key_of(f"clock {early_s}"), period=(clock.now_s() + early_s) // 600)
        (outcome,) = await offer(store, signed)
        starts_in_s = signed.period * 600 - clock.now_s()
        assert (outcome.fate is Fate.ACCEPTED) == (starts_in_s <= 600)
        if outcome.fate is Fate.REFUSED:
            assert outcome.code == "from-future"
            assert not outcome.is_senders_fault


async def test_a_row_from_the_future_is_asked_for_again_when_its_time_has_come(
    store: RowStore, clock: FixedClock
) -> None:
    early = user(signer=key_of("early"), period=clock.period() + 2)
    forged = forge(user(signer=key_of("forged")))
    assert [o.code for o in await offer(store, early)] == ["from-future"]
    (outcome,) = await store.accept_many([forged.raw], source=None)
    assert outcome.code == "bad-signature"
    assert store.is_settled(early.id)
    clock.forward(2)
    await store.sweep()
    assert not store.is_settled(early.id)
    assert store.is_settled(forged.id), "what is wrong stays wrong"
    assert [o.fate for o in await offer(store, early)] == [Fate.ACCEPTED]


def forge(row: SignedRow) -> SignedRow:
    raw = bytearray(row.raw)
    raw[-1] ^= 1
    return SignedRow.parse(bytes(raw))


# Owners who say two things


async def test_two_rows_with_one_number_become_a_proof_on_every_node(
    tmp_path: Path, clock: FixedClock
) -> None:
    one, other = sorted((user("One"), user("Other")), key=lambda item: item.id)
    views = []
    for at, order in enumerate([(one, other), (other, one)]):
        folder = tmp_path / str(at)
        folder.mkdir()
        async with open_row_store(folder, clock=clock, run=on_the_spot) as store:
            outcomes = await offer(store, *order)
            assert [o.code for o in outcomes if o.code] == (["number-reused"] if at == 0 else [])
            assert await Queries(store.database).cheats() == (MARY.public,)
            view = await view_of(store, NOW)
            views.append((view[PROOFS].items(0, 9), view[Table.USER].items(0, 9)))
    assert views[0] == views[1]
    assert len(views[0][1]) == 1
    assert views[0][1][0][8:] == one.id  # the smaller id, everywhere


async def test_a_slot_used_twice_becomes_a_proof_and_five_times_is_too_much(
    store: RowStore,
) -> None:
    await write_person(store, MARY, FOLDER)
    body = FileBody(folder=FOLDER, sealed=b"")
    rows = [row(Table.FILE, bytes([at]) * 16, body) for at in range(5)]
    outcomes = await offer(store, *rows)
    assert [o.fate for o in outcomes] == [Fate.ACCEPTED] * 4 + [Fate.REFUSED]
    assert outcomes[4].code == "slot-reused"
    assert not outcomes[4].is_senders_fault
    assert await Queries(store.database).cheats() == (MARY.public,)
    raw = (
        await raws_of(store, PROOFS, [item[8:] for item in await proofs_of(store)], max_bytes=9)
    )[1]
    assert Proof.parse(raw[0], FREE).kind is ProofKind.SLOT


async def proofs_of(store: RowStore) -> list[bytes]:
    return (await view_of(store, NOW))[PROOFS].items(0, 9)


async def test_proofs_travel_and_convince_alone(tmp_path: Path, clock: FixedClock) -> None:
    proof = Proof.of(user("One"), user("Other"))
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as store:
        taken = await store.take(PROOFS, [proof.raw, proof.raw], source=None)
        assert [o.fate for o in taken] == [Fate.ACCEPTED, Fate.KNOWN]
        assert await raws_of(store, PROOFS, [proof.id], max_bytes=10**6) == (1, [proof.raw])
        clock.forward(PROOF_LIFE_PERIODS + 1)
        assert len((await view_of(store, clock.period()))[PROOFS]) == 0
        await store.sweep()
        assert await Queries(store.database).cheats() == ()


async def test_what_is_no_proof_is_refused(store: RowStore) -> None:
    one, other = user("One"), user("Other")
    good = Proof.of(one, other)
    assert good.kind is ProofKind.NUMBER
    kind, first, second = encoding.decode(good.raw, max_bytes=10**5)  # type: ignore[misc]
    stranger = user("X", signer=key_of("stranger"))
    forged = bytearray(other.raw)
    forged[-1] ^= 1
    bad = [
        b"",
        encoding.encode([]),
        encoding.encode([kind, first, first]),
        encoding.encode([kind, second, first]),
        encoding.encode(["slot", first, second]),
        encoding.encode([kind, first, 5]),
        encoding.encode([kind, *sorted((one.raw, stranger.raw))]),
        encoding.encode([kind, *sorted((one.raw, user("Y", seq=2, slot=1).raw))]),
        encoding.encode([kind, *(bytes(forged) if r == other.raw else r for r in (first, second))]),
    ]
    outcomes = await store.take(PROOFS, bad, source=None)
    assert [o.fate for o in outcomes] == [Fate.REFUSED] * len(bad)
    assert all(o.is_senders_fault for o in outcomes)
    with pytest.raises(Malformed):
        Proof.of(one, one)


# Rows that come before what they belong to


async def test_orphans_wait_and_come_in_with_their_folder(store: RowStore) -> None:
    person = user()
    inner = row(Table.FOLDER, b"i" * 16, FolderBody(parent=FOLDER, open_key=b"", sealed=b""))
    outer = row(Table.FOLDER, FOLDER, FolderBody(parent=b"", open_key=b"", sealed=b""), slot=1)
    file = row(Table.FILE, b"1" * 16, FileBody(folder=b"i" * 16, sealed=b""))
    news: list[RowsChanged] = []
    store.watch(news.append)
    for orphan in (file, inner, outer):
        (outcome,) = await offer(store, orphan)
        assert outcome.fate is Fate.PARKED
        assert store.is_settled(orphan.id)
    assert store.waiting == 3
    assert not news
    await offer(store, person)
    assert store.waiting == 0
    assert {item.id for item in news[0].rows} == {person.id, inner.id, outer.id, file.id}
    assert len(await Queries(store.database).files_of(MARY.public, b"i" * 16)) == 1


async def test_within_a_batch_the_order_does_not_matter(store: RowStore) -> None:
    person = user()
    folder = row(Table.FOLDER, FOLDER, FolderBody(parent=b"", open_key=b"", sealed=b""))
    file = row(Table.FILE, b"1" * 16, FileBody(folder=FOLDER, sealed=b""))
    outcomes = await offer(store, file, folder, person)
    assert [o.fate for o in outcomes] == [Fate.ACCEPTED] * 3


async def test_waiting_is_bounded_in_time_and_number(
    store: RowStore, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_room, "MAX_WAITING_PER_OWNER", 3)
    body = FileBody(folder=FOLDER, sealed=b"")
    orphans = [row(Table.FILE, bytes([at]) * 16, body, slot=at) for at in range(5)]
    outcomes = await offer(store, *orphans)
    assert [o.fate for o in outcomes] == [Fate.PARKED] * 3 + [Fate.REFUSED] * 2
    assert outcomes[4].code == "waiting-full"
    clock.forward(waiting_room.WAIT_PERIODS + 1)
    await store.sweep()
    assert store.waiting == 0


# Limits


async def test_the_pool_and_an_owner_have_limits_that_own_rows_pass(
    store: RowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptance, "MAX_POOL_BYTES", 1)
    (outcome,) = await offer(store, user(signer=key_of("other")))
    assert (outcome.fate, outcome.code) == (Fate.REFUSED, "pool-full")
    assert not outcome.is_senders_fault
    await store.write(Table.USER, b"", UserBody(nickname="Me"), signer=MARY)
    assert await nicknames(store) == ["Me"]


async def test_own_rows_use_each_slot_once_and_end_at_the_limit(
    store: RowStore, clock: FixedClock
) -> None:
    rows = [
        await store.write(Table.USER, b"", UserBody(nickname=f"M{at}"), signer=MARY)
        for at in range(16)
    ]
    assert [item.slot for item in rows] == list(range(16))
    assert len({item.seq for item in rows}) == 16
    with pytest.raises(Unavailable) as caught:
        await store.write(Table.USER, b"", UserBody(nickname="M"), signer=MARY)
    assert caught.value.code == "slots-used-up"
    clock.forward(1)
    assert (await store.write(Table.USER, b"", UserBody(nickname="M"), signer=MARY)).slot == 0


# Own rows


async def test_a_folder_of_files_is_written_whole(store: RowStore) -> None:
    await write_person(store, MARY, FOLDER)
    written = await store.write_many(files(Random(7), FOLDER, 700), signer=MARY)
    assert len(written) == 1_400
    slots = {(item.table, item.slot) for item in written}
    assert len(slots) == 1_400
    queries = Queries(store.database)
    assert len(await queries.files_of(MARY.public, FOLDER)) == 700
    assert len(await queries.placements_of(MARY.public)) == 700
    cid = written[1].key_suffix
    (placement,) = await queries.placements(cid)
    assert placement.body == written[1].body
    assert await queries.placement(MARY.public, cid) == placement


async def test_an_own_row_without_its_folder_is_refused_whole(store: RowStore) -> None:
    await store.write(Table.USER, b"", UserBody(nickname="Mary"), signer=MARY)
    good = NewRow(table=Table.USER, body=UserBody(nickname="Marie"))
    lost = NewRow(table=Table.FILE, key_suffix=b"1" * 16, body=FileBody(folder=FOLDER, sealed=b""))
    with pytest.raises(BadInput) as caught:
        await store.write_many([good, lost], signer=MARY)
    assert caught.value.code == "missing-parent"
    assert store.waiting == 0
    assert await nicknames(store) == ["Mary"]
    assert store.counts[Table.USER] == 1


async def test_deleting_and_writing_again(store: RowStore) -> None:
    await write_person(store, MARY, FOLDER)
    queries = Queries(store.database)
    body = FileBody(folder=FOLDER, sealed=b"x")
    first = await store.write(Table.FILE, b"1" * 16, body, signer=MARY)
    gone = await store.write(Table.FILE, b"1" * 16, None, signer=MARY)
    assert await queries.file(MARY.public, b"1" * 16) is None
    again = await store.write(Table.FILE, b"1" * 16, body, signer=MARY)
    assert first.seq < gone.seq < again.seq
    found = await queries.file(MARY.public, b"1" * 16)
    assert found is not None
    assert found.seq == again.seq


# Values


def hostile_texts() -> list[str]:
    chance = Random(2_000)
    base = [
        "'; DROP TABLE np_row; --",
        '" OR 1=1 --',
        "Robert'); DELETE FROM user;--",
        "%s %d ? :name @x $y",
        "NULL",
        "0x00",
        "<b>bold</b><script>",
        "\u202eright to left",
        "\U0001d518\U0001d52b\U0001d526 \U0001f9d9\u200d\u2640\ufe0f",
        "ﷺ" * 10,
        " ",
        "",
        "\ufeffmark",
        "ATTACH 'x' AS y",
        "PRAGMA writable_schema=1",
    ]
    alphabet = "'\";-%_()*/\\`[]{}<>=?!@#$&|~^:,.\u00e9\u4e2d\U0001f600 abcSELECTxyz09"
    while len(base) < 2_000:
        base.append("".join(chance.choice(alphabet) for _ in range(chance.randrange(1, 60))))
    return base


async def test_sql_in_values_comes_back_unchanged(store: RowStore) -> None:
    texts = hostile_texts()
    rows = [user(text, signer=SigningKey(at.to_bytes(32, "big"))) for at, text in enumerate(texts)]
    outcomes = await store.accept_many([item.raw for item in rows], source=None)
    assert {o.fate for o in outcomes} == {Fate.ACCEPTED}
    people = {p.owner: p.nickname for p in await Queries(store.database).people()}
    assert [people[item.owner] for item in rows] == texts


async def test_largest_and_smallest_numbers(store: RowStore) -> None:
    (outcome,) = await offer(store, user(seq=2**63 - 1))
    assert outcome.fate is Fate.ACCEPTED
    with pytest.raises(Malformed):
        user(seq=2**63)
    body = NodeBody(name="", roles=Role(31), addresses=(), capacity=2**53, used=0)
    await store.write(Table.NODE, b"", body, signer=MARY)
    (node,) = await Queries(store.database).nodes(storing=True)
    assert node.body == body


# The connections


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH ':memory:' AS other",
        "PRAGMA writable_schema = 1",
        "CREATE TABLE evil (x)",
        "DROP TABLE np_row",
        "SELECT load_extension('evil')",
        "SELECT readfile('/etc/passwd')",
        "CREATE TRIGGER t AFTER INSERT ON user BEGIN SELECT 1; END",
        "VACUUM INTO 'copy.db'",
    ],
)
async def test_neither_connection_can_leave_its_task(store: RowStore, sql: str) -> None:
    for run in (store.database.read, store.database.write):
        with pytest.raises(sqlite3.Error):
            await run(lambda db: db.execute(sql))


async def test_a_reader_cannot_write(store: RowStore) -> None:
    with pytest.raises(sqlite3.Error):
        await store.database.read(lambda db: db.execute("DELETE FROM np_row"))
