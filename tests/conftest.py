"""What all tests share: one printed seed for everything random, and no deadlines in properties."""

from __future__ import annotations

import os
import random
import secrets

import pytest
from hypothesis import settings

SEED = int(os.environ.get("BITCLOUD_SEED", "") or secrets.randbits(32))
os.environ["BITCLOUD_SEED"] = str(SEED)  # the same for all workers

PROCESSES = "processes"
"""Tests that start many processes, or look at real time: one worker runs them, one by one."""
ONE_BY_ONE = ("e2e", "interop", "testgrid", "test_responsive.py")

# Ten processes share two cores while tests run: time says nothing about a property.
settings.register_profile("bitcloud", deadline=None, print_blob=True)
settings.load_profile("bitcloud")


def pytest_report_header() -> str:
    return f"seed: {SEED} (repeat with BITCLOUD_SEED={SEED})"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not set(ONE_BY_ONE).isdisjoint(item.path.parts):
            item.add_marker(pytest.mark.xdist_group(PROCESSES))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Return this run's seed, mixed with the test's name: the same whatever else is run."""
    name = request.node.nodeid.removesuffix(f"@{PROCESSES}")
    return random.Random(f"{SEED} {name}").getrandbits(64)


@pytest.fixture
def rng(seed: int) -> random.Random:
    """Return randomness for this test; a failure prints its seed in the header."""
    return random.Random(seed)
