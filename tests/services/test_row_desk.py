"""The nodepool by hand: selects, own rows as JSON, applications."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bitcloud_net.clock import Clock
from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.bodies.fields import fields_of
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.table_rules import RULES, Table
from bitcloud_net.nodepool.console import Console
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import DATABASE, open_row_store
from bitcloud_net.services.nodepool.row_desk import RowDesk
from tests.core.row_samples import as_json, plain_body

USER, NODE = SigningKey(b"u" * 32), SigningKey(b"n" * 32)
CHESS = json.dumps(
    {
        "name": "chess",
        "tables": [
            {
                "name": "moves",
                "key_bytes": 2,
                "columns": [
                    {"name": "move", "type": "text"},
                    {"name": "proof", "type": "bytes", "optional": True},
                ],
            }
        ],
    }
)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[RowDesk]:
    clock = Clock()
    async with open_row_store(tmp_path, clock=clock) as rows:
        console = Console(tmp_path / DATABASE, clock.period)
        yield RowDesk(rows, Queries(rows.database), console, USER, "Mary", NODE)


async def test_rows_are_signed_with_the_key_that_may_write_them(desk: RowDesk) -> None:
    person = await desk.put("user", "", '{"nickname": "Mary"}')
    assert person.key == USER.public.hex()
    values = '{"name": "", "roles": 1, "addresses": [], "capacity": 0, "used": 0}'
    node = await desk.put("node", "", values)
    assert node.key == NODE.public.hex()
    folder = json.dumps({"parent": "", "open_key": "", "sealed": "00ff"})
    await desk.put("folder", "ab" * 16, folder)
    answer = await desk.select("SELECT sealed, id, open_key, NULL FROM folder")
    assert answer.columns[0] == "sealed"
    assert answer.rows == (("00ff", "ab" * 16, "", None),)


async def test_applications(desk: RowDesk) -> None:
    app = await desk.install(CHESS)
    first = await desk.put("chess.moves", "0001", '{"move": "e4", "proof": "ff"}')
    again = await desk.put(app.tables[0], "0001", '{"move": "d4", "proof": null}')
    assert again.seq > first.seq
    (view,) = desk.apps()
    assert (view.name, view.rows) == ("chess", 1)
    answer = await desk.select(f"SELECT move FROM {app.tables[0]}")
    assert answer.rows == (("d4",),)
    await desk.put("chess.moves", "0001", "null")
    assert (await desk.select(f"SELECT count(*) FROM {app.tables[0]}")).rows == ((0,),)
    await desk.uninstall("chess")
    assert desk.apps() == ()


@pytest.mark.parametrize(
    ("table", "key", "values", "code"),
    [
        ("nothing", "", "{}", "unknown-table"),
        ("chess.nothing", "", "{}", "unknown-table"),
        ("go.moves", "", "{}", "unknown-table"),
        ("user; DROP TABLE user", "", "{}", "unknown-table"),
        ("user", "00", '{"nickname": "x"}', "bad-key"),
        ("user", "zz", '{"nickname": "x"}', "bad-key"),
        ("user", "", "", "bad-json"),
        ("user", "", "[]", "bad-json"),
        ("user", "", "5", "bad-json"),
        ("user", "", "[" * 9_999, "bad-json"),
        ("user", "", '"' + "x" * 70_000, "bad-json"),
        ("user", "", "{}", "bad-body"),
        ("user", "", '{"nickname": 5}', "bad-body"),
        ("folder", "ab" * 16, '{"parent": "x", "open_key": "", "sealed": ""}', "bad-json"),
        ("file", "ab" * 16, f'{{"folder": "{"cd" * 16}", "sealed": ""}}', "missing-parent"),
        ("chess.moves", "0001", '{"move": "e4", "proof": 5}', "bad-body"),
    ],
)
async def test_what_cannot_be_written(
    desk: RowDesk, table: str, key: str, values: str, code: str
) -> None:
    await desk.install(CHESS)
    with pytest.raises(BadInput) as caught:
        await desk.put(table, key, values)
    assert caught.value.code == code


async def test_removing_needs_exactly_one(desk: RowDesk) -> None:
    await desk.install(CHESS)
    await desk.install(CHESS.replace('"key_bytes": 2', '"key_bytes": 3'))
    for name in ("", "chess", "go", "zz"):
        with pytest.raises(BadInput) as caught:
            await desk.uninstall(name)
        assert caught.value.code == "unknown-app"
    await desk.uninstall(desk.apps()[0].id)
    await desk.uninstall("chess")
    assert desk.apps() == ()


def json_of(table: Table) -> str:
    fields = fields_of(KINDS[table].body)
    return json.dumps(
        {name: as_json(item, fields[name]) for name, item in plain_body(table).items()}
    )


async def test_a_publisher_and_grid_owner_can_write_all_their_tables(desk: RowDesk) -> None:
    """The person is a publisher, the machine a node, a grid, and its own grid's only node."""
    node = '{"name": "", "roles": 3, "addresses": [], "capacity": 0, "used": 0}'
    await desk.put("node", "", node)
    grid = json.loads(json_of(Table.GRID)) | {"node": NODE.public.hex()}
    await desk.put("grid", "", json.dumps(grid))
    await desk.put("publisher", "", json_of(Table.PUBLISHER))
    me, it, number = USER.public.hex(), NODE.public.hex(), "00" * 7 + "05"
    for table, key in {
        Table.GATEWAY: it + me,
        Table.USER_REQUEST: me + "ab" * 16,
        Table.PUBLISHER_REQUEST: it + "ab" * 16,
        Table.GRID_OWNER_REQUEST: it + "ab" * 16,
        Table.PUBLISHER_CONTRACT: it + number,
        Table.BID: it + "ab" * 16,
    }.items():
        written = await desk.put(RULES[table].name, key, json_of(table))
        owner = NODE if table in (Table.GATEWAY, Table.GRID_OWNER_REQUEST) else USER
        assert bytes.fromhex(written.key) == owner.public + bytes.fromhex(key)
    answer = await desk.select("SELECT deposit, coin FROM publisher_contract")
    assert answer.rows == (("100000000000000000000", "bitcoin"),)


async def test_what_somebody_else_has_to_sign_too_is_not_written(desk: RowDesk) -> None:
    await desk.put("publisher", "", json_of(Table.PUBLISHER))
    with pytest.raises(BadInput) as caught:
        await desk.put("publisher_contract", "cd" * 40, json_of(Table.PUBLISHER_CONTRACT))
    assert caught.value.code == "not-signed-by-all"
    assert (await desk.select("SELECT count(*) FROM publisher_contract")).rows == ((0,),)


async def test_a_row_that_belongs_to_nothing_says_what_is_missing(desk: RowDesk) -> None:
    with pytest.raises(BadInput, match="publisher") as caught:
        await desk.put("trust", "cd" * 32, json_of(Table.TRUST))
    assert caught.value.code == "missing-parent"
