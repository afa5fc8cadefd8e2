"""Virtual time over real sockets."""

from __future__ import annotations

import pytest
import trio.testing


@pytest.fixture
def loopback_clock(mock_clock: trio.testing.MockClock) -> trio.testing.MockClock:
    """Real time, but when nothing at all has happened for 0.1 s it jumps to the next deadline.

    Loopback within one process delivers in far less, so a jump means that everybody waits.
    """
    mock_clock.rate = 1.0
    mock_clock.autojump_threshold = 0.1
    return mock_clock
