"""Sync sessions over streams: the asking and the answering side (``wire.sync_session``).

A session as the asking side runs it: ``Hello`` shows which sets differ; each of those is
reconciled, then what is missing here is fetched and accepted, then what is missing there is sent.
Equal sets end it after one round trip.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

import trio

from bitcloud_net.core.errors import BadMessage, LocalFault, Malformed, Refused, Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.net.network import Stream
from bitcloud_net.nodepool.outcome import Fate, Outcome
from bitcloud_net.wire import negentropy
from bitcloud_net.wire import sync_session as wire
from bitcloud_net.wire.frames import Frame, FrameParser, pack_frame
from bitcloud_net.wire.range_index import RangeIndex

SILENCE_S: Final = 10.0
"""A side that says nothing for so long, while it is its turn, has ended the session."""
IDLE_S: Final = 30.0
"""How long the answering side waits for the next question before it ends the stream."""

FRAME_S: Final = 30.0
"""How long one message may take to arrive once it has begun: the largest at 10 kB/s. Whoever sends
slower holds a place that others need."""

MAX_NEWS_ROWS: Final = 256
"""Rows that one side lacks, up to which they are news for others too, such as a node that has just
joined; more is catching up."""
NEWS_HOPS: Final = 2
"""How far such rows are pushed on."""

Relay: TypeAlias = Callable[[Sequence[bytes], int], None]
"""Takes rows that were new here, and how often they may be sent on."""

_A = TypeVar("_A")


class SyncedRows(Protocol):
    """What a session needs of the nodepool (``nodepool.row_store``)."""

    async def view(self, period: int) -> Mapping[int, RangeIndex]: ...

    async def raws(
        self, of: int, ids: Sequence[bytes], *, max_bytes: int
    ) -> tuple[int, list[bytes]]: ...

    async def take(
        self, of: int, raws: Sequence[bytes], *, source: NodeId | None
    ) -> tuple[Outcome, ...]: ...

    def is_settled(self, row_id: bytes) -> bool: ...


class Allowance(Protocol):
    """What one partner may still cost in this period."""

    def spend(self, size: int) -> None:
        """Count bytes of rows.

        Raises:
            Refused: ``budget``: it is used up.
        """

    async def rest(self) -> None:
        """Wait until this partner's rows may be checked again."""

    def note_checked(self, rows: int) -> None:
        """Count rows whose signatures were checked."""


@dataclass(slots=True)
class SyncReport:
    """What one session did. Counts are rows."""

    clock_ahead_s: int = 0  # how far the other side's clock is ahead of ours
    oldest: int | None = None  # earliest period of a row that was received
    differing: int = 0  # sets that were not equal at first
    received: int = 0  # taken and accepted
    sent: int = 0
    rounds: int = 0  # reconciliation messages there and back
    complete: bool = True  # False: there is more than one session may move


async def reconcile(
    stream: Stream,
    rows: SyncedRows,
    now_s: Callable[[], int],
    allowance: Allowance,
    relay: Relay = lambda _raws, _hops: None,
) -> SyncReport:
    """Run one session as the asking side, until both hold the same rows or a limit is reached.

    ``now_s`` is our own clock. A few rows that only one side had are news that pushes missed: they
    go on to others from there, ours by ``relay``. The stream stays open and belongs to the caller.
    Cancel: safe; rows taken until then stay.

    Raises:
        Refused: the other side is busy, or one of the two budgets is used up.
        PeerFault: it broke the protocol or sent rows that an honest node would not hold.
        Unavailable: the stream ended, or it was silent for ten seconds.
        LocalFault: our own database.
    """
    return await _Asking(stream, rows, allowance, relay).run(now_s)


class Pusher:
    """Sends rows unasked on a stream, which stays open and belongs to the caller."""

    def __init__(self, stream: Stream) -> None:
        self._caller = _Caller(stream)

    async def push(self, of: int, raws: Sequence[bytes], *, hops: int = 0) -> wire.Took:
        """Send one batch and wait until it was taken. Cancel: safe, but ends the use of the stream.

        Raises:
            Refused, PeerFault, Unavailable: as ``reconcile``.
        """
        rows = wire.Rows(set=of, hops=hops, raws=tuple(raws))
        return await self._caller.ask(rows, wire.Took)


async def answer(
    stream: Stream,
    rows: SyncedRows,
    now_s: Callable[[], int],
    allowance: Allowance,
    relay: Relay = lambda _raws, _hops: None,
) -> None:
    """Answer one stream's questions until the other side ends it.

    ``relay`` gets pushed rows that were new here and may travel on, with the hops they have left.

    Raises:
        PeerFault: it broke the protocol or sent rows that an honest node would not hold.
        Unavailable: the stream broke, or nothing came for 30 s.
    """
    await _Answering(stream, rows, now_s, allowance, relay).run()


class _Asking:
    def __init__(
        self, stream: Stream, rows: SyncedRows, allowance: Allowance, relay: Relay
    ) -> None:
        self._relay = relay
        self._caller = _Caller(stream)
        self._peer = stream.peer
        self._rows = rows
        self._allowance = allowance
        self._report = SyncReport()

    async def run(self, now_s: Callable[[], int]) -> SyncReport:
        start_s = now_s()
        view = await self._rows.view(start_s // PERIOD_S)
        hello = wire.Hello(now_s=start_s, states=_states(view))
        theirs = await self._caller.ask(hello, wire.HelloIs)
        self._report.clock_ahead_s = theirs.now_s - (start_s + now_s()) // 2
        if theirs.now_s // PERIOD_S < start_s // PERIOD_S:
            view = await self._rows.view(theirs.now_s // PERIOD_S)
        states = {state.set: state for state in _states(view)}
        for state in theirs.states:
            if state.set in states and states[state.set] != state:
                self._report.differing += 1
                await self._sync(state.set, view[state.set])
        return self._report

    async def _sync(self, of: int, items: RangeIndex) -> None:
        have, need = await self._compare(of, items)
        await self._fetch(of, [row_id for row_id in need if not self._rows.is_settled(row_id)])
        await self._send(of, list(have))

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
            self._allowance.spend(sum(map(len, reply.raws)))
            await self._allowance.rest()
            outcomes = await self._rows.take(of, reply.raws, source=self._peer)
            self._allowance.note_checked(_checked(outcomes))
            _blame(outcomes, self._peer)
            self._count_received(outcomes)
            if is_news:
                self._relay(_new(outcomes), NEWS_HOPS)
            del ids[: reply.considered]

    def _count_received(self, outcomes: Sequence[Outcome]) -> None:
        self._report.received += _count(outcomes, Fate.ACCEPTED)
        periods = [o.row.period for o in outcomes if o.fate is Fate.ACCEPTED and o.row]
        known = [] if self._report.oldest is None else [self._report.oldest]
        self._report.oldest = min(periods + known, default=None)

    async def _send(self, of: int, ids: list[bytes]) -> None:
        hops = NEWS_HOPS if len(ids) <= MAX_NEWS_ROWS else 0
        while ids:
            asked = ids[: wire.MAX_BATCH_ROWS]
            considered, raws = await self._rows.raws(of, asked, max_bytes=wire.MAX_BATCH_BYTES)
            del ids[:considered]
            if raws:
                self._allowance.spend(sum(map(len, raws)))
                rows = wire.Rows(set=of, hops=hops, raws=tuple(raws))
                await self._caller.ask(rows, wire.Took)
                self._report.sent += len(raws)


class _Caller:
    """Asks one question at a time on a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._frames = _Frames(stream)
        self._number = 0

    async def ask(self, request: wire.Request, kind: type[_A]) -> _A:
        self._number += 1
        await _send(self._stream, self._number, request)
        frame = await self._frames.next(SILENCE_S)
        if frame is None:
            raise Unavailable("the sync stream ended", code="stream-ended")
        try:
            reply = wire.parse_answer(frame.type, frame.head, frame.payload)
        except Malformed as error:
            raise BadMessage(error.message, peer=self._stream.peer) from error
        if isinstance(reply, wire.RefusedIs):
            raise Refused(reply.text, code=reply.error_code)
        if frame.request != self._number or not isinstance(reply, kind):
            raise BadMessage("an answer to another question", peer=self._stream.peer)
        return reply


class _Answering:
    def __init__(
        self,
        stream: Stream,
        rows: SyncedRows,
        now_s: Callable[[], int],
        allowance: Allowance,
        relay: Relay,
    ) -> None:
        self._stream = stream
        self._frames = _Frames(stream)
        self._rows = rows
        self._now_s = now_s
        self._allowance = allowance
        self._relay = relay
        self._view: Mapping[int, RangeIndex] = {}
        self._rounds: Counter[int] = Counter()

    async def run(self) -> None:
        while (frame := await self._frames.next(IDLE_S)) is not None:
            try:
                request = wire.parse_request(frame.type, frame.head, frame.payload)
                reply = await self._reply(request)
            except Malformed as error:
                raise BadMessage(error.message, peer=self._stream.peer) from error
            except (Refused, LocalFault) as error:
                reply = wire.RefusedIs(error_code=error.code, text=error.message[: wire.MAX_TEXT])
            await _send(self._stream, frame.request, reply)

    async def _reply(self, request: wire.Request) -> wire.Answer:
        match request:
            case wire.Hello():
                return await self._hello(request)
            case wire.Recon():
                return self._recon(request)
            case wire.Want():
                return await self._want(request)
            case wire.Rows():
                return await self._take(request)

    async def _hello(self, hello: wire.Hello) -> wire.Answer:
        now_s = self._now_s()
        self._view = await self._rows.view(min(now_s, hello.now_s) // PERIOD_S)
        self._rounds.clear()
        return wire.HelloIs(now_s=now_s, states=_states(self._view))

    def _recon(self, recon: wire.Recon) -> wire.Answer:
        items = self._view.get(recon.set)
        if items is None:
            raise Refused("no session compares this set", code="unknown-set")
        self._rounds[recon.set] += 1
        if self._rounds[recon.set] > wire.MAX_ROUNDS:
            raise Refused("too many rounds", code="too-many-rounds")
        return wire.ReconIs(message=negentropy.respond(items, recon.message))

    async def _want(self, want: wire.Want) -> wire.Answer:
        considered, raws = await self._rows.raws(want.set, want.ids, max_bytes=wire.MAX_BATCH_BYTES)
        self._allowance.spend(sum(map(len, raws)))
        return wire.RowsAre(considered=considered, raws=tuple(raws))

    async def _take(self, rows: wire.Rows) -> wire.Answer:
        self._allowance.spend(sum(map(len, rows.raws)))
        await self._allowance.rest()
        outcomes = await self._rows.take(rows.set, rows.raws, source=self._stream.peer)
        self._allowance.note_checked(_checked(outcomes))
        _blame(outcomes, self._stream.peer)
        if rows.hops:
            self._relay(_new(outcomes), rows.hops - 1)
        accepted, refused = _count(outcomes, Fate.ACCEPTED), _count(outcomes, Fate.REFUSED)
        return wire.Took(accepted=accepted, refused=refused)


class _Frames:
    """The frames of one stream, one by one."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._parser = FrameParser(wire.MAX_FRAME_BYTES)
        self._ready: deque[Frame] = deque()

    async def next(self, patience_s: float) -> Frame | None:
        """Return the next frame; None at the end of the stream."""
        late = trio.current_time() + FRAME_S
        while not self._ready:
            deadline = trio.current_time() + patience_s
            if self._parser.inside_frame:
                deadline = min(deadline, late)
            data = await self._receive(deadline)
            if not data:
                return None
            try:
                self._ready.extend(self._parser.feed(data))
            except Malformed as error:
                raise BadMessage(error.message, peer=self._stream.peer) from error
        return self._ready.popleft()

    async def _receive(self, deadline: float) -> bytes:
        with trio.move_on_at(deadline):
            return await self._stream.receive()
        raise Unavailable("the other side was silent for too long", code="peer-silent")


async def _send(stream: Stream, number: int, message: wire.Request | wire.Answer) -> None:
    kind, head, payload = wire.pack(message)
    with trio.move_on_after(SILENCE_S) as scope:
        await stream.send(pack_frame(number, kind, head, len(payload)), payload)
    if scope.cancelled_caught:
        raise Unavailable("the other side took nothing for too long", code="peer-silent")


def _states(view: Mapping[int, RangeIndex]) -> tuple[wire.SetState, ...]:
    return tuple(
        wire.SetState(
            set=number,
            count=len(items),
            fingerprint=negentropy.fingerprint(items, 0, len(items)),
        )
        for number, items in view.items()
    )


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


def _new(outcomes: Sequence[Outcome]) -> list[bytes]:
    return [o.row.raw for o in outcomes if o.fate is Fate.ACCEPTED and o.row is not None]


def _checked(outcomes: Sequence[Outcome]) -> int:
    """Return for how many rows a signature was looked at."""
    return len(outcomes) - _count(outcomes, Fate.KNOWN) - _count(outcomes, Fate.STALE)


def _count(outcomes: Sequence[Outcome], fate: Fate) -> int:
    return sum(outcome.fate is fate for outcome in outcomes)
