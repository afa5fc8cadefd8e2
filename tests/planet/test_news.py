"""What one person publishes, another person sees soon, without asking for it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput
from bitcloud_net.testing.planet import Machine

from .acts import write
from .conftest import Open

SOON_S = 2.0
"""Two pushes of 200 ms each and some delay; the next pull would come after half a minute."""


async def seen_after(john: Machine, path: str) -> float:
    """Return how long it takes until a file is listed for somebody else."""
    started = trio.current_time()
    while True:
        try:
            entries = await john.client.entries(path.rpartition("/")[0])
        except BadInput:
            entries = ()
        if any(entry.path == path for entry in entries):
            return trio.current_time() - started
        await trio.sleep(0.05)


async def test_a_reader_hears_of_what_is_published(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await john.client.entries("Public")
        for number in range(5):
            name = f"film-{number}.bin"
            await mary.client.publish([write(scratch / name, rng.randbytes(20_000))])
            assert await seen_after(john, f"Public/Mary/{name}") < SOON_S


async def test_a_reader_hears_of_it_with_seven_of_ten_nodes_off(
    clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=10) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await john.client.entries("Public")
        await grid.switch_off(7)
        small = write(scratch / "note.txt", b"three nodes are enough to hear of it")
        await mary.client.publish([small])
        assert await seen_after(john, "Public/Mary/note.txt") < SOON_S
