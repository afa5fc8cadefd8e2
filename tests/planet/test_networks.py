"""Two networks that know each other's addresses never mix: no row and no lasting connection."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.protocols.hello import HELLO_DEADLINE_S
from bitcloud_net.testing.planet import Machine

from .acts import write
from .conftest import Open


async def owners(machine: Machine) -> set[str | None]:
    answer = await machine.client.select("SELECT DISTINCT hex(owner) FROM np_row")
    return {row[0] for row in answer.rows}


@pytest.mark.parametrize("settings", [{"network": "another"}, {"identity_bits": 1}], ids=str)
async def test_a_node_of_another_network_gets_and_gives_nothing(
    settings: dict[str, object], clock: MockClock, world: Open, scratch: Path, rng: Random
) -> None:
    async with world(nodes=4) as grid:
        mary = await grid.join("Mary")
        stray = await grid.stray("Eve", **settings)
        await mary.client.publish([write(scratch / "ours", rng.randbytes(50_000))])
        await stray.client.publish([write(scratch / "theirs", rng.randbytes(2_000))])
        for _ in range(3):  # the connector knocks again and again
            await trio.sleep(HELLO_DEADLINE_S)
            ours = [await owners(machine) for machine in grid.machines]
            theirs = await owners(stray)
            assert len(theirs) == 2  # its person and its node
            assert not any(theirs & held for held in ours)
        assert stray.network is not None
        assert not stray.network.peers
        assert all(len(each.network.peers) == 4 for each in grid.machines if each.network)
        assert not (await stray.client.status()).peers
