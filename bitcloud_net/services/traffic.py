"""How fast bytes come and go, over all connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from trio_typing import TaskStatus

LOOK_S: Final = 1.0
"""How often the counters are read; the speeds shown are those of the last span."""


class Traffic:
    """Reads ``count`` (bytes received and sent so far) and tells ``on_change`` when speed
    changes.
    """

    def __init__(self, count: Callable[[], tuple[int, int]], on_change: Callable[[], None]) -> None:
        self._count = count
        self._on_change = on_change
        self.per_s = (0, 0)  # bytes received and sent in the last second

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Measure until cancelled."""
        task_status.started()
        before = self._count()
        while True:
            await trio.sleep(LOOK_S)
            now = self._count()
            speed = (int((now[0] - before[0]) / LOOK_S), int((now[1] - before[1]) / LOOK_S))
            before = now
            if speed != self.per_s:
                self.per_s = speed
                self._on_change()
