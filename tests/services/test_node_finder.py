"""Finding nodes whose rows are kept elsewhere."""

from __future__ import annotations

import trio

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.row_bodies import NodeBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.tables import Role, Table
from bitcloud_net.services.nodepool.node_finder import FRESH_S, NodeFinder

KEY = SigningKey(b"\7" * 32)
WHERE = ("/ip4/203.0.113.7/tcp/4001",)


class Others:
    """Who reads from others, and counts how often."""

    def __init__(self, row: SignedRow | None, *, fails: bool = False) -> None:
        self.asked = 0
        self._row = row
        self._fails = fails

    async def row(self, table: int, key: bytes) -> SignedRow | None:
        self.asked += 1
        assert (table, key) == (Table.NODE, KEY.node_id)
        if self._fails:
            raise Unavailable("nobody there", code="too-few-answers")
        return self._row


def row(*, tombstone: bool = False) -> SignedRow:
    body = NodeBody(name="", roles=Role.NODE, addresses=WHERE, capacity=0, used=0)
    numbers = {"seq": 1, "period": 10, "slot": 0, "expires": 20}
    return make_row(Table.NODE, b"", None if tombstone else body, signer=KEY, **numbers)


def finder(others: Others, *, held: tuple[str, ...] = (), keeps: bool = False) -> NodeFinder:
    async def look(node: NodeId) -> tuple[str, ...]:
        return held

    return NodeFinder(look, lambda node: keeps, others)


async def test_what_is_held_is_not_asked_for(autojump_clock: object) -> None:
    others = Others(row())
    assert await finder(others, held=("/ip4/1.2.3.4/tcp/1",)).addresses_of(KEY.node_id)
    assert await finder(others, keeps=True).addresses_of(KEY.node_id) == ()
    assert others.asked == 0


async def test_what_others_keep_is_read_from_them_and_remembered(autojump_clock: object) -> None:
    others = Others(row())
    found = finder(others)
    for _ in range(5):
        assert await found.addresses_of(KEY.node_id) == WHERE
    assert others.asked == 1
    await trio.sleep(FRESH_S + 1)
    assert await found.addresses_of(KEY.node_id) == WHERE
    assert others.asked == 2


async def test_who_is_gone_or_cannot_be_found_has_no_address(autojump_clock: object) -> None:
    for others in (Others(row(tombstone=True)), Others(None), Others(None, fails=True)):
        found = finder(others)
        assert await found.addresses_of(KEY.node_id) == ()
        assert await found.addresses_of(KEY.node_id) == ()
        assert others.asked == 1
