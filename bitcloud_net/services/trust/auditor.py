"""Audits the nodes that the lot gives us, and says so when one fails.

Once in each period, at a moment of our own: for every target that our seat is drawn for, one probe.
A target that works leaves no trace. For one that fails there is a single fault row, signed again
with a higher count each time. When fewer than half of all we tried answer in time, it is probably
our own line or computer, and we say nothing about who is away or slow.

All auditors of a target together ask it for two leaves of what it holds; for many more once one of
them has said that it lacks something, so that a real loss comes before a quorum.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import trio

from bitcloud_net.core.errors import BadInput, LocalFault, Unavailable
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.row_bodies import MAX_FAULT_COUNT, Body, FaultBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.core.trust.audit import leaves_to_ask
from bitcloud_net.core.trust.lots import Candidate, Electorate, may_sit
from bitcloud_net.core.trust.verdicts import FaultReason, Statement, may_report, seen_again
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.nodepool.queries import Fault

if TYPE_CHECKING:
    from trio_typing import TaskStatus

log = logging.getLogger(__name__)

PROBES_AT_ONCE: Final = 8
"""Probes under way; a period has time for thousands."""
EARLIEST, LATEST = 0.1, 0.8
"""When in a period the audits begin: not at its start, when all clocks still disagree, and early
enough that the statements arrive before it ends."""

Probe: TypeAlias = Callable[[NodeId, int], Awaitable[FaultReason | None]]
"""Tries a target, asking it for so many leaves, and returns what is wrong with it, or None. It
limits its own time."""
OURS_PERHAPS: Final = frozenset({FaultReason.PING_TIMEOUT, FaultReason.TOO_SLOW})
"""What a line that is down, or a computer that is overloaded, finds everywhere."""
SUSPICIONS: Final = frozenset({FaultReason.WRONG_AUDIT, FaultReason.CORRUPT_DATA})
"""Statements of the last six periods that make all auditors look at what a target holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One target of ours, and how many auditors it has with us."""

    target: NodeId
    seats: int


class Faults(Protocol):
    """What the auditor reads (``nodepool.queries``)."""

    async def candidates(self, period: int) -> list[Candidate]: ...

    async def fault(self, auditor: bytes, target: bytes) -> Fault | None: ...

    async def statements(self, period: int) -> tuple[Statement, ...]: ...


class RowWriter(Protocol):
    """What the auditor writes with (``nodepool.row_store``)."""

    async def write(
        self, table: Table, key_suffix: bytes, body: Body | None, *, signer: SigningKey
    ) -> SignedRow: ...


class PeriodClock(Protocol):
    """What the auditor needs of a clock."""

    def now_s(self) -> int: ...

    def period(self) -> int: ...


class Auditor:
    """The service. One per node that takes part in audits."""

    def __init__(
        self,
        queries: Faults,
        rows: RowWriter,
        key: SigningKey,
        probe: Probe,
        *,
        clock: PeriodClock,
        beacon: Callable[[int], bytes],
        random: Random,
        complaint: Callable[[NodeId], FaultReason | None] = lambda target: None,
    ) -> None:
        """``complaint`` returns what else this node has met of a target since the last audit."""
        self._complaint = complaint
        self._queries = queries
        self._rows = rows
        self._key = key
        self._probe = probe
        self._clock = clock
        self._beacon = beacon
        self._random = random

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Audit once in each period until cancelled."""
        task_status.started()
        while True:
            left_s = PERIOD_S - self._clock.now_s() % PERIOD_S
            await trio.sleep(left_s + self._random.uniform(EARLIEST, LATEST) * PERIOD_S)
            try:
                await self.audit()
            except LocalFault as fault:  # our disk; another period may be better
                log.warning("no audits in this period: %s", fault)

    async def audit(self) -> Mapping[NodeId, FaultReason | None]:
        """Audit this period's targets now, write what failed, and return what was found."""
        period = self._clock.period()
        nodes = await self._queries.candidates(period)
        duties = await trio.to_thread.run_sync(  # a second's work where there are 20,000 nodes
            partial(duties_of, self._key.node_id, nodes, self._beacon(period), period=period)
        )
        said = await self._queries.statements(period)
        suspects = {item.target for item in said if item.reason in SUSPICIONS}
        found = await self._try(duties, suspects)
        in_time = sum(reason not in OURS_PERHAPS for reason in found.values())
        for target, reason in found.items():
            if reason in OURS_PERHAPS and not may_report(in_time, len(found)):
                continue
            if reason is not None:
                await self._say(target, reason, period)
        return found

    async def _try(
        self, duties: Sequence[Duty], suspects: Set[NodeId]
    ) -> dict[NodeId, FaultReason | None]:
        found: dict[NodeId, FaultReason | None] = {}
        limiter = trio.CapacityLimiter(PROBES_AT_ONCE)

        async def try_one(target: NodeId, leaves: int) -> None:
            async with limiter:
                reason = await self._probe(target, leaves)
                found[target] = reason or self._complaint(target)

        async with trio.open_nursery() as nursery:
            for duty in duties:
                leaves = leaves_to_ask(
                    duty.seats,
                    is_suspect=duty.target in suspects,
                    chance=self._random.random(),
                )
                nursery.start_soon(try_one, duty.target, leaves)
        return found

    async def _say(self, target: NodeId, reason: FaultReason, period: int) -> None:
        before = await self._queries.fault(self._key.public, target)
        if before is not None and before.period >= period:
            return
        recent, count = 1, 1
        if before is not None:
            recent = seen_again(before.body.recent, before.period, period)
            count = min(MAX_FAULT_COUNT, before.body.count + 1)
        body = FaultBody(reason=reason, count=count, recent=recent)
        try:
            await self._rows.write(Table.FAULT, target, body, signer=self._key)
        except (BadInput, Unavailable):
            return  # 16 others speak already, we are banned ourselves, or have said too much


def duties_of(
    own: NodeId, nodes: Sequence[Candidate], beacon: bytes, *, period: int
) -> tuple[Duty, ...]:
    """Return the nodes that ``own`` has a seat for; none while it is no node itself."""
    if all(node.node != own for node in nodes):
        return ()
    electorate = Electorate(nodes)
    roots = len({node.root or node.node for node in nodes})  # so many can sit
    duties = []
    for node in nodes:
        if node.node == own or not may_sit(beacon, node.node, own, roots):
            continue
        seats = electorate.draw(beacon, node.node, period).seats
        if own in seats:
            duties.append(Duty(target=node.node, seats=len(seats)))
    return tuple(duties)
