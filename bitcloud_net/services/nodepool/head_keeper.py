"""Signs the heads of this machine's keys: what others check the rows they hold of us against.

A head is signed again soon after a change, gathered: a folder of a thousand files is one head.
Where one key is used on several machines, the one that wrote signs, and the others only when it
did not; none signs a head that says less than the last one before it had a day to catch up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.errors import BitcloudError
from bitcloud_net.core.keys import PublicKey, SigningKey
from bitcloud_net.core.nodepool.heads import COUNTED_TABLES, Completeness
from bitcloud_net.core.nodepool.row_bodies import HeadBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import DAY_PERIODS, RULES, Table
from bitcloud_net.nodepool.head_reads import Head, HeadState
from bitcloud_net.nodepool.outcome import RowsChanged
from bitcloud_net.nodepool.row_store import NewRow

if TYPE_CHECKING:
    from trio_typing import TaskStatus

QUIET_S: Final = 2.0
"""When nothing was written for so long, the head follows."""
START_S: Final = 10.0
"""Longest wait before the first look: of two machines of one key that start together, one signs."""
GATHER_S: Final = 60.0
"""Between two heads of one key. While rows keep being written, one head follows them so often."""
OTHERS_S: Final = 60.0
"""How long another machine of the same key is given to sign for what it wrote, and up to twice."""
LOOK_S: Final = 300.0
"""How often the date is looked at: rows and heads come to their end without news."""
LEAST_LIFE_PERIODS: Final = DAY_PERIODS
"""A head is signed again a day before its end, and does not speak for rows that live shorter."""
PATIENCE_PERIODS: Final = DAY_PERIODS
"""How long rows that an own head names, and that are not here, are waited for."""


class Heads(Protocol):
    """What is known (``nodepool.head_reads``)."""

    async def states(self, owner: PublicKey, period: int) -> Mapping[bytes, HeadState]: ...

    async def survey(self, owner: PublicKey, soonest: int, latest: int) -> Mapping[bytes, Head]: ...


class Rows(Protocol):
    """Where heads are written (``nodepool.row_store``)."""

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None: ...

    async def write_many(
        self, rows: Sequence[NewRow], *, signer: SigningKey
    ) -> tuple[SignedRow, ...]: ...


class HeadKeeper:
    """The service. One per node, for the node's key and the person's."""

    def __init__(
        self,
        heads: Heads,
        rows: Rows,
        keys: Sequence[SigningKey],
        *,
        period: Callable[[], int],
        random: Random,
    ) -> None:
        self._heads = heads
        self._rows = rows
        self._period = period
        self._random = random
        self._plans = {key.public: _Plan(key) for key in keys}
        self._news = trio.Event()
        self._signing = trio.Lock()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the heads until cancelled.

        Raises:
            LocalFault: ``database-damaged``.
        """
        self._rows.watch(self._rows_changed)
        for plan in self._plans.values():
            plan.due = trio.current_time() + self._random.uniform(QUIET_S, START_S)
        task_status.started()
        while True:
            self._news = trio.Event()
            due = [plan for plan in self._plans.values() if plan.due <= trio.current_time()]
            for plan in due:
                plan.settle(trio.current_time() + LOOK_S)
                await self._keep(plan)
            with trio.move_on_at(min(plan.due for plan in self._plans.values())):
                await self._news.wait()

    async def finish(self) -> None:
        """Sign at once for what was written since the last heads: this program is about to end.

        Cancel: safe; the next start signs. Raises as ``run``.
        """
        for plan in self._plans.values():
            if plan.has_written:
                plan.settle(trio.current_time() + LOOK_S)
                await self._keep(plan)

    def _rows_changed(self, news: RowsChanged) -> None:
        now = trio.current_time()
        for row in news.rows:
            plan = self._plans.get(row.owner)
            if plan is not None and row.table in COUNTED_TABLES:
                if news.source is None:
                    plan.wrote(now)
                else:
                    plan.heard(now + OTHERS_S * self._random.uniform(1, 2))
                self._news.set()

    async def _keep(self, plan: _Plan) -> None:
        """Sign the heads whose present ones no longer say what is held."""
        async with self._signing:
            await self._sign(plan)

    async def _sign(self, plan: _Plan) -> None:
        now, owner = self._period(), plan.key.public
        present = await self._heads.states(owner, now)
        last = now + RULES[Table.HEAD].max_life_periods
        wanted = await self._heads.survey(owner, now + LEAST_LIFE_PERIODS, last)
        due = [
            NewRow(
                table=Table.HEAD,
                key_suffix=audience,
                body=HeadBody(tables=head.tables),
                life_periods=head.expires - now,
            )
            for audience, head in wanted.items()
            if not _is_current(head, present.get(audience), now)
            and not plan.waits(audience, present.get(audience), now)
        ]
        for head in due:
            with suppress(BitcloudError):  # such as used-up slots, or no row that it belongs to
                await self._rows.write_many([head], signer=plan.key)
                plan.signed(trio.current_time())


def _is_current(wanted: Head, present: HeadState | None, now: int) -> bool:
    return (
        present is not None
        and present.head.tables == wanted.tables
        and present.head.expires >= now + LEAST_LIFE_PERIODS
    )


class _Plan:
    """When the head of one key is looked at next. Times as ``trio.current_time``."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        self.due = 0.0
        self._first: float | None = None  # of the writes that no head follows yet
        self._earliest = 0.0
        self._lacking_since: dict[bytes, int] = {}  # the period, by audience

    def heard(self, later: float) -> None:
        """Leave rows that another machine wrote to that machine until ``later``."""
        if self._first is None:
            self.due = later

    def wrote(self, now: float) -> None:
        """Plan a look for rows that were written here just now."""
        if self._first is None:
            self._first = now
        self.due = max(min(now + QUIET_S, self._first + GATHER_S), self._earliest)

    @property
    def has_written(self) -> bool:
        """Whether something was written here that no head follows yet."""
        return self._first is not None

    def settle(self, next_look: float) -> None:
        """Take the look that is due as done."""
        self.due, self._first = next_look, None

    def signed(self, now: float) -> None:
        """Note that a head was signed."""
        self._earliest = now + GATHER_S

    def waits(self, audience: bytes, present: HeadState | None, period: int) -> bool:
        """Whether to wait for rows that the present head names before another one is signed."""
        if present is None or present.held.state is not Completeness.LACKING:
            self._lacking_since.pop(audience, None)
            return False
        since = self._lacking_since.setdefault(audience, period)
        return period - since < PATIENCE_PERIODS
