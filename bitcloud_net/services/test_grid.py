"""The local test grid of a home, as other programs find it: its record and its control socket."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from bitcloud_net.core.errors import BadInput, LocalFault, Unavailable
from bitcloud_net.protocols.control_client import ControlClient, is_running
from bitcloud_net.protocols.control_socket import control_path
from bitcloud_net.views import TestGrid

FOLDER: Final = "testgrid"
RECORD: Final = "testgrid.json"
RECORD_VERSION: Final = 1
MAX_NODES: Final = 50
"""Processes of one test grid: what a laptop with 8 GB carries (R-PERF-06)."""
LOOK_S: Final = 2.0
"""How often a program that shows the test grid looks at it."""
MAX_RECORD_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRecord:
    """One node of a test grid: its port is chosen at the first start and then kept."""

    index: int
    port: int
    node: str = ""  # empty until it ran for the first time
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestGridRecord:
    """What ``testgrid.json`` holds."""

    __test__ = False

    network: str
    nodes: tuple[NodeRecord, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the nodes that ran at least once: where a client dials."""
        return tuple(node.address for node in self.nodes if node.address)


def folder_of(home: Path) -> Path:
    """Return where the test grid of ``home`` lives."""
    return home / FOLDER


def read_record(home: Path) -> TestGridRecord | None:
    """Return the record of the test grid that belongs to ``home``, or None.

    Raises:
        LocalFault: there is one, but it is damaged or of a newer version.
    """
    path = folder_of(home) / RECORD
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECORD_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LocalFault(f"cannot read {path}: {error.strerror}", code="unreadable") from error
    try:
        return _parse(json.loads(data), path)
    except (ValueError, KeyError, TypeError) as error:
        raise LocalFault(
            f"{path} is damaged; remove the folder {path.parent} to start afresh",
            code="testgrid-damaged",
        ) from error


def write_record(home: Path, record: TestGridRecord) -> None:
    """Write the record as a whole, or not at all."""
    path = folder_of(home) / RECORD
    nodes = [
        {"index": n.index, "port": n.port, "node": n.node, "address": n.address}
        for n in record.nodes
    ]
    plain = {"version": RECORD_VERSION, "network": record.network, "nodes": nodes}
    text = json.dumps(plain, indent=1) + "\n"
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


async def view(home: Path) -> TestGrid | None:
    """Return the test grid of ``home`` as it runs now, or None where none runs. Cancel: safe."""
    path = control_path(folder_of(home))
    if not await is_running(path):
        return None
    return await ControlClient(path).test_grid()


async def watch(home: Path, on_change: Callable[[TestGrid], None]) -> None:
    """Call ``on_change`` whenever the test grid of ``home`` is another than before, until
    cancelled. A home that never had a test grid costs one look at a file every other second.
    """
    before: TestGrid | None = None
    while True:
        now = await view(home) if (folder_of(home) / RECORD).exists() else None
        if now is not None and now != before:
            on_change(now)
        before = now
        await trio.sleep(LOOK_S)


async def set_running(home: Path, count: int) -> TestGrid:
    """Switch nodes off (as by a power cut) or on until ``count`` of them run. Cancel: safe.

    Raises:
        BadInput: the grid has fewer nodes.
        Unavailable: no test grid runs for ``home`` (``no-test-grid``).
    """
    path = control_path(folder_of(home))
    if not await is_running(path):
        raise Unavailable(
            "no test grid runs here; start one with: bitcloud testgrid", code="no-test-grid"
        )
    return await ControlClient(path).set_running_nodes(count)


def check_count(count: int) -> int:
    """Return ``count`` as the number of nodes of a grid.

    Raises:
        BadInput: fewer than one, or more than a machine carries.
    """
    if not 1 <= count <= MAX_NODES:
        raise BadInput(f"a test grid has 1 to {MAX_NODES} nodes, not {count}", code="bad-count")
    return count


def _parse(plain: Any, path: Path) -> TestGridRecord:
    if plain["version"] > RECORD_VERSION:
        raise LocalFault(f"{path} was made by a newer Bitcloud; update first", code="too-new")
    nodes = tuple(
        NodeRecord(
            index=int(node["index"]),
            port=int(node["port"]),
            node=str(node["node"]),
            address=str(node["address"]),
        )
        for node in plain["nodes"]
    )
    return TestGridRecord(network=str(plain["network"]), nodes=nodes)
