"""One node process of a test grid: the same node as ``bitcloud node run``, watched by its
supervisor.

It reports over a pipe, one JSON object to a line: first its node id and address, when it is ready,
then the bytes it holds whenever they change. It ends when its life line, a pipe that the supervisor
holds open, is closed: so no node outlives its supervisor, whatever happened to that.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from bitcloud_net import api
from bitcloud_net.services.home import create_home, exists
from bitcloud_net.storage.vault_lock import OpenLock

REPORT_INTERVAL_S = 2.0
"""How often the bytes held are looked at; the slider's window shows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """What one node process is to do."""

    index: int
    home: Path
    port: int
    network: str
    bootstrap: tuple[str, ...]
    capacity_bytes: int


def run(plan: NodePlan, *, report_fd: int, life_fd: int) -> None:
    """Run the node until its life line closes. Both descriptors are ours from now on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor; it tells us
    trio.run(_main, plan, report_fd, life_fd)


async def _main(plan: NodePlan, report_fd: int, life_fd: int) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_with_supervisor, life_fd, nursery.cancel_scope)
        nursery.start_soon(_end_on_term, nursery.cancel_scope)
        async with open_node(plan) as client:
            await _report(client, report_fd)


@asynccontextmanager
async def open_node(plan: NodePlan) -> AsyncIterator[api.Client]:
    """Open the node of ``plan``, making its home the first time."""
    if not exists(plan.home):
        name = f"Test node {plan.index + 1}"
        await create_home(plan.home, name=name, lock=OpenLock(), network=plan.network)
    async with api.open_client(
        home=plan.home,
        listen=(f"/ip4/127.0.0.1/tcp/{plan.port}",),
        bootstrap=plan.bootstrap,
        contribute=(plan.home / "store", plan.capacity_bytes),
        network=plan.network,
    ) as client:
        yield client


async def _report(client: api.Client, report_fd: int) -> None:
    status = await client.status()
    _send(report_fd, {"node": status.node, "address": status.addresses[0]})
    used = -1
    while True:
        contribution = (await client.status()).contribution
        if contribution.used_bytes != used:
            used = contribution.used_bytes
            _send(report_fd, {"used_bytes": used})
        await trio.sleep(REPORT_INTERVAL_S)


def _send(report_fd: int, report: dict[str, object]) -> None:
    os.write(report_fd, json.dumps(report).encode() + b"\n")


async def _end_with_supervisor(life_fd: int, scope: trio.CancelScope) -> None:
    async with trio.lowlevel.FdStream(life_fd) as life_line:
        await life_line.receive_some()
    scope.cancel()


async def _end_on_term(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


if __name__ == "__main__":  # started as a new Python where forking is not safe
    given = json.loads(sys.argv[1])
    given["home"] = Path(given["home"])
    given["bootstrap"] = tuple(given["bootstrap"])
    run(NodePlan(**given), report_fd=int(sys.argv[2]), life_fd=int(sys.argv[3]))
