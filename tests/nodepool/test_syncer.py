"""Rows spread over whole grids: fast by push, surely by pull, through partitions and restarts."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest
import trio
from grids import FixedClock, Member, connect_all, files, key_of, open_member, until, write_person

from bitcloud_net.core.nodepool.row_bodies import NodeBody
from bitcloud_net.core.nodepool.table_rules import Role, Table
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.net.network import ProtocolId
from bitcloud_net.wire.sync_session import PROTOCOL

FOLDER = b"f" * 16


async def open_grid(
    stack: AsyncExitStack, hub: MemoryHub, folder: Path, count: int
) -> list[Member]:
    members = [
        await stack.enter_async_context(open_member(hub, folder / str(at), f"node {at}"))
        for at in range(count)
    ]
    await connect_all(members)
    return members


def same(members: list[Member]) -> bool:
    return all(member.ids() == members[0].ids() for member in members[1:])


async def test_published_files_reach_ten_nodes_by_push(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub, person = MemoryHub(1, delay_s=0.01), key_of("mary")
    async with AsyncExitStack() as stack:
        members = await open_grid(stack, hub, tmp_path, 10)
        first = members[0]
        await write_person(first.store, person, FOLDER)
        await first.store.write_many(files(Random(1), FOLDER, 300), signer=person)
        spent = await until(lambda: all(m.store.counts[Table.FILE] == 300 for m in members))
        assert spent < 3
        assert same(members)
        files_there = await members[9].queries.files_of(person.public, FOLDER)
        assert len(files_there) == 300


async def test_a_new_node_catches_up_when_it_connects(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub, person = MemoryHub(2, delay_s=0.01), key_of("mary")
    async with AsyncExitStack() as stack:
        first, second = await open_grid(stack, hub, tmp_path, 2)
        await write_person(first.store, person, FOLDER)
        await first.store.write_many(files(Random(2), FOLDER, 1_500), signer=person)
        await until(lambda: same([first, second]))
        third = await stack.enter_async_context(open_member(hub, tmp_path / "3", "node 3"))
        await third.network.connect(second.network.addresses[0])
        await until(lambda: same([first, second, third]), 20)
        assert third.store.counts[Table.PLACEMENT] == 1_500


async def test_both_halves_of_a_partition_go_on_and_heal(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub = MemoryHub(3, delay_s=0.01)
    async with AsyncExitStack() as stack:
        members = await open_grid(stack, hub, tmp_path, 6)
        left, right = members[:3], members[3:]
        hub.partition([m.key.node_id for m in left], [m.key.node_id for m in right])
        for at, member in enumerate(members):
            await write_person(member.store, key_of(f"person {at}"), FOLDER, f"Person {at}")
        await until(lambda: same(left) and same(right), 120)
        assert left[0].store.counts[Table.USER] == 3
        hub.heal()
        await connect_all(members)
        await until(lambda: same(members), 120)
        assert left[0].store.counts[Table.USER] == 6


async def test_rows_of_a_node_that_was_off_arrive_later(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub, person = MemoryHub(4), key_of("mary")
    async with AsyncExitStack() as stack:
        (first,) = await open_grid(stack, hub, tmp_path, 1)
        async with open_member(hub, tmp_path / "off", "off") as off:
            await off.network.connect(first.network.addresses[0])
            await write_person(off.store, person, FOLDER)
            await until(lambda: same([first, off]))
        await first.store.write_many(files(Random(4), FOLDER, 20), signer=person)
        async with open_member(hub, tmp_path / "off", "off") as off:
            await off.network.connect(first.network.addresses[0])
            await until(lambda: same([first, off]), 20)
            assert off.store.counts[Table.FILE] == 20


async def test_clocks_one_period_apart_agree_on_what_has_expired(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub, person = MemoryHub(5), key_of("mary")
    ahead = FixedClock()
    async with AsyncExitStack() as stack:
        (first,) = await open_grid(stack, hub, tmp_path, 1)
        second = await stack.enter_async_context(
            open_member(hub, tmp_path / "x", "ahead", clock=ahead)
        )
        await first.network.connect(second.network.addresses[0])
        await write_person(first.store, person, FOLDER)
        await first.store.write(
            Table.USER, b"", None, signer=key_of("gone")
        )  # a tombstone for nobody
        await until(lambda: same([first, second]))
        first.clock.seconds += 590
        ahead.seconds += 610  # the next period for one of them
        first.syncer.sync_soon(second.key.node_id)
        before = first.syncer.state.sessions
        await until(lambda: first.syncer.state.sessions > before)
        assert same([first, second])


@pytest.mark.parametrize("wrong_s", [-31, 31, 40_000])
async def test_clocks_half_a_minute_apart_compare_nothing(
    tmp_path: Path, autojump_clock: object, wrong_s: int
) -> None:
    """R-AUD-06: whoever is alone in being wrong is refused, is told so, and is let in again."""
    hub, person = MemoryHub(5), key_of("mary")
    async with AsyncExitStack() as stack:
        members = await open_grid(stack, hub, tmp_path, 7)
        wrong = members[3]
        await connect_all(members)
        await until(lambda: same(members) and all(m.syncer.state.in_step == 6 for m in members))
        wrong.clock.seconds += wrong_s
        for member in members:
            for other in members:
                if member is not other:
                    member.syncer.sync_soon(other.key.node_id)
        right = [member for member in members if member is not wrong]
        await until(lambda: all(m.syncer.state.in_step == 5 for m in right), what="it is refused")
        await until(lambda: wrong.syncer.state.in_step == 0, what="and by all")
        assert wrong.syncer.clock_behind_s == wrong.syncer.state.clock_behind_s == -wrong_s
        assert [member.syncer.clock_behind_s for member in right] == [0] * 6
        assert wrong.clock.seconds == FixedClock().seconds + wrong_s, "it is never set"
        wrong.clock.seconds -= wrong_s
        await write_person(wrong.store, person, FOLDER)
        await until(lambda: all(m.syncer.state.in_step == 6 for m in members), what="it is back")
        assert same(members)


async def test_clocks_less_than_half_a_minute_apart_are_shown_only(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub = MemoryHub(5)
    async with AsyncExitStack() as stack:
        members = await open_grid(stack, hub, tmp_path, 3)
        members[0].clock.seconds -= 29
        await connect_all(members)
        await until(lambda: all(m.syncer.state.in_step == 2 for m in members))
        assert members[0].syncer.state.clock_behind_s == 29
        assert members[0].syncer.clock_behind_s is None, "two clocks are too few to judge by"


async def test_a_peer_that_sends_garbage_is_cut_off(tmp_path: Path, autojump_clock: object) -> None:
    hub = MemoryHub(6)
    async with AsyncExitStack() as stack:
        (first,) = await open_grid(stack, hub, tmp_path, 1)
        rude = await stack.enter_async_context(hub.open(key_of("rude")))
        await rude.connect(first.network.addresses[0])
        stream = await rude.open_stream(first.key.node_id, ProtocolId(PROTOCOL))
        await stream.send(b"\xff" * 100)
        await until(lambda: rude.node_id not in first.network.peers, 5)
        await trio.sleep(1)
        assert first.store.counts[Table.USER] == 0


async def test_pushed_rows_travel_on_where_the_origin_does_not_reach_everybody(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub, person = MemoryHub(7, delay_s=0.01), key_of("mary")
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(open_member(hub, tmp_path / str(at), f"node {at}"))
            for at in range(7)
        ]
        for member in members:
            node = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
            await member.store.write(Table.NODE, b"", node, signer=member.key)
        for at in range(1, 7):  # a tree: the origin reaches two of the six itself
            await members[at].network.connect(members[(at - 1) // 2].network.addresses[0])
        await until(lambda: same(members))
        await write_person(members[0].store, person, FOLDER)
        assert await until(lambda: same(members)) < 5


async def test_health_says_who_is_in_step_and_whose_clock_is_off(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub, person = MemoryHub(8), key_of("mary")
    slow = FixedClock()
    slow.seconds -= 20
    async with AsyncExitStack() as stack:
        members = await open_grid(stack, hub, tmp_path, 3)
        behind = await stack.enter_async_context(
            open_member(hub, tmp_path / "slow", "slow", clock=slow)
        )
        for member in members:
            await behind.network.connect(member.network.addresses[0])
        await write_person(members[0].store, person, FOLDER)
        await until(lambda: same([*members, behind]))
        await trio.sleep(600)
        state = behind.syncer.state
        assert (state.partners, state.in_step) == (3, 3)
        assert state.clock_behind_s == 20
        assert members[0].syncer.state.clock_behind_s == 0
        assert state.last_s == slow.now_s()


async def test_twenty_nodes_split_for_three_periods_lose_nothing(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub = MemoryHub(20, delay_s=0.02, loss=0.02)
    clock = FixedClock()
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(
                open_member(hub, tmp_path / str(at), f"node {at}", clock=clock)
            )
            for at in range(20)
        ]
        await connect_all(members)
        people = [key_of(f"person {at}") for at in range(4)]
        for at, person in enumerate(people):
            await write_person(members[at * 5].store, person, FOLDER, f"Person {at}")
        await until(lambda: same(members))
        halves = members[:10], members[10:]
        hub.partition(*([m.key.node_id for m in half] for half in halves))
        for period in range(3):
            for at, person in enumerate(people):
                rows = files(Random(period * 10 + at), FOLDER, 10)
                await members[at * 5].store.write_many(rows, signer=person)
            await trio.sleep(600)
            clock.forward(1)
        assert all(same(half) for half in halves)
        assert not same(members)
        hub.heal()
        await connect_all(members)
        await until(lambda: same(members), 300)
        assert members[0].store.counts[Table.FILE] == 3 * 4 * 10
        assert all(member.store.waiting == 0 for member in members)


async def test_the_row_of_a_node_that_joins_is_soon_everywhere(
    tmp_path: Path, autojump_clock: object
) -> None:
    """It was written before anybody was connected, so no push could carry it."""
    hub = MemoryHub(30, delay_s=0.01)
    node = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
    async with AsyncExitStack() as stack:
        members = await open_grid(stack, hub, tmp_path, 12)
        await trio.sleep(60)
        new = await stack.enter_async_context(open_member(hub, tmp_path / "new", "new"))
        await new.store.write(Table.NODE, b"", node, signer=new.key)
        await new.network.connect(members[3].network.addresses[0])
        assert await until(lambda: same([*members, new])) < 25
