"""The nodes of a test grid as a whole: which run, which should, and their record on disk."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.core.units import GIB
from bitcloud_net.services.home import exists
from bitcloud_net.services.test_grid import (
    NodeRecord,
    TestGridRecord,
    check_count,
    folder_of,
    read_record,
    write_record,
)
from bitcloud_net.settings import TEST_NETWORKS, load_settings
from bitcloud_net.testgrid.launcher import LOG_NAME, Launcher, last_words
from bitcloud_net.testgrid.node_process import NodePlan
from bitcloud_net.testgrid.slot import Slot
from bitcloud_net.views import TestGrid

MAX_CAPACITY_BYTES: Final = 20 * GIB
"""What one node lends at most; all together lend half of the disk's free space at most."""
STOP_S: Final = 5.0
"""How long nodes may take to stop before they are killed: their last group of writes."""


class Fleet:
    """Starts and stops the node processes. Not thread-safe; nothing here waits for long.

    ``watch`` is told each slot whose reports can be read, ``unwatch`` when that ends;
    ``not_for_nodes`` names the descriptors that a forked node must not keep.
    """

    def __init__(
        self,
        home: Path,
        count: int,
        *,
        launcher: Launcher,
        watch: Callable[[Slot], None],
        unwatch: Callable[[Slot], None],
        not_for_nodes: Callable[[], Iterable[int]],
    ) -> None:
        self._home = home
        self._watch = watch
        self._unwatch = unwatch
        self._not_for_nodes = not_for_nodes
        self._launcher = launcher
        kept = read_record(home) or _first_record(home)
        record = _grown(kept, check_count(count))
        self.network = record.network
        self.slots = [
            Slot(record=node, home=folder_of(home) / f"{node.index:02}") for node in record.nodes
        ]
        self._capacity_bytes = _capacity(home, count)
        if self.network != kept.network:
            self._save()

    @property
    def settled(self) -> bool:
        """Whether every node is what it should be."""
        return all(slot.settled for slot in self.slots)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the nodes that ran at least once."""
        return tuple(slot.record.address for slot in self.slots if slot.record.address)

    def view(self) -> TestGrid:
        """Return the grid as programs see it."""
        return TestGrid(nodes=tuple(slot.view() for slot in self.slots))

    def set_running(self, count: int) -> None:
        """Wish for ``count`` running nodes: the last are switched off first, and on last.

        Raises:
            BadInput: there are not so many.
        """
        if not 0 <= count <= len(self.slots):
            raise BadInput(f"the test grid has {len(self.slots)} nodes", code="bad-count")
        for slot in self.slots:
            slot.wanted = slot.record.index < count
            if slot.wanted:
                slot.not_before_s = 0.0
            else:
                slot.kill()

    def start_due(self) -> None:
        """Start what should run and does not. The very first node leads, so that others can find
        it."""
        now_s = time.monotonic()
        for slot in self.slots:
            due = slot.wanted and not slot.runs and slot.not_before_s <= now_s
            if due and (self.addresses or slot is self.slots[0]):
                self._start(slot)

    def take_reports(self, slot: Slot) -> None:
        """Read what a node reported and keep its address."""
        before = slot.record
        if not slot.read_reports():
            self._close_pipe(slot)
        if slot.record != before:
            self._save()

    def collect(self) -> None:
        """Take note of processes that ended.

        Raises:
            LocalFault: a node ended before it was ready for the first time.
        """
        for slot in self.slots:
            if not slot.pid or os.waitpid(slot.pid, os.WNOHANG)[0] == 0:
                continue
            self._close_pipe(slot)
            slot.ended(time.monotonic())
            if slot.wanted and not slot.ever_ready:
                raise LocalFault(
                    f"node {slot.record.index} of the test grid did not start: "
                    f"{last_words(slot.home)} (see {slot.home / LOG_NAME})",
                    code="node-did-not-start",
                )

    def stop_all(self) -> None:
        """Stop every process and wait for its end: gently first, then not."""
        for slot in self.slots:
            if slot.pid:
                os.kill(slot.pid, signal.SIGTERM)
        deadline_s = time.monotonic() + STOP_S
        while any(not _is_over(slot) for slot in self.slots):
            if time.monotonic() > deadline_s:
                for slot in self.slots:
                    slot.kill()
            time.sleep(0.02)

    def _start(self, slot: Slot) -> None:
        if not _is_free(slot.record.port):
            slot.record = replace(slot.record, port=_free_port())
        own = slot.record.address
        plan = NodePlan(
            index=slot.record.index,
            home=slot.home,
            port=slot.record.port,
            network=self.network,
            bootstrap=tuple(address for address in self.addresses if address != own),
            capacity_bytes=self._capacity_bytes,
        )
        slot.started(self._launcher.start(plan, not_for_it=self._not_for_nodes()))
        self._watch(slot)

    def _close_pipe(self, slot: Slot) -> None:
        if slot.report_fd >= 0:
            self._unwatch(slot)
            os.close(slot.report_fd)
            slot.report_fd = -1

    def _save(self) -> None:
        nodes = tuple(slot.record for slot in self.slots)
        write_record(self._home, TestGridRecord(network=self.network, nodes=nodes))


def _first_record(home: Path) -> TestGridRecord:
    """A home that lives on a test network keeps it. One of another network lives on its test grid
    for as long as there is one: where all have to mine, test nodes would have to as well."""
    network = load_settings(home).network if exists(home) else ""
    return TestGridRecord(network=_test_network(network), nodes=())


def _test_network(network: str) -> str:
    is_one = network.startswith(TEST_NETWORKS)
    return network if is_one else f"{TEST_NETWORKS}{secrets.token_hex(4)}"


def _grown(record: TestGridRecord, count: int) -> TestGridRecord:
    """Keep the nodes that there were, so that their files stay readable; add what is missing."""
    kept = record.nodes[:count]
    more = (NodeRecord(index=i, port=_free_port()) for i in range(len(kept), count))
    network = _test_network(record.network)  # old records may name the home's own
    return replace(record, network=network, nodes=(*kept, *more))


def _capacity(home: Path, count: int) -> int:
    return min(MAX_CAPACITY_BYTES, shutil.disk_usage(home).free // 2 // count)


def _is_over(slot: Slot) -> bool:
    if slot.pid and os.waitpid(slot.pid, os.WNOHANG)[0]:
        slot.pid = 0
    return slot.pid == 0


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port
