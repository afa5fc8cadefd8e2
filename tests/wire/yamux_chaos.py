"""Two joined Yamux sessions under random use, and what must be true of them afterwards."""

from __future__ import annotations

import random
from collections import defaultdict

from yamux_peers import Pair

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.units import MIB
from bitcloud_net.wire.memory_budget import MemoryBudget
from bitcloud_net.wire.receive_window import INITIAL_WINDOW_BYTES
from bitcloud_net.wire.yamux_stream import MuxStream, StreamState

WRITES = (1, 100, 5000, 70_000, 300_000)
TAKES = (1, 1000, 1 << 20)
PULLS = (20, 3000, 262_076)
CUTS = (1, 11, 12, 13, 500, 65_519, 262_076)


class Chaos:
    """Everything random comes from the seed, so a failure can be seen again."""

    def __init__(self, seed: int, *, steps: int = 400) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.steps = self.rng.randrange(steps)
        self.pair = Pair(budget=MemoryBudget(8 * MIB))
        self.ends: tuple[dict[int, MuxStream], dict[int, MuxStream]] = ({}, {})
        self.written: dict[tuple[int, int], bytearray] = defaultdict(bytearray)
        self.read: dict[tuple[int, int], bytearray] = defaultdict(bytearray)

    def run(self) -> None:
        for _ in range(self.steps):
            self.act(self.rng.randrange(2))
            side = self.rng.randrange(2)
            if self.rng.random() < 0.5:
                self.pair.pull(side, self.rng.choice(PULLS))
            if self.rng.random() < 0.6:
                self.pair.carry(side, self.rng.choice(CUTS))
            self.pair.now += self.rng.random() / 100
            self.discover()

    def act(self, side: int) -> None:
        ends = self.ends[side]
        if not ends or (self.rng.random() < 0.15 and len(ends) < 12):
            self.open(side)
            return
        stream = self.rng.choice(list(ends.values()))
        deeds = (self.write, self.take, self.end, self.reset, self.ping)
        deed = self.rng.choices(deeds, (35, 40, 6, 2, 2))[0]
        deed(side, stream)

    def open(self, side: int) -> None:
        stream = self.pair.sides[side].open(self.pair.now)
        self.ends[side][stream.id] = stream

    def write(self, side: int, stream: MuxStream) -> None:
        data = self.rng.randbytes(self.rng.choice(WRITES))
        try:
            self.pair.sides[side].queue(stream, data)
        except Unavailable:
            return
        self.written[side, stream.id] += data

    def take(self, side: int, stream: MuxStream, size: int | None = None) -> None:
        size = size or self.rng.choice(TAKES)
        self.read[1 - side, stream.id] += self.pair.read(side, stream, size)

    def end(self, side: int, stream: MuxStream) -> None:
        self.pair.sides[side].end(stream)

    def reset(self, side: int, stream: MuxStream) -> None:
        self.pair.sides[side].reset(stream)

    def ping(self, side: int, _: MuxStream) -> None:
        self.pair.sides[side].ping(self.pair.now)

    def discover(self) -> None:
        for side in (0, 1):
            for stream in self.pair.opened(side):
                self.ends[side][stream.id] = stream

    def run_dry(self) -> None:
        for _ in range(40):
            self.pair.settle()
            self.discover()
            for side in (0, 1):
                for stream in self.ends[side].values():
                    self.take(side, stream, 1 << 30)

    def check(self) -> None:
        for side in (0, 1):
            for stream in self.ends[side].values():
                self.check_stream(side, stream)
        streams = sum(len(machine.streams) for machine in self.pair.sides)
        sure = streams * INITIAL_WINDOW_BYTES
        assert self.pair.budget.reserved_bytes <= self.pair.budget.limit_bytes + sure
        for machine in self.pair.sides:
            machine.close()
        assert self.pair.budget.reserved_bytes == 0

    def check_stream(self, side: int, stream: MuxStream) -> None:
        where = f"seed {self.seed}, side {side}, stream {stream.id}"
        key = (side, stream.id)
        written, read = self.written[key], self.read[key]
        assert written.startswith(read), where
        other = self.ends[1 - side].get(stream.id)
        if other and StreamState.RESET not in (stream.state, other.state):
            assert written == read, where
            ended = stream.state in (StreamState.WE_ENDED, StreamState.ENDED)
            assert other.at_end == ended, where
