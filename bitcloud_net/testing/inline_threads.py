"""Blocking work on the spot: virtual time does not wait for threads.

Under ``trio.testing.MockClock`` the clock jumps when every task waits, and a task that waits for a
worker thread looks just like that. Inside ``inline_threads()`` there are no worker threads, so time
moves only when the program itself waits, and the same seed does the same work in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import trio


@contextmanager
def inline_threads() -> Iterator[None]:
    """Let ``trio.to_thread.run_sync`` run its work in the calling task until the block ends.

    For a whole process: no other trio program may run in it meanwhile. Blocks may be nested.
    """
    threaded = trio.to_thread.run_sync
    trio.to_thread.run_sync = _on_the_spot  # type: ignore[assignment]
    try:
        yield
    finally:
        trio.to_thread.run_sync = threaded


async def _on_the_spot(work: Callable[..., Any], *values: object, **options: object) -> Any:
    """Stand in for ``trio.to_thread.run_sync``; its options say how to share out threads."""
    await trio.lowlevel.checkpoint()
    return work(*values)
