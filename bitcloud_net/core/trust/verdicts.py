"""From statements to verdicts to bans.

An auditor says nothing about a target that works. About one that fails it keeps a single row, and
signs it again with a higher count; its ``recent`` bits say in which of the last six periods it saw
the failure. A period is bad when a quorum of the seats drawn for it says so; three bad periods of
six are a ban, and so is one proof that speaks for itself. Bans end by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.tables import DAY_PERIODS
from bitcloud_net.core.trust.lots import Lot

WINDOW_PERIODS = 6
BAD_PERIODS = 3
BAN_PERIODS = (1, 6, 144)
"""The first, second and every further ban within ``MEMORY_PERIODS``."""
FRAUD_BAN_PERIODS = BAN_PERIODS[-1]
"""A proof of fraud starts at the longest."""
FRAUD = "fraud"
"""The reason of a ban that a proof is enough for."""
MEMORY_PERIODS = 30 * DAY_PERIODS
MAX_RECENT = (1 << WINDOW_PERIODS) - 1


class FaultReason(IntEnum):
    """Why a target failed. Numbers are for ever; there is room for more."""

    PING_TIMEOUT = 1
    WRONG_SIGNATURE = 2
    WRONG_AUDIT = 3
    TOO_SLOW = 4
    DENIAL_OF_SERVICE = 5
    CORRUPT_DATA = 6
    CLOCK = 7

    @property
    def text(self) -> str:
        """The reason as it is shown, such as ``ping-timeout``."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One auditor's fault row about one target."""

    auditor: NodeId
    target: NodeId
    reason: FaultReason
    period: int  # when it was signed
    recent: int  # bit i: the failure was seen in ``period - i``

    def saw(self, period: int) -> bool:
        """Whether the auditor saw the failure in ``period``."""
        age = self.period - period
        return 0 <= age < WINDOW_PERIODS and bool(self.recent >> age & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """A node is refused from ``since`` on, up to and with ``until`` (periods)."""

    target: NodeId
    since: int
    until: int
    reason: str  # a reason's name, or ``fraud``

    def holds(self, period: int) -> bool:
        """Whether the ban is running."""
        return self.since <= period <= self.until


def seen_again(recent: int, period: int, now: int) -> int:
    """Return the ``recent`` bits of a statement signed in ``period`` for a failure seen ``now``."""
    return (recent << max(0, now - period) | 1) & MAX_RECENT


def bad_periods(
    statements: Sequence[Statement], lot_of: Callable[[int], Lot], *, now: int
) -> list[int]:
    """Return which of the last six periods were bad for the target that the statements are about.

    ``lot_of`` gives the lot of that target in a period. The period under way counts once enough
    have spoken.
    """
    bad = []
    for period in range(now - WINDOW_PERIODS + 1, now + 1):
        speakers = {item.auditor for item in statements if item.saw(period)}
        if not speakers:
            continue
        lot = lot_of(period)
        if lot.quorum and len(speakers.intersection(lot.seats)) >= lot.quorum:
            bad.append(period)
    return bad


def judge(
    statements: Sequence[Statement],
    lot_of: Callable[[int], Lot],
    earlier: Iterable[Ban],
    *,
    now: int,
) -> Ban | None:
    """Return a new ban of the target that the statements are about, or None.

    It begins in the third bad period, whenever it is judged: so nodes that judge earlier and later
    come to the same ban. Nobody is banned again while a ban runs, nor for periods that lie before
    the end of the last one.
    """
    if not statements:
        return None
    target = statements[0].target
    known = [ban for ban in earlier if ban.target == target and ban.until >= now - MEMORY_PERIODS]
    last = max((ban.until for ban in known), default=-1)
    bad = [period for period in bad_periods(statements, lot_of, now=now) if period > last]
    if last >= now or len(bad) < BAD_PERIODS:
        return None
    length = BAN_PERIODS[min(len(known), len(BAN_PERIODS) - 1)]
    since = bad[BAD_PERIODS - 1]
    reason = _most_common(statements).text
    return Ban(target=target, since=since, until=since + length, reason=reason)


def may_report(reached: int, partners: int) -> bool:
    """Whether an auditor that reached so many of its own partners may say that others are away:
    with fewer than half its own line is probably down.
    """
    return 2 * reached >= partners > 0


def _most_common(statements: Sequence[Statement]) -> FaultReason:
    reasons = [item.reason for item in statements]
    return max(sorted(set(reasons)), key=reasons.count)
