"""One place for a node in a test grid: what it should do, and what its process does."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bitcloud_net.services.test_grid import NodeRecord
from bitcloud_net.testgrid.launcher import Started
from bitcloud_net.views import TestGridNode

FIRST_BACKOFF_S: Final = 1.0
LAST_BACKOFF_S: Final = 30.0
"""A node that keeps falling is started again after 1, 2, 4 … 30 seconds."""
MAX_REPORT_BYTES: Final = 4096


@dataclass(slots=True, kw_only=True)
class Slot:
    """The supervisor's state of one node. ``wanted`` is the wish, ``pid`` and ``ready`` are the
    truth."""

    record: NodeRecord
    home: Path
    wanted: bool = True
    pid: int = 0
    report_fd: int = -1
    ready: bool = False
    ever_ready: bool = False
    used_bytes: int = 0
    failures: int = 0
    not_before_s: float = 0.0  # on the monotonic clock
    unread: bytes = b""
    killed: bool = False

    @property
    def runs(self) -> bool:
        """Whether there is a process, ready or not."""
        return self.pid != 0

    @property
    def settled(self) -> bool:
        """Whether the truth is what is wished."""
        return self.ready if self.wanted else not self.runs

    def started(self, started: Started) -> None:
        """Note a new process."""
        self.pid, self.report_fd = started.pid, started.report_fd
        self.ready, self.killed, self.unread = False, False, b""

    def kill(self) -> None:
        """Switch the node off as a power cut would."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.killed, self.ready = True, False

    def ended(self, now_s: float) -> None:
        """Note the end of the process; an end by itself delays the next start."""
        self.pid, self.ready = 0, False
        if not self.killed:
            self.failures += 1
            delay = min(LAST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** (self.failures - 1))
            self.not_before_s = now_s + delay

    def read_reports(self) -> bool:
        """Take in what the process reported; return False at the end of its pipe."""
        data = os.read(self.report_fd, MAX_REPORT_BYTES)
        if not data:
            return False
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return True

    def view(self) -> TestGridNode:
        """Return the node as programs see it."""
        return TestGridNode(
            index=self.record.index,
            node=self.record.node,
            address=self.record.address,
            running=self.ready and self.wanted,
            used_bytes=self.used_bytes,
        )

    def _take(self, report: dict[str, object]) -> None:
        if "node" in report:
            self.record = replace(
                self.record, node=str(report["node"]), address=str(report["address"])
            )
            self.ready = self.ever_ready = True
            self.failures = 0
        used = report.get("used_bytes")
        if isinstance(used, int):
            self.used_bytes = used
