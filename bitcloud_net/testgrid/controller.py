"""A test grid from a program that runs trio: start its supervisor, or join the one that runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from bitcloud_net.core.errors import BitcloudError, LocalFault
from bitcloud_net.services import test_grid
from bitcloud_net.services.test_grid import TestGridRecord, check_count, read_record
from bitcloud_net.views import TestGrid

READY_BYTES = 64 * 1024
"""Longest line that a supervisor prints when it is ready."""
STOP_S = 10.0
"""How long a supervisor may take to stop its nodes."""


class TestGridController:
    """A running test grid: what it looks like, and how many of its nodes run."""

    __test__ = False

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def record(self) -> TestGridRecord:
        """The grid's addresses and network, as its record on disk has them."""
        record = read_record(self.home)
        if record is None:
            raise LocalFault("the test grid lost its record", code="testgrid-damaged")
        return record

    async def view(self) -> TestGrid:
        """Return the nodes as they are now.

        Raises:
            Unavailable: the supervisor is gone.
        """
        grid = await test_grid.view(self.home)
        return grid if grid is not None else await test_grid.set_running(self.home, 0)

    async def set_running(self, count: int) -> TestGrid:
        """Kill or start node processes until ``count`` run, and wait until it is so. Cancel:
        safe."""
        return await test_grid.set_running(self.home, count)


@asynccontextmanager
async def run_test_grid(home: Path, nodes: int = 10) -> AsyncIterator[TestGridController]:
    """Run a test grid for as long as the block runs.

    Where one runs for ``home`` already it is joined, and goes on afterwards. The nodes end with
    this process, even when it is killed. Cancel: safe.

    Raises:
        BadInput: not a sensible number of nodes.
        LocalFault: the grid could not be started.
    """
    check_count(nodes)
    if await test_grid.view(home) is not None:
        yield TestGridController(home)
        return
    process = await _start(home, nodes)
    try:
        await _await_ready(process)
        yield TestGridController(home)
    finally:
        with trio.CancelScope(shield=True):
            await _stop(process)


async def _start(home: Path, nodes: int) -> trio.Process:
    options = ["--home", os.fspath(home), "--nodes", str(nodes), "--until-stdin-closes"]
    return await trio.lowlevel.open_process(
        [sys.executable, "-m", "bitcloud_net.testgrid", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us; the supervisor ends when we close its input
    )


async def _await_ready(process: trio.Process) -> None:
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n") and len(line) < READY_BYTES:
        data = await process.stdout.receive_some()
        if not data:
            raise LocalFault("the test grid did not start", code="testgrid-did-not-start")
        line += data
    ready: dict[str, Any] = json.loads(line)
    if "error" in ready:
        raise _error(ready["error"])


def _error(plain: dict[str, str]) -> BitcloudError:
    return LocalFault(plain["message"], code=plain["code"])


async def _stop(process: trio.Process) -> None:
    assert process.stdin is not None
    await process.stdin.aclose()
    with trio.move_on_after(STOP_S) as scope:
        await process.wait()
    if scope.cancelled_caught:
        process.kill()
        await process.wait()
