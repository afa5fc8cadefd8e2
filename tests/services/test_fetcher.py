"""Fetching: names made safe, numbers behind what is taken, nothing half there."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput, Unavailable
from bitcloud_net.core.files.caps import ReadCap
from bitcloud_net.testing.planet import until
from bitcloud_net.views import TransferState
from tests.planet.acts import make_folder, read_folder, write
from tests.planet.conftest import Open


async def test_where_a_file_goes(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    data = rng.randbytes(10_000)
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", data)])
        target, where = "Public/Mary/a.bin", scratch / "to"
        where.mkdir()
        for expected in ("a.bin", "a (1).bin", "a (2).bin"):
            assert await mary.client.fetch(target, where) == where / expected
        assert await mary.client.fetch(target, where / "new name") == where / "new name"
        taken = await mary.client.fetch(target, where / "new name")
        assert taken == where / "new name (1)"
        cap = await mary.client.share(target)
        by_cap = await mary.client.fetch(cap, where)
        assert by_cap.parent == where
        assert len(read_folder(where)) == 6
        assert set(read_folder(where).values()) == {data}
        with pytest.raises(BadInput):
            await mary.client.fetch(target, where / "no such folder" / "a.bin")


async def test_folders(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    content = make_folder(scratch / "Things", rng)
    async with world(nodes=3) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([scratch / "Things"])
        where = scratch / "to"
        where.mkdir()
        first = await mary.client.fetch("Public/Mary/Things", where)
        assert first == where / "Things"
        assert read_folder(first) == content
        inner = await mary.client.fetch("Public/Mary/Things/pictures/more", where)
        assert read_folder(inner) == {"dusk.jpg": content["pictures/more/dusk.jpg"]}
        whole = await mary.client.fetch("Public/Mary", where)
        assert read_folder(whole) == {f"Things/{name}": data for name, data in content.items()}


async def test_a_folder_that_is_there_already(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """What a person has is never overwritten."""
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "Things/a.txt", b"published").parent])
        mine = write(scratch / "to/Things/a.txt", b"mine")
        await mary.client.fetch("Public/Mary/Things", scratch / "to")
        assert mine.read_bytes() == b"mine"
        assert sorted(read_folder(scratch / "to").values()) == [b"mine", b"published"]


async def test_what_cannot_be_fetched(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", rng.randbytes(10_000))])
        where = scratch / "to"
        where.mkdir()
        cap = await mary.client.share("Public/Mary/a.bin")
        unknown = "bitcloud:1:fr:" + cap.split(":")[3][:20]
        for target, codes in (
            ("Public/Mary/b.bin", {"no-such-path"}),
            ("Public/Nobody", {"no-such-path"}),
            (cap[:-1] + ("a" if cap[-1] != "a" else "b"), {"cap-damaged"}),
            (unknown, {"cap-damaged", "cap-unknown"}),
            ("bitcloud:9:zz:aaaa:aaaa", {"cap-damaged", "cap-unknown"}),
        ):
            with pytest.raises(BadInput) as caught:
                await mary.client.fetch(target, where)
            assert caught.value.code in codes, target
        await grid.switch_off(8)
        with pytest.raises(Unavailable) as caught_too:
            await mary.client.fetch("Public/Mary/a.bin", where)
        assert caught_too.value.code == "too-few-shares"
        assert list(where.iterdir()) == [], "nothing half done is left"


async def test_a_cap_that_nobody_knows(clock: MockClock, world: Open, rng: Random) -> None:
    async with world(nodes=3) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        started = trio.current_time()
        with pytest.raises(Unavailable) as caught:
            await mary.client.fetch(ReadCap(rng.randbytes(32), rng.randbytes(32)).text, Path("/"))
        assert caught.value.code == "file-unknown"
        assert trio.current_time() - started < 15


async def test_a_cap_without_a_row(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """A link works where the rows did not come: the nodes themselves are asked."""
    data = rng.randbytes(300_000)
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "a.bin", data)])
        cap = await mary.client.share("Public/Mary/a.bin")
        john = await grid.join("John")
        await grid.settle()

        async def nothing(cid: bytes) -> tuple[()]:
            return ()

        john.client._parts.library.placements = nothing  # type: ignore[method-assign]
        await grid.switch_off(7)
        there = await john.client.fetch(cap, scratch / "back.bin")
        assert there.read_bytes() == data


async def test_a_folder_that_was_held_up(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """What was saved is neither fetched nor saved again; what only looks like it is."""
    content = {f"{number:03}.bin": rng.randbytes(50_000) for number in range(200)}
    for name, data in content.items():
        write(scratch / "many" / name, data)
    mine = rng.randbytes(50_000)
    async with world(nodes=3, delay_s=0.05) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([scratch / "many"])
        where = scratch / "to"
        write(where / "many/199.bin", mine)  # the person's own, of the same length
        await mary.client.fetch("Public/Mary/many", where, wait=False)
        transfers = mary.client._parts.transfers
        await until(lambda: transfers.list()[0].files_done >= 100, 60, "half is here")
        await mary.client.pause(transfers.list()[0].id)
        await trio.sleep(5)
        assert mary.network is not None
        before, _ = mary.network.traffic
        await mary.client.resume(transfers.list()[0].id)
        await until(lambda: transfers.list()[0].state is TransferState.DONE, 60, "all is here")
        after, _ = mary.network.traffic
        assert after - before < 110 * 66_000
        assert transfers.list()[0].files_done == 200
        found = read_folder(where / "many")
        assert found.pop("199.bin") == mine
        assert found.pop("199 (1).bin") == content.pop("199.bin")
        assert found == content


async def test_one_file_that_does_not_come_keeps_no_other_away(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    content = {f"{number:02}.bin": rng.randbytes(50_000) for number in range(40)}
    for name, data in content.items():
        write(scratch / "many" / name, data)
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([scratch / "many"])
        await grid.add_nodes(10)  # a newer file lies wider, so fewer nodes are enough for the old
        await grid.settle()
        wide = rng.randbytes(50_000)
        await mary.client.publish([write(scratch / "w/07a.bin", wide)], "Public/Mary/many")
        old = (await mary.client.details("Public/Mary/many/00.bin")).holders
        kept = {holder.node for holder in old[:4]}
        for node in grid.nodes:
            if node.node_id.hex() not in kept:
                await node.switch_off()
        where = scratch / "to"
        where.mkdir()
        with pytest.raises(Unavailable) as caught:
            await mary.client.fetch("Public/Mary/many", where)
        assert caught.value.code == "too-few-shares"
        assert "1 of 41" in caught.value.message
        assert "07a.bin" in caught.value.message
        assert read_folder(where / "many") == content
        await grid.switch_on()
        await trio.sleep(60)
        failed = (await mary.client.transfers())[0]
        await mary.client.resume(failed.id)
        transfers = mary.client._parts.transfers
        await until(lambda: transfers.list()[0].state is TransferState.DONE, 60, "all is here")
        assert read_folder(where / "many") == content | {"07a.bin": wide}


async def test_a_grid_that_is_away_is_not_asked_for_ever(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    for number in range(300):
        write(scratch / f"many/{number:03}.bin", rng.randbytes(5000))
    async with world(nodes=4) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([scratch / "many"])
        await grid.switch_off(4)
        await trio.sleep(5)
        (scratch / "to").mkdir()
        started = trio.current_time()
        with pytest.raises(Unavailable) as caught:
            await mary.client.fetch("Public/Mary/many", scratch / "to")
        assert caught.value.code == "too-few-shares"
        assert trio.current_time() - started < 60
