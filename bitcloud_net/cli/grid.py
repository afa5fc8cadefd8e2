"""``testgrid``: run storage nodes on this computer, and switch them off and on."""

from __future__ import annotations

import getpass
import secrets
from argparse import Namespace
from pathlib import Path

import trio

from bitcloud_net.api import BadInput, TestGrid, Unavailable
from bitcloud_net.cli import text
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.session import home_of
from bitcloud_net.services import test_grid
from bitcloud_net.services.home import create_home, exists
from bitcloud_net.settings import TEST_NETWORKS
from bitcloud_net.storage.vault_lock import OpenLock
from bitcloud_net.testgrid.supervisor import run_supervisor


def testgrid(arguments: Namespace, out: Output) -> None:
    """Run a test grid, or act on the one that runs."""
    if arguments.action == "run":
        home = home_of(arguments)
        if not exists(home):
            trio.run(_make_person, home)
        run_supervisor(home, arguments.nodes)
    else:
        grid = trio.run(_act, arguments)
        out.answer({"running": grid.running, "nodes": grid.nodes}, _lines(grid))


async def _make_person(home: Path) -> None:
    """Make the person of the home, so that every other verb works with it at once.

    Locked by file rights alone: nothing on a test grid is worth a passphrase.
    """
    network = f"{TEST_NETWORKS}{secrets.token_hex(4)}"
    await create_home(home, name=getpass.getuser(), lock=OpenLock(), network=network)


async def _act(arguments: Namespace) -> TestGrid:
    home = home_of(arguments)
    grid = await test_grid.view(home)
    if grid is None:
        raise Unavailable(
            "no test grid runs for this home; start one with: bitcloud testgrid --nodes 10",
            code="no-test-grid",
        )
    wanted = _wanted(arguments.action, grid, arguments.count)
    if wanted is None:
        return grid
    return await test_grid.set_running(home, wanted)


def _wanted(action: str, grid: TestGrid, count: int | None) -> int | None:
    """How many nodes should run, or None when only the state is asked for."""
    whole = len(grid.nodes)
    if action == "status":
        return None
    if action == "start-nodes":
        return whole if count is None else _within(grid.running + count, whole)
    if count is None:
        raise BadInput(
            "say how many nodes to stop: bitcloud testgrid stop-nodes 7", code="no-count"
        )
    return _within(grid.running - count, whole)


def _within(wanted: int, whole: int) -> int:
    if not 0 <= wanted <= whole:
        raise BadInput(f"the test grid has {whole} nodes", code="bad-count")
    return wanted


def _lines(grid: TestGrid) -> list[str]:
    rows = [
        (str(n.index), "on" if n.running else "off", text.size(n.used_bytes), n.address)
        for n in grid.nodes
    ]
    return [*text.table(rows, right=[0, 2]), f"{grid.running} of {len(grid.nodes)} nodes run"]
