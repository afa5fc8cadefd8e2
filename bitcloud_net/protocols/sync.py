"""The asking side of sync sessions (``wire.sync_session``).

``Hello`` shows what both sides see and keep, and which sets differ; each of those is reconciled,
then what is missing here is fetched and accepted, then what is missing there is sent. Equal sets
end it after one round trip. What is held here for others, at places that only they keep, is shown
to them at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from bitcloud_net.core.errors import BadMessage, Malformed
from bitcloud_net.core.nodepool.meeting import Meeting
from bitcloud_net.core.nodepool.tables import Table
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.net.network import Stream
from bitcloud_net.nodepool.outcome import Fate, Outcome
from bitcloud_net.nodepool.readers import Readers
from bitcloud_net.nodepool.session_reads import Stray
from bitcloud_net.protocols.questions import Caller
from bitcloud_net.protocols.sync_side import (
    MAX_NEWS_ROWS,
    NEWS_HOPS,
    Allowance,
    Side,
    count,
    new_rows,
    states_of,
)
from bitcloud_net.protocols.sync_stream import CODEC
from bitcloud_net.wire import negentropy
from bitcloud_net.wire import sync_session as wire
from bitcloud_net.wire.range_index import RangeIndex


@dataclass(slots=True)
class SyncReport:
    """What one session did. Counts are rows."""

    oldest: int | None = None  # earliest period of a row that was received
    differing: int = 0  # sets that were not equal at first
    received: int = 0  # taken and accepted
    sent: int = 0
    rounds: int = 0  # reconciliation messages there and back
    complete: bool = True  # False: there is more than one session may move
    depths: dict[int, int] = field(default_factory=dict)  # how deep the other side cuts each set


async def reconcile(
    stream: Stream, side: Side, allowance: Allowance, *, sets: Collection[int] | None = None
) -> SyncReport:
    """Run one session as the asking side, until both hold the same rows or a limit is reached.

    ``sets`` are those to compare; None: all that there are. A few rows that only one side had are
    news that pushes missed: they go on to others from there, ours by ``side.relay``. The stream
    stays open and belongs to the caller. Cancel: safe; rows taken until then stay.

    Raises:
        Refused: the other side is busy, one of the two budgets is used up, or the clocks are too
            far apart (``clock-off``).
        PeerFault: it broke the protocol or sent rows that an honest node would not hold.
        Unavailable: the stream ended, or it was silent for ten seconds.
        LocalFault: our own database.
    """
    return await _Asking(stream, side, allowance).run(sets)


class Pusher:
    """Sends rows unasked on a stream, which stays open and belongs to the caller."""

    def __init__(self, stream: Stream) -> None:
        self._caller = Caller(stream, CODEC)

    async def push(self, of: int, raws: Sequence[bytes], *, hops: int = 0) -> wire.Took:
        """Send one batch and wait until it was taken. Cancel: safe, but ends the use of the stream.

        Raises:
            Refused, PeerFault, Unavailable: as ``reconcile``.
        """
        rows = wire.Rows(set=of, hops=hops, raws=tuple(raws))
        return await self._caller.ask(rows, wire.Took)


class _Asking:
    def __init__(self, stream: Stream, side: Side, allowance: Allowance) -> None:
        self._caller = Caller(stream, CODEC)
        self._peer = stream.peer
        self._side = side
        self._rows = side.rows
        self._reads = side.rows.reads
        self._allowance = allowance
        self._report = SyncReport()
        self._readers: Readers | None = None

    async def run(self, sets: Collection[int] | None) -> SyncReport:
        own = self._reads.depths
        depths = {number: own[number] for number in own if sets is None or number in sets}
        meeting, theirs = await self._greet(depths)
        view = await self._reads.view(meeting)
        ours = {state.set: state for state in states_of(view, depths)}
        for state in theirs:
            if state.set in ours and not _equal(ours[state.set], state):
                self._report.differing += 1
                await self._sync(state.set, view[state.set], meeting)
        for number in meeting.depths:
            await self._show_strays(number, meeting)
        if Table.NODE in meeting.depths and self._rows.growth.draws_sample(meeting.period):
            await self._draw_sample(meeting.period)
        return self._report

    async def _greet(self, depths: dict[int, int]) -> tuple[Meeting, tuple[wire.SetState, ...]]:
        start_s = self._side.now_s()
        mandates = await self._side.persons.mandates(self._peer, start_s // PERIOD_S)
        sets = tuple(wire.SetDepth(set=number, depth=depth) for number, depth in depths.items())
        hello = wire.Hello(now_s=start_s, mandates=mandates, sets=sets)
        theirs = await self._caller.ask(hello, wire.HelloIs)
        ahead_s = theirs.now_s - (start_s + self._side.now_s()) // 2
        self._side.clocks.note(self._peer, ahead_s)
        self._side.clocks.check(ahead_s)
        self._report.depths = {state.set: state.depth for state in theirs.states}
        if not self._report.depths.keys() <= depths.keys():
            raise BadMessage("sets that were not asked for", peer=self._peer)
        shown = self._side.hear(self._peer, start_s, theirs.now_s, theirs.mandates)
        ours = self._side.shown(start_s, mandates)
        return ours.meet(self._peer, shown, self._report.depths), theirs.states

    async def _sync(self, of: int, items: RangeIndex, meeting: Meeting) -> None:
        have, need = await self._compare(of, items)
        await self._fetch(of, [row_id for row_id in need if not self._rows.is_settled(row_id)])
        await self._send(of, list(have), meeting)

    async def _compare(
        self, of: int, items: RangeIndex
    ) -> tuple[dict[bytes, None], dict[bytes, None]]:
        have: dict[bytes, None] = {}
        need: dict[bytes, None] = {}
        query: bytes | None = negentropy.initiate(items)
        rounds = 0
        while query is not None and rounds < wire.MAX_ROUNDS:
            rounds += 1
            reply = await self._caller.ask(wire.Recon(set=of, message=query), wire.ReconIs)
            step = self._checked(items, reply.message)
            have.update(dict.fromkeys(step.have))
            need.update(dict.fromkeys(step.need))
            query = step.message
        self._report.rounds += rounds
        self._report.complete &= query is None
        return have, need

    def _checked(self, items: RangeIndex, message: bytes) -> negentropy.Step:
        try:
            return negentropy.proceed(items, message)
        except Malformed as error:
            raise BadMessage(error.message, peer=self._peer) from error

    async def _fetch(self, of: int, ids: list[bytes]) -> None:
        is_news = len(ids) <= MAX_NEWS_ROWS
        while ids:
            asked = tuple(ids[: wire.MAX_WANT])
            reply = await self._caller.ask(wire.Want(set=of, ids=asked), wire.RowsAre)
            least = 1 if reply.raws else len(asked)  # it stops early only when it is full
            if not least <= reply.considered <= len(asked):
                raise BadMessage("an answer to nothing", peer=self._peer)
            outcomes = await self._take(of, reply.raws)
            if is_news:
                self._side.relay(new_rows(outcomes), NEWS_HOPS, self._peer)
            del ids[: reply.considered]

    async def _take(self, of: int, raws: Sequence[bytes]) -> tuple[Outcome, ...]:
        outcomes = await self._side.take(of, raws, source=self._peer, allowance=self._allowance)
        self._report.received += count(outcomes, Fate.ACCEPTED)
        periods = [row.period for row in new_rows(outcomes)]
        known = [] if self._report.oldest is None else [self._report.oldest]
        self._report.oldest = min(periods + known, default=None)
        return outcomes

    async def _send(self, of: int, ids: list[bytes], meeting: Meeting) -> None:
        if self._readers is None and ids:
            self._readers = await self._reads.readers(meeting.theirs, meeting.period)
        hops = NEWS_HOPS if len(ids) <= MAX_NEWS_ROWS else 0
        while ids and self._readers is not None:
            asked = ids[: wire.MAX_BATCH_ROWS]
            considered, raws = await self._reads.raws(
                of, asked, readers=self._readers, max_bytes=wire.MAX_BATCH_BYTES
            )
            del ids[:considered]
            if raws:
                self._allowance.spend(sum(map(len, raws)))
                rows = wire.Rows(set=of, hops=hops, raws=tuple(raws))
                await self._caller.ask(rows, wire.Took)
                self._report.sent += len(raws)

    async def _show_strays(self, of: int, meeting: Meeting) -> None:
        """Compare what is held here, key by key, with whom it belongs to by its place."""
        strays = self._reads.strays(of, meeting)
        while strays:
            asked = strays[: wire.MAX_LOOK]
            look = wire.Look(set=of, glances=tuple(stray.glance for stray in asked))
            reply = await self._caller.ask(look, wire.Seen)
            if not 0 < len(reply.marks) <= len(asked):
                raise BadMessage("an answer to nothing", peer=self._peer)
            del strays[: len(reply.marks)]
            await self._settle(of, list(zip(asked, reply.marks, strict=False)), reply.raws, meeting)

    async def _draw_sample(self, period: int) -> None:
        """Take some nodes from anywhere, for the sample."""
        start = self._side.random.randrange(2**32)
        some = wire.Some(set=Table.NODE, start=start, count=wire.MAX_SOME)
        reply = await self._caller.ask(some, wire.RowsAre)
        outcomes = await self._take(Table.NODE, reply.raws)
        self._rows.growth.note_drawn(count(outcomes, Fate.ACCEPTED), period)

    async def _settle(
        self,
        of: int,
        marked: list[tuple[Stray, int]],
        raws: Sequence[bytes],
        meeting: Meeting,
    ) -> None:
        """Take what is newer there, give what is newer here, and note what they keep."""
        outcomes = await self._take(of, raws)
        newer_here = {o.row.key for o in outcomes if o.fate is Fate.STALE and o.row}
        lacking = [
            stray.id
            for stray, mark in marked
            if mark == wire.Mark.ABSENT or stray.key in newer_here
        ]
        await self._send(of, lacking, meeting)
        kept = [stray for stray, mark in marked if mark == wire.Mark.KEPT]
        await self._rows.growth.note_kept(of, kept, peer=self._peer)


def _equal(ours: wire.SetState, theirs: wire.SetState) -> bool:
    return (ours.count, ours.fingerprint) == (theirs.count, theirs.fingerprint)
