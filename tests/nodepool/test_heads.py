"""Owner heads in the nodepool: signed after changes, and what they reveal is fetched elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import trio
from grids import (
    NOW,
    FixedClock,
    Member,
    connect_all,
    files,
    key_of,
    on_the_spot,
    open_member,
    until,
    write_person,
)

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.audience import audience_of
from bitcloud_net.core.nodepool.bodies.heads import PUBLIC_HEAD
from bitcloud_net.core.nodepool.heads import WHOLE, Comparison, Completeness
from bitcloud_net.core.nodepool.row_bodies import (
    FileBody,
    FolderBody,
    HeadBody,
    IdentityBody,
    NodeBody,
    UserBody,
    body_value,
)
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import RULES, Role, Table
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.nodepool.head_reads import HeadReads
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.row_store import NewRow, RowStore, open_row_store
from bitcloud_net.protocols.known_nodes import KnownNodes
from bitcloud_net.services.nodepool.head_keeper import GATHER_S, HeadKeeper
from bitcloud_net.services.nodepool.head_watcher import GRACE_S, HeadWatcher
from bitcloud_net.testing.mischief import leave_out
from tests.core.row_samples import SAMPLES

MARY = key_of("mary")
FOLDER = b"f" * 16


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FixedClock) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as opened:
        yield opened


@asynccontextmanager
async def keeping(
    store: RowStore, clock: FixedClock, key: SigningKey = MARY, seed: int = 1
) -> AsyncIterator[None]:
    heads = HeadReads(store.database)
    keeper = HeadKeeper(heads, store, [key], period=clock.period, random=Random(seed))
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: keeper.run(task_status=task_status))
        yield
        nursery.cancel_scope.cancel()


async def head_of(
    store: RowStore, key: SigningKey = MARY, audience: bytes = PUBLIC_HEAD
) -> SignedRow | None:
    sql = "SELECT raw FROM np_row WHERE tbl = 23 AND key = ?"
    found = await store.database.read(
        lambda db: db.execute(sql, (key.public + audience,)).fetchone()
    )
    return None if found is None else SignedRow.parse(found[0])


async def held_of(
    store: RowStore, period: int = NOW, holds: Callable[[int], bool] = lambda table: True
) -> Comparison:
    """Compare what is held of Mary with her head."""
    return (await HeadReads(store.database).states(MARY.public, period, holds))[PUBLIC_HEAD].held


async def said_by(store: RowStore, key: SigningKey = MARY) -> dict[int, int]:
    """Return the rows in each table that a head counts."""
    row = await head_of(store, key)
    assert row is not None
    assert isinstance(row.body, HeadBody)
    return {head.table: head.count for head in row.body.tables}


# Keeping


async def test_a_head_follows_what_was_written(
    store: RowStore, clock: FixedClock, autojump_clock: object
) -> None:
    async with keeping(store, clock):
        await trio.sleep(60)
        assert await head_of(store) is None, "there is nothing to speak for"
        await write_person(store, MARY, FOLDER)
        await store.write_many(files(Random(1), FOLDER, 20), signer=MARY)
        await trio.sleep(GATHER_S + 3)
        assert await said_by(store) == {2: 1, 3: 1, 4: 20, 5: 20}
        assert await held_of(store) == WHOLE
        first = await head_of(store)
        await trio.sleep(10_000)
        assert await head_of(store) == first, "nothing changed"


async def test_heads_are_gathered_and_follow_at_once_when_it_is_quiet(
    store: RowStore, clock: FixedClock, autojump_clock: object
) -> None:
    await write_person(store, MARY, FOLDER)
    seen: list[SignedRow] = []
    store.watch(lambda news: seen.extend(r for r in news.rows if r.table is Table.HEAD))
    async with keeping(store, clock):
        await trio.sleep(11)
        assert len(seen) == 1
        for _ in range(300):  # a long publication: a file every second
            await store.write_many(files(Random(_), FOLDER, 1), signer=MARY)
            await trio.sleep(1)
            clock.seconds += 1
        assert 4 <= len(seen) - 1 <= 6
        await trio.sleep(GATHER_S + 3)
        assert await said_by(store) == {2: 1, 3: 1, 4: 300, 5: 300}
        assert len({(row.period, row.slot) for row in seen}) == len(seen)


async def test_a_program_that_ends_signs_for_what_it_wrote(
    store: RowStore, clock: FixedClock, autojump_clock: object
) -> None:
    """A command lives for a second or two; who wrote nothing signs nothing."""
    heads = HeadReads(store.database)
    keeper = HeadKeeper(heads, store, [MARY], period=clock.period, random=Random(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: keeper.run(task_status=task_status))
        await keeper.finish()
        await write_person(store, MARY, FOLDER)
        assert await head_of(store) is None
        await keeper.finish()
        first = await head_of(store)
        assert await said_by(store) == {2: 1, 3: 1}
        await keeper.finish()
        assert await head_of(store) == first
        nursery.cancel_scope.cancel()


async def test_a_head_is_signed_again_before_its_end(
    store: RowStore, clock: FixedClock, autojump_clock: object
) -> None:
    await store.write(Table.USER, b"", UserBody(nickname="Mary"), signer=MARY, life_periods=500)
    await store.write(
        Table.FOLDER,
        FOLDER,
        FolderBody(parent=b"", open_key=b"", sealed=b""),
        signer=MARY,
        life_periods=300,
    )
    async with keeping(store, clock):
        await trio.sleep(10)
        head = await head_of(store)
        assert head is not None
        assert head.expires == NOW + 300, "it ends with the first row that it speaks for"
        clock.forward(200)
        await trio.sleep(400)
        head = await head_of(store)
        assert head is not None
        assert head.expires == NOW + 500
        assert await said_by(store) == {2: 1}, "a row in its last day is not spoken for"


async def test_of_two_machines_with_one_key_the_one_that_wrote_signs(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub = MemoryHub(1, delay_s=0.01)
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(open_member(hub, tmp_path / str(at), f"node {at}"))
            for at in range(2)
        ]
        await connect_all(members)
        await write_person(members[0].store, MARY, FOLDER)
        await until(lambda: members[0].ids() == members[1].ids())
        for at, member in enumerate(members):
            await stack.enter_async_context(keeping(member.store, member.clock, seed=at))
        members[0].clock.seconds += 5
        members[1].clock.seconds += 9
        await trio.sleep(300)
        for member in members:
            await member.store.write_many(files(Random(3), FOLDER, 2), signer=MARY)
            for other in members:
                other.clock.seconds += 300
            await trio.sleep(300)
            assert await head_of(members[0].store) == await head_of(members[1].store)
        assert await said_by(members[1].store) == {2: 1, 3: 1, 4: 2, 5: 2}
        assert not await members[0].queries.cheats()


async def test_a_machine_that_lost_its_rows_does_not_speak_for_less(
    tmp_path: Path, clock: FixedClock, autojump_clock: object
) -> None:
    """It waits a day for the rows that the head names; then the owner's word is what it holds."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    async with open_row_store(tmp_path / "old", clock=clock, run=on_the_spot) as old:
        user, folder_row = await write_person(old, MARY, FOLDER)
        await old.write_many(files(Random(1), FOLDER, 5), signer=MARY)
        async with keeping(old, clock):
            await trio.sleep(10)
        head = await head_of(old)
        assert head is not None
    async with open_row_store(tmp_path / "new", clock=clock, run=on_the_spot) as new:
        kept = [user.raw, folder_row.raw, head.raw]
        await new.accept_many(kept, source=None)
        async with keeping(new, clock):
            clock.seconds += 100
            await new.write_many(files(Random(2), FOLDER, 1), signer=MARY)
            await trio.sleep(3_000)
            assert await head_of(new) == head
            clock.forward(145)
            await trio.sleep(1_000)
            assert await said_by(new) == {2: 1, 3: 1, 4: 1, 5: 1}


async def test_a_head_needs_the_row_that_its_owner_is_known_by(
    store: RowStore, clock: FixedClock, autojump_clock: object
) -> None:
    """A key that is neither a node nor a person signs none; a node that only says so has none."""
    body = IdentityBody(day=NOW // 144, nonce=1, registered=NOW)
    await store.write(Table.IDENTITY, b"\1", body, signer=MARY)
    async with keeping(store, clock):
        await trio.sleep(400)
        assert await head_of(store) is None
        node = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
        await store.write(Table.NODE, b"", node, signer=MARY)
        await trio.sleep(400)
        assert await said_by(store) == {7: 1}
        first = await head_of(store)
        clock.forward(1)
        await store.write(Table.NODE, b"", node, signer=MARY)
        await trio.sleep(400)
        assert await head_of(store) == first, "a node's row that is signed again makes none"


# Watching


@asynccontextmanager
async def watching(member: Member) -> AsyncIterator[HeadWatcher]:
    watcher = HeadWatcher(
        HeadReads(member.store.database),
        member.store,
        KnownNodes(member.store, member.clock.period),
        member.syncer,
        member.network,
        period=member.clock.period,
        random=Random(1),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: watcher.run(task_status=task_status))
        yield watcher
        nursery.cancel_scope.cancel()


def is_marys_file(row: SignedRow) -> bool:
    return row.table in (Table.FILE, Table.PLACEMENT) and row.owner == MARY.public


async def publish(member: Member, count: int = 10) -> None:
    await write_person(member.store, MARY, FOLDER)
    await member.store.write_many(files(Random(1), FOLDER, count), signer=MARY)
    async with keeping(member.store, member.clock):
        await trio.sleep(11)
    assert await head_of(member.store) is not None


async def test_rows_that_all_partners_leave_out_are_noticed_and_fetched_elsewhere(
    tmp_path: Path, autojump_clock: object
) -> None:
    """John's partners all keep Mary's files from him. Her head says so, and he finds one node more,
    which he is not connected to, in the list of nodes.
    """
    hub = MemoryHub(3, delay_s=0.01)
    async with AsyncExitStack() as stack:
        open_one = lambda name: stack.enter_async_context(  # noqa: E731
            open_member(hub, tmp_path / name, name)
        )
        liars = [await open_one(f"liar {at}") for at in range(4)]
        honest = await open_one("honest")
        node = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
        for member in (*liars, honest):
            await member.store.write(Table.NODE, b"", node, signer=member.key)
        await connect_all([*liars, honest])
        await publish(honest)
        await until(lambda: all(m.ids() == honest.ids() for m in liars))
        for liar in liars:
            leave_out(liar.syncer, liar.store, is_marys_file)
        john = await open_one("john")
        john.network.learn(honest.key.node_id, honest.network.addresses)
        async with watching(john) as watcher:
            for liar in liars:
                await john.network.connect(liar.network.addresses[0])
            await trio.sleep(GRACE_S - 5)
            assert john.store.counts[Table.FILE] == 0
            assert watcher.owners_lacking == 0, "they may be on their way"
            spent = await until(lambda: john.ids() == honest.ids(), 120)
            assert spent < 60
            await until(lambda: watcher.owners_lacking == 0)
        assert honest.key.node_id in john.network.peers


async def test_without_anybody_else_it_is_shown_and_asking_ends(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub = MemoryHub(4, delay_s=0.01)
    async with AsyncExitStack() as stack:
        liar = await stack.enter_async_context(open_member(hub, tmp_path / "liar", "liar"))
        john = await stack.enter_async_context(open_member(hub, tmp_path / "john", "john"))
        await publish(liar)
        leave_out(liar.syncer, liar.store, is_marys_file)
        async with watching(john) as watcher:
            await john.network.connect(liar.network.addresses[0])
            await until(lambda: watcher.owners_lacking == 1, 60)
            asked = john.syncer.state.sessions
            await trio.sleep(300)
            assert watcher.owners_lacking == 1
            assert john.syncer.state.sessions - asked <= 300 / 15, "no more than without heads"
            row = (await liar.queries.files_of(MARY.public, FOLDER))[0]
            raws = await all_raws(liar.store, is_marys_file)
            await john.store.accept_many(raws, source=None)
            await until(lambda: watcher.owners_lacking == 0, 30)
            assert await john.queries.file(MARY.public, row.id) is not None


async def all_raws(store: RowStore, which: Callable[[SignedRow], bool]) -> list[bytes]:
    found = await store.database.read(lambda db: db.execute("SELECT raw FROM np_row").fetchall())
    return [raw for (raw,) in found if which(SignedRow.parse(raw))]


async def test_an_older_version_of_a_row_is_noticed(
    store: RowStore, clock: FixedClock, tmp_path: Path, autojump_clock: object
) -> None:
    await write_person(store, MARY, FOLDER)
    old = await store.write(
        Table.FILE, b"1" * 16, FileBody(folder=FOLDER, sealed=b"old"), signer=MARY
    )
    clock.seconds += 10
    new = await store.write(
        Table.FILE, b"1" * 16, FileBody(folder=FOLDER, sealed=b"new"), signer=MARY
    )
    async with keeping(store, clock):
        await trio.sleep(11)
    (tmp_path / "other").mkdir()
    async with open_row_store(tmp_path / "other", clock=clock, run=on_the_spot) as other:
        raws = await all_raws(store, lambda row: row.id != new.id)
        await other.accept_many([*raws, old.raw], source=None)
        assert (await held_of(other)).state is Completeness.LACKING
        elsewhere = await held_of(other, NOW, lambda table: table != Table.FILE)
        assert elsewhere == WHOLE, "only tables that are held whole count"
        await other.accept_many([new.raw], source=None)
        assert await held_of(other) == WHOLE


async def test_deleting_counts_and_leaving_out_the_deletion_is_noticed(
    store: RowStore, clock: FixedClock, tmp_path: Path, autojump_clock: object
) -> None:
    await write_person(store, MARY, FOLDER)
    body = FileBody(folder=FOLDER, sealed=b"secret")
    file = await store.write(Table.FILE, b"1" * 16, body, signer=MARY)
    clock.seconds += 10
    (gone,) = await store.write_many(
        [NewRow(table=Table.FILE, key_suffix=b"1" * 16, body=None)], signer=MARY
    )
    async with keeping(store, clock):
        await trio.sleep(11)
    (tmp_path / "other").mkdir()
    async with open_row_store(tmp_path / "other", clock=clock, run=on_the_spot) as other:
        raws = await all_raws(store, lambda row: row.id != gone.id)
        await other.accept_many([*raws, file.raw], source=None)
        assert (await held_of(other)).state is Completeness.LACKING


async def test_what_expires_is_missed_by_nobody(
    store: RowStore, clock: FixedClock, autojump_clock: object
) -> None:
    """A node that has dropped what expired, and one that has not, agree about the same head."""
    await write_person(store, MARY, FOLDER)
    body = FileBody(folder=FOLDER, sealed=b"")
    await store.write(Table.FILE, b"1" * 16, body, signer=MARY, life_periods=100)
    async with keeping(store, clock):
        await trio.sleep(11)
    assert await said_by(store) == {2: 1, 3: 1}
    assert await held_of(store) == WHOLE
    clock.forward(103)
    await store.sweep()
    assert store.counts[Table.FILE] == 0
    assert await held_of(store, clock.period()) == WHOLE


async def test_what_a_publisher_signed_has_a_head_of_its_own(
    store: RowStore, clock: FixedClock, autojump_clock: object
) -> None:
    """Only its audience may see it, so the head that everybody sees does not count it."""
    shop = key_of("shop")
    rows = [
        make_row(table, suffix, body, signer=MARY, co_signers=[shop], seq=at + 1, **NUMBERS)
        for at, (table, suffix, body) in enumerate(
            [
                (Table.USER, b"", UserBody(nickname="Mary")),
                (Table.FOLDER, FOLDER, FolderBody(parent=b"", open_key=b"", sealed=b"")),
                (Table.FILE, b"1" * 16, FileBody(folder=FOLDER, sealed=b"")),
            ]
        )
    ]
    publisher = SAMPLES[Table.PUBLISHER].body
    rows.insert(0, make_row(Table.PUBLISHER, b"", publisher, signer=shop, seq=1, **NUMBERS))
    outcomes = await store.accept_many([row.raw for row in rows], source=None)
    assert [outcome.fate for outcome in outcomes] == [Fate.ACCEPTED] * 4
    async with keeping(store, clock):
        await trio.sleep(11)
        assert await head_of(store) is None
        own = await head_of(store, audience=shop.public)
        assert own is not None
        assert own.body is not None
        assert [head["table"] for head in body_value(own.body)["tables"]] == [2, 3, 4]
        rule = RULES[Table.HEAD]
        assert audience_of(own, rule) == {MARY.public, shop.public}
    assert (await HeadReads(store.database).states(MARY.public, NOW))[shop.public].held == WHOLE


NUMBERS = {"period": NOW, "slot": 0, "expires": NOW + 1_000}
