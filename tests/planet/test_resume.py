"""Transfers that are held, cut off or done twice: what was sent is not sent again."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.units import MIB
from bitcloud_net.testing.planet import Machine, World, until
from bitcloud_net.views import Transfer, TransferState

from .acts import make_folder, read, read_folder, write
from .conftest import Open

SIZE = 24 * MIB
SLOW = {"delay_s": 0.01, "bandwidth_bytes_per_s": 2e6}


def newest(person: Machine) -> Transfer:
    return person.client._parts.transfers.list()[0]


def received(world: World) -> int:
    """Return how many bytes of blocks the nodes took in since they were switched on."""
    return sum(
        node.client._parts.storage.view().received_bytes for node in world.nodes if node.is_on
    )


async def until_bytes(person: Machine, count: int) -> None:
    await until(lambda: newest(person).bytes_done >= count, 60, f"{count} bytes are through")


async def until_state(person: Machine, state: TransferState) -> None:
    await until(lambda: newest(person).state is state, 300, f"the transfer is {state}")


async def test_pause_and_resume(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    data = rng.randbytes(SIZE)
    async with world(nodes=10, **SLOW) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        await mary.client.publish([write(scratch / "film.bin", data)], wait=False)
        await until_bytes(mary, SIZE // 2)
        await mary.client.pause(newest(mary).id)
        await until_state(mary, TransferState.PAUSED)
        await trio.sleep(300)
        assert newest(mary).state is TransferState.PAUSED
        assert await mary.client.entries("Public/Mary") == ()
        await mary.client.resume(newest(mary).id)
        await until_state(mary, TransferState.DONE)
        whole = sum(node.client._parts.storage.view().used_bytes for node in grid.nodes)
        on_its_way = 10 * 12 * MIB / 3
        assert received(grid) <= whole + on_its_way, "nothing that was stored goes twice"
        assert await read(mary, "Public/Mary/film.bin") == data


async def test_a_publish_goes_on_after_a_crash(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    data = rng.randbytes(SIZE)
    async with world(nodes=10, **SLOW) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await grid.settle()
        await mary.client.publish([write(scratch / "film.bin", data)], wait=False)
        await until_bytes(mary, 3 * SIZE // 4)
        await mary.kill()
        await trio.sleep(120)
        before = received(grid)
        await mary.switch_on()
        (cut_off,) = await mary.client.transfers()
        assert (cut_off.state, cut_off.reason_code) == (TransferState.WAITING, "cut-off")
        await mary.client.resume(cut_off.id)
        await until_state(mary, TransferState.DONE)
        again = received(grid) - before
        whole = 10 * SIZE / 3
        assert again <= whole * 2 / 3, "three quarters were through, half was there at least"
        await grid.settle()
        assert await read(john, "Public/Mary/film.bin") == data


async def test_a_file_edited_during_the_pause(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """T-nonce: what is published is the file as it is at last, whole, with a secret of its own."""
    data = rng.randbytes(SIZE)
    async with world(nodes=10, **SLOW) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        path = write(scratch / "film.bin", data)
        await mary.client.publish([path], wait=False)
        await until_bytes(mary, SIZE // 2)
        await mary.client.pause(newest(mary).id)
        await until_state(mary, TransferState.PAUSED)
        edited = b"!" + data[1:]
        write(path, edited)
        await mary.client.resume(newest(mary).id)
        await until_state(mary, TransferState.DONE)
        assert await read(mary, "Public/Mary/film.bin") == edited


@pytest.mark.parametrize("how", ["pause", "crash"])
async def test_a_folder_goes_on_where_it_was(
    clock: MockClock, world: Open, scratch: Path, rng: Random, how: str
) -> None:
    """What is listed is not sent again; what changed meanwhile is."""
    content = {f"{number:03}.bin": rng.randbytes(20_000) for number in range(300)}
    for name, data in content.items():
        write(scratch / "many" / name, data)
    async with world(nodes=10, delay_s=0.05) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await grid.settle()
        await mary.client.publish([scratch / "many"], wait=False)
        await until(lambda: newest(mary).files_done >= 200, 60, "200 files are through")
        if how == "pause":
            await mary.client.pause(newest(mary).id)
            await until_state(mary, TransferState.PAUSED)
        else:
            await trio.sleep(1)
            await mary.switch_off()
            await mary.switch_on()
        await trio.sleep(60)
        content["007.bin"] = rng.randbytes(20_000)
        os.utime(write(scratch / "many/007.bin", content["007.bin"]), (5, 5))
        before = received(grid)
        await mary.client.resume(newest(mary).id)
        await until_state(mary, TransferState.DONE)
        assert newest(mary).files_done == 300
        again = received(grid) - before
        assert again < 10 * 130 * 32_768 / 3, "200 of 300 were there"
        await grid.settle()
        there = await john.client.fetch("Public/Mary/many", scratch / "back")
        assert read_folder(there) == content


async def test_cancel(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    data = rng.randbytes(SIZE)
    async with world(nodes=10, **SLOW) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        await mary.client.publish([write(scratch / "film.bin", data)], wait=False)
        await until_bytes(mary, SIZE // 2)
        await mary.client.cancel(newest(mary).id)
        await until_state(mary, TransferState.CANCELLED)
        assert await mary.client.entries("Public/Mary") == ()
        await mary.client.publish([scratch / "film.bin"])
        assert await read(mary, "Public/Mary/film.bin") == data

        await mary.client.fetch("Public/Mary/film.bin", scratch / "back.bin", wait=False)
        await until_bytes(mary, SIZE // 2)
        await mary.client.cancel(newest(mary).id)
        await until_state(mary, TransferState.CANCELLED)
        assert read_folder(scratch).keys() & {"back.bin"} == set()
        left = [path for path in scratch.iterdir() if path.name not in ("homes", "film.bin")]
        assert left == [], "nothing half done stays"


async def test_the_same_file_published_twice_at_once(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    data = rng.randbytes(8 * MIB)
    async with world(nodes=10, **SLOW) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        path = write(scratch / "film.bin", data)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mary.client.publish, [path])
            nursery.start_soon(mary.client.publish, [path])
        assert await read(mary, "Public/Mary/film.bin") == data
        details = await mary.client.check("Public/Mary/film.bin", verify=True)
        assert details.health.alive == 10


async def test_nodes_that_go_and_come_during_a_publish(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    data = rng.randbytes(SIZE)
    async with world(nodes=10, **SLOW) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        await mary.client.publish([write(scratch / "film.bin", data)], wait=False)
        await until_bytes(mary, SIZE // 4)
        for node in grid.nodes[:5]:
            await node.kill()
        await until_bytes(mary, SIZE)
        await until_state(mary, TransferState.AT_RISK)
        await grid.switch_on()
        await until_state(mary, TransferState.DONE)
        assert (await mary.client.check("Public/Mary/film.bin")).health.alive >= 8
        assert await read(mary, "Public/Mary/film.bin") == data


async def test_progress_never_goes_back(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    content = make_folder(scratch / "Things", rng)
    seen: list[Transfer] = []
    async with world(nodes=10, **SLOW) as grid:
        mary = await grid.join("Mary")
        await grid.settle()

        async def watch() -> None:
            async with mary.client.news() as news:
                async for item in news:
                    if (transfer := getattr(item, "transfer", None)) is not None:
                        seen.append(transfer)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await trio.sleep(0.1)
            await mary.client.publish([scratch / "Things"])
            await mary.client.fetch("Public/Mary/Things", scratch / "back")
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
    total = sum(map(len, content.values()))
    for kind in ("publish", "fetch"):
        states = [each for each in seen if each.kind == kind]
        done = [each.bytes_done for each in states]
        assert done == sorted(done)
        files = [each.files_done for each in states]
        assert files == sorted(files)
        assert (done[-1], files[-1]) == (total, len(content))
        assert states[-1].state is TransferState.DONE
        assert states[-1].bytes_total == total


async def test_what_cannot_be_published(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        write(scratch / "a.txt", b"a")
        (scratch / "link").symlink_to(scratch / "a.txt")
        for sources in ([], [scratch / "nowhere"], [scratch / "link"]):
            with pytest.raises(BadInput):
                await mary.client.publish(sources)
        assert await mary.client.entries("Public/Mary") == ()
