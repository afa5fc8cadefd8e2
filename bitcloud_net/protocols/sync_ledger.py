"""What sync sessions came to, and what each peer may still cost."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Final

from bitcloud_net.core.errors import Refused
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.tables import DEFAULT_PARTNERS
from bitcloud_net.core.units import MIB, PERIOD_S
from bitcloud_net.protocols.pace import Pace
from bitcloud_net.protocols.row_push import RowPush
from bitcloud_net.protocols.sync import SyncReport
from bitcloud_net.views import SyncHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that one peer may cost in one period, both ways."""

    rows_bytes: int
    compare_bytes: int
    """What moves no rows and costs time all the same: 16 KiB for each session, messages of
    reconciliation as they are, and 32 bytes for each row that is asked for or shown."""


ASSIGNED: Final = Budget(rows_bytes=256 * MIB, compare_bytes=32 * MIB)
"""A partner: a first sync of half a million rows, or 2,000 sessions that find nothing."""
COURTESY: Final = Budget(rows_bytes=4 * MIB, compare_bytes=2 * MIB)
"""A known node of a large network that is not assigned to us."""


class SyncLedger:
    """What the sessions came to."""

    def __init__(self) -> None:
        self.spent: Counter[tuple[NodeId, int]] = Counter()  # bytes of rows, by peer and period
        self.compared: Counter[tuple[NodeId, int]] = Counter()  # bytes of comparing
        self.sessions = 0
        self.failed = 0
        self._received = 0
        self._sent = 0
        self._last_s: int | None = None
        self.in_step_s: int | None = None  # when a session last left nothing to do
        self._oldest_s: int | None = None
        self._partners: OrderedDict[NodeId, bool] = OrderedDict()

    @property
    def moved(self) -> tuple[int, int]:
        """Rows received and sent since the start."""
        return self._received, self._sent

    def note(self, peer: NodeId, report: SyncReport, now_s: int) -> None:
        """Take over the report of a session that ended well."""
        self.sessions += 1
        self._received += report.received
        self._sent += report.sent
        self._last_s = now_s
        self.in_step_s = now_s if report.complete else self.in_step_s
        self._oldest_s = None if report.oldest is None else now_s - report.oldest * PERIOD_S
        self._note_partner(peer, in_step=report.complete)

    def note_failure(self, peer: NodeId) -> None:
        """Note a session that did not end well."""
        self.failed += 1
        self._note_partner(peer, in_step=False)

    def _note_partner(self, peer: NodeId, *, in_step: bool) -> None:
        self._partners.pop(peer, None)
        self._partners[peer] = in_step
        if len(self._partners) > DEFAULT_PARTNERS:
            self._partners.popitem(last=False)

    def forget_before(self, period: int) -> None:
        """Forget what was spent in earlier periods."""
        for counted in (self.spent, self.compared):
            for key in [key for key in counted if key[1] < period]:
                del counted[key]

    def state(self, period: int, waiting: int, push: RowPush, *, clock_behind_s: int) -> SyncHealth:
        """Return the present state."""
        return SyncHealth(
            partners=len(self._partners),
            in_step=sum(self._partners.values()),
            oldest_s=self._oldest_s,
            last_s=self._last_s,
            waiting=waiting,
            period_bytes=sum(size for key, size in self.spent.items() if key[1] == period),
            clock_behind_s=clock_behind_s,
            sessions=self.sessions,
            failed=self.failed,
            received=self._received,
            sent=self._sent,
            pushed=push.pushed,
            dropped=push.dropped,
        )


class PeerAllowance:
    """What one peer may cost in one period; shared by its sessions and pushes."""

    def __init__(
        self, ledger: SyncLedger, key: tuple[NodeId, int], budget: Budget, pace: Pace | None
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._budget = budget
        self._pace = pace

    def spend(self, size: int) -> None:
        self._count(self._ledger.spent, size, self._budget.rows_bytes)

    def compare(self, size: int) -> None:
        self._count(self._ledger.compared, size, self._budget.compare_bytes)

    def _count(self, counted: Counter[tuple[NodeId, int]], size: int, limit: int) -> None:
        if counted[self._key] + size > limit:
            raise Refused("this period's budget for you is used up", code="budget")
        counted[self._key] += size

    async def rest(self) -> None:
        if self._pace is not None:
            await self._pace.wait()

    def note_checked(self, rows: int) -> None:
        if self._pace is not None:
            self._pace.count(rows)
