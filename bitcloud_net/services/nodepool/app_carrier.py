"""Carries the rows of applications that people of the grid use, though nobody uses them here.

People are rarely connected to each other; the grid's storage nodes are what lies between them. So a
node that lends space installs what people announce, the most used first, as far as the limits of
the nodepool allow, and removes what nobody announces any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.nodepool.app_tables import AppDefinition, AppId
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.nodepool.outcome import RowsChanged

if TYPE_CHECKING:
    from trio_typing import TaskStatus

REVIEW_S: Final = 600.0
"""Time between two reviews without news: once in a period."""


class Announcements(Protocol):
    """What the carrier reads (``nodepool.queries``)."""

    async def announced_apps(self, period: int) -> tuple[tuple[AppId, str], ...]: ...


class AppStore(Protocol):
    """Where applications are installed (``nodepool.row_store``)."""

    @property
    def apps(self) -> tuple[AppDefinition, ...]: ...

    async def install(self, text: str) -> AppDefinition: ...

    async def uninstall(self, app_id: AppId) -> None: ...

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None: ...


class AppCarrier:
    """The service. One per node."""

    def __init__(
        self,
        queries: Announcements,
        rows: AppStore,
        *,
        period: Callable[[], int],
        carries: Callable[[], bool],
    ) -> None:
        """``carries`` says whether this node lends space now."""
        self._queries = queries
        self._rows = rows
        self._period = period
        self._carries = carries
        self._news = trio.Event()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry until cancelled."""
        self._rows.watch(self._rows_changed)
        task_status.started()
        while True:
            await self.review()
            with trio.move_on_after(REVIEW_S):
                await self._news.wait()
            self._news = trio.Event()

    async def review(self) -> None:
        """Install and remove what is due now."""
        if not self._carries():
            return
        announced = await self._queries.announced_apps(self._period())
        wanted = {app_id for app_id, _ in announced}
        for app in self._rows.apps:
            if app.leaves and app.id not in wanted:
                await self._rows.uninstall(app.id)
        installed = {app.id for app in self._rows.apps}
        for app_id, text in announced:
            if app_id not in installed:
                try:
                    await self._rows.install(text)
                except BadInput:
                    continue  # a check that SQLite does not know here, or there are too many

    def _rows_changed(self, news: RowsChanged) -> None:
        if Table.APP in news.tables:
            self._news.set()
