"""Turns the auditors' statements into bans, each node for itself, and keeps to them.

Everything needed is in the nodepool: fault rows are shared by all, and the lots can be recomputed.
So no verdict has to be believed, and nobody can be kept from seeing one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import groupby
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.core.trust.lots import Candidate, Electorate, Lot
from bitcloud_net.core.trust.verdicts import Ban, Statement, judge
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.nodepool.outcome import RowsChanged

if TYPE_CHECKING:
    from trio_typing import TaskStatus

log = logging.getLogger(__name__)

GATHER_S: Final = 2.0
"""How long new statements are gathered before they are judged."""
REVIEW_S: Final = 60.0
"""Time between two reviews without news: bans found by proof are enforced, ended ones forgotten."""


def log_ban(ban: Ban) -> None:
    """Write a ban into the log."""
    log.warning("node %s is banned up to period %d: %s", ban.target.hex(), ban.until, ban.reason)


class Bench(Protocol):
    """What the judge reads (``nodepool.queries``)."""

    async def candidates(self, period: int) -> list[Candidate]: ...

    async def bans(self, period: int) -> tuple[Ban, ...]: ...

    async def statements(self, period: int) -> tuple[Statement, ...]: ...


class Register(Protocol):
    """Where bans are noted (``nodepool.row_store``)."""

    async def ban(self, ban: Ban) -> bool: ...

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None: ...


class Doorkeeper(Protocol):
    """Who refuses connections (``net.network.Network``)."""

    @property
    def node_id(self) -> NodeId: ...

    def ban(self, peer: NodeId, *, seconds: float) -> None: ...


class Judge:
    """The service. One per node."""

    def __init__(
        self,
        queries: Bench,
        register: Register,
        door: Doorkeeper,
        *,
        period: Callable[[], int],
        beacon: Callable[[int], bytes],
        on_ban: Callable[[Ban], None] = log_ban,
    ) -> None:
        """``on_ban`` hears of every new ban, our own included: it is shown with its reason."""
        self._queries = queries
        self._register = register
        self._door = door
        self._period = period
        self._beacon = beacon
        self._on_ban = on_ban
        self._shut: dict[NodeId, int] = {}  # until which period the door is shut
        self._news = trio.Event()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Judge until cancelled."""
        self._register.watch(self._rows_changed)
        task_status.started()
        while True:
            with trio.move_on_after(REVIEW_S):
                await self._news.wait()
                await trio.sleep(GATHER_S)
            self._news = trio.Event()
            await self.review()

    async def review(self) -> list[Ban]:
        """Judge what is said now; return the new bans."""
        now = self._period()
        known = await self._queries.bans(now)
        banned = {ban.target for ban in known if ban.holds(now)}
        said = await self._queries.statements(now)
        candidates = await self._queries.candidates(now) if said else []
        electorate = Electorate(item for item in candidates if item.node not in banned)
        new = []
        for target, statements in groupby(said, key=lambda item: item.target):
            lot_of = lru_cache(self._lots(target, electorate))
            ban = await trio.to_thread.run_sync(  # draws a lot for each period spoken of
                partial(judge, list(statements), lot_of, known, now=now)
            )
            if ban is not None and await self._register.ban(ban):
                new.append(ban)
        self._enforce([*known, *new], now)
        return new

    def _lots(self, target: NodeId, electorate: Electorate) -> Callable[[int], Lot]:
        return lambda period: electorate.draw(self._beacon(period), target, period)

    def _enforce(self, bans: list[Ban], now: int) -> None:
        self._shut = {target: until for target, until in self._shut.items() if until >= now}
        for ban in bans:
            if ban.holds(now) and self._shut.get(ban.target, -1) < ban.until:
                self._shut[ban.target] = ban.until
                if ban.target != self._door.node_id:
                    self._door.ban(ban.target, seconds=(ban.until - now + 1) * PERIOD_S)
                self._on_ban(ban)

    def _rows_changed(self, news: RowsChanged) -> None:
        if Table.FAULT in news.tables or not news.tables:  # statements, or proofs
            self._news.set()
