"""Where blocking work runs: worker threads, or on the spot in a simulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

_T = TypeVar("_T")


class Worker(Protocol):
    """Runs blocking work and returns its result. Cancel: work that has begun is finished first."""

    async def __call__(self, work: Callable[[], _T], /) -> _T: ...


def worker_threads(limit: int) -> Worker:
    """Return a worker that runs at most ``limit`` pieces of work at once, in threads."""
    limiter = trio.CapacityLimiter(limit)

    async def in_thread(work: Callable[[], _T], /) -> _T:
        return await trio.to_thread.run_sync(work, limiter=limiter)

    return in_thread


async def on_the_spot(work: Callable[[], _T], /) -> _T:
    """A worker for tests in virtual time, which does not wait for threads."""
    await trio.lowlevel.checkpoint()
    return work()
