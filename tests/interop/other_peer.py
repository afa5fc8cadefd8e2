"""Runs another libp2p in a process of its own: js-libp2p under Node, or py-libp2p as it comes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import PIPE

import pytest
import trio

HERE = Path(__file__).parent
INSTALL_LIMIT_S = 300


def missing(what: str) -> None:
    """Skip on a person's machine; on the build machine nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"interoperability with js-libp2p was not tested: {what}")
    pytest.skip(f"interoperability with js-libp2p is not tested here: {what}")


def install() -> None:
    """Install the locked packages (into ``node_modules``, untracked), unless that was done."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("Node.js (20 or newer, with npm) is not installed")
    done = HERE / "node_modules" / ".package-lock.json"
    lock = HERE / "package-lock.json"
    if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    command = ["npm", "ci", "--omit=optional", "--no-audit", "--no-fund", "--ignore-scripts"]
    result = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
    )
    if result.returncode != 0:
        missing(f"npm could not install its packages: {result.stderr.strip()[-300:]}")
    done.touch()


class OtherPeer:
    """A running peer of another implementation."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._received = bytearray()
        self.address = ""

    async def run(self, command: str, **wishes: object) -> dict[str, object]:
        """Have a command obeyed and return its answer."""
        assert self._process.stdin is not None
        line = json.dumps({"command": command, **wishes}) + "\n"
        await self._process.stdin.send_all(line.encode())
        answer = json.loads(await self.line())
        assert "error" not in answer, f"{command}: {answer['error']}"
        return answer

    async def line(self) -> str:
        assert self._process.stdout is not None
        while b"\n" not in self._received:
            data = await self._process.stdout.receive_some()
            assert data, "the other peer has ended"
            self._received += data
        line, _, rest = self._received.partition(b"\n")
        self._received = bytearray(rest)
        return line.decode()


@asynccontextmanager
async def open_other_peer(kind: str) -> AsyncIterator[OtherPeer]:
    """Run a peer, ``js`` or ``py``, for as long as the block lasts."""
    programs = {"js": ["node", "peer.mjs"], "py": [sys.executable, "stock_peer.py"]}
    run = partial(trio.run_process, programs[kind], cwd=HERE, stdin=PIPE, stdout=PIPE, check=False)
    async with trio.open_nursery() as nursery:
        peer = OtherPeer(await nursery.start(run))
        peer.address = await peer.line()
        yield peer
        nursery.cancel_scope.cancel()
