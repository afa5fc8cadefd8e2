"""Networks on which identities are mined: how a person gets in, and who never does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.core.nodepool.row_bodies import body_value
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.core.units import MIB
from bitcloud_net.services.home import create_home, recovery_words
from bitcloud_net.settings import load_settings, save_settings
from bitcloud_net.storage.vault_lock import OpenLock
from bitcloud_net.testing.planet import Machine, until
from bitcloud_net.views import MembershipChanged, MembershipState
from tests.core.row_samples import SAMPLES
from tests.planet.acts import read, write

DAY_S = 24 * 3600
HARD = 40
"""Bits of an identity that nobody finds during a test."""


async def rules_of(machine: Machine, *, bits: int) -> None:
    """Let a machine live by other rules from its next start on."""
    await machine.switch_off()
    settings = load_settings(machine.home)
    save_settings(machine.home, replace(settings, identity_bits=bits))
    await machine.switch_on()


async def test_nodes_mine_before_anybody_counts_on_them(
    world: Any, clock: MockClock, scratch: Path
) -> None:
    async with world(nodes=5, identity_bits=2) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        await mary.client.publish([write(scratch / "a.bin", b"x" * 100_000)])
        await grid.settle()
        assert await read(john, "Public/Mary/a.bin") == b"x" * 100_000
        assert john.client._parts.rows.counts[Table.IDENTITY] == 5
        assert (await mary.client.membership()).state is MembershipState.NONE
        assert (await grid.nodes[0].client.membership()).state is MembershipState.JOINED


async def test_contributing_is_one_step_for_the_person(
    world: Any, clock: MockClock, scratch: Path
) -> None:
    async with world(nodes=3, identity_bits=3) as grid:
        mary = await grid.join("Mary")
        told: list[MembershipState] = []

        async def listen() -> None:
            async with mary.client.news() as news:
                async for item in news:
                    if isinstance(item, MembershipChanged):
                        told.append(item.membership.state)

        grid.tasks.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked()
        lent = await mary.client.contribute(folder=scratch / "lent", capacity_bytes=100 * MIB)
        assert not lent.on
        assert (lent.folder, lent.capacity_bytes) == (str(scratch / "lent"), 100 * MIB)
        member = await mary.client.join()
        assert member.state is MembershipState.JOINED
        assert member.registered_s
        await until(lambda: mary.client._parts.storage.view().on, 5, "she lends")
        await grid.settle()
        nodes = (await grid.nodes[0].client.status()).nodes
        assert mary.node_id.hex() in {node.node for node in nodes}
        assert told[-1] is MembershipState.JOINED
        assert not list((mary.home / "mining").iterdir()), "no search is left to go on with"
        await mary.switch_off()
        await mary.switch_on()
        assert (await mary.client.status()).contribution.on, "once is enough"


async def test_a_search_that_was_held_stays_held(
    world: Any, clock: MockClock, scratch: Path
) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await rules_of(mary, bits=HARD)
        folder = scratch / "lent"
        await mary.client.contribute(folder=folder, capacity_bytes=100 * MIB)
        mining = await mary.client.join(wait=False)
        assert (mining.state, mining.mean_tries) == (MembershipState.MINING, 1 << HARD)
        assert mining.cores >= 1
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        held = await mary.client.pause_join()
        assert held.state is MembershipState.PAUSED
        assert held.tries > 0
        await mary.switch_off()
        await mary.switch_on()
        again = await mary.client.membership()
        assert (again.state, again.tries) == (MembershipState.PAUSED, held.tries)
        lent = (await mary.client.status()).contribution
        assert (lent.on, lent.folder) == (False, str(folder)), "what she wanted is not forgotten"
        await mary.client.join(wait=False)
        await trio.lowlevel.checkpoint()
        off = await mary.client.contribute(folder=None, capacity_bytes=0)
        assert (off.on, off.folder) == (False, None)
        assert (await mary.client.membership()).state is MembershipState.PAUSED
        assert not (await mary.client.status()).contribution.on


async def test_a_waiting_join_ends_when_somebody_holds_the_search(
    world: Any, clock: MockClock
) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await rules_of(mary, bits=HARD)
        await mary.client.entries()  # once she is in step, no time passes until the search is held
        states = []

        async def join() -> None:
            states.append((await mary.client.join()).state)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(join)
            while (await mary.client.membership()).state is not MembershipState.MINING:
                pass
            await mary.client.pause_join()
        assert states == [MembershipState.PAUSED]


async def test_a_search_that_cannot_be_noted_is_told_and_ends_nothing_else(
    world: Any, clock: MockClock
) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await rules_of(mary, bits=HARD)
        (mary.home / "mining").write_text("a file where the folder should be")
        with pytest.raises(LocalFault) as caught:
            await mary.client.join()
        assert caught.value.code == "cannot-write"
        assert (await mary.client.membership()).state is MembershipState.NONE
        assert (await mary.client.status()).person == "Mary", "the node lives on"
        (mary.home / "mining").unlink()
        await mary.client.join(wait=False)
        assert (await mary.client.membership()).state is MembershipState.MINING
        await mary.client.pause_join()


async def test_a_search_goes_on_after_a_restart(world: Any, clock: MockClock) -> None:
    async with world(nodes=1) as grid:
        mary = await grid.join("Mary")
        await rules_of(mary, bits=HARD)
        await mary.client.join(wait=False)
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        await mary.switch_off()
        await mary.switch_on()
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        member = await mary.client.membership()
        assert member.state is MembershipState.MINING
        assert member.tries > 0
        await mary.client.pause_join()


async def test_networks_of_one_name_and_other_rules_never_mix(
    world: Any, clock: MockClock, scratch: Path
) -> None:
    async with world(nodes=2) as grid:
        mary, john = await grid.join("Mary"), await grid.join("John")
        for each in (mary, john):
            await rules_of(each, bits=1)
        await trio.sleep(60)  # the nodes sign their heads
        before = _spoken(grid.nodes[0])
        await mary.client.publish([write(scratch / "inline.txt", b"hello")])
        await trio.sleep(1300)
        assert _spoken(grid.nodes[0]) == before
        ours = {each.node_id for each in grid.nodes}
        assert mary.network is not None
        assert not mary.network.peers & ours


async def test_who_slept_for_a_week_mines_again_and_comes_back_by_itself(
    world: Any, clock: MockClock
) -> None:
    async with world(nodes=3, identity_bits=2) as grid:
        before = {each: await each.client.membership() for each in grid.nodes}
        grid.sleep_all(7 * DAY_S)
        await trio.sleep(1200)
        await grid.settle()
        for node in grid.nodes:
            member = await node.client.membership()
            assert member.state is MembershipState.JOINED
            assert (member.registered_s or 0) > (before[node].registered_s or 0) + 6 * DAY_S
            assert len((await node.client.status()).nodes) == 3


async def test_who_slept_for_five_days_does_not(world: Any, clock: MockClock) -> None:
    async with world(nodes=3, identity_bits=2) as grid:
        before = [(await each.client.membership()).registered_s for each in grid.nodes]
        grid.sleep_all(5 * DAY_S)
        await trio.sleep(1200)
        after = [(await each.client.membership()).registered_s for each in grid.nodes]
        assert after == before
        assert len((await grid.nodes[0].client.status()).nodes) == 3


@pytest.mark.parametrize("role", ["", "user", "Node", "king"])
async def test_roles_there_are_not(world: Any, clock: MockClock, role: str) -> None:
    async with world(nodes=1) as grid:
        with pytest.raises(BadInput) as caught:
            await grid.nodes[0].client.join(role=role)
        assert caught.value.code == "unknown-role"


async def test_every_role_is_mined_by_itself(world: Any, clock: MockClock) -> None:
    async with world(nodes=1, identity_bits=1) as grid:
        mary = await grid.join("Mary")
        for role in ("publisher", "grid-owner", "gateway"):
            assert (await mary.client.join(role=role)).role == role
            assert (await mary.client.membership(role=role)).state is MembershipState.JOINED
        assert (await mary.client.membership()).state is MembershipState.NONE


async def test_a_publisher_mines_once_for_all_computers(world: Any, clock: MockClock) -> None:
    """The identity is the person's, and comes along with the words."""
    async with world(nodes=2, identity_bits=1) as grid:
        desk, laptop = await grid.join("Mary"), await grid.join("Mary's laptop")
        await laptop.switch_off()
        words = await recovery_words(desk.home)
        for path in (laptop.home / "vault", laptop.home / "vault.previous"):
            path.unlink(missing_ok=True)
        await create_home(
            laptop.home, name="Mary", lock=OpenLock(), words=words, network="test-planet"
        )
        save_settings(laptop.home, load_settings(desk.home))
        first = await desk.client.join(role="publisher")
        await grid.settle()
        await laptop.switch_on()
        again = await laptop.client.join(role="publisher")
        assert (again.state, again.registered_s) == (MembershipState.JOINED, first.registered_s)
        await grid.settle()
        assert laptop.client._parts.rows.counts[Table.IDENTITY] == 3


async def test_who_is_not_mined_is_told_how(world: Any, clock: MockClock) -> None:
    body = SAMPLES[Table.PUBLISHER].body
    assert body is not None
    shop = json.dumps(body_value(body))
    async with world(nodes=1, identity_bits=1) as grid:
        mary = await grid.join("Mary")
        with pytest.raises(BadInput, match="bitcloud join --role publisher") as caught:
            await mary.client.put_row("publisher", "", shop)
        assert caught.value.code == "missing-parent"
        await mary.client.join(role="publisher")
        await mary.client.put_row("publisher", "", shop)
        await grid.settle()
        assert grid.nodes[0].client._parts.rows.counts[Table.PUBLISHER] == 1


async def test_where_nobody_mines_joining_costs_nothing(world: Any, clock: MockClock) -> None:
    async with world(nodes=1) as grid:
        member = await grid.nodes[0].client.join()
        assert (member.state, member.mean_tries) == (MembershipState.OPEN, 0)
        assert (await grid.nodes[0].client.pause_join()).state is MembershipState.OPEN


def _spoken(node: Machine) -> dict[int, int]:
    """Count the rows that people and nodes write because somebody did something."""
    counts = node.client._parts.rows.counts
    return {table: rows for table, rows in counts.items() if table != Table.BEACON}
