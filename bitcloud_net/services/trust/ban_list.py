"""The bans as people see them: who is refused, until when, on whose word or by which proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.verdicts import Ban, Statement
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.nodepool.queries import Case
from bitcloud_net.views import BanStatement, BanView


class Cases(Protocol):
    """What the list reads (``nodepool.queries``)."""

    async def bans(self, period: int) -> tuple[Ban, ...]: ...

    async def case(self, ban: Ban) -> Case: ...


class BanList:
    """One per node."""

    def __init__(self, cases: Cases, own: NodeId, period: Callable[[], int]) -> None:
        self._cases = cases
        self._own = own
        self._period = period

    async def bans(self) -> tuple[BanView, ...]:
        """Return the bans that run, and our own of the last 30 days, the newest first."""
        now = self._period()
        known = await self._cases.bans(now)
        shown = [ban for ban in known if ban.holds(now) or ban.target == self._own]
        shown.sort(key=lambda ban: (ban.since, ban.target), reverse=True)
        return tuple([self._view(ban, await self._cases.case(ban)) for ban in shown])

    def _view(self, ban: Ban, case: Case) -> BanView:
        return BanView(
            node=ban.target.hex(),
            name=case.name,
            reason=ban.reason,
            since_s=ban.since * PERIOD_S,
            until_s=(ban.until + 1) * PERIOD_S,
            own=ban.target == self._own,
            statements=tuple(map(_statement, case.statements)),
            proof=case.proof,
        )


def _statement(said: Statement) -> BanStatement:
    return BanStatement(
        auditor=said.auditor.hex(), reason=said.reason.text, periods=said.recent.bit_count()
    )
