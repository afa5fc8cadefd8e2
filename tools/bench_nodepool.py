"""``make bench-nodepool``: what the shared database costs real nodes; one JSON document on stdout.

A node with many node rows and a fresh one that takes them over libp2p, the memory of a node that
holds them all, what idle nodes say to each other, and the cost of comparing sets. Progress goes to
stderr. CPU seconds are user and system time from /proc, so this runs on Linux; about four minutes
on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import trio

from bitcloud_net.clock import Clock
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.row_bodies import NodeBody
from bitcloud_net.core.nodepool.rows import make_row
from bitcloud_net.core.nodepool.table_rules import Role, Table
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import DATABASE, RowStore, open_row_store
from bitcloud_net.nodepool.seal import SUFFIX
from bitcloud_net.protocols.control_client import ControlClient
from bitcloud_net.protocols.control_socket import control_path
from bitcloud_net.services.home import create_home
from bitcloud_net.storage.vault_lock import OpenLock
from bitcloud_net.testgrid import run_test_grid
from bitcloud_net.testgrid.fleet import folder_of
from bitcloud_net.wire import negentropy
from bitcloud_net.wire.range_index import RangeIndex, item_of

NETWORK: Final = "test-bench"
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
LIFE_PERIODS: Final = 432
GIVE_UP_S: Final = 240.0
SETTLE_S: Final = 10.0
"""A node that just started has this long to be done with its start."""
FREE_PORT: Final = 9
"""Discard: nobody listens there, so whoever dials the made-up nodes is told so at once."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured."""

    fresh_rows: int
    held_rows: int
    query_rows: int
    idle_nodes: int
    idle_s: float


FULL: Final = Plan(
    fresh_rows=50_000, held_rows=100_000, query_rows=1_000_000, idle_nodes=10, idle_s=60.0
)
QUICK: Final = Plan(fresh_rows=2_000, held_rows=4_000, query_rows=20_000, idle_nodes=3, idle_s=5.0)


@dataclass(frozen=True, kw_only=True)
class NodeProcess:
    """A running ``bitcloud node run``."""

    pid: int
    address: str
    client: ControlClient

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far."""
        return _cpu_s(self.pid)

    def memory_mb(self, name: str) -> float:
        """Return ``VmRSS`` or ``VmHWM`` in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith(name))
        return round(int(line.split()[1]) / 1000, 1)

    async def rows(self) -> int:
        """Return how many node rows it holds."""
        answer = await self.client.select("SELECT count(*) FROM np_row WHERE tbl = 1")
        return int(answer.rows[0][0] or 0)


@contextmanager
def node_process(home: Path, *bootstrap: str) -> Iterator[NodeProcess]:
    """Run the node of ``home`` for as long as the block runs."""
    words = [word for address in bootstrap for word in ("--bootstrap", address)]
    listen = ("--listen", "/ip4/127.0.0.1/tcp/0")
    command = [sys.executable, "-m", "bitcloud_net.cli", "node", "run", *listen, *words]
    with subprocess.Popen(
        [*command, "--home", os.fspath(home), "--json"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            client = ControlClient(control_path(home))
            yield NodeProcess(pid=process.pid, address=ready["addresses"][0], client=client)
        finally:
            process.send_signal(signal.SIGINT)


async def make_home(home: Path) -> Path:
    """Make an identity in the benchmark's network."""
    await create_home(home, name=home.name, lock=OpenLock(), network=NETWORK)
    return home


def node_rows(first: int, last: int) -> list[bytes]:
    """Return the rows of nodes that do not exist, signed over the last three days."""
    now = Clock().period()
    rows = []
    for number in range(first, last):
        key = SigningKey(number.to_bytes(32, "big"))
        body = NodeBody(
            name=f"Node {number}",
            roles=Role.NODE,
            addresses=(f"/ip4/127.0.0.1/tcp/{FREE_PORT}/p2p/12D3KooW{'x' * 44}",),
            capacity=10**12,
            used=10**11,
        )
        period = now - number % (LIFE_PERIODS - 10)
        row = make_row(
            Table.NODE,
            b"",
            body,
            signer=key,
            seq=1,
            period=period,
            slot=0,
            expires=period + LIFE_PERIODS,
        )
        rows.append(row.raw)
    return rows


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[RowStore]:
    """Open the nodepool of a home whose node does not run."""
    folder = home / "nodepool"
    folder.mkdir(exist_ok=True)
    async with open_row_store(folder, clock=Clock()) as store:
        yield store


async def fill(home: Path, first: int, last: int) -> dict[str, float]:
    """Put made-up nodes into the nodepool of a home; return what accepting them cost."""
    rows = node_rows(first, last)
    async with opened(home) as store:
        start, cpu = time.monotonic(), time.process_time()
        await store.accept_many(rows, source=None)
        seconds, cpu = time.monotonic() - start, time.process_time() - cpu
        assert store.counts[Table.NODE] >= last, "rows were refused"
    return {
        "rows": last - first,
        "row_bytes": len(rows[0]),
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu, 1),
        "rows_per_s": round((last - first) / seconds),
    }


async def fresh_node(folder: Path, full: Path, rows: int) -> dict[str, Any]:
    """Let a fresh node take all rows of a full one over libp2p."""
    fresh = await make_home(folder / "fresh")
    with node_process(full) as source, node_process(fresh, source.address) as taker:
        start, source_cpu_s = time.monotonic(), source.cpu_s
        while await taker.rows() < rows:
            await _nap(start, "a fresh node has all rows")
        seconds = time.monotonic() - start
        traffic = await taker.client.status()
        return {
            "rows": rows,
            "seconds": round(seconds, 1),
            "fresh_cpu_s": round(taker.cpu_s, 1),
            "source_cpu_s": round(source.cpu_s - source_cpu_s, 1),
            "received_bytes": traffic.received_bytes,
            "sent_bytes": traffic.sent_bytes,
            "fresh_rss_MB": taker.memory_mb("VmRSS"),
            "fresh_peak_MB": taker.memory_mb("VmHWM"),
        }


async def held(home: Path, rows: int) -> dict[str, Any]:
    """Start a node that holds many rows and let it rest."""
    start = time.monotonic()
    with node_process(home) as node:
        ready_s = time.monotonic() - start
        await trio.sleep(SETTLE_S)
        return {
            "rows": rows,
            "start_s": round(ready_s, 1),
            "start_cpu_s": round(node.cpu_s, 1),
            "rss_MB": node.memory_mb("VmRSS"),
            "peak_MB": node.memory_mb("VmHWM"),
            "database_MB": round((home / "nodepool" / DATABASE).stat().st_size / 1e6, 1),
        }


async def idle(folder: Path, nodes: int, seconds: float) -> dict[str, Any]:
    """Listen to a grid in which nothing happens."""
    async with run_test_grid(folder / "idle", nodes):
        homes = [folder_of(folder / "idle") / f"{number:02}" for number in range(nodes)]
        clients = [ControlClient(control_path(home)) for home in homes]
        await trio.sleep(max(SETTLE_S, seconds / 2))
        pids = [_holder(home) for home in homes]
        before, cpu = await _traffic(clients), sum(map(_cpu_s, pids))
        await trio.sleep(seconds)
        moved = await _traffic(clients) - before
        spent = sum(map(_cpu_s, pids)) - cpu
        tables = await clients[0].select("SELECT count(DISTINCT tbl) FROM np_row")
    return {
        "nodes": nodes,
        "seconds": seconds,
        "tables_compared": len(Table),
        "tables_with_rows": int(tables.rows[0][0] or 0),
        "bytes_per_s_and_node": round(moved / seconds / nodes),
        "cpu_percent_of_a_node": round(100 * spent / seconds / nodes, 2),
    }


async def _traffic(clients: Sequence[ControlClient]) -> int:
    """Return what went in and out of all nodes: each byte between two of them counts twice."""
    states = [await client.status() for client in clients]
    return sum(state.received_bytes + state.sent_bytes for state in states)


def compare(count: int) -> dict[str, Any]:
    """Compare sets as two nodes do, without a network."""
    chance = Random(1)
    old = [item_of(chance.randrange(400), chance.randbytes(32)) for _ in range(count)]
    fresh = [item_of(401, chance.randbytes(32)) for _ in range(100)]
    start = time.process_time()
    one, other = RangeIndex(old), RangeIndex([*old, *fresh])
    built_s = time.process_time() - start
    return {
        "items": count,
        "build_cpu_s": round(built_s / 2, 2),
        "equal": _compared(one, one, 0),
        "fresh_100": _compared(one, other, 100),
    }


def _compared(one: RangeIndex, other: RangeIndex, differences: int) -> dict[str, int]:
    query: bytes | None = negentropy.initiate(one)
    rounds = moved = found = 0
    while query is not None:
        answer = negentropy.respond(other, query)
        step = negentropy.proceed(one, answer)
        rounds, moved = rounds + 1, moved + len(query) + len(answer)
        found += len(step.need)
        query = step.message
    assert found == differences
    return {"bytes": moved, "round_trips": rounds}


async def query_by_key(folder: Path, rows: int) -> dict[str, Any]:
    """Ask for one of a million nodes by key. The rows are put in by hand, unsigned."""
    home, chance = folder / "many", Random(1)
    home.mkdir()
    async with opened(home) as store:
        assert store.counts[Table.NODE] == 0
    path = home / "nodepool" / DATABASE
    path.with_name(DATABASE + SUFFIX).unlink()  # what we do to it by hand is no damage
    database = sqlite3.connect(path)
    columns = [row[1] for row in database.execute("PRAGMA table_info(node)")]
    values = {"name": "x", "roles": 1, "addresses": "[]", "expires": 2**40}
    keys = [chance.randbytes(32) for _ in range(rows)]
    marks = ",".join("?" * len(columns))
    database.executemany(
        f"INSERT INTO node ({','.join(columns)}) VALUES ({marks})",
        ([key if name == "key" else values.get(name, 1) for name in columns] for key in keys),
    )
    database.commit()
    database.close()
    async with opened(home) as store:
        queries = Queries(store.database)
        times = []
        for key in chance.sample(keys, 200):
            start = time.perf_counter()
            assert await queries.node(NodeId(key)) is not None
            times.append(time.perf_counter() - start)
    times.sort()
    return {
        "rows": rows,
        "median_ms": round(1e3 * times[100], 2),
        "slowest_of_200_ms": round(1e3 * times[-1], 2),
    }


async def bench(plan: Plan, folder: Path) -> dict[str, Any]:
    """Take all figures."""
    figures: dict[str, Any] = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    _say("comparing sets …")
    figures["compare"] = compare(plan.held_rows)
    _say("idle grid …")
    figures["idle"] = await idle(folder, plan.idle_nodes, plan.idle_s)
    _say(f"accepting {plan.fresh_rows} rows …")
    full = await make_home(folder / "full")
    figures["accept"] = await fill(full, 0, plan.fresh_rows)
    _say("a fresh node takes them …")
    figures["fresh_node"] = await fresh_node(folder, full, plan.fresh_rows)
    shutil.rmtree(folder / "fresh")
    _say(f"a node with {plan.held_rows} rows …")
    await fill(full, plan.fresh_rows, plan.held_rows)
    figures["held"] = await held(full, plan.held_rows)
    _say(f"one of {plan.query_rows} rows by key …")
    figures["query_by_key"] = await query_by_key(folder, plan.query_rows)
    return figures


async def _nap(start: float, what: str) -> None:
    if time.monotonic() - start > GIVE_UP_S:
        raise TimeoutError(f"not within {GIVE_UP_S:.0f} s: {what}")
    await trio.sleep(0.25)


def _holder(home: Path) -> int:
    """Return the process that has a home's database open."""
    database = os.fspath(home / "nodepool" / DATABASE)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(fd) == database for fd in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            continue
    raise RuntimeError(f"nobody runs {home}")


def _cpu_s(pid: int) -> float:
    columns = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(columns[11]) + int(columns[12])) / TICKS_PER_S


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    chosen = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bitcloud-bench-") as name:
        figures = trio.run(bench, QUICK if chosen.quick else FULL, Path(name))
    figures["total_s"] = round(time.monotonic() - start, 1)
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
