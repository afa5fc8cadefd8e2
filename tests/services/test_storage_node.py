"""The switch that makes a computer a storage node, and what the grid sees of it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput, BitcloudError, LocalFault
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.core.trust.verdicts import Ban
from bitcloud_net.core.units import MIB, PERIOD_S
from bitcloud_net.services.storage_node import ANNOUNCE_PERIODS, LEAST_CAPACITY_BYTES, LOOK_S
from bitcloud_net.settings import load_settings
from bitcloud_net.testing.planet import Machine, World, until
from bitcloud_net.views import StatusChanged
from tests.planet.acts import read, write
from tests.planet.conftest import Open


async def node_ids(person: Machine) -> set[str]:
    return {view.node for view in (await person.client.status()).nodes}


async def test_on_and_off_and_on(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    async with world(nodes=2) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        lent = await mary.client.contribute(folder=scratch / "lent", capacity_bytes=100 * MIB)
        assert (lent.on, lent.capacity_bytes, lent.shares) == (True, 100 * MIB, 0)
        assert (scratch / "lent").stat().st_mode & 0o777 == 0o700
        await grid.settle()
        assert mary.node_id.hex() in await node_ids(john)
        promise = (await john.client.status()).promise
        assert promise is not None
        assert promise.shares == 3

        data = rng.randbytes(90_000)
        await john.client.publish([write(scratch / "a.bin", data)])
        lent = mary.client._parts.storage.view()
        assert lent.shares == 1
        assert lent.received_bytes > 90_000

        off = await mary.client.contribute(folder=None, capacity_bytes=0)
        assert not off.on
        await grid.settle()
        assert mary.node_id.hex() not in await node_ids(john), "nobody counts on it any more"
        assert await read(john, "Public/John/a.bin") == data

        lent = await mary.client.contribute(folder=scratch / "lent", capacity_bytes=100 * MIB)
        assert lent.shares == 1, "what it held is still there"
        await grid.settle()
        assert mary.node_id.hex() in await node_ids(john)


async def test_it_is_remembered(clock: MockClock, world: Open, scratch: Path) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await mary.client.contribute(folder=scratch / "lent", capacity_bytes=100 * MIB)
        settings = load_settings(mary.home)
        assert settings.contribute_folder == str(scratch / "lent")
        assert settings.contribute_bytes == 100 * MIB
        await mary.switch_off()
        await mary.switch_on()
        assert mary.client._parts.storage.view().on
        await mary.client.contribute(folder=None, capacity_bytes=0)
        await mary.switch_off()
        await mary.switch_on()
        assert not mary.client._parts.storage.view().on


async def test_another_amount_and_another_folder(
    clock: MockClock, world: Open, scratch: Path
) -> None:
    async with world(nodes=1) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        for folder, amount in (("one", 100), ("one", 200), ("two", 300)):
            lent = await mary.client.contribute(
                folder=scratch / folder, capacity_bytes=amount * MIB
            )
            assert (lent.folder, lent.capacity_bytes) == (str(scratch / folder), amount * MIB)
            await grid.settle()
            views = (await john.client.status()).nodes
            (seen,) = [view for view in views if view.node == mary.node_id.hex()]
            assert seen.capacity_bytes == amount * MIB


async def test_what_cannot_be_lent(clock: MockClock, world: Open, scratch: Path) -> None:
    async with world(nodes=1) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        with pytest.raises(BadInput) as caught:
            await mary.client.contribute(
                folder=scratch / "lent", capacity_bytes=LEAST_CAPACITY_BYTES - 1
            )
        assert caught.value.code == "too-little"
        write(scratch / "file", b"in the way")
        with pytest.raises(LocalFault) as caught_too:
            await mary.client.contribute(folder=scratch / "file", capacity_bytes=100 * MIB)
        assert caught_too.value.code == "unwritable"
        await mary.client.contribute(folder=scratch / "lent", capacity_bytes=100 * MIB)
        with pytest.raises(LocalFault) as caught_too:
            await john.client.contribute(folder=scratch / "lent", capacity_bytes=100 * MIB)
        assert caught_too.value.code == "store-in-use"
        assert not john.client._parts.storage.view().on
        assert load_settings(john.home).contribute_bytes == 0, "what failed is not remembered"
        with pytest.raises(BitcloudError):
            await mary.client.contribute(folder=scratch / "lent", capacity_bytes=1)
        assert mary.client._parts.storage.view().on, "a wrong amount changes nothing"


async def test_a_full_node_refuses_and_others_take(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Space that runs out is a refusal; nine receipts of ten are enough."""
    async with world(nodes=9, lends_bytes=256 * MIB) as grid:
        (small,) = await grid.add_nodes(1, lends_bytes=LEAST_CAPACITY_BYTES)
        mary = await grid.join("Mary")
        await grid.settle()
        store = small.client._parts.storage._store
        assert store is not None
        store.set_capacity(MIB)
        (published,) = await mary.client.publish([write(scratch / "a.bin", rng.randbytes(6 * MIB))])
        assert published.health.alive == 9
        details = await mary.client.details("Public/Mary/a.bin")
        assert small.node_id.hex() not in {holder.node for holder in details.holders}


async def test_the_row_is_signed_again_in_time(clock: MockClock, world: Open) -> None:
    """R-NP-04: after 36 to 60 hours, by the date, so that sleeping machines do it on waking."""

    async def signed_in(world: World) -> int:
        node = await world.nodes[0].client._parts.grid._queries.node(world.nodes[0].node_id)
        assert node is not None
        return node.period

    async with world(nodes=1) as grid:
        first = await signed_in(grid)
        grid.sleep_all(600 * (ANNOUNCE_PERIODS.start - 2))
        await trio.sleep(400)
        assert await signed_in(grid) == first
        grid.sleep_all(600 * (len(ANNOUNCE_PERIODS) + 2))
        await trio.sleep(400)
        assert await signed_in(grid) > first


async def test_status_is_told_when_it_changes(clock: MockClock, world: Open, scratch: Path) -> None:
    async with world(nodes=3) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        seen: list[StatusChanged] = []

        async def watch() -> None:
            async with mary.client.news() as news:
                async for item in news:
                    if isinstance(item, StatusChanged):
                        seen.append(item)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await trio.sleep(5)
            seen.clear()
            await grid.switch_off(2)
            await until(
                lambda: bool(seen) and sum(n.online for n in seen[-1].status.nodes) == 1,
                30,
                "two nodes are seen to be off",
            )
            await grid.switch_on()
            await until(
                lambda: sum(n.online for n in seen[-1].status.nodes) == 3, 60, "all are on again"
            )
            nursery.cancel_scope.cancel()


async def test_a_banned_node_keeps_its_shares_and_comes_back(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Its own ban refuses only its row: it stores and serves on, and announces itself again."""
    async with world(nodes=3) as grid:
        mary = await grid.join("Mary")
        data = rng.randbytes(90_000)
        await mary.client.publish([write(scratch / "a.bin", data)])
        node = grid.nodes[1]
        parts = node.client._parts
        now = node.clock.period()
        await parts.rows.ban(Ban(target=node.node_id, since=now, until=now + 1, reason="too-slow"))
        await until(lambda: parts.storage.view().banned, 2 * LOOK_S, "it notices")
        lent = (await node.client.status()).contribution
        assert (lent.on, lent.banned, lent.shares) == (True, True, 1)
        assert await read(mary, "Public/Mary/a.bin") == data
        await node.switch_off()
        await node.switch_on()  # a start during the ban is one, too
        parts = node.client._parts
        assert parts.storage.view().banned
        assert not await parts.rows.holds(Table.NODE, node.node_id)
        await until(lambda: not parts.storage.view().banned, 3 * PERIOD_S, "the ban has ended")
        assert await parts.rows.holds(Table.NODE, node.node_id)
        await grid.settle()
        assert node.node_id.hex() in await node_ids(mary)


async def test_a_banned_node_may_stop_lending(clock: MockClock, world: Open, scratch: Path) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await mary.client.contribute(folder=scratch / "lent", capacity_bytes=100 * MIB)
        now = mary.clock.period()
        ban = Ban(target=mary.node_id, since=now, until=now + 1, reason="too-slow")
        await mary.client._parts.rows.ban(ban)
        assert not (await mary.client.contribute(folder=None, capacity_bytes=0)).on
