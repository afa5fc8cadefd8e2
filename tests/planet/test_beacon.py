"""The random values of a grid: all have the same, nobody stops them, who comes late learns them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.core.trust.beacons import DAY_LEAD_PERIODS, period_of_day, secret_of
from bitcloud_net.core.trust.identity import day_of
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.services.trust.beacons import Beacons
from bitcloud_net.testing.planet import Machine, World

from .conftest import Open


def beacons_of(machine: Machine) -> Beacons:
    return machine.client._parts.beacons


def on(world: World) -> list[Machine]:
    return [machine for machine in world.machines if machine.is_on]


def values(machines: Iterable[Machine], period: int) -> set[bytes]:
    return {beacons_of(machine)(period) for machine in machines}


async def to_next_period(world: World, into_s: float = 5.0) -> int:
    """Let the present period end; return the next one, a little after its begin."""
    now_s = world.machines[0].clock.now_s()
    await trio.sleep(PERIOD_S - now_s % PERIOD_S + into_s)
    return world.machines[0].clock.period()


async def pass_periods(world: World, count: int) -> int:
    """Let some periods pass; in each, all must have one value from its first seconds on."""
    period = 0
    for _ in range(count):
        period = await to_next_period(world)
        assert len(values(on(world), period)) == 1, period
    return period


@pytest.mark.parametrize("nodes", [1, 2, 5, 12])
async def test_all_have_the_same_value_from_the_first_second(
    clock: MockClock, world: Open, nodes: int
) -> None:
    async with world(nodes=nodes) as grid:
        await grid.join("Mary")
        await pass_periods(grid, 4)
        known = set()
        for _ in range(2):
            period = await to_next_period(grid)
            assert len(values(on(grid), period)) == 1
            assert all(beacons_of(each).book.settled(period) for each in on(grid))
            known |= values(on(grid), period)
        assert len(known) == 2


async def test_nobody_knows_a_value_before_its_secrets_are_shown(
    clock: MockClock, world: Open
) -> None:
    """Two periods before, no row that anybody has holds a secret of it but the promise; and the
    secrets that make it are the nodes' own."""
    async with world(nodes=5) as grid:
        period = await pass_periods(grid, 6) + 2
        secrets = [secret_of(node.client._parts.storage._key, period) for node in grid.nodes]
        raws = await all_raws(grid.nodes[0])
        assert not any(secret in raw for secret in secrets for raw in raws)
        foreseen = values(on(grid), period)
        await pass_periods(grid, 2)
        raws = await all_raws(grid.nodes[0])
        assert all(any(secret in raw for raw in raws) for secret in secrets)
        assert not foreseen & values(on(grid), period)


async def all_raws(machine: Machine) -> list[bytes]:
    database = machine.client._parts.rows.database
    rows = await database.read(lambda db: db.execute("SELECT raw FROM np_row").fetchall())
    return [raw for (raw,) in rows]


async def test_a_split_gives_no_two_values_for_longer_than_it_lasts(
    clock: MockClock, world: Open
) -> None:
    async with world(nodes=5) as grid:
        await pass_periods(grid, 5)
        large, small = grid.nodes[:4], grid.nodes[4:]
        grid.partition(large, small)
        periods = []
        for _ in range(4):
            periods.append(await to_next_period(grid))
            assert len(values(large, periods[-1])) == 1
        assert all(beacons_of(large[0]).book.settled(period) for period in periods)
        assert values(large, periods[-1]) != values(small, periods[-1])
        grid.heal()
        await grid.settle()
        for period in periods:
            assert len(values(on(grid), period)) == 1
        last = await pass_periods(grid, 4)
        assert beacons_of(small[0]).book.settled(last)


async def test_most_off_leave_a_chain_and_come_back(clock: MockClock, world: Open) -> None:
    async with world(nodes=5) as grid:
        await pass_periods(grid, 4)
        await grid.switch_off(4)
        period = await pass_periods(grid, 3)
        assert not any(beacons_of(each).book.settled(period) for each in on(grid))
        await grid.switch_on()
        await grid.settle()
        await to_next_period(grid)
        period = await pass_periods(grid, 4)
        assert all(beacons_of(each).book.settled(period) for each in on(grid))


async def sleep_until_before(world: World, periods: int, day: int) -> None:
    """Let all sleep until so many periods before the value of a day is made."""
    at_s = (period_of_day(day) - periods) * PERIOD_S
    world.sleep_all(at_s - world.machines[0].clock.now_s())


async def test_who_comes_late_knows_present_and_past(clock: MockClock, world: Open) -> None:
    """Days later the words of the first are gone; their values are not."""
    async with world(nodes=3) as grid:
        first = day_of(grid.nodes[0].clock.period()) + 1
        expected = {}
        for day in (first, first + 2):
            await sleep_until_before(grid, 4, day)
            await pass_periods(grid, 4 + DAY_LEAD_PERIODS + 2)
            expected[day] = beacons_of(grid.nodes[0]).of_day(day)
            assert beacons_of(grid.nodes[0]).is_certain(day)
        expected[first + 1] = beacons_of(grid.nodes[0]).of_day(first + 1)
        assert len(set(expected.values())) == 3
        late = await grid.join("Late")
        await grid.add_nodes(1)
        await grid.settle()
        await trio.sleep(30)
        again = grid.nodes[2]
        await again.switch_off()
        await again.switch_on()
        for machine in (late, grid.nodes[-1], again):
            beacons = beacons_of(machine)
            assert {day: beacons.of_day(day) for day in expected} == expected
            assert all(beacons.is_certain(day) for day in expected)
        assert len(values(on(grid), grid.nodes[0].clock.period())) == 1


async def test_rows_stay_few(clock: MockClock, world: Open) -> None:
    """Words go after four hours, on the disk of their author too."""
    async with world(nodes=2) as grid:
        await to_next_period(grid)
        await trio.sleep(30 * PERIOD_S)
        rows = grid.nodes[0].client._parts.rows
        assert rows.counts[Table.BEACON] <= 2 * (24 + 3)
        own = await rows.database.write(lambda _: len(rows._own.rows_of([Table.BEACON])))
        assert own <= 26
