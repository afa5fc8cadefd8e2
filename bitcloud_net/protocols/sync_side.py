"""What a node brings to all its sync sessions, whichever side of them it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from bitcloud_net.core.errors import BadMessage, Malformed
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool import mandates
from bitcloud_net.core.nodepool.mandates import GRACE_PERIODS, Mandate
from bitcloud_net.core.nodepool.meeting import Meeting
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.nodepool.growth import Growth
from bitcloud_net.nodepool.outcome import Fate, Outcome
from bitcloud_net.nodepool.session_reads import SessionReads
from bitcloud_net.protocols.clock_watch import ClockWatch
from bitcloud_net.wire import negentropy
from bitcloud_net.wire import sync_session as wire
from bitcloud_net.wire.range_index import RangeIndex

MAX_NEWS_ROWS: Final = 256
"""Rows that one side lacks, up to which they are news for others too, such as a node that has just
joined; more is catching up."""
NEWS_HOPS: Final = 2
"""How far such rows are pushed on."""


class SyncedRows(Protocol):
    """What a session needs of the nodepool (``nodepool.row_store``)."""

    @property
    def reads(self) -> SessionReads: ...

    async def take(
        self, of: int, raws: Sequence[bytes], *, source: NodeId | None
    ) -> tuple[Outcome, ...]: ...

    @property
    def growth(self) -> Growth: ...

    def is_settled(self, row_id: bytes) -> bool: ...


class Allowance(Protocol):
    """What one partner may still cost in this period."""

    def spend(self, size: int) -> None:
        """Count bytes of rows.

        Raises:
            Refused: ``budget``: it is used up.
        """

    def compare(self, size: int) -> None:
        """Count bytes of comparing, which moves no rows and costs time all the same.

        Raises:
            Refused: ``budget``: it is used up.
        """

    async def rest(self) -> None:
        """Wait until this partner's rows may be checked again."""

    def note_checked(self, rows: int) -> None:
        """Count rows whose signatures were checked."""


class Persons(Protocol):
    """The keys that this machine acts for, and what others have shown (``protocols.persons``)."""

    async def mandates(self, peer: NodeId, period: int) -> tuple[Mandate, ...]:
        """Return what is shown to ``peer`` in ``period``."""

    def note(self, peer: NodeId, keys: frozenset[bytes], period: int) -> None:
        """Hear which keys ``peer`` has shown that it acts for, its own among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one side of a session has shown the other."""

    now_s: int
    keys: frozenset[bytes]

    def meet(self, peer: NodeId, theirs: Shown, depths: Mapping[int, int]) -> Meeting:
        """Return the meeting of this side with ``peer``, which has shown ``theirs``."""
        return Meeting(
            peer=peer,
            period=min(self.now_s, theirs.now_s) // PERIOD_S,
            ours=self.keys,
            theirs=theirs.keys,
            depths=depths,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One node as a side of sessions."""

    node: NodeId
    rows: SyncedRows
    persons: Persons
    now_s: Callable[[], int]  # the own clock
    random: Random
    clocks: ClockWatch
    relay: Callable[[Sequence[SignedRow], int, NodeId], None]  # rows that were new here, hops, from

    async def take(
        self, of: int, raws: Sequence[bytes], *, source: NodeId, allowance: Allowance
    ) -> tuple[Outcome, ...]:
        """Offer what a peer sent to the nodepool.

        Raises:
            Refused: ``budget``.
            PeerFault: a row came that an honest node would not hold.
        """
        allowance.spend(sum(map(len, raws)))
        await allowance.rest()
        outcomes = await self.rows.take(of, raws, source=source)
        allowance.note_checked(_checked(outcomes))
        _blame(outcomes, source)
        return outcomes

    def hear(self, peer: NodeId, now_s: int, their_s: int, shown: Iterable[Mandate]) -> Shown:
        """Return what a peer has shown: its clock, and the keys that it acts for, its own among
        them. Mandates of a clock that is too far off are left alone.

        Raises:
            PeerFault: it shows a mandate that it does not have.
        """
        period = their_s // PERIOD_S
        in_time = abs(now_s // PERIOD_S - period) <= GRACE_PERIODS
        keys: set[bytes] = {peer}
        for mandate in shown if in_time else ():
            try:
                mandates.check(mandate, node=peer, peer=self.node, period=period)
            except Malformed as error:
                raise BadMessage("a mandate that is not its own", peer=peer) from error
            keys.add(mandate.key)
        self.persons.note(peer, frozenset(keys), now_s // PERIOD_S)
        return Shown(now_s=their_s, keys=frozenset(keys))

    def shown(self, now_s: int, given: Iterable[Mandate]) -> Shown:
        """Return what we have shown ourselves."""
        return Shown(now_s=now_s, keys=frozenset({self.node, *(item.key for item in given)}))


def states_of(
    view: Mapping[int, RangeIndex], depths: Mapping[int, int]
) -> tuple[wire.SetState, ...]:
    """Return the states of the sets in a view; ``depths`` are our own."""
    return tuple(
        wire.SetState(
            set=number,
            depth=depths.get(number, 0),
            count=len(items),
            fingerprint=negentropy.fingerprint(items, 0, len(items)),
        )
        for number, items in view.items()
    )


def new_rows(outcomes: Sequence[Outcome]) -> list[SignedRow]:
    """Return the rows that were accepted, which nobody had brought before."""
    return [o.row for o in outcomes if o.fate is Fate.ACCEPTED and o.row is not None]


def count(outcomes: Sequence[Outcome], fate: Fate) -> int:
    """Return how many rows had this fate."""
    return sum(outcome.fate is fate for outcome in outcomes)


def _checked(outcomes: Sequence[Outcome]) -> int:
    """Return for how many rows a signature was looked at."""
    return len(outcomes) - count(outcomes, Fate.KNOWN) - count(outcomes, Fate.STALE)


def _blame(outcomes: Sequence[Outcome], peer: NodeId) -> None:
    """Raise when a row came that its sender should have refused itself."""
    for outcome in outcomes:
        if outcome.is_senders_fault:
            raise BadMessage(
                f"sent a row that does not hold: {outcome.reason}",
                peer=peer,
                evidence=outcome.row.raw if outcome.row else b"",
                reason=outcome.code,
            )
