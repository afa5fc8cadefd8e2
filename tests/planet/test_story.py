"""The story: Mary publishes a folder, John reads it, seven of ten nodes go, and it still plays."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput, Unavailable
from bitcloud_net.core.units import MIB
from bitcloud_net.views import EntryKind, HealthState

from .acts import make_folder, read, read_folder, write
from .conftest import Open


async def test_the_whole_story(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    content = make_folder(scratch / "Holiday", rng)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        published = await mary.client.publish([scratch / "Holiday"])
        assert {item.path for item in published} == {f"Public/Mary/Holiday/{n}" for n in content}
        assert all(item.health.state is HealthState.HEALTHY for item in published)
        await grid.settle()

        names = [entry.name for entry in await john.client.entries("Public/Mary/Holiday")]
        assert names[0] == "pictures"
        assert sorted(names[1:]) == sorted(name for name in content if "/" not in name)
        there = await john.client.fetch("Public/Mary/Holiday", scratch / "before")
        assert read_folder(there) == content

        await grid.switch_off(7)
        there = await john.client.fetch("Public/Mary/Holiday", scratch / "after")
        assert read_folder(there) == content
        assert (
            await read(john, "Public/Mary/Holiday/film.webm", 2 * MIB - 5, 10)
            == (content["film.webm"][2 * MIB - 5 : 2 * MIB + 5])
        )
        details = await john.client.details("Public/Mary/Holiday/film.webm")
        assert (details.health.alive, details.health.needed) == (3, 3)
        assert details.health.state is HealthState.WEAKENED

        await grid.switch_off(1)
        with pytest.raises(Unavailable) as caught:
            await read(john, "Public/Mary/Holiday/film.webm")
        assert caught.value.code == "too-few-shares"
        assert caught.value.detail == {"have": 2, "need": 3}
        small = await read(john, "Public/Mary/Holiday/note.txt")
        assert small == content["note.txt"], "a file inside its row needs no node"

        await grid.switch_on()
        assert await read(john, "Public/Mary/Holiday/film.webm") == content["film.webm"]


async def test_any_seven_of_ten_may_be_off(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """R6: all 120 combinations, each with at most 2 s until the first byte."""
    data = rng.randbytes(30_000)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        assert await read(john, "Public/Mary/file.bin") == data  # the first call waits for rows
        slowest = 0.0
        for off in combinations(grid.nodes, 7):
            for node in off:
                grid.hub.pause(node.node_id)  # worse than off: it still seems to be there
            started = trio.current_time()
            assert await read(john, "Public/Mary/file.bin") == data
            slowest = max(slowest, trio.current_time() - started)
            for node in off:
                grid.hub.resume(node.node_id)
            await trio.sleep(1)
    assert slowest <= 2.0


async def test_fourteen_of_twenty_may_be_off(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    data = rng.randbytes(3 * MIB + 17)
    async with world(nodes=20) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await grid.settle()
        status = await mary.client.status()
        assert status.promise is not None
        assert (status.promise.shares, status.promise.needed) == (20, 6)
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        await grid.switch_off(14)
        assert await read(john, "Public/Mary/file.bin") == data
        await grid.switch_off(1)
        with pytest.raises(Unavailable) as caught:
            await read(john, "Public/Mary/file.bin")
        assert caught.value.code == "too-few-shares"


async def test_ranges(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    data = rng.randbytes(4 * MIB + 99)
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "file.bin", data)])
        before = [node.client._parts.storage.view().served_bytes for node in grid.nodes]
        for _ in range(40):
            offset = rng.choice([0, len(data), rng.randrange(len(data)), MIB - 1, 4 * MIB])
            length = rng.choice([None, 0, 1, MIB, rng.randrange(len(data))])
            expected = data[offset:] if length is None else data[offset : offset + length]
            assert await read(mary, "Public/Mary/file.bin", offset, length) == expected
        await grid.settle()
        at_start = sum(before)
        before_one = sum(node.client._parts.storage.view().served_bytes for node in grid.nodes)
        assert before_one > at_start
        assert await read(mary, "Public/Mary/file.bin", 2 * MIB, 1000) == data[2 * MIB :][:1000]
        after = sum(node.client._parts.storage.view().served_bytes for node in grid.nodes)
        assert after - before_one <= 2 * MIB, "a range fetches only the segments it needs"
        with pytest.raises(BadInput) as caught:
            await read(mary, "Public/Mary/file.bin", len(data) + 1)
        assert caught.value.code == "bad-range"


async def test_a_read_cap_is_all_that_is_needed(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    data = rng.randbytes(200_000)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        cap = await mary.client.share("Public/Mary/file.bin")
        assert await read(john, cap) == data
        details = await john.client.details("Public/Mary/file.bin")
        assert details.verify_cap is not None
        checked = await john.client.check(details.verify_cap, verify=True)
        assert (checked.health.alive, checked.health.verified) == (10, True)
        with pytest.raises(BadInput) as caught:
            await read(john, details.verify_cap)
        assert caught.value.code == "cap-cannot-read"


async def test_two_publish_at_once(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    mine, yours = make_folder(scratch / "m/Things", rng), make_folder(scratch / "j/Things", rng)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mary.client.publish, [scratch / "m/Things"])
            nursery.start_soon(john.client.publish, [scratch / "j/Things"])
        await grid.settle()
        there = await john.client.fetch("Public/Mary/Things", scratch / "from Mary")
        assert read_folder(there) == mine
        there = await mary.client.fetch("Public/John/Things", scratch / "from John")
        assert read_folder(there) == yours


async def test_the_same_name_again_is_a_new_version(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        for size in (3000, 100_000, 2 * MIB + 1, 0):
            data = rng.randbytes(size)
            await mary.client.publish([write(scratch / "draft.txt", data)])
            await grid.settle()
            (entry,) = await john.client.entries("Public/Mary")
            assert (entry.name, entry.size_bytes) == ("draft.txt", size)
            assert await read(john, "Public/Mary/draft.txt") == data


async def test_the_levels_of_the_disk(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "a.txt", b"hello")], "Public/Mary/Letters/2026")
        await grid.settle()
        (public,) = await john.client.entries()
        assert (public.kind, public.name) == (EntryKind.PUBLISHER, "Public")
        people = await john.client.entries("Public")
        assert people[0].name == "John", "one's own space comes first"
        assert {"Mary", "John"} <= {entry.name for entry in people}
        (letters,) = await john.client.entries("Public/Mary")
        assert (letters.kind, letters.name) == (EntryKind.FOLDER, "Letters")
        assert await read(john, "Public/Mary/Letters/2026/a.txt") == b"hello"
        for wrong in (
            "Public/Nobody/x",
            "Public/Mary/Letters/2027",
            "Private",
            "Public/Mary/a.txt",
        ):
            with pytest.raises(BadInput) as caught:
                await john.client.entries(wrong)
            assert caught.value.code == "no-such-path"
        with pytest.raises(BadInput) as caught:
            await read(john, "Public/Mary/Letters")
        assert caught.value.code == "is-a-folder"
        with pytest.raises(BadInput) as caught:
            await john.client.publish([scratch / "a.txt"], "Public/Mary/Letters")
        assert caught.value.code == "not-yours"
