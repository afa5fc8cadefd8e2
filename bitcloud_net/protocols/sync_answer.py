"""The answering side of sync sessions (``wire.sync_session``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from bitcloud_net.core.errors import BadMessage, LocalFault, Malformed, Refused
from bitcloud_net.core.units import HASH_BYTES, KIB, PERIOD_S
from bitcloud_net.net.network import Stream
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.readers import Readers
from bitcloud_net.protocols.questions import Frames, send
from bitcloud_net.protocols.sync_side import Allowance, Side, count, new_rows, states_of
from bitcloud_net.wire import negentropy
from bitcloud_net.wire import sync_session as wire
from bitcloud_net.wire.range_index import RangeIndex

SESSION_COST_BYTES: Final = 16 * KIB
"""What one ``Hello`` counts for: some milliseconds for mandates and for the states of all sets."""
IDLE_S: Final = 30.0
"""How long the answering side waits for the next question before it ends the stream."""


async def answer(stream: Stream, side: Side, allowance: Allowance) -> None:
    """Answer one stream's questions until the other side ends it.

    Raises:
        PeerFault: it broke the protocol or sent rows that an honest node would not hold.
        Unavailable: the stream broke, or nothing came for 30 s.
    """
    await _Answering(stream, side, allowance).run()


class _Answering:
    def __init__(self, stream: Stream, side: Side, allowance: Allowance) -> None:
        self._stream = stream
        self._frames = Frames(stream, wire.MAX_FRAME_BYTES)
        self._side = side
        self._reads = side.rows.reads
        self._allowance = allowance
        self._shown: frozenset[bytes] = frozenset({stream.peer})
        self._readers: Readers | None = None  # of whom we talk to; looked up when it matters
        self._view: Mapping[int, RangeIndex] = {}
        self._rounds: Counter[int] = Counter()
        self._clock_ahead_s: int | None = None  # the asking side's, once it has said hello

    async def run(self) -> None:
        while (frame := await self._frames.next(IDLE_S)) is not None:
            try:
                request = wire.parse_request(frame.type, frame.head, frame.payload)
                reply = await self._reply(request)
            except Malformed as error:
                raise BadMessage(error.message, peer=self._stream.peer) from error
            except (Refused, LocalFault) as error:
                reply = wire.RefusedIs(error_code=error.code, text=error.message[: wire.MAX_TEXT])
            await send(self._stream, frame.request, wire.pack(reply))

    async def _reply(self, request: wire.Request) -> wire.Answer:
        if self._clock_ahead_s is not None and not isinstance(request, wire.Hello):
            self._side.clocks.check(self._clock_ahead_s)
        match request:
            case wire.Hello():
                return await self._hello(request)
            case wire.Recon():
                return self._recon(request)
            case wire.Want():
                return await self._rows_are(request.set, request.ids)
            case wire.Some():
                ids = self._reads.some(request.set, request.start, request.count)
                return await self._rows_are(request.set, ids)
            case wire.Look():
                return await self._look(request)
            case wire.Rows():
                return await self._take(request)

    async def _hello(self, hello: wire.Hello) -> wire.Answer:
        self._allowance.compare(SESSION_COST_BYTES)
        now_s, peer = self._side.now_s(), self._stream.peer
        theirs = self._side.hear(peer, now_s, hello.now_s, hello.mandates)
        self._clock_ahead_s = hello.now_s - now_s
        mandates = await self._side.persons.mandates(peer, now_s // PERIOD_S)
        depths = {item.set: item.depth for item in hello.sets}
        meeting = self._side.shown(now_s, mandates).meet(peer, theirs, depths)
        self._shown, self._readers = meeting.theirs, None
        self._view = await self._reads.view(meeting)
        states = states_of(self._view, self._reads.depths)
        return wire.HelloIs(now_s=now_s, mandates=mandates, states=states)

    def _recon(self, recon: wire.Recon) -> wire.Answer:
        items = self._view.get(recon.set)
        if items is None:
            raise Refused("no session compares this set", code="unknown-set")
        self._rounds[recon.set] += 1
        if self._rounds[recon.set] > wire.MAX_ROUNDS:
            raise Refused("too many rounds", code="too-many-rounds")
        message = negentropy.respond(items, recon.message)
        self._allowance.compare(len(recon.message) + len(message))
        return wire.ReconIs(message=message)

    async def _rows_are(self, of: int, ids: list[bytes] | tuple[bytes, ...]) -> wire.Answer:
        self._allowance.compare(HASH_BYTES * len(ids))
        considered, raws = await self._reads.raws(
            of, ids, readers=await self._peers_readers(), max_bytes=wire.MAX_BATCH_BYTES
        )
        self._allowance.spend(sum(map(len, raws)))
        return wire.RowsAre(considered=considered, raws=tuple(raws))

    async def _look(self, look: wire.Look) -> wire.Answer:
        self._allowance.compare(HASH_BYTES * len(look.glances))
        marks, raws = await self._reads.look(
            look.set,
            look.glances,
            readers=await self._peers_readers(),
            max_bytes=wire.MAX_BATCH_BYTES,
        )
        self._allowance.spend(sum(map(len, raws)))
        return wire.Seen(marks=marks, raws=tuple(raws))

    async def _peers_readers(self) -> Readers:
        if self._readers is None:
            period = self._side.now_s() // PERIOD_S
            self._readers = await self._reads.readers(self._shown, period)
        return self._readers

    async def _take(self, rows: wire.Rows) -> wire.Answer:
        source = self._stream.peer
        outcomes = await self._side.take(
            rows.set, rows.raws, source=source, allowance=self._allowance
        )
        if rows.hops:
            self._side.relay(new_rows(outcomes), rows.hops - 1, source)
        refused = count(outcomes, Fate.REFUSED)
        return wire.Took(taken=len(outcomes) - refused, refused=refused)
