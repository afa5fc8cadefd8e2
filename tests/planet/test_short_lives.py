"""A command that writes rows and ends at once: others have them all the same."""

from __future__ import annotations

from pathlib import Path
from random import Random

import trio
from trio.testing import MockClock

from bitcloud_net.node import HAND_OVER_S, Options, open_node
from bitcloud_net.services.home import create_home
from bitcloud_net.storage.vault_lock import OpenLock
from bitcloud_net.testing.planet import World, until
from bitcloud_net.testing.virtual_clock import VirtualClock

from .acts import write
from .conftest import Open


async def publish_and_go(world: World, home: Path, source: Path) -> str:
    """Do what ``bitcloud publish`` does where no node runs; return the path."""
    await create_home(home, name="Mary", lock=OpenLock(), network="test-planet")
    async with open_node(
        home,
        Options(bootstrap=world.bootstrap),
        open_network=lambda key, *, listen, limits: world.hub.open(key, limits=limits),
        clock=VirtualClock(),
        random=Random(1),
    ) as client:
        (published,) = await client.publish([source])
    return published.path


async def test_what_a_short_command_published_is_seen_by_others(
    clock: MockClock, world: Open, scratch: Path
) -> None:
    async with world(nodes=4) as grid:
        note = write(scratch / "note.txt", b"gone in a moment")
        path = await publish_and_go(grid, scratch / "mary", note)
        john = await grid.join("John")
        async with john.client.read(path) as pieces:
            assert b"".join([piece async for piece in pieces]) == b"gone in a moment"
        await until(grid.in_step, 10, "all have it")


async def test_a_peer_that_stalls_does_not_hold_it_up(
    clock: MockClock, world: Open, scratch: Path
) -> None:
    async with world(nodes=4) as grid:
        grid.hub.pause(grid.nodes[3].node_id)
        start = trio.current_time()
        note = write(scratch / "note.txt", b"gone in a moment")
        await publish_and_go(grid, scratch / "mary", note)
        assert trio.current_time() - start < 20 + HAND_OVER_S
        entries = await grid.nodes[0].client.entries("Public/Mary")
        assert [entry.name for entry in entries] == ["note.txt"]
