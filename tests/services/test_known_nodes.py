"""The nodes that are known: looked up anew while there are few, and seldom when there are many."""

from __future__ import annotations

import trio

from bitcloud_net.core.keys import NodeId
from bitcloud_net.protocols.known_nodes import FEW, FRESH_S, MAX_ON_THE_SPOT, KnownNodes
from bitcloud_net.testing.inline_threads import inline_threads


class Rows:
    """Counts how often it is asked."""

    def __init__(self, count: int) -> None:
        self.asked = 0
        self.ids = [NodeId(at.to_bytes(32, "big")) for at in range(count)]

    async def node_ids(self, period: int) -> list[NodeId]:
        self.asked += 1
        return self.ids


async def test_each_node_more_is_noticed_where_there_are_few(autojump_clock: object) -> None:
    rows = Rows(FEW)
    nodes = KnownNodes(rows, lambda: 1)
    assert len((await nodes.known()).ring) == FEW
    rows.ids = [*rows.ids, NodeId(b"x" * 32)]
    assert NodeId(b"x" * 32) in (await nodes.known()).ids


async def test_many_are_sorted_once_in_a_while(autojump_clock: object) -> None:
    for count in (FEW + 1, MAX_ON_THE_SPOT + 1):
        rows = Rows(count)
        nodes = KnownNodes(rows, lambda: 1)
        with inline_threads():
            first = await nodes.known()
            assert await nodes.known() is first
            assert rows.asked == 1
            assert sorted(first.ring.nearest(0)) == sorted(rows.ids)
            await trio.sleep(FRESH_S)
            assert await nodes.known() is not first
