"""The grid as a node sees it: which code a new file gets, who holds it, what that promises."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import Unavailable
from tests.planet.conftest import Open


async def test_the_code_follows_the_size_of_the_grid(clock: MockClock, world: Open) -> None:
    async with world(nodes=0) as grid:
        mary = await grid.join("Mary")
        seen = mary.client._parts.grid
        assert await seen.promise() is None
        with pytest.raises(Unavailable) as caught:
            await seen.place(bytes(16))
        assert caught.value.code == "too-few-nodes"
        for count, needed in ((1, 1), (2, 1), (3, 1), (4, 2), (7, 3), (10, 3), (13, 4)):
            await grid.add_nodes(count - len(grid.nodes))
            await grid.settle()
            await trio.sleep(2)
            placing = await seen.place(bytes(16))
            assert (placing.params.n, placing.params.k) == (count, needed)
            assert set(placing.holders) == {node.node_id for node in grid.nodes}
            promise = await seen.promise()
            assert promise is not None
            assert promise.may_fail == count - needed
            assert promise.survival_70 == 1.0, "exact, not likely"


async def test_shares_are_spread(clock: MockClock, world: Open) -> None:
    """Share 0 of different files lies on different nodes, or one node would serve all reading."""
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        await trio.sleep(2)
        firsts = {
            (await mary.client._parts.grid.place(number.to_bytes(16, "big"))).holders[0]
            for number in range(100)
        }
        assert len(firsts) == 10


async def test_who_is_on(clock: MockClock, world: Open) -> None:
    async with world(nodes=6) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        off = await grid.switch_off(2)
        await trio.sleep(2)
        views = await mary.client._parts.grid.views()
        assert {view.node for view in views if not view.online} == {
            node.node_id.hex() for node in off
        }
        placing = await mary.client._parts.grid.place(bytes(16))
        assert placing.params.n == 6, "who is off for a while still counts"
        holders = [node.node_id for node in grid.nodes[:3]]
        spare = await mary.client._parts.grid.replacements(holders, 10)
        assert set(spare) == {node.node_id for node in grid.nodes[3:]}, "on, and without a share"
        await grid.switch_off(3)
        await trio.sleep(2)
        with pytest.raises(Unavailable) as caught:
            await mary.client._parts.grid.place(bytes(16))
        assert caught.value.detail == {"have": 1, "need": 2}


async def test_a_large_grid_is_counted_whole_and_listed_in_part(
    clock: MockClock, world: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bitcloud_net.services.grid.MAX_VIEWS", 4)
    async with world(nodes=7) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        await grid.switch_off(2)
        await trio.sleep(2)
        status = await mary.client.status()
        assert [node.online for node in status.nodes] == [True] * 4, "those that are on come first"
        assert (status.known_nodes, status.online_nodes) == (7, 5)
