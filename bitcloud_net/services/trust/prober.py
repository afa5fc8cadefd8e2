"""One probe of one node: is it there, does it sign, has it the time, can it show what it holds?

    open a stream → ping (measures the way) → challenge → which of these files? → leaves

The first thing that is wrong is the reason. A signed answer that the file's manifest refutes is a
proof besides, and goes into the nodepool at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, Protocol, TypeVar

import trio

from bitcloud_net.core.errors import (
    BadProof,
    BadSignature,
    BitcloudError,
    PeerFault,
    Refused,
    Unavailable,
)
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.table_rules import PROOFS
from bitcloud_net.core.trust.audit import CHALLENGE_BYTES
from bitcloud_net.core.trust.clock_check import FAULT_S
from bitcloud_net.core.trust.verdicts import FaultReason
from bitcloud_net.net.network import ProtocolId, Stream
from bitcloud_net.nodepool.outcome import Outcome
from bitcloud_net.protocols.audit_client import Answered, AuditClient
from bitcloud_net.services.trust.share_chooser import Chosen
from bitcloud_net.wire.audit_session import MAX_WHICH, PROTOCOL

REACH_S: Final = 10.0
"""How long a node has to be reached, and to answer a ping."""
ANSWER_S: Final = 0.6
"""How long an answer may take beyond the way there and back (R-AUD-06)."""
MAX_WAY_S: Final = 1.5
"""Longest way that is allowed for: a link over a satellite and a radio. A node that is slow to
answer pings gains no more time by it."""

_T = TypeVar("_T")


class Reaching(Protocol):
    """What the prober needs of the network (``net.network.Network``)."""

    async def open_stream(self, peer: NodeId, protocol: ProtocolId) -> Stream: ...


class Choice(Protocol):
    """Which shares to ask for (``services.trust.share_chooser``)."""

    async def files(self, node: NodeId, count: int) -> tuple[bytes, ...]: ...

    async def note(
        self, node: NodeId, cids: Sequence[bytes], held: Sequence[Sequence[int]], period: int
    ) -> None: ...

    async def choose(self, node: NodeId, count: int) -> list[Chosen]: ...


class Court(Protocol):
    """Where proofs go (``nodepool.row_store``)."""

    async def take(
        self, of: int, raws: Sequence[bytes], *, source: NodeId | None
    ) -> tuple[Outcome, ...]: ...


class PeriodClock(Protocol):
    """What the prober needs of a clock."""

    def now_s(self) -> int: ...

    def period(self) -> int: ...


class Prober:
    """One per auditor."""

    def __init__(
        self,
        network: Reaching,
        own: NodeId,
        choice: Choice,
        court: Court,
        *,
        clock: PeriodClock,
        behind_s: Callable[[], int | None],
        random: Random,
    ) -> None:
        """``behind_s``: how far our own clock is behind the median of others; None: not known."""
        self._network = network
        self._own = own
        self._choice = choice
        self._court = court
        self._clock = clock
        self._behind_s = behind_s
        self._random = random

    async def probe(self, target: NodeId, leaves: int) -> FaultReason | None:
        """Try a node, asking for so many leaves; return what is wrong with it, or None. Cancel:
        safe. Takes at most a minute.
        """
        reason = await self._try(target, leaves)
        if reason is FaultReason.TOO_SLOW:  # any computer stops for a second now and then
            reason = await self._try(target, leaves)
        return reason

    async def _try(self, target: NodeId, leaves: int) -> FaultReason | None:
        try:
            stream = await _within(REACH_S, self._network.open_stream(target, ProtocolId(PROTOCOL)))
        except trio.TooSlowError:
            return FaultReason.PING_TIMEOUT
        except Unavailable as error:
            return _unreached(error)
        try:
            return await self._examine(target, AuditClient(stream, self._own), leaves)
        except BadProof as fault:
            await self._court.take(PROOFS, [fault.evidence], source=None)
            return FaultReason.WRONG_AUDIT
        except BitcloudError as error:
            return _reason_of(error)
        finally:
            stream.reset()

    async def _examine(
        self, target: NodeId, client: AuditClient, leaves: int
    ) -> FaultReason | None:
        try:
            way_s = await _within(REACH_S, client.ping())
        except trio.TooSlowError:
            return FaultReason.PING_TIMEOUT
        try:
            return await self._ask(target, client, leaves, ANSWER_S + min(way_s, MAX_WAY_S))
        except trio.TooSlowError:
            return FaultReason.TOO_SLOW

    async def _ask(
        self, target: NodeId, client: AuditClient, leaves: int, limit_s: float
    ) -> FaultReason | None:
        period = self._clock.period()
        answered = await _within(limit_s, client.challenge(self._challenge(), period))
        reason = self._check_clock(answered)
        await self._learn(target, client, limit_s)
        for chosen in await self._choice.choose(target, leaves):
            answered = await _within(
                limit_s,
                client.show(self._challenge(), period, chosen.question, chosen.manifest),
            )
            if answered.lack:
                return FaultReason.WRONG_AUDIT
        return reason

    async def _learn(self, target: NodeId, client: AuditClient, limit_s: float) -> None:
        """Ask which shares it holds of some files, to have something to ask for later."""
        cids = await self._choice.files(target, MAX_WHICH)
        if cids:
            held = await _within(limit_s, client.which(cids))
            await self._choice.note(target, cids, held, self._clock.period())

    def _check_clock(self, answered: Answered) -> FaultReason | None:
        behind_s = self._behind_s()
        if behind_s is None:
            return None
        off_s = answered.clock_s - (self._clock.now_s() + behind_s)
        return FaultReason.CLOCK if abs(off_s) >= FAULT_S else None

    def _challenge(self) -> bytes:
        return self._random.randbytes(CHALLENGE_BYTES)


async def _within(seconds: float, work: Awaitable[_T]) -> _T:
    with trio.fail_after(seconds):
        return await work


def _unreached(error: Unavailable) -> FaultReason | None:
    if error.code == "node-banned":  # by us: that it does not answer says nothing about it
        return None
    return FaultReason.PING_TIMEOUT


def _reason_of(error: BitcloudError) -> FaultReason:
    if isinstance(error, BadSignature):
        return FaultReason.WRONG_SIGNATURE
    if isinstance(error, PeerFault):
        return FaultReason.WRONG_AUDIT
    if isinstance(error, Refused):
        return FaultReason.DENIAL_OF_SERVICE
    if isinstance(error, Unavailable):
        return FaultReason.PING_TIMEOUT
    raise error
