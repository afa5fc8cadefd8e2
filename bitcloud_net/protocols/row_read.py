"""Reading rows that one does not keep, over streams: the asking and the answering side.

See ``wire.row_read`` for the messages. Who asks checks every row itself: one that does not hold is
its sender's fault. That a row is not there is no fault, whatever others say:
``services.nodepool.row_reader`` asks several nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import BadMessage, LocalFault, Malformed, Refused
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.rows import Rules, SignedRow
from bitcloud_net.net.network import Stream
from bitcloud_net.protocols.questions import Caller, Codec, Frames, send
from bitcloud_net.wire import row_read as wire

IDLE_S: Final = 30.0
"""How long the answering side waits for the next question before it ends the stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows of one answer. ``keeps``: whether the node keeps what was asked for at all."""

    keeps: bool
    more: bool
    rows: tuple[SignedRow, ...]


class Shelf(Protocol):
    """What is read from (``nodepool.shelf``). Only rows that ``peer`` may see are given."""

    async def row(self, table: int, key: bytes, *, peer: NodeId) -> tuple[bool, bytes]: ...

    async def page(
        self, table: int, prefix: bytes, after: bytes, *, peer: NodeId
    ) -> tuple[bool, bool, list[bytes]]: ...

    async def found(
        self, table: int, suffix: bytes, after: bytes, *, peer: NodeId
    ) -> tuple[bool, bool, list[bytes]]: ...


def _refusal(answer: wire.Answer) -> Refused | None:
    if isinstance(answer, wire.RefusedIs):
        return Refused(answer.text, code=answer.error_code)
    return None


CODEC: Final[Codec[wire.Request, wire.Answer]] = Codec(
    max_frame_bytes=wire.MAX_FRAME_BYTES,
    pack=wire.pack,
    parse_request=wire.parse_request,
    parse_answer=wire.parse_answer,
    refusal=_refusal,
)


class RowAsker:
    """Asks one node, on a stream that stays open and belongs to the caller. Rows it returns are
    what was asked for and well signed; whether they are in time is the caller's to see.

    Every method raises ``Refused``, ``PeerFault`` (it broke the protocol or sent a row that does
    not hold) or ``Unavailable``. Cancel: safe, but ends the use of the stream.
    """

    def __init__(self, stream: Stream, rules: Rules) -> None:
        self._peer = stream.peer
        self._caller = Caller(stream, CODEC)
        self._rules = rules

    async def row(self, table: int, key: bytes) -> Page:
        """Return one row, or none."""
        reply = await self._caller.ask(wire.Read(table=table, key=key), wire.RowIs)
        rows = self._checked([reply.raw] if reply.raw else [])
        self._expect(all(row.table == table and row.key == key for row in rows))
        return Page(keeps=reply.keeps, more=False, rows=rows)

    async def page(self, table: int, prefix: bytes, after: bytes) -> Page:
        """Return rows whose key begins with ``prefix``, in order, from behind ``after``."""
        question = wire.List(table=table, prefix=prefix, after=after)
        page = await self._page(await self._caller.ask(question, wire.PageIs), table, after)
        self._expect(all(row.key.startswith(prefix) for row in page.rows))
        return page

    async def found(self, table: int, suffix: bytes, after: bytes) -> Page:
        """Return rows of all owners whose key ends with ``suffix``, in order."""
        question = wire.Find(table=table, suffix=suffix, after=after)
        page = await self._page(await self._caller.ask(question, wire.PageIs), table, after)
        self._expect(all(row.key.endswith(suffix) for row in page.rows))
        return page

    async def _page(self, reply: wire.PageIs, table: int, after: bytes) -> Page:
        rows = await trio.to_thread.run_sync(self._checked, reply.raws)
        self._expect(all(one < other for one, other in pairwise((after, *(r.key for r in rows)))))
        self._expect(all(row.table == table for row in rows))
        return Page(keeps=reply.keeps, more=reply.more, rows=rows)

    def _checked(self, raws: Sequence[bytes]) -> tuple[SignedRow, ...]:
        rows = []
        for raw in raws:
            try:
                row = SignedRow.parse(raw, self._rules)
                row.verify()
            except Malformed as error:
                raise BadMessage(
                    f"sent a row that does not hold: {error.message}",
                    peer=self._peer,
                    evidence=raw,
                    reason=error.code,
                ) from error
            rows.append(row)
        return tuple(rows)

    def _expect(self, holds: bool) -> None:  # noqa: FBT001 - an assertion
        if not holds:
            raise BadMessage("an answer to another question", peer=self._peer)


async def answer(stream: Stream, shelf: Shelf, spend: Callable[[int], None]) -> None:
    """Answer one stream's questions until the other side ends it.

    ``spend`` counts the bytes of rows in each answer; it raises ``Refused`` when they are too many.

    Raises:
        PeerFault: it broke the protocol.
        Unavailable: the stream broke, or nothing came for 30 s.
    """
    frames = Frames(stream, wire.MAX_FRAME_BYTES)
    while (frame := await frames.next(IDLE_S)) is not None:
        reply: wire.Answer
        try:
            request = wire.parse_request(frame.type, frame.head, frame.payload)
            reply = await _reply(request, shelf, stream.peer)
            spend(len(wire.pack(reply)[2]))
        except Malformed as error:
            raise BadMessage(error.message, peer=stream.peer) from error
        except (Refused, LocalFault) as error:
            reply = wire.RefusedIs(error_code=error.code, text=error.message[: wire.MAX_TEXT])
        await send(stream, frame.request, wire.pack(reply))


async def _reply(request: wire.Request, shelf: Shelf, peer: NodeId) -> wire.Answer:
    match request:
        case wire.Read():
            keeps, raw = await shelf.row(request.table, request.key, peer=peer)
            return wire.RowIs(keeps=keeps, raw=raw)
        case wire.List(table=table, prefix=prefix, after=after):
            return _page_is(*await shelf.page(table, prefix, after, peer=peer))
        case wire.Find(table=table, suffix=suffix, after=after):
            return _page_is(*await shelf.found(table, suffix, after, peer=peer))


def _page_is(keeps: bool, more: bool, raws: list[bytes]) -> wire.PageIs:  # noqa: FBT001 - unpacked
    return wire.PageIs(keeps=keeps, more=more, raws=tuple(raws))
