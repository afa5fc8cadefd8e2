"""The negentropy of nostr-tools and ours find the same differences. The long run: ``nip77.py``."""

from __future__ import annotations

import pytest
from nip77 import run
from other_peer import INSTALL_LIMIT_S, install

pytestmark = pytest.mark.timeout(INSTALL_LIMIT_S + 120)

CASES = 40


def test_whole_sessions_find_exactly_the_difference_in_both_directions(seed: int) -> None:
    install()
    found = run(CASES, seed)
    assert found["sessions"] == 2 * CASES
    assert found["rounds"] > 2 * CASES
    assert not found["first_is_another"]  # the first message has no limit, and is the same
