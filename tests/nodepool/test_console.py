"""SQL for people: every SELECT works, and nothing else does, however it is dressed up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
import trio
from grids import NOW, FixedClock, files, key_of, on_the_spot, write_person

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.nodepool.row_bodies import NodeBody
from bitcloud_net.core.nodepool.table_rules import Role, Table
from bitcloud_net.nodepool import console as console_module
from bitcloud_net.nodepool.console import Console
from bitcloud_net.nodepool.row_store import open_row_store

MARY = key_of("mary")
FOLDER = b"f" * 16


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    clock = FixedClock()
    async with open_row_store(tmp_path, clock=clock, run=on_the_spot) as store:
        await write_person(store, MARY, FOLDER)
        await store.write_many(files(Random(3), FOLDER, 300), signer=MARY)
        body = NodeBody(name="n", roles=Role.NODE | Role.GATEWAY, addresses=(), capacity=9, used=0)
        await store.write(Table.NODE, b"", body, signer=MARY)
        yield Console(tmp_path / "nodepool.db", clock.period)


async def one(console: Console, sql: str, *values: object) -> object:
    table = await console.select(sql, values)  # type: ignore[arg-type]
    ((cell,),) = table.rows
    return cell


async def test_selects(console: Console) -> None:
    table = await console.select("SELECT nickname, period FROM user")
    assert table.columns == ("nickname", "period")
    assert table.rows == (("Mary", NOW),)
    assert not table.cut_off
    assert await one(console, "SELECT count(*) FROM file WHERE folder = ?", FOLDER) == 300
    assert await one(console, "SELECT max(length(manifest)) FROM placement") == 500
    sql = (
        "WITH big AS (SELECT owner, count(*) AS n FROM placement GROUP BY owner)"
        " SELECT u.nickname || ' ' || b.n FROM big b JOIN user u ON u.key = b.owner"
    )
    assert await one(console, sql) == "Mary 300"
    assert await one(console, "SELECT row_number() OVER (ORDER BY key) FROM user") == 1
    assert len((await console.select("SELECT name FROM sqlite_master")).rows) > 5


async def test_own_functions(console: Console) -> None:
    assert await one(console, "SELECT now_period()") == NOW
    assert await one(console, "SELECT hex(blake3('abc'))") == (
        "6437B3AC38465133FFB63B75273A8DB548C558465D79DB03FD359C6CD5BD9D85"
    )
    assert await one(console, "SELECT blake3(5)") is None
    roles = Role.NODE | Role.GATEWAY | Role.USER
    assert await one(console, "SELECT role_of(key) FROM user") == roles
    assert await one(console, "SELECT role_of(x'00')") == 0
    assert await one(console, "SELECT role_of('text')") == 0
    signature = MARY.sign("row", b"message")
    sql = "SELECT verify_sig(?, 'row', ?, ?)"
    assert await one(console, sql, MARY.public, b"message", signature) == 1
    assert await one(console, sql, MARY.public, b"messagf", signature) == 0
    for hostile in ((None, b"", b""), (b"", b"", b""), ("x", b"", b""), (b"k" * 32, b"", "sig")):
        assert await one(console, sql, *hostile) == 0


HOSTILE = [
    "DELETE FROM user",
    "UPDATE user SET nickname = 'x'",
    "INSERT INTO user VALUES (x'00', 'x', 1, 1, 1)",
    "DROP TABLE user",
    "CREATE TABLE t (x)",
    "CREATE TEMP TABLE t (x)",
    "CREATE TEMP VIEW v AS SELECT 1",
    "ALTER TABLE user RENAME TO u",
    "ATTACH DATABASE '/etc/passwd' AS p",
    "ATTACH ':memory:' AS m",
    "DETACH main",
    "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA user_version",
    "PRAGMA database_list",
    "SELECT * FROM pragma_database_list",
    "VACUUM",
    "VACUUM INTO '/tmp/x.db'",
    "REINDEX",
    "ANALYZE",
    "BEGIN",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "SAVEPOINT s",
    "SELECT load_extension('x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/x', 'x')",
    "SELECT edit('x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT randomblob(1000000)",
    "SELECT zeroblob(1000000)",
    "SELECT 1; DELETE FROM user",
    "SELECT 1; SELECT 2",
    "WITH x AS (SELECT 1) DELETE FROM user",
    "EXPLAIN DELETE FROM user",
    "SELECT * FROM user WHERE nickname = (DELETE FROM user)",
    "/* SELECT */ DROP TABLE user",
    "",
    ";",
    "-- nothing",
    "SELECT",
    "SELECT * FROM nothing",
    "SELECT nothing FROM user",
    "SELECT '\0'; DROP TABLE user",
    "SELECT '\ud800'",
    "SELECT " + "(" * 200 + "1" + ")" * 200,
    "SELECT " + "+".join(["1"] * 5_000),
    "SELECT " + " UNION ALL SELECT ".join(["1"] * 100),
    "SELECT " + "x" * 70_000,
    "SELECT ?",
    "SELECT abs(-9223372036854775808)",
]


@pytest.mark.parametrize("sql", HOSTILE, ids=lambda sql: sql[:40])
async def test_hostile_statements_are_refused_and_change_nothing(
    console: Console, sql: str, tmp_path: Path
) -> None:
    before = (tmp_path / "nodepool.db").read_bytes()
    with pytest.raises(BadInput) as caught:
        await console.select(sql)
    assert caught.value.code in ("sql-error", "sql-not-allowed", "sql-too-long")
    assert (tmp_path / "nodepool.db").read_bytes() == before
    assert await one(console, "SELECT count(*) FROM user") == 1


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n",
        "SELECT count(*) FROM np_row a, np_row b, np_row c, np_row d",
        "SELECT a.raw, b.raw FROM np_row a, np_row b, np_row c ORDER BY b.raw, a.raw",
    ],
)
async def test_statements_without_end_are_ended(
    console: Console, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_module, "TIME_LIMIT_S", 0.3)
    with pytest.raises(BadInput) as caught:
        await console.select(sql)
    assert caught.value.code == "sql-takes-too-long"


async def test_the_step_limit_holds_on_a_fast_machine(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_module, "STEP_LIMIT", 100_000)
    with pytest.raises(BadInput) as caught:
        await console.select("SELECT count(*) FROM np_row a, np_row b, np_row c")
    assert caught.value.code == "sql-takes-too-long"


async def test_a_cancelled_statement_ends_at_once(console: Console) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with trio.move_on_after(0.2) as scope:
        await console.select(endless)
    assert scope.cancelled_caught
    assert await one(console, "SELECT 1") == 1


async def test_large_values_and_long_answers_are_bounded(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await one(console, "SELECT length(printf('%.*c', 2000000, 'x'))") in (None, 0)
    with pytest.raises(BadInput):
        await console.select("SELECT group_concat(hex(a.raw)) FROM np_row a, np_row b")
    table = await console.select("SELECT a.key FROM np_row a, np_row b")
    assert table.cut_off
    assert len(table.rows) == 10_000
    monkeypatch.setattr(console_module, "MAX_RESULT_BYTES", 5_000)
    table = await console.select("SELECT raw FROM np_row")
    assert table.cut_off
    assert len(table.rows) < 20
