"""Checking and repairing, as details, check and repair show it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.units import MIB
from bitcloud_net.views import HealthState, TransferKind
from tests.planet.acts import lose_disk, read, write
from tests.planet.conftest import Open

PATH = "Public/Mary/a.bin"


async def test_a_file_inside_its_row_is_always_healthy(
    clock: MockClock, world: Open, scratch: Path
) -> None:
    async with world(nodes=3) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", b"small")])
        for details in (
            await mary.client.details(PATH),
            await mary.client.check(PATH, verify=True),
            await mary.client.repair(PATH),
        ):
            assert details.health.state is HealthState.HEALTHY
            assert (details.health.total, details.holders) == (0, ())


async def test_what_details_say(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", rng.randbytes(MIB))])
        details = await mary.client.details(PATH)
        assert (details.entry.path, details.entry.size_bytes) == (PATH, MIB)
        assert [holder.share for holder in details.holders] == list(range(10))
        assert {holder.node for holder in details.holders} == {
            node.node_id.hex() for node in grid.nodes
        }
        assert (details.health.verified, details.health.needed) == (False, 3)
        expected = {10: "healthy", 8: "healthy", 7: "weakened", 3: "weakened", 2: "unreadable"}
        for alive, state in expected.items():
            await grid.switch_off(sum(node.is_on for node in grid.nodes) - alive)
            await trio.sleep(1)
            details = await mary.client.details(PATH)
            assert (details.health.alive, details.health.state) == (alive, state)
            assert all(holder.fault is None for holder in details.holders), "off is no fault"
            by_cap = await mary.client.details(await mary.client.share(PATH))
            assert by_cap.health.alive == alive
            assert by_cap.entry.path == ""


async def test_repair_has_progress_and_an_end(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", rng.randbytes(9 * MIB))])
        await lose_disk(grid.nodes[0])
        await lose_disk(grid.nodes[1])
        await trio.sleep(5)
        after = await mary.client.repair(PATH)
        assert after.health.alive == 10
        (repair, *_) = await mary.client.transfers()
        assert repair.kind is TransferKind.REPAIR
        assert repair.bytes_done == repair.bytes_total > 0
        checked = await mary.client.check(PATH, verify=True)
        assert (checked.health.alive, checked.health.verified) == (10, True)


async def test_repair_with_nothing_to_do_writes_nothing(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", rng.randbytes(MIB))])
        taken = [node.client._parts.storage.view().received_bytes for node in grid.nodes]
        assert (await mary.client.repair(PATH)).health.alive == 10
        assert taken == [node.client._parts.storage.view().received_bytes for node in grid.nodes]


async def test_what_cannot_be_repaired_now(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Too few shares is said plainly; when nodes come back, nothing is lost."""
    data = rng.randbytes(90_000)
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", data)])
        await lose_disk(grid.nodes[9])
        await grid.switch_off(7)
        await trio.sleep(5)
        with pytest.raises(Unavailable) as caught:
            await mary.client.repair(PATH)
        assert caught.value.code == "too-few-shares"
        await grid.switch_on()
        await trio.sleep(60)
        assert (await mary.client.repair(PATH)).health.alive == 10
        assert await read(mary, PATH) == data


async def test_a_stranger_repairs_in_place_only(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Who does not own a file mends what its holders lost, and moves nothing elsewhere."""
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "a.bin", rng.randbytes(90_000))])
        await grid.add_nodes(3)
        await grid.settle()
        holders = [holder.node for holder in (await john.client.details(PATH)).holders]
        await lose_disk(grid.named(holders[0]))
        await grid.named(holders[1]).switch_off()
        await trio.sleep(30)
        after = await john.client.repair(PATH)
        assert after.health.alive == 9
        assert [holder.node for holder in after.holders] == holders


async def test_a_repair_that_is_cut_off_goes_on(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10, bandwidth_bytes_per_s=2e6) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", rng.randbytes(16 * MIB))])
        for node in grid.nodes[:3]:
            await lose_disk(node)
        await trio.sleep(30)
        with trio.move_on_after(6):
            await mary.client.repair(PATH)
        await trio.sleep(5)
        assert (await mary.client.repair(PATH)).health.alive == 10
        assert (await mary.client.check(PATH, verify=True)).health.alive == 10
