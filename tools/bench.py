"""``make bench``: ten node processes and one client on loopback; one JSON document on stdout.

Progress goes to stderr. CPU seconds are user and system time of the processes from /proc, so this
runs on Linux. A figure that could not be taken is null, with the reason on stderr; the exit status
says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import trio

from bitcloud_net.api import BitcloudError, Client
from bitcloud_net.testgrid import TestGridController, open_person, run_test_grid

T = TypeVar("T")

MB: Final = 1_000_000
NODES: Final = 10
OFF: Final = 7
LOST: Final = 3
SMALL_BYTES: Final = 10_000
RANGE_BYTES: Final = 64 * 1024
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured."""

    sizes_mb: Sequence[int]
    small_files: int
    ranges: int
    big_mb: int


FULL: Final = Plan(sizes_mb=(1, 10, 100, 500), small_files=100, ranges=100, big_mb=100)
QUICK: Final = Plan(sizes_mb=(1, 10), small_files=20, ranges=20, big_mb=10)


@dataclass(kw_only=True)
class Report:
    """The figures, under the names that they have in the document."""

    values: dict[str, Any] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a piece of work took."""

    seconds: float
    client_cpu_s: float
    nodes_cpu_s: float


class Processes:
    """CPU time and memory of this process and of the node processes."""

    def __init__(self) -> None:
        self.nodes = _descendants(os.getpid())

    def cpu_s(self) -> tuple[float, float]:
        """Return CPU seconds of the client and of all nodes together."""
        return _cpu_s(os.getpid()), sum(_cpu_s(pid) for pid in self.nodes)

    def peak_mb(self) -> dict[str, float | None]:
        """Return the largest memory of the client and of the largest node, in MB."""
        nodes = [peak for pid in self.nodes if (peak := _peak_mb(pid)) is not None]
        return {"client": _peak_mb(os.getpid()), "node": max(nodes, default=None)}


class Bench:
    """Runs the measurements one after the other on one grid."""

    def __init__(self, plan: Plan, folder: Path, client: Client, grid: TestGridController) -> None:
        self.plan = plan
        self.folder = folder
        self.client = client
        self.grid = grid
        self.processes = Processes()
        self.report = Report()

    async def run(self) -> None:
        """Take every figure; one that fails is noted and the rest goes on."""
        values = self.report.values
        values["files"] = [await self._try(str(mb), self._file, mb) for mb in self.plan.sizes_mb]
        big = f"bench-{self.plan.big_mb}.bin"
        values["range_64KiB_ms"] = await self._try("range", self._ranges, self.path_of(big))
        values["small_10KB"] = await self._try("small files", self._small_files)
        values["verify_100MB_s"] = await self._try("verify", self._verify, self.path_of(big))
        values["fetch_7_of_10_off_MBps"] = await self._try("7 of 10 off", self._off, big)
        values["repair_100MB_s"] = await self._try("repair", self._repair)
        values["rss_MB"] = self.processes.peak_mb()

    def path_of(self, name: str) -> str:
        """Return where a published file of ours lies."""
        return f"{self.root}/{name}"

    @property
    def root(self) -> str:
        """The folder that all files of the benchmark are published in."""
        return "Public/Bench"

    async def _try(self, what: str, measure: Callable[..., Awaitable[T]], *given: Any) -> T | None:
        _say(f"{what} …")
        try:
            return await measure(*given)
        except BitcloudError as error:
            _say(f"  failed: {error.code}: {error.message}")
            self.report.failed.append(what)
            return None

    async def _file(self, mb: int) -> dict[str, Any]:
        times = max(1, min(5, 50 // mb))  # a small file alone is shorter than the clock's tick
        names = [f"bench-{mb}.bin", *(f"bench-{mb}-{i}.bin" for i in range(1, times))]
        sources = [_random_file(self.folder / name, mb * MB) for name in names]
        up = _sum([await self._spent(self.client.publish([source])) for source in sources])
        first_ms = statistics.median([await self._first_byte_ms(names[0]) for _ in range(5)])
        down = _sum([await self._fetch(source) for source in sources])
        figures = {
            "size_mb": mb,
            "publish_MBps": _rate(mb * times, up.seconds),
            "publish_cpu_s_per_GB": _per_gb(up, mb * times),
            "fetch_MBps": _rate(mb * times, down.seconds),
            "fetch_cpu_s_per_GB": _per_gb(down, mb * times),
            "first_byte_ms": round(first_ms, 1),
        }
        _say(f"  up {figures['publish_MBps']} MB/s, down {figures['fetch_MBps']} MB/s")
        return figures

    async def _fetch(self, source: Path) -> Spent:
        back = self.folder / "back.bin"
        back.unlink(missing_ok=True)
        spent = await self._spent(self.client.fetch(self.path_of(source.name), back))
        if not await trio.to_thread.run_sync(_same, source, back):
            raise SystemExit(f"{source.name} came back different: the benchmark is void")
        back.unlink()
        return spent

    async def _first_byte_ms(self, name: str) -> float:
        began = time.perf_counter()
        async with self.client.read(self.path_of(name), 0, RANGE_BYTES) as pieces:
            async for _ in pieces:
                break
        return (time.perf_counter() - began) * 1000

    async def _ranges(self, path: str) -> dict[str, float]:
        size = self.plan.big_mb * MB
        step = (size - RANGE_BYTES) // self.plan.ranges
        times = []
        for i in range(self.plan.ranges):
            # Every part of the file once, in an order that no cache or read-ahead foresees.
            offset = (i * 37 % self.plan.ranges) * step
            began = time.perf_counter()
            async with self.client.read(path, offset, RANGE_BYTES) as pieces:
                got = sum([len(piece) async for piece in pieces])
            times.append((time.perf_counter() - began) * 1000)
            assert got == RANGE_BYTES, f"a range of {got} bytes came"
        p95 = statistics.quantiles(times, n=20)[-1]
        return {"median": round(statistics.median(times), 1), "p95": round(p95, 1)}

    async def _small_files(self) -> dict[str, float]:
        count = self.plan.small_files
        folder = self.folder / "small"
        folder.mkdir()
        sources = [_random_file(folder / f"s{i}.bin", SMALL_BYTES) for i in range(2 * count)]
        one, eight = sources[:count], sources[count:]
        return {
            "up_per_s": await self._each(self._publish_small, one, 1),
            "down_per_s": await self._each(self._fetch_small, one, 1),
            "up_8_per_s": await self._each(self._publish_small, eight, 8),
            "down_8_per_s": await self._each(self._fetch_small, eight, 8),
        }

    async def _each(
        self, action: Callable[[Path], Awaitable[None]], files: Sequence[Path], at_once: int
    ) -> float:
        waiting = list(files)

        async def work() -> None:
            while waiting:
                await action(waiting.pop())

        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for _ in range(at_once):
                nursery.start_soon(work)
        return round(len(files) / (time.perf_counter() - began), 1)

    async def _publish_small(self, source: Path) -> None:
        await self.client.publish([source])

    async def _fetch_small(self, source: Path) -> None:
        async with self.client.read(self.path_of(source.name)) as pieces:
            got = b"".join([piece async for piece in pieces])
        assert got == source.read_bytes()

    async def _verify(self, path: str) -> float:
        return round((await self._spent(self.client.check(path, verify=True))).seconds, 2)

    async def _off(self, name: str) -> float:
        await self.grid.set_running(NODES - OFF)
        spent = await self._fetch(self.folder / name)
        return _rate(self.plan.big_mb, spent.seconds)

    async def _repair(self) -> float:
        """Rebuild three shares of a file: three nodes lost their disks and come back empty."""
        await self.grid.set_running(NODES - LOST)
        for number in range(NODES - LOST, NODES):
            shutil.rmtree(self.grid.home / "testgrid" / f"{number:02}" / "store")
        await self.grid.set_running(NODES)
        self.processes = Processes()
        await _await_nodes(self.client, NODES)
        path = self.path_of(f"bench-{self.plan.big_mb}.bin")
        spent = await self._spent(self.client.repair(path))
        return round(spent.seconds, 2)

    async def _spent(self, work: Awaitable[Any]) -> Spent:
        client_before, nodes_before = self.processes.cpu_s()
        began = time.perf_counter()
        await work
        seconds = time.perf_counter() - began
        client, nodes = self.processes.cpu_s()
        return Spent(
            seconds=seconds, client_cpu_s=client - client_before, nodes_cpu_s=nodes - nodes_before
        )


async def bench(plan: Plan, folder: Path) -> Report:
    """Start the grid and the client, measure, and return the figures."""
    began = time.perf_counter()
    home = folder / "home"
    async with run_test_grid(home, NODES) as grid:
        grid_s = time.perf_counter() - began
        began = time.perf_counter()
        async with open_person(grid, name="Bench") as client:
            await _await_nodes(client, NODES)
            client_s = time.perf_counter() - began
            measured = Bench(plan, folder, client, grid)
            await measured.run()
    report = measured.report
    report.values["startup_s"] = {"client": round(client_s, 2), "grid": round(grid_s, 2)}
    return report


async def _await_nodes(client: Client, count: int) -> None:
    with trio.fail_after(60):
        while True:
            status = await client.status()
            if sum(node.online for node in status.nodes) >= count:
                return
            await trio.sleep(0.05)


def _descendants(pid: int) -> list[int]:
    """Return the node processes: the children of the supervisor, which is our child."""
    return [node for child in _children(pid) for node in _children(child)]


def _children(pid: int) -> list[int]:
    """A child belongs to the thread that started it."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _peak_mb(pid: int) -> float | None:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return None
    return round(int(found[1]) * 1024 / MB, 1) if found else None


def _sum(parts: Sequence[Spent]) -> Spent:
    return Spent(
        seconds=sum(part.seconds for part in parts),
        client_cpu_s=sum(part.client_cpu_s for part in parts),
        nodes_cpu_s=sum(part.nodes_cpu_s for part in parts),
    )


def _rate(mb: float, seconds: float) -> float:
    return round(mb / seconds, 1)


def _per_gb(spent: Spent, mb: float) -> dict[str, float]:
    return {
        "client": round(spent.client_cpu_s * 1000 / mb, 1),
        "nodes": round(spent.nodes_cpu_s * 1000 / mb, 1),
    }


def _random_file(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        while size > 0:
            size -= file.write(os.urandom(min(size, MB)))
    return path


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        while piece := left.read(MB):
            if piece != right.read(MB):
                return False
        return not right.read(1)


def _machine() -> dict[str, Any]:
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "memory_GB": round(int(memory[1]) / 1e6, 1) if memory else None,
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _wire() -> Any:
    """Return what ``tools/bench_wire.py`` measures: our layers beside the stock ones."""
    _say("wire …")
    command = [sys.executable, str(Path(__file__).with_name("bench_wire.py")), "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return json.loads(done.stdout)["wire"]


def main() -> int:
    """Run the benchmark; exit 1 when a figure is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small files only: a minute or so")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    chosen = parser.parse_args()
    document: dict[str, Any] = {"machine": _machine(), "code": "3-of-10"}
    with tempfile.TemporaryDirectory(prefix="bitcloud-bench-", dir=chosen.folder) as folder:
        report = trio.run(bench, QUICK if chosen.quick else FULL, Path(folder))
    order = (
        "files fetch_7_of_10_off_MBps range_64KiB_ms small_10KB verify_100MB_s repair_100MB_s "
        "rss_MB startup_s"
    )
    document |= {key: report.values[key] for key in order.split()}
    if not chosen.quick:
        document["wire"] = _wire()
    print(json.dumps(document, indent=1))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
