"""``make split``: a grid of real nodes is cut in half for some periods, heals, and loses nothing.

Both halves go on publishing while they cannot hear each other. One JSON document on stdout,
progress on stderr; exit status 1 when anything was lost. With ``--true-time`` a period of the cut
lasts its 600 seconds; otherwise the date of all processes moves on by one, as if they had passed.
Linux; needs no rights (``halves.py``).
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import trio
from halves import INSIDE, Cable, GridNode, Halves, MovingDate, enter_namespaces, why_not

from bitcloud_net.api import TransferState
from bitcloud_net.core.errors import BitcloudError
from bitcloud_net.core.units import PERIOD_S

LARGE_BYTES: Final = 300_000
SMALL_BYTES: Final = 900
"""One file with shares on the nodes, one that lives in its row."""
CONVERGED_S: Final = 900.0
"""Given up after this; the connector's longest pause is five minutes."""
LOOK_S: Final = 0.5
ROWS: Final = "SELECT tbl, hex(key), seq, hex(id) FROM np_row ORDER BY tbl, key"

COUNT: Final = "SELECT count(*) FROM node"
BANS: Final = "SELECT count(*) FROM np_ban"

Rows: TypeAlias = dict[tuple[str, str], tuple[int, str]]


class Story:
    """What happens to the grid, and the figures of it."""

    def __init__(
        self, halves: Halves, cable: Cable, date: MovingDate, folder: Path, chance: random.Random
    ) -> None:
        self._halves = halves
        self._cable = cable
        self._date = date
        self._folder = folder
        self._chance = chance
        self._files: dict[str, bytes] = {}  # by path of the virtual disk
        self.figures: dict[str, Any] = {"nodes": len(halves.nodes)}

    async def tell(self, periods: int, *, true_time: bool) -> bool:
        """Run it; return whether nothing was lost."""
        self.figures |= {"periods": periods, "true_time": true_time}
        nodes, figures = self._halves.nodes, self.figures
        everybody = len(nodes)
        figures["joined_s"] = await self._until(lambda: self._knows_all(nodes, everybody), "joined")
        await self._publish_in_both("before")
        figures["in_step_s"] = await self._until(lambda: self._in_step(nodes), "in step")
        self._cable.cut()
        start = time.monotonic()
        for number in range(periods):
            await self._pass_a_period(true_time=true_time)
            await self._publish_in_both(f"during-{number}")
        in_halves = [await self._rows_of_half(half) for half in (0, 1)]
        figures["rows_only_one_half_has"] = len(in_halves[0].items() ^ in_halves[1].items())
        figures["cut_s"] = round(time.monotonic() - start, 1)
        await self._heal(nodes)
        after = await _rows(nodes[0])
        figures["rows"] = len(after)
        figures["rows_lost"] = sum(_lost(rows, after) for rows in in_halves)
        figures["files"] = len(self._files)
        figures["files_lost"] = await self._unread_files()
        figures["safe_s"] = await self._until(self._all_safe, "every transfer is safe")
        figures["bans"] = await self._bans()
        return not (figures["rows_lost"] or figures["files_lost"] or figures["bans"])

    async def _heal(self, nodes: Sequence[GridNode]) -> None:
        self._cable.mend()
        moved = self._cable.bytes_moved
        start = time.monotonic()
        await self._until(self._crossed, "first row across")
        self.figures["first_row_across_s"] = round(time.monotonic() - start, 1)
        await self._until(lambda: self._in_step(nodes), "healed")
        self.figures["healed_s"] = round(time.monotonic() - start, 1)
        self.figures["healing_bytes"] = self._cable.bytes_moved - moved

    async def _pass_a_period(self, *, true_time: bool) -> None:
        if true_time:
            await trio.sleep(PERIOD_S)
        else:
            self._date.move(PERIOD_S)

    async def _publish_in_both(self, name: str) -> None:
        async with trio.open_nursery() as nursery:
            for half in (0, 1):
                nursery.start_soon(self._publish, half, f"{name}-{half}")
        _tell(f"published {name}")

    async def _publish(self, half: int, name: str) -> None:
        node = self._chance.choice(self._halves.half(half))
        source = self._folder / name
        source.mkdir()
        for file, size in (("large", LARGE_BYTES), ("small", SMALL_BYTES)):
            data = self._chance.randbytes(size)
            (source / file).write_bytes(data)
            self._files[f"Public/Node {node.index}/{name}/{file}"] = data
        await node.client.publish([source], wait=False)
        want = {path for path in self._files if f"/{name}/" in path}
        for reader in (node, self._chance.choice(self._halves.half(half))):
            await self._until(lambda at=reader: self._reads(at, want), f"{name} reads in its half")

    async def _reads(self, node: GridNode, paths: set[str]) -> bool:
        return not [path for path in paths if await _read(node, path) != self._files[path]]

    async def _unread_files(self) -> int:
        """Read every file at one node of each half."""
        readers = [self._chance.choice(self._halves.half(half)) for half in (0, 1)]
        unread = 0
        for path, data in self._files.items():
            for reader in readers:
                if await _read(reader, path) != data:
                    _tell(f"node {reader.index} cannot read {path}")
                    unread += 1
        return unread

    async def _all_safe(self) -> bool:
        running = [
            transfer
            for node in self._halves.nodes
            for transfer in await node.client.transfers()
            if transfer.state is not TransferState.DONE
        ]
        return not running

    async def _bans(self) -> int:
        answers = [await node.client.select(BANS) for node in self._halves.nodes]
        return sum(int(answer.rows[0][0] or 0) for answer in answers)

    async def _rows_of_half(self, half: int) -> Rows:
        nodes = self._halves.half(half)
        await self._until(lambda: self._in_step(nodes), f"half {half} in step")
        return await _rows(nodes[0])

    async def _knows_all(self, nodes: Sequence[GridNode], count: int) -> bool:
        answers = [await node.client.select(COUNT) for node in nodes]
        return {int(answer.rows[0][0] or 0) for answer in answers} == {count}

    async def _crossed(self) -> bool:
        """Whether a node of each half has a file of the other."""
        first, last = self._halves.nodes[0], self._halves.nodes[-1]
        one, other = await _rows(first), await _rows(last)
        return len(one.items() ^ other.items()) < self.figures["rows_only_one_half_has"]

    async def _in_step(self, nodes: Sequence[GridNode]) -> bool:
        first = await _rows(nodes[0])
        return not [node for node in nodes[1:] if await _rows(node) != first]

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> float:
        start = time.monotonic()
        while not await condition():
            if time.monotonic() - start > CONVERGED_S:
                raise TimeoutError(f"not within {CONVERGED_S:.0f} s: {what}")
            await trio.sleep(LOOK_S)
        seconds = round(time.monotonic() - start, 1)
        _tell(f"{what} after {seconds} s")
        return seconds


async def _rows(node: GridNode) -> Rows:
    answer = await node.client.select(ROWS)
    return {(str(row[0]), str(row[1])): (int(row[2] or 0), str(row[3])) for row in answer.rows}


async def _read(node: GridNode, path: str) -> bytes:
    try:
        async with node.client.read(path) as pieces:
            return b"".join([piece async for piece in pieces])
    except BitcloudError:
        return b""


def _lost(before: Rows, after: Rows) -> int:
    """Return how many rows are gone, or older than they were."""
    return sum(key not in after or after[key][0] < seq for key, (seq, _) in before.items())


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=20, help="default: 20")
    parser.add_argument("--periods", type=int, default=3, help="of the cut; default: 3")
    parser.add_argument("--true-time", action="store_true", help="wait for them: 600 s each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if not chosen.inside_namespace and (reason := why_not()):
        print(f"no network namespaces here: {reason}", file=sys.stderr)
        return 2
    enter_namespaces(Path(__file__).resolve(), sys.argv[1:])
    date, cable = MovingDate(), Cable()
    with tempfile.TemporaryDirectory(prefix="bitcloud-split-") as name:
        start = time.monotonic()
        halves = Halves(Path(name), chosen.nodes, cable, date)
        _tell(f"{chosen.nodes} nodes started")
        story = Story(halves, cable, date, Path(name), random.Random(chosen.seed))
        story.figures |= {"seed": chosen.seed, "start_s": round(time.monotonic() - start, 1)}
        try:
            well = trio.run(lambda: story.tell(chosen.periods, true_time=chosen.true_time))
        finally:
            halves.stop()
            cable.close()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    story.figures["nodes_cpu_s"] = round(usage.ru_utime + usage.ru_stime, 1)
    print(json.dumps(story.figures, indent=1))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
