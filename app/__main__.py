"""The desktop program: paints its window first, then starts the node in a thread of its own."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

SWITCH_INTERVAL_S = 0.0005
"""How soon Python's threads make way for each other. At the default of 5 ms a busy node can keep
the window from painting for seconds (measured; field guide, section 0)."""

if TYPE_CHECKING:
    from app.bridge import OpenClient, Passphrase
    from app.dialogs.welcome import CreateHome
    from bitcloud_net.api import Client


def parser() -> argparse.ArgumentParser:
    """Return the command line of the window."""
    result = argparse.ArgumentParser(prog="bitcloud-desktop", description="The Bitcloud window.")
    result.add_argument("--home", type=Path, help="folder of keys and database (or BITCLOUD_HOME)")
    result.add_argument(
        "--test-grid", type=int, metavar="N", help="open on a local grid of N nodes"
    )
    result.add_argument(
        "--selftest", action="store_true", help="open, check and close; exit 0 if well"
    )
    result.add_argument("link", nargs="?", default="", help="a bitcloud: link to show")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the window until it is closed; returns the exit code."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    arguments = [*sys.argv[1:]] if argv is None else [*argv]
    if arguments[:1] == [
        "--decode-picture"
    ]:  # the frozen program's own helper, see picture_decoder
        from app.picture_decoder import main as decode

        return decode(arguments[1:])
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    home = options.home or _home_from_environment()
    from app.program import Program

    program = Program(
        home=home,
        open_client=node_opener(home, options.test_grid),
        create_home=home_maker(home),
    )
    if options.selftest:
        return program.selftest()
    code = program.run(options.link)
    if program.stuck:
        # The interpreter would wait for the thread for ever. What was acknowledged is on the disk.
        logging.shutdown()
        os._exit(code)
    return code


def _home_from_environment() -> Path | None:
    value = os.environ.get("BITCLOUD_HOME")
    return Path(value) if value else None


def node_opener(home: Path | None, test_grid_nodes: int | None) -> OpenClient:
    """Return how the bridge opens the real node; its libraries are imported when that is called."""

    def open_client(passphrase: Passphrase) -> AbstractAsyncContextManager[Client]:
        from bitcloud_net import api
        from bitcloud_net.testgrid import open_on_test_grid

        if test_grid_nodes is None:
            return api.open_client(home=home, go_on=True, passphrase=passphrase)
        return open_on_test_grid(home, nodes=test_grid_nodes, passphrase=passphrase)

    return open_client


def home_maker(home: Path | None) -> CreateHome:
    """Return how an identity is made in ``home`` at the first start."""

    async def create_home(*, name: str, passphrase: str, words: str | None) -> str:
        from bitcloud_net import api

        return await api.create_home(home, name=name, passphrase=passphrase, words=words)

    return create_home


if __name__ == "__main__":
    sys.exit(main())
