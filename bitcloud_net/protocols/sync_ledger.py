"""What sync sessions came to, and what each peer may still cost."""

from __future__ import annotations

import statistics
from collections import OrderedDict

from bitcloud_net.core.errors import Refused
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.tables import DEFAULT_PARTNERS
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.protocols.pace import Pace
from bitcloud_net.protocols.row_push import RowPush
from bitcloud_net.protocols.sync import SyncReport
from bitcloud_net.views import SyncHealth


class SyncLedger:
    """What the sessions came to."""

    def __init__(self) -> None:
        self.spent: dict[tuple[NodeId, int], int] = {}
        self.sessions = 0
        self.failed = 0
        self._received = 0
        self._sent = 0
        self._last_s: int | None = None
        self.in_step_s: int | None = None  # when a session last left nothing to do
        self._oldest_s: int | None = None
        self._ahead_s: dict[NodeId, int] = {}
        self._partners: OrderedDict[NodeId, bool] = OrderedDict()

    def note(self, peer: NodeId, report: SyncReport, now_s: int) -> None:
        """Take over the report of a session that ended well."""
        self.sessions += 1
        self._received += report.received
        self._sent += report.sent
        self._last_s = now_s
        self.in_step_s = now_s if report.complete else self.in_step_s
        self._oldest_s = None if report.oldest is None else now_s - report.oldest * PERIOD_S
        self._ahead_s[peer] = report.clock_ahead_s
        self._note_partner(peer, in_step=report.complete)

    def note_failure(self, peer: NodeId) -> None:
        """Note a session that did not end well."""
        self.failed += 1
        self._note_partner(peer, in_step=False)

    def _note_partner(self, peer: NodeId, *, in_step: bool) -> None:
        self._partners.pop(peer, None)
        self._partners[peer] = in_step
        if len(self._partners) > DEFAULT_PARTNERS:
            oldest, _ = self._partners.popitem(last=False)
            self._ahead_s.pop(oldest, None)

    def forget_before(self, period: int) -> None:
        """Forget what was spent in earlier periods."""
        self.spent = {key: size for key, size in self.spent.items() if key[1] >= period}

    def state(self, period: int, waiting: int, push: RowPush) -> SyncHealth:
        """Return the present state."""
        return SyncHealth(
            partners=len(self._partners),
            in_step=sum(self._partners.values()),
            oldest_s=self._oldest_s,
            last_s=self._last_s,
            waiting=waiting,
            period_bytes=sum(size for key, size in self.spent.items() if key[1] == period),
            clock_behind_s=int(statistics.median(self._ahead_s.values() or (0,))),
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
        self,
        spent: dict[tuple[NodeId, int], int],
        key: tuple[NodeId, int],
        limit: int,
        pace: Pace | None,
    ) -> None:
        self._spent = spent
        self._key = key
        self._limit = limit
        self._pace = pace

    def spend(self, size: int) -> None:
        total = self._spent.get(self._key, 0) + size
        if total > self._limit:
            raise Refused("this period's budget for you is used up", code="budget")
        self._spent[self._key] = total

    async def rest(self) -> None:
        if self._pace is not None:
            await self._pace.wait()

    def note_checked(self, rows: int) -> None:
        if self._pace is not None:
            self._pace.count(rows)
