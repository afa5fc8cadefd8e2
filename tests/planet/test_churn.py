"""Nodes come, go, lose what they had, and are cut off; what was published stays."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.units import MIB
from bitcloud_net.testing.planet import Machine, until
from bitcloud_net.views import HealthState, Transfer, TransferState

from .acts import lose_disk, make_folder, read, read_folder, write
from .conftest import Open


async def transfer_of(person: Machine) -> Transfer:
    return (await person.client.transfers())[0]


async def wait_for(person: Machine, state: TransferState, seconds: float = 120.0) -> Transfer:
    """Wait until a person's newest transfer is in a state; return it."""
    await trio.sleep(0.1)
    transfers = person.client._parts.transfers
    await until(lambda: transfers.list()[0].state is state, seconds, f"a transfer is {state}")
    return transfers.list()[0]


async def test_a_grid_grows(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    old, new = rng.randbytes(400_000), rng.randbytes(500_000)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "old.bin", old)])
        await grid.add_nodes(2)
        await grid.settle()
        await mary.client.publish([write(scratch / "new.bin", new)])
        await grid.settle()
        details = await john.client.details("Public/Mary/new.bin")
        assert (details.health.total, details.health.needed) == (12, 4)
        details = await john.client.details("Public/Mary/old.bin")
        assert (details.health.total, details.health.needed) == (10, 3)
        await grid.switch_off(7)
        assert await read(john, "Public/Mary/old.bin") == old
        assert await read(john, "Public/Mary/new.bin") == new


async def test_repair_after_lost_disks(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Seven nodes lose all they had; anybody can repair; then seven others go."""
    data = rng.randbytes(3 * MIB + 5)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        for node in grid.nodes[:7]:
            await lose_disk(node)
        await trio.sleep(5)
        before = await john.client.check("Public/Mary/file.bin")
        assert (before.health.alive, before.health.state) == (3, HealthState.WEAKENED)
        assert [h.fault for h in before.holders if not h.alive] == ["share-missing"] * 7
        after = await john.client.repair("Public/Mary/file.bin")
        assert (after.health.alive, after.health.state) == (10, HealthState.HEALTHY)
        for node in grid.nodes[3:]:
            await node.switch_off()
        assert await read(john, "Public/Mary/file.bin") == data


async def test_repair_moves_shares_from_nodes_that_are_gone(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """A file's owner places what is gone on nodes without a share, and everybody learns of it."""
    data = rng.randbytes(150_000)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        await grid.add_nodes(4)
        await grid.settle()
        gone = [
            grid.named(h.node) for h in (await mary.client.check("Public/Mary/file.bin")).holders
        ]
        for node in gone[:4]:
            await node.switch_off()
        await trio.sleep(30)
        after = await mary.client.repair("Public/Mary/file.bin")
        assert (after.health.alive, after.health.total) == (10, 10)
        await grid.settle()
        seen = await john.client.check("Public/Mary/file.bin")
        assert seen.health.alive == 10
        for node in gone[4:]:
            await node.switch_off()
        assert await read(john, "Public/Mary/file.bin") == data


async def test_at_risk_becomes_safe_by_itself(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    data = rng.randbytes(2 * MIB + 7)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await grid.settle()
        await grid.switch_off(7)
        await trio.sleep(20)
        await mary.client.publish([write(scratch / "file.bin", data)], wait=False)
        risky = await wait_for(mary, TransferState.AT_RISK)
        assert (risky.receipts, risky.receipts_needed, risky.reason_code) == (3, 8, "at-risk")
        await trio.sleep(60)
        assert await read(john, "Public/Mary/file.bin") == data, "readable from the first minute"
        await grid.switch_on()
        done = await wait_for(mary, TransferState.DONE, seconds=400)
        assert done.reason is None
        await grid.settle()
        details = await john.client.details("Public/Mary/file.bin")
        assert details.health.alive >= 8


async def test_who_waits_for_a_file_at_risk_is_told(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        await grid.switch_off(5)
        await trio.sleep(20)
        with pytest.raises(Unavailable) as caught:
            await mary.client.publish([write(scratch / "file.bin", rng.randbytes(90_000))])
        assert caught.value.code == "at-risk"
        assert (await transfer_of(mary)).state is TransferState.AT_RISK, "it goes on"


async def test_too_few_nodes(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        await grid.switch_off(8)
        await trio.sleep(30)
        for size in (10_000, 5 * MIB):
            with pytest.raises(Unavailable) as caught:
                await mary.client.publish([write(scratch / "file.bin", rng.randbytes(size))])
            assert caught.value.code == "too-few-nodes"
            assert caught.value.detail == {"have": 2, "need": 3}
        failed = await transfer_of(mary)
        assert (failed.state, failed.reason_code) == (TransferState.FAILED, "too-few-nodes")
        assert await mary.client.entries("Public/Mary") == (), "nothing half published is listed"
        await mary.client.publish([write(scratch / "note.txt", b"fits into its row")])
        await grid.switch_on()
        await trio.sleep(60)
        await mary.client.resume(failed.id)
        assert (await wait_for(mary, TransferState.DONE)).title == "note.txt"


async def test_no_node_at_all(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    async with world(nodes=0) as grid:
        mary = await grid.join("Mary")
        with pytest.raises(Unavailable) as caught:
            await mary.client.publish([write(scratch / "file.bin", rng.randbytes(90_000))])
        assert caught.value.code == "too-few-nodes"
        await mary.client.publish([write(scratch / "note.txt", b"fits into its row")])
        assert await read(mary, "Public/Mary/note.txt") == b"fits into its row"


async def test_a_partition_heals(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    """R12: both sides publish; at most 60 s after the cut is mended all nodepools are the same."""
    mine, yours = rng.randbytes(300_000), rng.randbytes(300_000)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await grid.settle()
        grid.partition([*grid.nodes[:5], mary], [*grid.nodes[5:], john])
        await trio.sleep(600)
        await mary.client.publish([write(scratch / "mine.bin", mine)], wait=False)
        await john.client.publish([write(scratch / "yours.bin", yours)], wait=False)
        await wait_for(mary, TransferState.AT_RISK)
        await wait_for(john, TransferState.AT_RISK)
        assert await read(mary, "Public/Mary/mine.bin") == mine
        grid.heal()
        assert await grid.settle() <= 60
        assert await read(john, "Public/Mary/mine.bin") == mine
        assert await read(mary, "Public/John/yours.bin") == yours
        await wait_for(mary, TransferState.DONE, seconds=400)
        await wait_for(john, TransferState.DONE, seconds=400)


async def test_killed_nodes_keep_what_they_acknowledged(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    content = make_folder(scratch / "Things", rng)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mary.client.publish, [scratch / "Things"])
            await trio.sleep(0.3)
            for node in grid.nodes[:2]:
                nursery.start_soon(node.kill)
        await grid.settle()
        for node in grid.nodes[5:]:
            await node.kill()
        await grid.nodes[0].switch_on()
        await grid.nodes[1].switch_on()
        await trio.sleep(60)
        there = await john.client.fetch("Public/Mary/Things", scratch / "back")
        assert read_folder(there) == content


async def test_a_person_who_comes_back_has_everything(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    data = rng.randbytes(70_000)
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await mary.switch_off()
        await trio.sleep(600)
        await mary.switch_on()
        assert [entry.name for entry in await mary.client.entries("Public/Mary")] == ["file.bin"]
        assert await read(mary, "Public/Mary/file.bin") == data


async def test_a_grid_that_slept_for_days(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """R13: node rows live for three days; who wakes later signs a new one before long."""
    data = rng.randbytes(70_000)
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "file.bin", data)])
        grid.sleep_all(5 * 24 * 3600)
        assert await read(mary, "Public/Mary/file.bin") == data
        assert (await mary.client.status()).nodes == ()
        await trio.sleep(400)
        assert len((await mary.client.status()).nodes) == 10
        await mary.client.publish([write(scratch / "other.bin", data)])
