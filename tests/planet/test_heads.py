"""Nodes that keep a person's rows back: others notice by the person's head, and find them."""

from __future__ import annotations

from pathlib import Path
from random import Random

import trio
from trio.testing import MockClock

from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.testing.mischief import leave_out
from bitcloud_net.testing.planet import Machine, until

from .acts import read, write
from .conftest import Open


def keep_files_back(node: Machine) -> None:
    """Let a node hand out everything but the rows of files."""
    parts = node.client._parts
    leave_out(parts.syncer, parts.rows, lambda row: row.table in (Table.FILE, Table.PLACEMENT))


async def lacking(person: Machine) -> int:
    sync = (await person.client.status()).sync
    assert sync is not None
    return sync.owners_lacking


async def test_files_that_nodes_keep_back_are_noticed_and_found_elsewhere(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    data = rng.randbytes(50_000)
    async with world(nodes=6) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", data)])
        await trio.sleep(10)
        await grid.settle()
        for node in grid.nodes[:5]:
            keep_files_back(node)
        john = await grid.join("John")
        grid.partition([mary, grid.nodes[5]], [john, *grid.nodes[:5]])
        await john.switch_off()
        for path in (john.home / "nodepool").iterdir():
            path.unlink()
        await john.switch_on()
        await trio.sleep(5)
        assert [entry.name for entry in await john.client.entries("Public/Mary")] == []
        assert await lacking(john) == 0, "they could be on their way"
        await trio.sleep(60)
        assert await lacking(john) == 1
        grid.heal()

        def has_it() -> bool:
            return john.client._parts.rows.counts[Table.FILE] == 1

        assert await until(has_it, 120, "John has Mary's file") < 120
        assert await read(john, "Public/Mary/a.bin") == data
        await trio.sleep(10)
        assert await lacking(john) == 0


async def test_heads_are_everywhere_and_all_is_whole(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=4) as grid:
        mary = await grid.join("Mary")
        for number in range(30):
            write(scratch / f"many/{number}.txt", rng.randbytes(100))
        await mary.client.publish([scratch / "many"])
        await trio.sleep(70)
        await grid.settle()
        for machine in grid.machines:
            parts = machine.client._parts
            assert parts.rows.counts[Table.HEAD] == 1, "nodes have nothing to speak for"
            reads = parts.head_watcher._heads
            for owner in await reads.owners(0):
                (state,) = (await reads.states(owner, 0, lambda table: True)).values()
                assert state.held.state.value == "whole"
            assert await lacking(machine) == 0
