"""Tables that are cut by place (R-NP-10): real nodepools and real sync over a memory network, with
small thresholds. Depth rises and falls under load, and no row is lost.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import trio
from grids import FixedClock, Member, connect_all, key_of, open_member, until

from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.shards import Depth, DepthRule, kept_span
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.nodepool import sample
from bitcloud_net.wire.range_index import id_of
from tests.core.row_samples import SAMPLES

MEMBERS = 10
LOAD = Table.PUBLISHER
"""A table that everybody holds; its rows are of people, so their places are anywhere."""


def signed(table: Table, key: SigningKey, clock: FixedClock, *, periods: int) -> SignedRow:
    now = clock.period()
    numbers = {"seq": clock.now_s(), "period": now, "slot": 0, "expires": now + periods}
    return make_row(table, b"", SAMPLES[table].body, signer=key, **numbers)


ROW_BYTES = len(signed(LOAD, key_of("shop"), FixedClock(), periods=9).raw)
RULE = DepthRule(
    rise_bytes=40 * ROW_BYTES, rise_periods=2, fall_bytes=18 * ROW_BYTES, fall_periods=2
)


class World:
    """The members, all that was written and still lives, and who must hold it."""

    def __init__(self, members: list[Member], clock: FixedClock, chance: Random) -> None:
        self.members = members
        self.clock = clock
        self.chance = chance
        self.live: dict[bytes, SignedRow] = {}  # by key

    async def write(self, count: int, *, periods: int) -> None:
        """Let people sign rows, and give each to one member at any place."""
        for _ in range(count):
            key = SigningKey(self.chance.randbytes(32))
            row = signed(LOAD, key, self.clock, periods=periods)
            self.live[row.key] = row
            await self.chance.choice(self.members).store.accept(row.raw, source=None)

    async def pass_periods(self, count: int) -> None:
        for _ in range(count):
            await trio.sleep(600)
            self.clock.forward(1)
            now = self.clock.period()
            self.live = {key: row for key, row in self.live.items() if row.expires >= now}
            self.check_nothing_is_lost()

    def holders(self) -> dict[bytes, list[Member]]:
        found: dict[bytes, list[Member]] = {row.id: [] for row in self.live.values()}
        for member in self.members:
            held = member.store.sets[LOAD]
            items = [*held.whole.items(0, len(held.whole)), *held.strays.values()]
            for item in items:
                if id_of(item) in found:
                    found[id_of(item)].append(member)
        return found

    def check_nothing_is_lost(self) -> None:
        lost = [row_id for row_id, where in self.holders().items() if not where]
        assert not lost, f"{len(lost)} of {len(self.live)} rows are nowhere"

    def depths(self) -> list[int]:
        return [member.store.keeping.depth(LOAD) for member in self.members]

    def all_at_home(self) -> bool:
        """Whether each row is at everybody who keeps its place."""
        holders = self.holders()
        return all(
            member in holders[row.id]
            for member in self.members
            for row in self.live.values()
            if keeps(member, row.key)
        )


def keeps(member: Member, key: bytes, table: Table = LOAD) -> bool:
    depth = member.store.keeping.depth(table)
    span = kept_span(position_of(NodeId(member.key.public)), depth)
    return span is not None and position_of(key) in span


async def open_world(stack: AsyncExitStack, folder: Path, seed: int) -> World:
    hub, clock = MemoryHub(seed, delay_s=0.01), FixedClock()
    members = [
        await stack.enter_async_context(
            open_member(hub, folder / str(at), f"node {at}", clock=clock, depth_rule=RULE)
        )
        for at in range(MEMBERS)
    ]
    world = World(members, clock, Random(seed))
    for member in members:
        row = signed(Table.NODE, member.key, clock, periods=400)
        await member.store.accept(row.raw, source=None)
    await connect_all(members)
    return world


async def test_depth_goes_up_and_back_down_under_load_with_no_lost_row(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with AsyncExitStack() as stack:
        world = await open_world(stack, tmp_path, 41)
        await world.write(60, periods=400)
        for _ in range(8):  # 180 rows in all: more than four times what one shard may have
            await world.write(13, periods=12)
            await world.write(2, periods=400)
            await world.pass_periods(1)
        assert min(world.depths()) >= 2, world.depths()
        await until(world.all_at_home, 1200, "each row is where it belongs")
        held = [len(member.store.sets[LOAD]) for member in world.members]
        assert max(held) < 0.8 * len(world.live), "nobody holds everything"
        peak = max(world.depths())
        for _ in range(16):  # what lives briefly expires, and the shards are too small
            await world.write(1, periods=6)
            await world.pass_periods(1)
        assert max(world.depths()) < peak
        await until(world.all_at_home, 1200, "rows came back from others")
        world.check_nothing_is_lost()


async def test_what_is_ones_own_stays_and_the_rest_goes_when_others_have_it(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with AsyncExitStack() as stack:
        world = await open_world(stack, tmp_path, 42)
        first = world.members[0]
        away = next(
            key
            for key in (SigningKey(world.chance.randbytes(32)) for _ in range(99))
            if position_of(key.public) >> 255 != position_of(first.key.public) >> 255
        )
        first.store.keeping.act_for([away.public])
        own = signed(LOAD, away, world.clock, periods=400)
        await first.store.accept(own.raw, source=None)
        await world.write(150, periods=400)
        await world.pass_periods(6)
        assert min(world.depths()) >= 2
        await until(world.all_at_home, 1800)
        others = lambda: [set(m.store.sets[LOAD].strays) - {own.key} for m in world.members]  # noqa: E731
        await until(lambda: not any(others()), 3600, "nobody keeps what is not its own")
        assert own.key in first.store.sets[LOAD].strays
        world.check_nothing_is_lost()


async def cut(member: Member, table: Table, depth: int) -> None:
    await member.store.growth._set_depth(member.store.rule_of(table), Depth(value=depth))


async def test_who_comes_new_begins_as_deep_as_the_others(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub, clock = MemoryHub(45), FixedClock()
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(
                open_member(hub, tmp_path / str(at), f"node {at}", clock=clock, depth_rule=RULE)
            )
            for at in range(8)
        ]
        for member in members[1:]:
            await cut(member, LOAD, 4)
        fresh = members[0]
        for member in members[1:]:
            await fresh.network.connect(member.network.addresses[0])
        await trio.sleep(60)
        assert fresh.store.keeping.depth(LOAD) == 0
        await fresh.store.sweep()
        assert fresh.store.keeping.depth(LOAD) == 4
        assert fresh.store.keeping.depth(Table.NODE) == 0, "the others are whole"


async def test_the_sample_comes_from_all_over_the_network(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub, clock, chance = MemoryHub(46), FixedClock(), Random(46)
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(open_member(hub, tmp_path / n, n, clock=clock))
            for n in "ab"
        ]
        keys = [SigningKey(chance.randbytes(32)) for _ in range(120)]
        rows = [signed(Table.NODE, key, clock, periods=400) for key in keys]
        await other.store.accept_many([row.raw for row in rows], source=None)
        await cut(one, Table.NODE, 3)
        one.store.keeping.sample._size = 40
        await connect_all([one, other])
        held = one.store.sets
        await until(lambda: len(held[Table.NODE].strays) >= 30, 600, "a sample")
        kept = [row for row in rows if keeps(one, row.key, Table.NODE)]
        assert len(held[Table.NODE].whole) == len(kept), "and all that lie at home"
        places = {position_of(key) >> 254 for key in held[Table.NODE].strays}
        assert len(places) >= 3


async def test_a_fresh_row_is_pushed_to_who_keeps_its_place(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with AsyncExitStack() as stack:
        world = await open_world(stack, tmp_path, 47)
        for member in world.members:
            await cut(member, LOAD, 2)
        await trio.sleep(100)  # they have told each other
        key = SigningKey(b"k" * 32)
        first = next(m for m in world.members if not keeps(m, key.public))
        first.store.keeping.act_for([key.public])
        row = signed(LOAD, key, world.clock, periods=9)
        world.live[row.key] = row
        await first.store.accept(row.raw, source=None)
        assert await until(world.all_at_home, 5, "by push") < 1
        holders = world.holders()[row.id]
        assert {m for m in world.members if keeps(m, row.key)} | {first} == set(holders)


async def test_a_restart_remembers_how_deep_the_tables_are_cut(
    tmp_path: Path, autojump_clock: object
) -> None:
    hub, clock, chance = MemoryHub(43), FixedClock(), Random(43)
    async with open_member(hub, tmp_path, "one", clock=clock, depth_rule=RULE) as member:
        rows = [
            signed(LOAD, SigningKey(chance.randbytes(32)), clock, periods=400) for _ in range(300)
        ]
        await member.store.accept_many([row.raw for row in rows], source=None)
        for _ in range(5):
            await member.store.sweep()
        depth = member.store.keeping.depth(LOAD)
        before = member.store.sets[LOAD]
        assert depth >= 2
        assert len(before) == 300, "nobody else has them, so none may go"
    async with open_member(hub, tmp_path, "one", clock=clock, depth_rule=RULE) as member:
        after = member.store.sets[LOAD]
        assert member.store.keeping.depth(LOAD) == depth
        assert after.strays == before.strays
        assert after.whole.items(0, 300) == before.whole.items(0, 300)


def test_the_sample_is_the_same_whatever_came_first() -> None:
    chance = Random(44)
    keys = [chance.randbytes(32) for _ in range(300)]
    samples = []
    for _ in range(3):
        chance.shuffle(keys)
        chosen = sample.Sample(key_of("me").public, 40)
        for key in keys:
            chosen.offer(key)
        samples.append({key for key in keys if key in chosen})
        assert len(chosen) == 40
    assert samples[0] == samples[1] == samples[2]
    gone = next(iter(samples[0]))
    chosen.leave(gone)
    assert not chosen.wants(gone) or len(chosen) == 39
    other = sample.Sample(key_of("other").public, 40)
    for key in keys:
        other.offer(key)
    assert {key for key in keys if key in other} != samples[0]
