"""A person's own node on a local test grid: for the desktop, the demonstration and the bench."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bitcloud_net import api
from bitcloud_net.api import Client
from bitcloud_net.services.home import create_home, default_home, exists
from bitcloud_net.storage.vault_lock import OpenLock
from bitcloud_net.testgrid.controller import TestGridController, run_test_grid


@asynccontextmanager
async def open_on_test_grid(
    home: Path | None,
    *,
    nodes: int = 10,
    name: str = "",
    passphrase: Callable[[], str] | None = None,
) -> AsyncIterator[Client]:
    """Run a test grid of ``nodes`` in ``home``, and a node of ``home`` that belongs to it.

    ``home`` None is the usual place. An identity called ``name`` (default: the login name) is made
    the first time, locked by file rights alone. Everything ends with the block. Cancel: safe.

    Raises:
        LocalFault: the grid or the node could not be started.
    """
    async with (
        run_test_grid(home or default_home(), nodes) as grid,
        open_person(grid, name=name or getpass.getuser(), passphrase=passphrase) as client,
    ):
        yield client


@asynccontextmanager
async def open_person(
    grid: TestGridController, *, name: str, passphrase: Callable[[], str] | None = None
) -> AsyncIterator[Client]:
    """Open the node of a running test grid's home. See ``open_on_test_grid``."""
    record = grid.record
    if not exists(grid.home):
        await create_home(grid.home, name=name, lock=OpenLock(), network=record.network)
    async with api.open_client(
        home=grid.home,
        bootstrap=record.addresses,
        go_on=True,
        network=record.network,
        passphrase=passphrase,
    ) as client:
        yield client
