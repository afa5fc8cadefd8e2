"""What all tests share: one printed seed for everything random, and no deadlines in properties."""

from __future__ import annotations

import os
import random
import secrets

import pytest
from hypothesis import settings

SEED = int(os.environ.get("BITCLOUD_SEED", "") or secrets.randbits(32))

# Ten processes share two cores while tests run: time says nothing about a property.
settings.register_profile("bitcloud", deadline=None, print_blob=True)
settings.load_profile("bitcloud")


def pytest_report_header() -> str:
    return f"seed: {SEED} (repeat with BITCLOUD_SEED={SEED})"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Return this run's seed, mixed with the test's name: the same whatever else is run."""
    return random.Random(f"{SEED} {request.node.nodeid}").getrandbits(64)


@pytest.fixture
def rng(seed: int) -> random.Random:
    """Return randomness for this test; a failure prints its seed in the header."""
    return random.Random(seed)
