"""Committees of a large network, with the real service and the real tables.

All nodes of the town share one nodepool, as if every row were everywhere at once: what is tested
is who sits and speaks, not how rows travel (``tests/planet/test_beacon.py``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
import trio
from grids import FixedClock, key_of, on_the_spot

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import NodeBody
from bitcloud_net.core.nodepool.table_rules import DAY_PERIODS, Role, Table
from bitcloud_net.core.trust import beacons
from bitcloud_net.core.trust.beacons import COMMITTEE_SEATS, period_of_day
from bitcloud_net.core.trust.identity import day_of
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from bitcloud_net.services.trust.beacon_keeper import BeaconKeeper
from bitcloud_net.services.trust.beacons import Beacons
from bitcloud_net.testing.inline_threads import inline_threads

NODE = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=1, used=0)
BEGIN = 2_900_016 - DAY_PERIODS % 7  # some period in the middle of a day


@dataclass(frozen=True)
class Citizen:
    key: SigningKey
    beacons: Beacons
    keeper: BeaconKeeper


class Town:
    def __init__(self, store: RowStore, clock: FixedClock, tasks: trio.Nursery) -> None:
        self.store = store
        self.clock = clock
        self.citizens: list[Citizen] = []
        self._tasks = tasks

    async def move_in(self, count: int) -> list[Citizen]:
        """Let nodes join; each runs the service, told by us when to speak."""
        new = []
        for _ in range(count):
            key = key_of(f"citizen {len(self.citizens)}")
            await self.store.write(Table.NODE, b"", NODE, signer=key)
            citizen = await self.watch(key)
            self.citizens.append(citizen)
            new.append(citizen)
        return new

    async def watch(self, key: SigningKey) -> Citizen:
        """Let somebody start the program, with what the rows say."""
        values = Beacons("town")
        keeper = BeaconKeeper(
            values.book,
            Queries(self.store.database),
            self.store,
            key,
            clock=self.clock,
            random=Random(0),
            in_step=lambda: False,
        )
        await self._tasks.start(keeper.run)
        return Citizen(key, values, keeper)

    async def live(self, periods: int) -> None:
        """Let periods pass, in each of which everybody speaks, after a look now and then."""
        for _ in range(periods):
            self.clock.forward(1)
            for at, citizen in enumerate(self.citizens):
                if (at + self.clock.period()) % 3 == 0:
                    await citizen.keeper.look()
            for citizen in self.citizens:
                await citizen.keeper.speak()

    async def speakers(self) -> set[bytes]:
        words = await Queries(self.store.database).words(self.clock.period())
        return {word.member for word in words}


@asynccontextmanager
async def town(folder: Path, *, begin: int) -> AsyncIterator[Town]:
    clock = FixedClock(begin)
    with inline_threads():
        async with (
            open_row_store(folder, clock=clock, run=on_the_spot) as store,
            trio.open_nursery() as tasks,
        ):
            yield Town(store, clock, tasks)
            tasks.cancel_scope.cancel()


@pytest.fixture
def clock(autojump_clock: object) -> object:
    return autojump_clock


async def test_64_of_many_speak_and_all_know(tmp_path: Path, clock: object) -> None:
    async with town(tmp_path, begin=BEGIN) as here:
        await here.move_in(COMMITTEE_SEATS + 8)
        await here.live(5)
        speakers = await here.speakers()
        assert len(speakers) == COMMITTEE_SEATS
        period = here.clock.period()
        assert len({citizen.beacons(period) for citizen in here.citizens}) == 1
        silent = next(each for each in here.citizens if each.key.public not in speakers)
        assert silent.beacons.book.settled(period) == silent.beacons(period)
        late = await here.watch(key_of("a reader"))
        assert late.beacons(period) == silent.beacons(period)


async def test_a_new_day_has_another_committee_and_no_gap(
    tmp_path: Path, clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sits tomorrow promises and shows today what is needed for its first periods."""
    monkeypatch.setattr(beacons, "COMMITTEE_SEATS", 24)  # all the same, in a tenth of the time
    day = day_of(BEGIN) + 1
    async with town(tmp_path, begin=period_of_day(day) - 5) as here:
        await here.move_in(36)
        await here.live(8)
        before = await here.speakers()
        values = set()
        for _ in range(5):
            await here.live(1)
            period = here.clock.period()
            assert here.citizens[0].beacons.book.settled(period), period - day * DAY_PERIODS
            assert len({citizen.beacons(period) for citizen in here.citizens}) == 1
            values.add(here.citizens[0].beacons(period))
        assert len(values) == 5
        await here.live(2)
        assert day_of(here.clock.period()) == day
        after = await here.speakers()
        assert before != after
        assert all(citizen.beacons.is_certain(day) for citizen in here.citizens)
        assert len({citizen.beacons.of_day(day) for citizen in here.citizens}) == 1
        late = await here.watch(key_of("a reader"))
        assert late.beacons.of_day(day) == here.citizens[0].beacons.of_day(day)
        assert late.beacons.is_certain(day)


async def test_newcomers_have_no_seat_among_the_old(tmp_path: Path, clock: object) -> None:
    async with town(tmp_path, begin=BEGIN) as here:
        old = await here.move_in(30)
        await here.store.note_watched(BEGIN)
        here.clock.forward(1)
        await here.move_in(20)
        await here.live(4)
        assert await here.speakers() == {citizen.key.public for citizen in old}


async def test_values_stay_while_somebody_looks(tmp_path: Path, clock: object) -> None:
    """Drawing committees takes a while in a large network; values may be asked for meanwhile."""
    async with town(tmp_path, begin=BEGIN) as here:
        citizen, *_ = await here.move_in(5)
        await here.live(5)
        period = here.clock.period()
        expected = citizen.beacons(period)
        found = set()
        async with trio.open_nursery() as tasks:
            tasks.start_soon(citizen.keeper.look)
            for _ in range(50):
                found.add(citizen.beacons(period))
                await trio.lowlevel.checkpoint()
        assert found == {expected}
