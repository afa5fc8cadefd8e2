"""The nodepool by hand: selects, own rows as JSON, applications."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bitcloud_net.clock import Clock
from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.nodepool.console import Console
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import DATABASE, open_row_store
from bitcloud_net.services.row_desk import RowDesk

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
