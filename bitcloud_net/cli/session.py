"""The node that a verb talks to: the one that runs for this home, or one opened for the verb."""

from __future__ import annotations

import getpass
import os
import signal
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from bitcloud_net import api
from bitcloud_net.api import BadInput, Client, LocalFault
from bitcloud_net.protocols.control_client import ControlClient, is_running
from bitcloud_net.protocols.control_socket import control_path
from bitcloud_net.services.home import default_home
from bitcloud_net.services.test_grid import read_record

PATIENCE_S: Final = 15.0
"""How long another command of the same home may take to open or close its node."""
LOOK_S: Final = 0.1
TAKEN: Final = ("home-in-use", "already-running")


def home_of(arguments: Namespace) -> Path:
    """Return the home that was chosen: ``--home``, ``BITCLOUD_HOME``, or the usual place."""
    chosen = getattr(arguments, "home", None)
    return Path(os.path.abspath(chosen)) if chosen else default_home()


@asynccontextmanager
async def client_of(arguments: Namespace) -> AsyncIterator[Client]:
    """Open the running node of this home, or one that lives as long as the block.

    Raises:
        BadInput: there is no identity in this home, or its passphrase is wrong.
    """
    async with AsyncExitStack() as stack:
        yield await _running_or_opened(arguments, stack)


async def _running_or_opened(arguments: Namespace, stack: AsyncExitStack) -> Client:
    """Another command of this home may be opening or closing its node right now: wait for it."""
    deadline = trio.current_time() + PATIENCE_S
    while (running := await running_node(home_of(arguments))) is None:
        try:
            return await stack.enter_async_context(open_node(arguments))
        except LocalFault as error:
            if error.code not in TAKEN or trio.current_time() > deadline:
                raise
        await trio.sleep(LOOK_S)
    return running


async def running_node(home: Path) -> Client | None:
    """Return the node that runs for ``home``, or None."""
    path = control_path(home)
    return ControlClient(path) if await is_running(path) else None


@asynccontextmanager
async def open_node(
    arguments: Namespace,
    *,
    listen: tuple[str, ...] = (),
    bootstrap: tuple[str, ...] = (),
    contribute: tuple[Path, int] | None = None,
    gateway_port: int | None = None,
    stays: bool = False,
) -> AsyncIterator[Client]:
    """Open a node in this process. A local test grid of the same home is joined by itself.

    One that ``stays`` goes on with the transfers that an earlier run left unfinished.
    """
    home = home_of(arguments)
    grid = read_record(home)
    async with api.open_client(
        home=home,
        listen=listen,
        bootstrap=(*bootstrap, *(grid.addresses if grid else ())),
        contribute=contribute,
        gateway_port=gateway_port,
        go_on=stays,
        network=grid.network if grid else None,
        passphrase=passphrase_of(arguments),
    ) as client:
        yield client


def passphrase_of(arguments: Namespace) -> Callable[[], str]:
    """Return how to get the passphrase when the home turns out to be locked with one."""

    def ask() -> str:
        given = given_passphrase(arguments)
        if given is not None:
            return given
        if sys.stdin.isatty():
            return getpass.getpass("Passphrase: ")
        raise BadInput(
            "this home is locked with a passphrase; give it with --passphrase-file or "
            "BITCLOUD_PASSPHRASE",
            code="passphrase-needed",
        )

    return ask


def given_passphrase(arguments: Namespace) -> str | None:
    """Return the passphrase from ``--passphrase-file`` or the environment, if there is one."""
    file: Path | None = getattr(arguments, "passphrase_file", None)
    if file is None:
        return os.environ.get("BITCLOUD_PASSPHRASE")
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {file}: {error}", code="unreadable") from error


async def until_stopped() -> None:
    """Return when the process is asked to stop: Ctrl-C or SIGTERM. Both are a normal end."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            return
