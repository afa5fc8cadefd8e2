"""Starting one node process: by fork where that is safe, else as a new Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from bitcloud_net.testgrid import node_process
from bitcloud_net.testgrid.node_process import NodePlan

LOG_NAME = "log.txt"


class RunNode(Protocol):
    """What a forked node process does until its life line closes."""

    def __call__(self, plan: NodePlan, *, report_fd: int, life_fd: int) -> None:
        """Run the node of ``plan``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A node process and the pipe on which it reports; both belong to the caller."""

    pid: int
    report_fd: int


class Launcher:
    """Starts node processes that share one life line: a pipe that closes when we end, however we
    end."""

    def __init__(self, run: RunNode = node_process.run) -> None:
        self._run = run
        self._life_read, self._life_write = os.pipe()

    def start(self, plan: NodePlan, *, not_for_it: Iterable[int]) -> Started:
        """Start a node; it does not get the descriptors ``not_for_it``."""
        plan.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        report_read, report_write = os.pipe()
        log_fd = os.open(plan.home / LOG_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            pid = self._spawn(plan, report_write, log_fd) if _spawns() else os.fork()
            if pid == 0:
                closed = [*not_for_it, report_read, self._life_write]
                self._become_node(plan, report_write, log_fd, closed)
        finally:
            os.close(report_write)
            os.close(log_fd)
        return Started(pid=pid, report_fd=report_read)

    def _become_node(
        self, plan: NodePlan, report_fd: int, log_fd: int, closed: Iterable[int]
    ) -> NoReturn:
        code = 1
        try:
            os.setpgid(0, 0)  # Ctrl-C in the terminal is for the supervisor
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for fd in closed:
                os.close(fd)
            with open(os.devnull, "rb") as nothing:
                os.dup2(nothing.fileno(), 0)
            os.dup2(log_fd, 1)
            os.dup2(log_fd, 2)
            self._run(plan, report_fd=report_fd, life_fd=self._life_read)
            code = 0
        except BaseException:  # noqa: BLE001 - the last frame of a process
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _spawn(self, plan: NodePlan, report_fd: int, log_fd: int) -> int:
        command = [sys.executable, "-m", "bitcloud_net.testgrid.node_process"]
        plain = {
            "index": plan.index,
            "home": str(plan.home),
            "port": plan.port,
            "network": plan.network,
            "bootstrap": plan.bootstrap,
            "capacity_bytes": plan.capacity_bytes,
        }
        process = subprocess.Popen(
            [*command, json.dumps(plain), str(report_fd), str(self._life_read)],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=(report_fd, self._life_read),
            start_new_session=True,
        )
        process.returncode = 0  # the supervisor collects its children itself
        return process.pid


def last_words(home: Path) -> str:
    """Return the last line that a node wrote into its log, for an error message."""
    try:
        lines = (home / LOG_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    told = (line.strip("|+- \t") for line in reversed(lines))  # exception groups draw frames
    return next((line for line in told if line), "")


def _spawns() -> bool:
    """Forking is not safe where system libraries keep threads (macOS)."""
    return sys.platform == "darwin" or not hasattr(os, "fork")
