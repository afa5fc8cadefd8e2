"""Nodes that lie, swap, stall and drop: nobody reads a wrong byte, and nobody honest is blamed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.units import MIB
from bitcloud_net.protocols.share_server import ShareKeeper
from bitcloud_net.testing.mischief import (
    AnswersWithAnother,
    DropsUploads,
    FlipsBytes,
    Honest,
    RefusesAll,
    SignsAnother,
    Stalls,
)
from bitcloud_net.testing.planet import Machine
from bitcloud_net.transfer.download import proves
from bitcloud_net.views import HealthState

from .acts import blamed, read, write
from .conftest import Open


def corrupt(nodes: list[Machine], mischief: Callable[[ShareKeeper], Honest]) -> list[Honest]:
    """Let nodes go wrong; return what bends them, which counts the lies."""
    bent: list[Honest] = []

    def bend(store: ShareKeeper) -> Honest:
        bent.append(mischief(store))
        return bent[-1]

    for node in nodes:
        node.misbehave(bend)
    return bent


def names(nodes: list[Machine]) -> set[str]:
    return {node.name for node in nodes}


@pytest.mark.parametrize("admits", [True, False])
@pytest.mark.parametrize("count", [1, 4, 7])
async def test_flipped_bytes(
    clock: MockClock, world: Open, scratch: Path, rng: Random, count: int, admits: bool
) -> None:
    """T-byz-flip, R10: every byte right, every liar that was asked refused from then on."""
    data = rng.randbytes(4 * MIB + 100)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        found = await mary.client._parts.reader.find("Public/Mary/file.bin")
        liars = [grid.named(found.placed[share_no]) for share_no in range(count)]
        bent = corrupt(liars, partial(FlipsBytes, random=rng, admits=admits))
        for _ in range(3):
            assert await read(john, "Public/Mary/file.bin") == data
        lied = {node.name for node, each in zip(liars, bent, strict=True) if each.lies}
        assert lied
        assert blamed(john, grid) == lied
        checked = await mary.client.check("Public/Mary/file.bin", verify=True)
        assert {grid.named(h.node).name for h in checked.holders if not h.alive} == names(liars)
        assert {h.fault for h in checked.holders if not h.alive} == {"corrupt-block"}
        assert blamed(mary, grid) == names(liars)
        assert checked.health.alive == 10 - count


async def test_quick_liars_do_not_crowd_out_slow_honest_nodes(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """Wrong blocks that come first must not cost the right ones that are on their way."""
    data = rng.randbytes(3 * MIB)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        found = await mary.client._parts.reader.find("Public/Mary/file.bin")
        corrupt([grid.named(found.placed[no]) for no in range(3)], partial(Stalls, seconds=0.8))
        liars = [grid.named(found.placed[no]) for no in range(3, 10)]
        corrupt(liars, partial(FlipsBytes, random=rng))
        assert await read(john, "Public/Mary/file.bin") == data
        assert blamed(john, grid) <= names(liars)


async def test_a_thousand_flips(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    """T-byz-flip: whichever bit of a block is flipped, the proof fails."""
    data = rng.randbytes(40_000)
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await mary.client.publish([write(scratch / "file.bin", data)])
        found = await mary.client._parts.reader.find("Public/Mary/file.bin")
        manifest = found.stored.manifest
        client = mary.client._parts.reader._clients.of(found.placed[0])
        block = await client.get_block(found.cid, 0, 0)
        assert proves(manifest, 0, 0, block)
        good = bytes(block.block)
        for _ in range(1000):
            bad = bytearray(good)
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            object.__setattr__(block, "block", bytes(bad))
            assert not proves(manifest, 0, 0, block)


async def test_swapped_blocks(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    """T-byz-swap: good blocks, but of another segment."""
    data = rng.randbytes(4 * MIB + 100)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        liars = grid.nodes[:7]
        bent = corrupt(liars, AnswersWithAnother)
        assert await read(john, "Public/Mary/file.bin") == data
        lied = {node.name for node, each in zip(liars, bent, strict=True) if each.lies}
        assert blamed(john, grid) == lied


async def test_stale_shares(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    """Good blocks of the file as it was yesterday do not pass for today's."""
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", rng.randbytes(90_000))])
        old = await mary.client._parts.reader.find("Public/Mary/file.bin")
        data = rng.randbytes(90_000)
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        bent = []
        for share_no, node in list(old.placed.items())[:7]:
            bent += corrupt(
                [grid.named(node)], partial(AnswersWithAnother, other=(old.cid, share_no))
            )
        liars = [grid.named(node) for node in list(old.placed.values())[:7]]
        assert await read(john, "Public/Mary/file.bin") == data
        lied = {node.name for node, each in zip(liars, bent, strict=True) if each.lies}
        assert blamed(john, grid) == lied


async def test_dropped_uploads(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    """T-drop-upload: receipts for nothing fool the publisher until the first look."""
    data = rng.randbytes(3 * MIB)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await grid.settle()
        liars = grid.nodes[:3]
        corrupt(liars, DropsUploads)
        (published,) = await mary.client.publish([write(scratch / "file.bin", data)])
        assert published.health.alive == 10, "so the receipts say"
        await grid.settle()
        checked = await john.client.check("Public/Mary/file.bin")
        assert {grid.named(h.node).name for h in checked.holders if not h.alive} == names(liars)
        assert await read(john, "Public/Mary/file.bin") == data
        for node in liars:
            node.misbehave(None)
        after = await john.client.repair("Public/Mary/file.bin")
        assert after.health.alive == 10
        assert blamed(john, grid) == set(), "a share that is gone is not a lie"


async def test_receipts_for_something_else(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        corrupt(grid.nodes[:2], SignsAnother)
        for size in (50_000, 5 * MIB):
            data = rng.randbytes(size)
            (published,) = await mary.client.publish([write(scratch / f"{size}.bin", data)])
            assert published.health.alive == 8, "they do not count"


async def test_seven_that_refuse(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    data = rng.randbytes(2 * MIB)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        corrupt(grid.nodes[:7], RefusesAll)
        assert await read(john, "Public/Mary/file.bin") == data
        details = await john.client.details("Public/Mary/file.bin")
        assert details.health.alive == 3
        corrupt(grid.nodes[7:8], RefusesAll)
        with pytest.raises(Unavailable) as caught:
            await read(john, "Public/Mary/file.bin")
        assert caught.value.code == "too-few-shares"
        assert blamed(john, grid) == set(), "to refuse is no fault that one can prove"


@pytest.mark.parametrize("seconds", [2.0, 3600.0])
async def test_slow_senders(
    clock: MockClock, world: Open, scratch: Path, rng: Random, seconds: float
) -> None:
    """T-slowloris, R9: with seven of ten slow, at most three times the healthy time."""
    data = rng.randbytes(16 * MIB)
    async with world(nodes=10, delay_s=0.02, bandwidth_bytes_per_s=1e6) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        started = trio.current_time()
        assert await read(mary, "Public/Mary/file.bin") == data
        healthy_s = trio.current_time() - started
        corrupt(grid.nodes[:7], partial(Stalls, seconds=seconds))
        started = trio.current_time()
        assert await read(john, "Public/Mary/file.bin") == data
        assert trio.current_time() - started <= 3 * healthy_s
        assert blamed(john, grid) == set()


async def test_slow_takers(clock: MockClock, world: Open, scratch: Path, rng: Random) -> None:
    """Two nodes that never confirm are soon left behind, one file after the other."""
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        corrupt(grid.nodes[:2], partial(Stalls, seconds=3600.0))
        for size, most_s in ((50_000, 5), (16 * MIB, 60)):
            started = trio.current_time()
            data = rng.randbytes(size)
            (published,) = await mary.client.publish([write(scratch / f"{size}.bin", data)])
            assert published.health.alive == 8
            assert published.health.state is HealthState.HEALTHY
            assert trio.current_time() - started <= most_s
        for number in range(100):
            write(scratch / f"many/{number}.bin", rng.randbytes(5000))
        started = trio.current_time()
        await mary.client.publish([scratch / "many"])
        assert trio.current_time() - started <= 30


async def test_takers_that_are_a_little_slower_are_waited_for(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary = await grid.join("Mary")
        await grid.settle()
        corrupt(grid.nodes[:2], partial(Stalls, seconds=0.7))
        (published,) = await mary.client.publish([write(scratch / "a.bin", rng.randbytes(50_000))])
        assert published.health.alive == 10


async def test_damage_on_an_honest_disk(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    """R5: a node finds its own rotten bytes, says so, and is not called a liar; repair mends it."""
    data = rng.randbytes(2 * MIB)
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "file.bin", data)])
        await grid.settle()
        for node in grid.nodes[:4]:
            (share,) = (p for p in (node.home / "store").rglob("*") if p.stat().st_size > MIB // 2)
            raw = bytearray(share.read_bytes())
            raw[rng.randrange(64, MIB // 3)] ^= 1
            share.chmod(0o600)
            share.write_bytes(raw)
        assert await read(john, "Public/Mary/file.bin") == data
        checked = await john.client.check("Public/Mary/file.bin", verify=True)
        assert checked.health.alive == 6
        assert blamed(john, grid) == set()
        after = await john.client.repair("Public/Mary/file.bin")
        assert after.health.alive == 10
        again = await john.client.check("Public/Mary/file.bin", verify=True)
        assert again.health.alive == 10
