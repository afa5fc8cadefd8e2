"""Applications' tables between people who never met, through nodes that do not know them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.api import BadInput

CHESS = json.dumps(
    {
        "name": "chess",
        "tables": [
            {
                "name": "moves",
                "key_bytes": 2,
                "check": "length(new.move) BETWEEN 2 AND 7",
                "columns": [{"name": "move", "type": "text", "max": 7}],
            }
        ],
    }
)


async def test_people_with_one_application_share_its_rows(clock: MockClock, world: Any) -> None:
    async with world(nodes=4) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        app = await mary.client.install_app(CHESS)
        assert (await john.client.install_app(CHESS)).id == app.id
        await mary.client.put_row("chess.moves", "0001", '{"move": "e4"}')
        with pytest.raises(BadInput) as caught:
            await mary.client.put_row("chess.moves", "0002", '{"move": "e"}')
        assert caught.value.code == "check-failed"
        statement = (
            f"SELECT u.nickname, m.move FROM {app.tables[0]} m JOIN user u ON u.key = m.owner"
        )
        with trio.fail_after(900):
            while not (answer := await john.client.select(statement)).rows:  # noqa: ASYNC110
                await trio.sleep(5)
        assert answer.rows == (("Mary", "e4"),)
        await john.client.uninstall_app("chess")
        assert await john.client.apps() == ()
        assert [item.rows for item in await mary.client.apps()] == [1]
