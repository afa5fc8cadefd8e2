"""Worlds of a seed, on a disk in memory where there is one: fsyncs cost nothing there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
from trio.testing import MockClock

from bitcloud_net.testing.planet import World, planet

MEMORY_DISK = Path("/dev/shm")

Open = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Return a folder for homes, stores and files."""
    where = MEMORY_DISK if MEMORY_DISK.is_dir() else None
    with tempfile.TemporaryDirectory(dir=where, prefix="planet-") as folder:
        yield Path(folder)


@pytest.fixture
def clock() -> MockClock:
    """Return virtual time; each test names it itself, or it runs in real time."""
    return MockClock(autojump_threshold=0)


@pytest.fixture
def world(scratch: Path, seed: int) -> Open:
    """Return ``planet`` with this test's folder and seed."""
    homes = scratch / "homes"
    homes.mkdir()
    return partial(planet, homes, seed=seed)
