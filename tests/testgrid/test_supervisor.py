"""The supervisor with real processes, whose nodes only report and wait."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from bitcloud_net.core.errors import BadInput, LocalFault, Unavailable
from bitcloud_net.services import test_grid
from bitcloud_net.services.home import create_home
from bitcloud_net.services.test_grid import folder_of, read_record
from bitcloud_net.settings import load_settings
from bitcloud_net.storage.vault_lock import OpenLock

FAKE_GRID = Path(__file__).with_name("fake_grid.py")
DEADLINE_S = 30


@asynccontextmanager
async def grid(home: Path, count: int) -> AsyncIterator[tuple[trio.Process, dict[str, Any]]]:
    command = [sys.executable, str(FAKE_GRID), str(home), str(count), "until-stdin-closes"]
    pipe = subprocess.PIPE
    process = await trio.lowlevel.open_process(command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        with trio.fail_after(DEADLINE_S):
            line = b""
            while not line.endswith(b"\n"):
                data = await process.stdout.receive_some()
                if not data:
                    raise AssertionError((await process.stderr.receive_some()).decode())
                line += data
        yield process, json.loads(line)
    finally:
        with trio.CancelScope(shield=True), trio.fail_after(DEADLINE_S):
            await process.stdin.aclose()
            await process.wait()
            await process.stdout.aclose()
            await process.stderr.aclose()


def pids(home: Path) -> list[int]:
    return [int(path.read_text()) for path in sorted(folder_of(home).glob("*/pid"))]


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


async def until_dead(given: list[int]) -> None:
    with trio.fail_after(DEADLINE_S):
        while any(lives(pid) for pid in given):  # noqa: ASYNC110 - other processes
            await trio.sleep(0.01)


async def test_a_grid_starts_switches_and_stops(tmp_path: Path) -> None:
    async with grid(tmp_path, 4) as (_, ready):
        assert len(ready["addresses"]) == 4
        assert [node["running"] for node in ready["nodes"]] == [True] * 4
        record = read_record(tmp_path)
        assert record is not None
        assert list(record.addresses) == ready["addresses"]

        first = pids(tmp_path)
        view = await test_grid.set_running(tmp_path, 1)
        assert [node.running for node in view.nodes] == [True, False, False, False]
        assert [lives(pid) for pid in first] == [True, False, False, False]

        view = await test_grid.set_running(tmp_path, 4)
        assert view.running == 4
        second = pids(tmp_path)
        assert second[0] == first[0]
        assert all(lives(pid) for pid in second)
        assert {node.address for node in view.nodes} == set(ready["addresses"])
    await until_dead(second)
    assert await test_grid.view(tmp_path) is None
    with pytest.raises(Unavailable):
        await test_grid.set_running(tmp_path, 1)


async def test_ports_and_network_are_kept(tmp_path: Path) -> None:
    async with grid(tmp_path, 2) as (_, once):
        pass
    async with grid(tmp_path, 3) as (_, again):
        assert again["network"] == once["network"]
        assert again["addresses"][:2] == once["addresses"]
    assert len((folder_of(tmp_path) / "02" / "bootstrap").read_text().splitlines()) >= 2


async def test_a_node_that_falls_is_started_again(tmp_path: Path) -> None:
    async with grid(tmp_path, 2):
        (_, fallen) = pids(tmp_path)
        os.kill(fallen, signal.SIGKILL)
        with trio.fail_after(DEADLINE_S):
            while pids(tmp_path)[1] == fallen:  # noqa: ASYNC110 - another process
                await trio.sleep(0.02)


async def test_no_node_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    async with grid(tmp_path, 3) as (process, _):
        nodes = pids(tmp_path)
        assert all(lives(pid) for pid in nodes)
        process.kill()
        await until_dead(nodes)
    async with grid(tmp_path, 3):
        assert all(lives(pid) for pid in pids(tmp_path))


async def test_bad_counts_change_nothing(tmp_path: Path) -> None:
    async with grid(tmp_path, 2):
        with pytest.raises(BadInput):
            await test_grid.set_running(tmp_path, 3)
        view = await test_grid.view(tmp_path)
        assert view is not None
        assert view.running == 2


async def test_a_node_that_cannot_start_is_named_with_its_reason(tmp_path: Path) -> None:
    (folder_of(tmp_path) / "01").mkdir(parents=True)
    (folder_of(tmp_path) / "01" / "broken").touch()
    with pytest.raises(
        AssertionError, match=r"node 1 of the test grid did not start: .*the disk of this"
    ):
        async with grid(tmp_path, 2):
            pass


async def test_one_supervisor_for_a_home(tmp_path: Path) -> None:
    async with grid(tmp_path, 1):
        with pytest.raises(AssertionError, match="already runs"):
            async with grid(tmp_path, 1):
                pass


def test_a_damaged_record_says_what_to_do(tmp_path: Path) -> None:
    folder_of(tmp_path).mkdir()
    (folder_of(tmp_path) / "testgrid.json").write_text("{")
    with pytest.raises(LocalFault, match="remove the folder"):
        read_record(tmp_path)
    (folder_of(tmp_path) / "testgrid.json").write_text('{"version": 2}')
    with pytest.raises(LocalFault, match="newer"):
        read_record(tmp_path)


@pytest.mark.parametrize("network", ["bitcloud", "family", "test-mine"])
async def test_a_test_grid_has_a_network_of_its_own(tmp_path: Path, network: str) -> None:
    """Where identities are mined, ten test nodes would have to as well."""
    await create_home(tmp_path, name="Mary", lock=OpenLock(), network=network)
    for _ in range(2):
        async with grid(tmp_path, 1):
            record = read_record(tmp_path)
        assert record is not None
        assert record.network.startswith("test-")
        assert (record.network == network) == network.startswith("test-")
        assert load_settings(tmp_path).network == network, "the home is not touched"
        # Older grids lived on the network of their home; they move, and whoever reads the record.
        test_grid.write_record(tmp_path, replace(record, network=network))
