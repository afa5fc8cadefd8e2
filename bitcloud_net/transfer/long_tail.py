"""Many tasks of which enough must succeed: the last ones get some more time, not all of it.

One node that takes a share and never confirms would otherwise hold up every file by its deadline.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from math import inf
from typing import Final

import trio

from bitcloud_net.tasks import open_tasks

GRACE_FACTOR: Final = 2.0
"""Those that are left get twice the time that the others took …"""
LEAST_GRACE_S: Final = 1.0
"""… and at least so long: a disk that syncs, a lost packet."""


async def run_long_tail(
    tasks: Iterable[Callable[[], Awaitable[None]]], enough: Callable[[], bool]
) -> None:
    """Run all tasks at once; soon after ``enough`` is true, cancel those that are left.

    ``enough`` is asked whenever a task ends. Returns when no task is left. An error of a task ends
    all and is raised. Cancel: safe when the tasks are.
    """
    started = trio.current_time()
    async with open_tasks() as nursery:
        scope = nursery.cancel_scope

        async def run(task: Callable[[], Awaitable[None]]) -> None:
            await task()
            if scope.deadline == inf and enough():
                now = trio.current_time()
                scope.deadline = now + max(LEAST_GRACE_S, GRACE_FACTOR * (now - started))

        for task in tasks:
            nursery.start_soon(run, task)
