"""Small devices: they keep next to nothing of the nodepool, and do everything that others do."""

from __future__ import annotations

from pathlib import Path
from random import Random

import trio
from trio.testing import MockClock

from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.testing.mischief import leave_out
from bitcloud_net.testing.planet import Machine, World, until

from .acts import read, write
from .conftest import Open


def held(machine: Machine) -> dict[int, int]:
    """Return the rows of people that a machine holds."""
    counts = machine.client._parts.rows.counts
    people = (Table.USER, Table.FOLDER, Table.FILE, Table.PLACEMENT)
    return {table: counts[table] for table in people if counts[table]}


async def publish_some(grid: World, scratch: Path, rng: Random) -> dict[str, Machine]:
    people = {}
    for name in ("Mary", "Ann", "Bob"):
        people[name] = await grid.join(name)
        for number in range(3):
            write(scratch / name / f"{number}.bin", rng.randbytes(20_000))
        await people[name].client.publish([scratch / name])
    await grid.settle()
    return people


async def test_a_small_device_lists_and_reads_what_it_does_not_keep(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=5) as grid:
        await publish_some(grid, scratch, rng)
        john = await grid.join("John", light=True)
        await trio.sleep(120)
        assert held(john) == {}, "it keeps nothing that nobody asked for"
        assert [e.name for e in await john.client.entries()] == ["Public"]
        people = await john.client.entries("Public")
        assert [entry.name for entry in people] == ["John", "Ann", "Bob", "Mary"]
        assert set(held(john)) == {Table.USER}
        files = await john.client.entries("Public/Mary/Mary")
        assert [entry.name for entry in files] == ["0.bin", "1.bin", "2.bin"]
        assert held(john)[Table.FILE] == 3, "Mary's, and nobody else's"
        data = (scratch / "Mary" / "1.bin").read_bytes()
        assert await read(john, "Public/Mary/Mary/1.bin") == data
        assert held(john)[Table.PLACEMENT] == 1
        cap = await john.client.share("Public/Mary/Mary/2.bin")
        assert await read(john, cap) == (scratch / "Mary" / "2.bin").read_bytes()


async def test_what_a_small_device_publishes_is_everywhere(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        john = await grid.join("John", light=True)
        data = rng.randbytes(30_000)
        await john.client.publish([write(scratch / "a.bin", data)])
        await trio.sleep(90)
        await grid.settle()
        assert await read(mary, "Public/John/a.bin") == data
        assert held(john) == {Table.USER: 1, Table.FOLDER: 1, Table.FILE: 1, Table.PLACEMENT: 1}


async def test_rows_written_while_nobody_was_there_are_handed_over_later(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """No push carries them: the device shows what is its own to those who keep it."""
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        john = await grid.join("John", light=True)
        await trio.sleep(30)
        grid.partition([john])
        await trio.sleep(5)
        await john.client.publish([write(scratch / "small.txt", b"inline, so no share is needed")])
        await trio.sleep(120)
        assert held(mary) == {}
        grid.heal()
        await until(lambda: held(mary).get(Table.FILE) == 1, 900, "Mary has John's file")
        assert await read(mary, "Public/John/small.txt") == b"inline, so no share is needed"


async def test_new_files_of_whom_one_looks_at_appear_and_others_go_after_a_while(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=5) as grid:
        people = await publish_some(grid, scratch, rng)
        john = await grid.join("John", light=True)
        assert len(await john.client.entries("Public/Mary/Mary")) == 3
        new = write(scratch / "new.bin", rng.randbytes(9_000))
        await people["Mary"].client.publish([new], "Public/Mary/Mary")
        await trio.sleep(150)
        assert len(await john.client.entries("Public/Mary/Mary")) == 4
        await trio.sleep(3_800)
        assert held(john).get(Table.FILE, 0) == 0
        assert len(await john.client.entries("Public/Mary/Mary")) == 4, "it is read again"


async def test_a_small_device_does_not_believe_one_node_alone(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Two of five nodes show none of Mary's files; her head tells that something is missing."""
    async with world(nodes=5) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", rng.randbytes(9_000))])
        await trio.sleep(20)
        await grid.settle()
        for node in grid.nodes[:2]:
            parts = node.client._parts
            leave_out(parts.syncer, parts.rows, lambda row: row.table is Table.FILE)
            shelf_without(node, Table.FILE)
        john = await grid.join("John", light=True)
        assert [e.name for e in await john.client.entries("Public/Mary")] == ["a.bin"]


def shelf_without(node: Machine, table: int) -> None:
    """Let a node answer readers as if it had no row of a table."""
    assert node.network is not None
    server = node.client._parts.row_server
    honest = server._shelf.page

    async def page(of: int, prefix: bytes, after: bytes, **more: object) -> object:
        if of == table:
            return True, False, []
        return await honest(of, prefix, after, **more)  # type: ignore[arg-type]

    server._shelf.page = page  # type: ignore[method-assign,assignment]


async def test_offline_it_shows_what_it_holds(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=5) as grid:
        await publish_some(grid, scratch, rng)
        john = await grid.join("John", light=True)
        assert len(await john.client.entries("Public/Mary/Mary")) == 3
        grid.partition([john])
        await trio.sleep(200)
        assert len(await john.client.entries("Public/Mary/Mary")) == 3


async def test_many_calls_at_once_read_once(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=5) as grid:
        await publish_some(grid, scratch, rng)
        john = await grid.join("John", light=True)
        await john.client.entries("Public")
        assert john.network is not None
        before, _ = john.network.traffic
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(john.client.entries, "Public/Mary/Mary")
            nursery.start_soon(john.client.entries, "Public/Ann/Ann")
        after, _ = john.network.traffic
        assert after - before < 20_000, "two people's few rows, and the heads"
