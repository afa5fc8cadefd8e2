"""What becomes of a peer's fault besides our own door: a proof where it proves, else our word.

Every ``PeerFault`` that this node meets comes here. Evidence that convicts by itself goes into the
nodepool and bans the node everywhere. Without it nothing is claimed before others, but when the lot
makes us that node's auditor next, our statement says what we saw. There is no score.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.errors import (
    BadProof,
    BadSignature,
    BitcloudError,
    CorruptBlock,
    Malformed,
    PeerFault,
)
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.table_rules import PROOFS
from bitcloud_net.core.trust.false_claims import ClaimKind, SaidBlock
from bitcloud_net.core.trust.verdicts import FaultReason
from bitcloud_net.nodepool.outcome import Outcome
from bitcloud_net.nodepool.proofs import Proof

if TYPE_CHECKING:
    from trio_typing import TaskStatus

log = logging.getLogger(__name__)

MAX_REMEMBERED: Final = 1024
"""Peers whose last fault is remembered."""
MAX_WAITING: Final = 64
"""Faults whose evidence waits to be looked at; more are our word alone."""


class Court(Protocol):
    """Where proofs go (``nodepool.row_store``)."""

    async def take(
        self, of: int, raws: list[bytes], *, source: NodeId | None
    ) -> tuple[Outcome, ...]: ...


class Complaints:
    """The service. One per node."""

    def __init__(self, court: Court, period: Callable[[], int]) -> None:
        self._court = court
        self._period = period
        self._seen: OrderedDict[NodeId, tuple[FaultReason, int]] = OrderedDict()
        self._send, self._faults = trio.open_memory_channel[PeerFault](MAX_WAITING)

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Turn evidence into proofs until cancelled."""
        task_status.started()
        async for fault in self._faults:
            raw = proof_of(fault, self._period())
            if raw is None:
                continue
            try:
                await self._court.take(PROOFS, [raw], source=None)
            except BitcloudError as error:  # our disk: the peer's fault is seen again
                log.warning("a proof could not be kept: %s", error)

    def note(self, fault: PeerFault) -> None:
        """Take note of a fault. Never waits."""
        if fault.peer is None:
            return
        peer = NodeId(fault.peer)
        self._seen.pop(peer, None)
        self._seen[peer] = (reason_of(fault), self._period())
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        if fault.evidence or "said" in fault.detail:
            try:
                self._send.send_nowait(fault)
            except trio.WouldBlock:
                log.info("too much evidence at once")

    def about(self, peer: NodeId) -> FaultReason | None:
        """Return, once, what was noted of a peer in this period or the one before."""
        reason, period = self._seen.pop(peer, (None, 0))
        return reason if period >= self._period() - 1 else None


def reason_of(fault: PeerFault) -> FaultReason:
    """Return what an auditor says who met this fault."""
    if isinstance(fault, CorruptBlock):
        return FaultReason.CORRUPT_DATA
    if isinstance(fault, BadSignature) or fault.detail.get("reason") == "bad-signature":
        return FaultReason.WRONG_SIGNATURE
    if isinstance(fault, BadProof):
        return FaultReason.WRONG_AUDIT
    return FaultReason.DENIAL_OF_SERVICE  # nonsense, or more than is allowed


def proof_of(fault: PeerFault, period: int) -> bytes | None:
    """Return the proof that a fault's evidence makes in ``period``; None where it makes none."""
    said = fault.detail.get("said")
    if not isinstance(said, SaidBlock):
        return fault.evidence or None
    claim = said.signed_in((period, period - 1, period + 1))
    if claim is None:
        return None
    try:
        return Proof.of_claim(ClaimKind.BLOCK, said.manifest, claim).raw
    except Malformed:
        return None
