"""Applications on the nodepool: installed, used, checked, bounded, removed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trio
from grids import NOW, FixedClock, key_of, on_the_spot, open_member, until, view_of

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.nodepool.app_tables import AppDefinition, parse_definition
from bitcloud_net.core.nodepool.row_bodies import AppBody, DefinitionBody, NodeBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import Role, Table
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.nodepool import acceptance, row_check
from bitcloud_net.nodepool.console import Console
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from bitcloud_net.services.nodepool.app_carrier import AppCarrier

MARY = key_of("mary")
COLUMNS = [
    {"name": "number", "type": "integer"},
    {"name": "move", "type": "text", "max": 20},
    {"name": "note", "type": "bytes", "max": 5_000, "optional": True},
]


def definition(check: str = "", **more: Any) -> str:
    table = {"name": "moves", "columns": COLUMNS, "check": check, "key_bytes": 4} | more
    return json.dumps({"name": "chess", "tables": [table]})


def body(number: int, move: str = "e4", note: bytes | None = None) -> AppBody:
    return AppBody(names=("number", "move", "note"), values=(number, move, note))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as opened:
        await opened.write(Table.USER, b"", UserBody(nickname="Mary"), signer=MARY)
        yield opened


async def write(store: RowStore, app: AppDefinition, key: bytes, row: AppBody) -> SignedRow:
    return await store.write(app.number("moves"), key, row, signer=MARY)


async def moves(store: RowStore, app: AppDefinition) -> list[tuple[Any, ...]]:
    sql = f'SELECT number, move, note FROM "{app.rules[0].name}" ORDER BY key'
    return await store.database.read(lambda db: db.execute(sql).fetchall())


async def test_an_application_writes_and_reads_its_own_sql_table(
    store: RowStore, tmp_path: Path
) -> None:
    app = await store.install(definition())
    await write(store, app, b"0001", body(1))
    await write(store, app, b"0002", body(2, "e5", b"\0"))
    await write(store, app, b"0001", body(1, "d4"))
    assert await moves(store, app) == [(1, "d4", None), (2, "e5", b"\0")]
    await store.write(app.number("moves"), b"0002", None, signer=MARY)
    assert await moves(store, app) == [(1, "d4", None)]
    console = Console(tmp_path / "nodepool.db", lambda: NOW)
    found = await console.select(
        f"SELECT u.nickname, m.move FROM {app.rules[0].name} m JOIN user u ON u.key = m.owner"
    )
    assert found.rows == (("Mary", "d4"),)


async def test_it_survives_restarts_and_a_lost_nodepool(tmp_path: Path) -> None:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        await store.write(Table.USER, b"", UserBody(nickname="Mary"), signer=MARY)
        app = await store.install(definition("new.number > 0"))
        await write(store, app, b"0001", body(1))
    for lost in (False, True):
        if lost:
            for name in ("nodepool.db", "nodepool.db-wal", "nodepool.db-shm"):
                (tmp_path / name).unlink(missing_ok=True)
        async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
            assert [item.id for item in store.apps] == [app.id]
            assert await moves(store, app) == [(1, "e4", None)]
            with pytest.raises(BadInput):
                await write(store, app, b"0002", body(0))


async def test_uninstalling_removes_everything_and_installing_brings_own_rows_back(
    store: RowStore, tmp_path: Path
) -> None:
    app = await store.install(definition())
    row = await write(store, app, b"0001", body(1))
    await store.uninstall(app.id)
    assert store.apps == ()
    assert app.number("moves") not in store.counts
    (outcome,) = await store.accept_many([row.raw], source=None)
    assert (outcome.fate, outcome.code) == (Fate.REFUSED, "unknown-table")
    assert not outcome.is_senders_fault
    tables = await store.database.read(
        lambda db: db.execute(
            "SELECT name FROM sqlite_master WHERE substr(name, 1, 4) = 'app_'"
        ).fetchall()
    )
    assert tables == []
    with pytest.raises(BadInput) as caught:
        await store.uninstall(app.id)
    assert caught.value.code == "unknown-app"
    await store.install(definition())
    assert await moves(store, app) == [(1, "e4", None)]
    assert (await write(store, app, b"0001", body(1))).seq > row.seq


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("new.number BETWEEN 1 AND 9", body(5), body(10)),
        ("length(new.move) = 2", body(1, "e4"), body(1, "e")),
        ("new.note IS NULL OR length(new.note) < 3", body(1), body(1, note=b"long")),
        ("blake3(new.move) = new.note", None, body(1, note=b"x")),
        ("new.owner = x'00'", None, body(1)),
        ("NULL", None, body(1)),
        ("'text'", None, body(1)),
        ("abs(new.number) > 0", body(1), body(-(2**63))),
    ],
)
async def test_checks(store: RowStore, check: str, good: AppBody | None, bad: AppBody) -> None:
    app = await store.install(definition(check))
    if good is not None:
        await write(store, app, b"good", good)
    with pytest.raises(BadInput) as caught:
        await write(store, app, b"bad!", bad)
    assert caught.value.code == "check-failed"
    assert len(await moves(store, app)) == (good is not None)


@pytest.mark.parametrize(
    "check",
    [
        "nonsense(",
        "unknown_column = 1",
        "load_extension('x')",
        "readfile('/etc/passwd')",
        "random() > 0",
        "datetime('now') > ''",
        "1) FROM sqlite_master; DROP TABLE user; --",
        "(SELECT count(*) FROM user)",
        "(WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n)",
        "1; DELETE FROM user",
        "zeroblob(100000000)",
    ],
)
async def test_hostile_checks_are_not_installed(store: RowStore, check: str) -> None:
    with pytest.raises(BadInput) as caught:
        await store.install(definition(check))
    assert caught.value.code == "bad-definition"
    assert store.apps == ()


async def test_a_check_that_takes_too_long_refuses_the_row(
    store: RowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    nested = "replace(" * 12 + "new.move" + ", 'a', 'aa')" * 12 + " != ''"
    app = await store.install(definition(nested))
    monkeypatch.setattr(row_check, "MAX_STEPS", -1)
    with pytest.raises(BadInput) as caught:
        await write(store, app, b"0001", body(1, "a" * 20))
    assert caught.value.code in ("check-failed",) or len(await moves(store, app)) == 0


async def test_who_may_write(store: RowStore) -> None:
    users = await store.install(definition())
    nodes = await store.install(definition(writers="node"))
    with pytest.raises(BadInput) as caught:
        await write(store, nodes, b"0001", body(1))
    assert caught.value.code == "missing-parent"
    node = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
    await store.write(Table.NODE, b"", node, signer=MARY)
    await write(store, nodes, b"0001", body(1))
    stranger = key_of("stranger")
    with pytest.raises(BadInput):
        await store.write(users.number("moves"), b"0001", body(1), signer=stranger)


async def test_an_application_has_its_own_budget(
    store: RowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await store.install(definition())
    rows = [await write(store, app, b"%04d" % at, body(at, note=bytes(3_000))) for at in range(4)]
    monkeypatch.setattr(acceptance, "MAX_APP_TABLE_BYTES", 7_000)
    (tmp_path / "other").mkdir()
    async with open_row_store(tmp_path / "other", clock=FixedClock(), run=on_the_spot) as other:
        await other.install(definition())
        await other.write(Table.USER, b"", UserBody(nickname="Mary"), signer=MARY)
        outcomes = await other.accept_many([row.raw for row in rows], source=None)
        assert [o.code for o in outcomes] == [None, None, "app-full", "app-full"]
        await other.uninstall(app.id)
        await other.install(definition())
        (again,) = await other.accept_many([rows[3].raw], source=None)
        assert again.fate is Fate.ACCEPTED


async def test_rows_travel_between_those_who_have_it_and_private_ones_never(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub = MemoryHub(1)
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(open_member(hub, tmp_path / str(at), f"node {at}"))
            for at in range(3)
        ]
        one, two, without = members
        shared, private = definition(), definition(exposure="private")
        for member in (one, two):
            app = await member.store.install(shared)
            secret = await member.store.install(private)
        await one.store.write(Table.USER, b"", UserBody(nickname="Mary"), signer=MARY)
        await write(one.store, app, b"0001", body(1))
        await write(one.store, secret, b"0001", body(2))
        await one.network.connect(without.network.addresses[0])
        await two.network.connect(without.network.addresses[0])
        await one.network.connect(two.network.addresses[0])
        await until(lambda: two.store.counts[app.number("moves")] == 1)
        await until(lambda: without.store.counts[Table.USER] == 1)
        assert app.number("moves") not in without.store.counts
        assert two.store.counts[secret.number("moves")] == 0
        await write(one.store, app, b"0002", body(3))
        assert await until(lambda: two.store.counts[app.number("moves")] == 2) < 40
        assert not any(member.syncer.state.failed for member in members)


async def test_sessions_go_on_while_applications_come_and_go(tmp_path: Path) -> None:
    async with open_row_store(tmp_path, clock=FixedClock()) as store, trio.open_nursery() as tasks:

        async def look_all_the_time() -> None:
            while True:
                await view_of(store, NOW)

        tasks.start_soon(look_all_the_time)
        for slots in range(1, 6):
            app = await store.install(definition(slots=slots))
            await store.uninstall(app.id)
        tasks.cancel_scope.cancel()


def announcement(text: str, *, key: bytes | None = None, slot: int = 0) -> SignedRow:
    app = parse_definition(text)
    return make_row(
        Table.APP,
        app.id if key is None else key,
        DefinitionBody(definition=app.text),
        signer=MARY,
        seq=1,
        period=NOW,
        slot=slot,
        expires=NOW + 50,
    )


async def test_announced_definitions_are_checked(store: RowStore) -> None:
    good = announcement(definition())
    other_key = announcement(definition(), key=bytes(32), slot=1)
    (outcome,) = await store.accept_many([other_key.raw], source=None)
    assert (outcome.fate, outcome.code) == (Fate.REFUSED, "bad-definition")
    assert outcome.is_senders_fault
    (outcome,) = await store.accept_many([good.raw], source=None)
    assert outcome.fate is Fate.ACCEPTED
    found = await Queries(store.database).announced_apps(NOW)
    assert found == ((good.key_suffix, parse_definition(definition()).text),)


async def test_a_node_carries_what_people_announce_and_nothing_else(
    tmp_path: Path, store: RowStore
) -> None:
    lends = False
    carrier = AppCarrier(Queries(store.database), store, period=lambda: NOW, carries=lambda: lends)
    announced = announcement(definition())
    hostile = announcement(definition("load_extension('x')"), slot=1)
    await store.accept_many([announced.raw, hostile.raw], source=None)
    await carrier.review()
    assert store.apps == ()
    lends = True
    private = await store.install(definition(exposure="private"))
    forgotten = await store.install(definition(slots=9))
    await carrier.review()
    assert {app.id for app in store.apps} == {private.id, announced.key_suffix}
    assert forgotten.id not in {app.id for app in store.apps}
    await store.write(Table.APP, announced.key_suffix, None, signer=MARY)
    await carrier.review()
    assert {app.id for app in store.apps} == {private.id}
