"""The process that owns the nodes of a test grid: starts them, kills them, starts them again.

It imports the node's libraries once and forks, so that ten nodes are up in seconds. Because of that
it has no threads and no event loop of its own: one selector waits for reports of nodes, for calls
on the control socket, for the end of a node and for the end of whoever started us.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from bitcloud_net.core.errors import BitcloudError, LocalFault
from bitcloud_net.protocols.control_socket import HeldSocket, control_path, hold_socket
from bitcloud_net.services.test_grid import folder_of
from bitcloud_net.testgrid.answering import Caller
from bitcloud_net.testgrid.fleet import Fleet
from bitcloud_net.testgrid.launcher import Launcher
from bitcloud_net.testgrid.slot import Slot
from bitcloud_net.views import to_json

START_S: Final = 90.0
"""All nodes must be ready by then: 50 processes on a slow, busy machine."""
LOOK_INTERVAL_S: Final = 0.5
"""Longest sleep: nodes that fell are started again after at least a second."""


class Supervisor:
    """Runs a test grid in this process. ``announce`` is called once, when all nodes are ready."""

    def __init__(
        self,
        home: Path,
        count: int,
        *,
        held: HeldSocket,
        launcher: Launcher,
        announce: Callable[[Fleet], None],
    ) -> None:
        self._selector = selectors.DefaultSelector()
        self._held = held
        self._announce: Callable[[Fleet], None] | None = announce
        self._ends = False
        self._callers: list[Caller] = []
        self._wake_read, self._wake_write = os.pipe()
        self.fleet = Fleet(
            home,
            count,
            launcher=launcher,
            watch=self._watch,
            unwatch=self._unwatch,
            not_for_nodes=self._own_descriptors,
        )

    def run(self, *, until_stdin_closes: bool) -> None:
        """Run until SIGINT or SIGTERM, or until our standard input is closed where that is asked.

        Raises:
            LocalFault: a node could not be started the first time.
        """
        self._selector.register(self._held.listening, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        if until_stdin_closes:
            self._selector.register(0, selectors.EVENT_READ, self._stdin)
        deadline_s = time.monotonic() + START_S
        with _woken_by_signals(self._wake_write, self.end):
            try:
                while not self._ends:
                    self._step()
                    if self._announce and time.monotonic() > deadline_s:
                        raise LocalFault("the test grid took too long to start", code="too-slow")
            finally:
                self.fleet.stop_all()

    def end(self) -> None:
        """Make ``run`` return soon."""
        self._ends = True

    def _step(self) -> None:
        self.fleet.start_due()
        for key, _ in self._selector.select(LOOK_INTERVAL_S):
            key.data()
        self.fleet.collect()
        if self._announce and self.fleet.settled:
            self._announce(self.fleet)
            self._announce = None
        for caller in [caller for caller in self._callers if caller.answer_if_due(self.fleet)]:
            self._callers.remove(caller)
            self._forget(caller.connection)

    def _watch(self, slot: Slot) -> None:
        take = partial(self.fleet.take_reports, slot)
        self._selector.register(slot.report_fd, selectors.EVENT_READ, take)

    def _unwatch(self, slot: Slot) -> None:
        self._selector.unregister(slot.report_fd)

    def _accept(self) -> None:
        connection, _ = self._held.listening.accept()
        caller = Caller(connection)
        self._callers.append(caller)
        self._selector.register(connection, selectors.EVENT_READ, caller.receive)

    def _forget(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()

    def _woken(self) -> None:
        os.read(self._wake_read, 4096)

    def _stdin(self) -> None:
        if not os.read(0, 4096):
            self.end()

    def _own_descriptors(self) -> list[int]:
        watched = [key.fd for key in self._selector.get_map().values() if key.fd > 2]
        more = [self._wake_write, self._held.lock_fd]
        with suppress(AttributeError):  # select() has no descriptor, epoll and kqueue have
            more.append(self._selector.fileno())
        return [*watched, *more]


def run_supervisor(
    home: Path, count: int, *, launcher: Launcher | None = None, until_stdin_closes: bool = False
) -> None:
    """Run a test grid until told to stop; print one JSON line when all its nodes are ready.

    ``launcher`` starts the node processes; the default one starts real nodes.

    Raises:
        LocalFault: one runs already for this home, or a node could not be started.
    """
    with hold_socket(control_path(folder_of(home))) as held:
        supervisor = Supervisor(
            home, count, held=held, launcher=launcher or _warm(), announce=_print_ready
        )
        supervisor.run(until_stdin_closes=until_stdin_closes)


def _warm() -> Launcher:
    """Import all that a node needs, once; what is forked from here shares it."""
    import bitcloud_net.node  # noqa: F401
    from bitcloud_net.net.libp2p_host import preload

    preload()
    gc.collect()
    gc.freeze()  # so that the nodes' collectors do not touch, and thereby copy, what they share
    return Launcher()


def _print_ready(fleet: Fleet) -> None:
    ready = {
        "network": fleet.network,
        "addresses": list(fleet.addresses),
        "nodes": to_json(fleet.view().nodes),
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


@contextmanager
def _woken_by_signals(wake_fd: int, end: Callable[[], None]) -> Iterator[None]:
    def on_signal(number: int, frame: FrameType | None) -> None:
        end()

    def on_child(number: int, frame: FrameType | None) -> None:
        """Nothing to do: the byte on the wake-up pipe ends the selector's sleep."""

    os.set_blocking(wake_fd, False)
    old_fd = signal.set_wakeup_fd(wake_fd)
    old = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGINT, on_signal),
            (signal.SIGTERM, on_signal),
            (signal.SIGCHLD, on_child),
        )
    }
    try:
        yield
    finally:
        signal.set_wakeup_fd(old_fd)
        for number, handler in old.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a process of its own: ``python -m bitcloud_net.testgrid --home DIR --nodes N``."""
    parser = argparse.ArgumentParser(prog="python -m bitcloud_net.testgrid")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--until-stdin-closes", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        run_supervisor(chosen.home, chosen.nodes, until_stdin_closes=chosen.until_stdin_closes)
    except BitcloudError as error:
        sys.stdout.write(
            json.dumps({"error": {"code": error.code, "message": error.message}}) + "\n"
        )
        return 1
    return 0
