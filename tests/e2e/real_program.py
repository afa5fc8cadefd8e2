"""The real program: real processes, real libp2p on loopback, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "bitcloud_net.cli")
DEADLINE_S = 60
NODES = 10


@dataclass(frozen=True, kw_only=True)
class Program:
    """The command line on one home."""

    home: Path

    def start(self, *arguments: object, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start a command whose end is not waited for."""
        words = [str(argument) for argument in arguments]
        return subprocess.Popen(
            [*COMMAND, *words, "--home", str(self.home), "--json"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def run(self, *arguments: object, status: int = 0) -> Any:
        """Run a command to its end and return the JSON document that it answered."""
        words = [str(argument) for argument in arguments]
        done = subprocess.run(
            [*COMMAND, *words, "--home", str(self.home), "--json"],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)


def first_line(process: subprocess.Popen[str]) -> Any:
    """Return the JSON document on the first line that a running command prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the command ended without a word"
    return json.loads(line)


def stop(process: subprocess.Popen[str]) -> int:
    """End a command as Ctrl-C would, and return its exit status."""
    process.send_signal(signal.SIGINT)
    try:
        status = process.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
    return status


def stored_bytes(home: Path) -> int:
    """Return how much the nodes of the test grid hold on disk."""
    total = 0
    for folder, _, names in os.walk(home / "testgrid"):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue
    return total


@contextmanager
def running_grid(home: Path) -> Iterator[Program]:
    """Run the command line on a home with a test grid of ten nodes and an identity."""
    program = Program(home=home)
    program.run("init", "--name", "Mary", "--no-passphrase", "--network", "test-e2e")
    grid = program.start("testgrid", "--nodes", NODES)
    try:
        ready = first_line(grid)
        assert len(ready["addresses"]) == NODES
        assert ready["network"] == "test-e2e"
        yield program
    finally:
        status = stop(grid)
    assert status == 0
    assert not _left_over(program.home), "node processes outlived their grid"


def _left_over(home: Path) -> Sequence[str]:
    commands = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(home) in words:
            commands.append(words)
    return commands
