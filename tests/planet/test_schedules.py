"""R1: random lives of a whole grid. Nothing that was published is lost, and no byte is ever wrong.

Each schedule is drawn from a seed: people publish, read and repair while nodes are switched off,
killed, paused, cut off, wiped and lie. At the end all come back, and every file must be read by
everybody, byte for byte. Run more with ``BITCLOUD_SCHEDULES=1000``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BitcloudError
from bitcloud_net.core.trust.verdicts import FRAUD_BAN_PERIODS
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.testing.mischief import (
    AnswersWithAnother,
    FlipsBytes,
    Mischief,
    RefusesAll,
    Stalls,
)
from bitcloud_net.testing.planet import Machine, World, planet

from .acts import lose_disk, read, write
from .conftest import Open

SCHEDULES = int(os.environ.get("BITCLOUD_SCHEDULES", "2"))
EVENTS = 40
MOST_OFF = 7
HANG_S = 3600.0
"""No act of a person takes longer, whatever the grid does."""


@contextmanager
def allowed(*codes: str) -> Iterator[None]:
    """Let these errors pass: truthful ones, while too few nodes are there or rows have not come."""
    try:
        yield
    except BitcloudError as error:
        if error.code not in codes:
            raise


class Life:
    """One schedule: who does what to a grid of ten, and what must hold."""

    def __init__(self, world: World, people: list[Machine], folder: Path, rng: Random) -> None:
        self.world = world
        self.people = people
        self.folder = folder
        self.rng = rng
        self.content: dict[str, bytes] = {}  # by path, of all that was ever begun
        self.safe: list[str] = []  # of which the grid said that it is safe
        self.count = 0
        self.wiped: set[str] = set()
        self.story: list[str] = []

    async def go_on(self, events: int) -> None:
        """Let so many things happen."""
        acts: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (5, self.publish),
            (8, self.read),
            (2, self.switch_off),
            (2, self.kill),
            (3, self.switch_on),
            (1, self.pause),
            (1, self.partition),
            (2, self.misbehave),
            (1, self.lose_disk),
            (2, self.repair),
            (4, self.wait),
        ]
        for _ in range(events):
            (act,) = self.rng.choices([act for _, act in acts], [weight for weight, _ in acts])
            self.story.append(f"{trio.current_time():8.1f} {act.__name__}")
            with trio.fail_after(HANG_S):
                await act()

    async def end_well(self) -> None:
        """Let all come back, and read everything."""
        await self.come_back()
        for path in self.safe:
            for person in self.people:
                assert await read(person, path) == self.content[path], path

    @property
    def troubled(self) -> set[str]:
        """Nodes that do not serve well now."""
        return {
            node.name
            for node in self.world.nodes
            if not node.is_on or node.name in self.wiped or node.node_id in self.world.hub._paused
        }

    def some_node(self) -> Machine | None:
        """Return a node that may get into trouble: seven at most may be."""
        well = [node for node in self.world.nodes if node.name not in self.troubled]
        if len(well) <= len(self.world.nodes) - MOST_OFF:
            return None
        return self.rng.choice(well)

    async def publish(self) -> None:
        self.count += 1
        name = f"{self.count}.bin"
        data = self.rng.randbytes(self.rng.choice([100, 5000, 70_000, 1 << 20, 5 << 20]))
        person = self.rng.choice(self.people)
        self.content[f"Public/{person.name}/{name}"] = data
        with allowed("too-few-nodes", "at-risk"):
            (done,) = await person.client.publish([write(self.folder / name, data)])
            self.safe.append(done.path)

    async def read(self) -> None:
        """What one gets is right, or one is told why there is nothing; also of files at risk."""
        if self.content:
            path = self.rng.choice(list(self.content))
            with allowed("too-few-shares", "no-such-path", "file-unknown"):
                assert await read(self.rng.choice(self.people), path) == self.content[path], path

    async def switch_off(self) -> None:
        if node := self.some_node():
            await node.switch_off()

    async def kill(self) -> None:
        if node := self.some_node():
            await node.kill()

    async def switch_on(self) -> None:
        off = [node for node in self.world.nodes if not node.is_on]
        if off:
            await self.rng.choice(off).switch_on()

    async def pause(self) -> None:
        if node := self.some_node():
            self.world.hub.pause(node.node_id)
            await trio.sleep(self.rng.uniform(1, 100))
            self.world.hub.resume(node.node_id)

    async def partition(self) -> None:
        machines = [*self.world.nodes, *self.people]
        self.rng.shuffle(machines)
        cut = self.rng.randrange(1, len(machines))
        self.world.partition(machines[:cut], machines[cut:])
        await trio.sleep(self.rng.uniform(1, 100))
        self.world.heal()

    async def misbehave(self) -> None:
        if (node := self.some_node()) is None:
            return
        ways: list[Mischief] = [
            partial(FlipsBytes, random=self.rng, admits=self.rng.random() < 0.5),
            AnswersWithAnother,
            RefusesAll,
            partial(Stalls, seconds=self.rng.choice([3.0, 3600.0])),
        ]
        node.misbehave(self.rng.choice(ways))
        await self.read()
        await self.read()
        node.misbehave(None)

    async def lose_disk(self) -> None:
        if len(self.wiped) < 2 and (node := self.some_node()):
            await lose_disk(node)
            self.wiped.add(node.name)

    async def repair(self) -> None:
        if self.content:
            path = self.rng.choice(list(self.content))
            with allowed("too-few-shares", "no-such-path", "file-unknown"):
                await self.rng.choice(self.people).client.repair(path)

    async def wait(self) -> None:
        await trio.sleep(self.rng.choice([1, 10, 100, 700]))

    async def come_back(self) -> None:
        self.world.heal()
        await self.world.switch_on()
        for node in self.world.nodes:
            node.misbehave(None)
        # A day later and a restart, so that bans of convicted nodes have ended, too.
        self.world.sleep_all((FRAUD_BAN_PERIODS + 1) * PERIOD_S)
        for machine in self.world.machines:
            await machine.switch_off()
        for machine in self.world.machines:
            await machine.switch_on()
        await trio.sleep(1300)  # two periods: bans end, everybody finds everybody
        await self.world.settle()


@pytest.mark.parametrize("number", range(SCHEDULES))
async def test_a_life(
    clock: MockClock, world: Open, scratch: Path, rng: Random, number: int
) -> None:
    line = {"delay_s": rng.choice([0.001, 0.05]), "loss": rng.choice([0.0, 0.02])}
    async with world(nodes=10, **line) as grid:
        people = [await grid.join(name) for name in ("Mary", "John")]
        await grid.settle()
        life = Life(grid, people, scratch / "files", rng)
        try:
            await life.go_on(EVENTS)
            await life.end_well()
        finally:
            sys.stdout.write("\n".join(life.story))  # pytest shows it when the life ends badly


def test_the_same_seed_is_the_same_life(scratch: Path, seed: int) -> None:
    """A failure can be seen again; when trio changes its scheduler, this tells."""

    async def live(folder: Path) -> object:
        folder.mkdir()
        async with planet(folder, seed=seed) as grid:
            people = [await grid.join(name) for name in ("Mary", "John")]
            life = Life(grid, people, folder / "files", Random(seed))
            await life.go_on(20)
            traffic = [each.network.traffic for each in grid.machines if each.network is not None]
            return life.story, life.content, traffic, trio.current_time()

    one, other = (
        trio.run(live, scratch / name, clock=MockClock(autojump_threshold=0))
        for name in ("one", "other")
    )
    assert one == other
