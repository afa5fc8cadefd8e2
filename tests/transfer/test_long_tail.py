"""Enough is enough: the last tasks get some more time, not all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.transfer.long_tail import GRACE_FACTOR, LEAST_GRACE_S, run_long_tail


async def run(durations: list[float], needed: int) -> tuple[list[float], float]:
    """Run tasks that take so long; return which ended, and after how long all was over."""
    done: list[float] = []

    async def task(seconds: float) -> None:
        await trio.sleep(seconds)
        done.append(seconds)

    started = trio.current_time()
    tasks: list[Callable[[], Awaitable[None]]] = [partial(task, each) for each in durations]
    await run_long_tail(tasks, lambda: len(done) >= needed)
    return done, trio.current_time() - started


@pytest.mark.parametrize(
    ("durations", "needed", "done", "seconds"),
    [
        ([], 0, [], 0),
        ([5.0], 1, [5.0], 5),
        ([1.0, 2.0, 3.0], 3, [1.0, 2.0, 3.0], 3),
        ([1.0, 2.0, 3.0], 2, [1.0, 2.0, 3.0], 3),
        ([0.01, 0.01, 100.0], 2, [0.01, 0.01], 0.01 + LEAST_GRACE_S),
        ([0.01, 0.02, 0.9], 2, [0.01, 0.02, 0.9], 0.9),
        ([10.0, 10.0, 100.0], 2, [10.0, 10.0], 10 + GRACE_FACTOR * 10),
        ([10.0, 20.0, 100.0], 1, [10.0, 20.0], 10 + GRACE_FACTOR * 10),
        ([1.0, 50.0], 2, [1.0, 50.0], 50),
    ],
)
async def test_who_is_waited_for(
    autojump_clock: MockClock,
    durations: list[float],
    needed: int,
    done: list[float],
    seconds: float,
) -> None:
    ended, took = await run(durations, needed)
    assert ended == done
    assert took == pytest.approx(seconds)


async def test_an_error_ends_all(autojump_clock: MockClock) -> None:
    async def fails() -> None:
        await trio.sleep(1)
        raise LocalFault("the disk is full", code="disk-full")

    with pytest.raises(LocalFault):
        await run_long_tail([fails, trio.sleep_forever], lambda: False)
    assert trio.current_time() == 1


async def test_cancelled_from_outside(autojump_clock: MockClock) -> None:
    with trio.move_on_after(5) as scope:
        await run_long_tail([trio.sleep_forever], lambda: False)
    assert scope.cancelled_caught
