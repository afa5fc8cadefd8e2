"""Node processes in two network namespaces with one cable between them, and a date that moves.

For measurements on Linux; nobody needs to be root: all of it happens in a user namespace, and is
gone with the process that asked for it. The nodes are forked from one warm process and are the
very nodes that ``bitcloud node run`` runs.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from bitcloud_net.clock import Clock
from bitcloud_net.core.units import GIB
from bitcloud_net.net.libp2p_host import preload
from bitcloud_net.node import Options, open_node
from bitcloud_net.protocols.control_client import ControlClient
from bitcloud_net.protocols.control_socket import control_path
from bitcloud_net.services.home import create_home
from bitcloud_net.storage.vault_lock import OpenLock
from bitcloud_net.testgrid.launcher import Launcher, last_words
from bitcloud_net.testgrid.node_process import NodePlan

INSIDE: Final = "--inside-namespace"
"""Marks the program that runs in its own namespaces already."""
HOSTS: Final = ("10.77.0.1", "10.77.0.2")
LENT_BYTES: Final = GIB
STOP_S: Final = 10.0
CLONE_NEWNET: Final = 0x40000000


def why_not() -> str:
    """Return why this machine cannot have two network namespaces, or nothing when it can."""
    if sys.platform != "linux":
        return "network namespaces are a thing of Linux"
    for name in ("unshare", "nsenter", "ip"):
        if shutil.which(name) is None:
            return f"there is no program {name} here"
    script = "ip link add name bca type veth peer name bcb && unshare -n true"
    tried = subprocess.run(["unshare", "-rn", "sh", "-c", script], capture_output=True, check=False)
    return tried.stderr.decode().strip() if tried.returncode else ""


def enter_namespaces(program: Path, arguments: Sequence[str]) -> None:
    """Become the same program with its own user and network namespace; does nothing inside."""
    if INSIDE not in arguments:
        command = ["unshare", "-rn", sys.executable, os.fspath(program), *arguments, INSIDE]
        os.execvp(command[0], command)


class MovingDate(Clock):
    """Wall time plus what the measurement adds, for all processes that were forked since."""

    def __init__(self) -> None:
        self._added = mmap.mmap(-1, 8)

    def move(self, seconds: int) -> None:
        """Move the date of all processes at once."""
        added = int.from_bytes(self._added[:], "big") + seconds
        self._added[:] = added.to_bytes(8, "big")

    def now_s(self) -> int:
        """See ``Clock``."""
        return int(time.time()) + int.from_bytes(self._added[:], "big")


class Cable:
    """A cable between our network namespace and one more, which lives as long as this object."""

    def __init__(self) -> None:
        self._far = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE)
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self._far.pid}/ns/net") == own:
            time.sleep(0.01)
        _ip("link", "add", "name", "bca", "type", "veth", "peer", "name", "bcb")
        _ip("link", "set", "bcb", "netns", str(self._far.pid))
        for name, host, enter in (("bca", HOSTS[0], ()), ("bcb", HOSTS[1], self._enter)):
            _ip("link", "set", "lo", "up", enter=enter)
            _ip("addr", "add", f"{host}/24", "dev", name, enter=enter)
            _ip("link", "set", name, "up", enter=enter)

    @property
    def _enter(self) -> tuple[str, ...]:
        return ("nsenter", "-t", str(self._far.pid), "-n")

    def namespace(self, half: int) -> Path | None:
        """Return the namespace of a half; None is our own."""
        return Path(f"/proc/{self._far.pid}/ns/net") if half else None

    def cut(self) -> None:
        """Pull the plug: from now on packets vanish, and nobody is told."""
        _ip("link", "set", "bcb", "down", enter=self._enter)

    def mend(self) -> None:
        """Plug it in again."""
        _ip("link", "set", "bcb", "up", enter=self._enter)

    @property
    def bytes_moved(self) -> int:
        """Bytes that went through it so far, both ways, with all heads."""
        return sum(_interface_bytes("bca"))

    def close(self) -> None:
        """End the other namespace, once nobody is in it any more."""
        self._far.communicate()


def _interface_bytes(name: str) -> tuple[int, int]:
    for line in Path("/proc/net/dev").read_text().splitlines():
        interface, _, numbers = line.partition(":")
        if interface.strip() == name:
            columns = numbers.split()
            return int(columns[0]), int(columns[8])
    raise RuntimeError(f"there is no interface {name}")


def _ip(*words: str, enter: Sequence[str] = ()) -> None:
    subprocess.run([*enter, "ip", *words], check=True)


@dataclass(frozen=True, kw_only=True)
class GridNode:
    """A node process and the way to call it."""

    index: int
    half: int
    home: Path
    pid: int
    address: str
    client: ControlClient


class Halves:
    """``count`` node processes, the first half of them at one end of a cable, the rest at the
    other."""

    def __init__(self, folder: Path, count: int, cable: Cable, date: Clock) -> None:
        preload()
        self._folder = folder
        self._count = count
        self._launcher = Launcher(self._run)
        self._cable = cable
        self._date = date
        self.nodes: list[GridNode] = []
        first = self._start(0, ())
        self.nodes.append(self._ready(*first))
        rest = [self._start(index, (self.nodes[0].address,)) for index in range(1, count)]
        self.nodes += [self._ready(*started) for started in rest]

    def half(self, number: int) -> list[GridNode]:
        """Return the nodes of one half."""
        return [node for node in self.nodes if node.half == number]

    def stop(self) -> None:
        """End all processes."""
        for node in self.nodes:
            os.kill(node.pid, signal.SIGTERM)
        deadline_s = time.monotonic() + STOP_S
        waiting = [node.pid for node in self.nodes]
        while waiting:
            waiting = [pid for pid in waiting if os.waitpid(pid, os.WNOHANG)[0] == 0]
            for pid in waiting if time.monotonic() > deadline_s else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def _start(self, index: int, bootstrap: tuple[str, ...]) -> tuple[int, int, int]:
        plan = NodePlan(
            index=index,
            home=self._folder / f"{index:02}",
            port=0,
            network="test-split",
            bootstrap=bootstrap,
            capacity_bytes=LENT_BYTES,
        )
        started = self._launcher.start(plan, not_for_it=())
        return index, started.pid, started.report_fd

    def _half(self, index: int) -> int:
        return int(index >= self._count // 2)

    def _run(self, plan: NodePlan, *, report_fd: int, life_fd: int) -> None:
        """What a forked process does."""
        half = self._half(plan.index)
        if (namespace := self._cable.namespace(half)) is not None:
            _enter(namespace)
        trio.run(_node, plan, HOSTS[half], self._date, report_fd, life_fd)

    def _ready(self, index: int, pid: int, report_fd: int) -> GridNode:
        home = self._folder / f"{index:02}"
        with os.fdopen(report_fd) as reports:
            line = reports.readline()
        if not line:
            raise RuntimeError(f"node {index} did not start: {last_words(home)}")
        return GridNode(
            index=index,
            half=self._half(index),
            home=home,
            pid=pid,
            address=json.loads(line)["address"],
            client=ControlClient(control_path(home)),
        )


async def _node(plan: NodePlan, host: str, date: Clock, report_fd: int, life_fd: int) -> None:
    name = f"Node {plan.index}"
    await create_home(plan.home, name=name, lock=OpenLock(), network=plan.network)
    options = Options(
        listen=(f"/ip4/{host}/tcp/{plan.port}",),
        bootstrap=plan.bootstrap,
        contribute=(plan.home / "store", plan.capacity_bytes),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_with, life_fd, nursery.cancel_scope)
        nursery.start_soon(_end_on_term, nursery.cancel_scope)
        async with open_node(plan.home, options, clock=date) as client:
            address = (await client.status()).addresses[0]
            os.write(report_fd, json.dumps({"address": address}).encode() + b"\n")
            await trio.sleep_forever()


async def _end_with(life_fd: int, scope: trio.CancelScope) -> None:
    async with trio.lowlevel.FdStream(life_fd) as life_line:
        await life_line.receive_some()
    scope.cancel()


async def _end_on_term(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


def _enter(namespace: Path) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    with namespace.open("rb") as opened:
        if library.setns(opened.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
