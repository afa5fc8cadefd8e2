"""The sync protocol's messages: compare sets of rows, then move what is missing
(``/bitcloud/np/sync/1``).

Numbered requests in frames (``wire.frames``), one at a time, each with one answer. The side that
opened the stream asks, the other answers and keeps nothing but its view of the sets::

    Hello   clock, mandates, depths of sets    →  HelloIs   the same, and the state of each set
    Recon   one set's reconciliation message   →  ReconIs   the next one (wire.negentropy)
    Want    ids                                →  RowsAre   those that are held, as many as fit
    Look    keys, and what is held of them     →  Seen      what the other side holds of them
    Some    a place in a set, and how many     →  RowsAre   so many rows from there on
    Rows    rows that the other side lacks     →  Took      how many were taken, how many refused

Sets are the nodepool's tables by their number, and 0 for proofs; ``Rows`` of any other set may hold
rows of all tables. A session compares what is cut for the two that meet: rows that both may see
(``core.nodepool.mandates``), at places that both keep (``core.nodepool.shards``), not expired in
the session's period, the smaller of the two clocks'. The answering side knows the cut first; the
asking side compares the states it hears with its own. ``Rows`` may come without ``Hello``: a push.
What a node may not see looks everywhere like what is not held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.mandates import MAX_MANDATES, Mandate
from bitcloud_net.core.nodepool.tables import MAX_PERIOD
from bitcloud_net.core.units import KIB, PERIOD_S
from bitcloud_net.wire import sync_payload as payloads
from bitcloud_net.wire.fields import Buffer, Fields
from bitcloud_net.wire.negentropy import MAX_MESSAGE_BYTES
from bitcloud_net.wire.sync_payload import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ROWS,
    MAX_LOOK,
    MAX_SETS,
    MAX_WANT,
    Glance,
    SetDepth,
    SetState,
    batches,
)

__all__ = [
    "MAX_BATCH_BYTES",
    "MAX_BATCH_ROWS",
    "MAX_FRAME_BYTES",
    "MAX_HOPS",
    "MAX_LOOK",
    "MAX_ROUNDS",
    "MAX_SETS",
    "MAX_SOME",
    "MAX_TEXT",
    "MAX_WANT",
    "PROTOCOL",
    "Answer",
    "Glance",
    "Hello",
    "HelloIs",
    "Look",
    "Mark",
    "Recon",
    "ReconIs",
    "RefusedIs",
    "Request",
    "Rows",
    "RowsAre",
    "Seen",
    "SetDepth",
    "SetState",
    "Some",
    "Took",
    "Want",
    "batches",
    "pack",
    "parse_answer",
    "parse_request",
]

PROTOCOL: Final = "/bitcloud/np/sync/1"

MAX_ROUNDS: Final = 12
"""Reconciliation messages for one set in one session; a million rows need four."""
MAX_FRAME_BYTES: Final = MAX_BATCH_BYTES + 4 * KIB
"""Largest frame of this protocol: a batch, the lengths of its rows, and the head."""
MAX_HOPS: Final = 8
"""How far a push may travel: six peers each, 32 from the origin, reach ten million nodes in
eight.
"""
MAX_SOME: Final = 64
"""Rows that one ``Some`` asks for."""
MAX_TIME_S: Final = MAX_PERIOD * PERIOD_S
MAX_TEXT: Final = 200
_MAX_SET: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Start a session; answered by ``HelloIs``."""

    TYPE: ClassVar[int] = 1
    now_s: int  # own clock, seconds since 1970
    mandates: tuple[Mandate, ...] = ()  # of the period that this clock shows
    sets: tuple[SetDepth, ...]  # that the session compares


@dataclass(frozen=True, slots=True, kw_only=True)
class Recon:
    """One step of the reconciliation of a set; answered by ``ReconIs``."""

    TYPE: ClassVar[int] = 2
    set: int
    message: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Ask for rows by id; answered by ``RowsAre``."""

    TYPE: ClassVar[int] = 3
    set: int
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows that the other side lacks; answered by ``Took``."""

    TYPE: ClassVar[int] = 4
    set: int
    hops: int = 0  # how often they may be sent on to others, by who did not have them
    raws: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Ask what is held under some keys, saying what is held here; answered by ``Seen``."""

    TYPE: ClassVar[int] = 5
    set: int
    glances: tuple[Glance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    """Ask for a sample: ``count`` rows from a place in the order of the set on; answered by
    ``RowsAre``.
    """

    TYPE: ClassVar[int] = 6
    set: int
    start: int  # 0 … 2^32 - 1: how far into the set
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloIs:
    """The other side's clock, mandates and sets. The session's period is the smaller of the two.

    Sets of the ``Hello`` that the other side does not have are left out.
    """

    TYPE: ClassVar[int] = 65
    now_s: int
    mandates: tuple[Mandate, ...] = ()
    states: tuple[SetState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconIs:
    """The next step of the reconciliation of a set."""

    TYPE: ClassVar[int] = 66
    message: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsAre:
    """The rows that are held among the first ``considered`` ids asked for; the rest did not fit."""

    TYPE: ClassVar[int] = 67
    considered: int
    raws: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What became of rows: how many were refused; the others are held, or their like is."""

    TYPE: ClassVar[int] = 68
    taken: int
    refused: int


class Mark:
    """What ``Seen`` says of one key."""

    ABSENT: Final = 0  # nothing is held that the asking side may see
    KEPT: Final = 1  # the very row, and for good: its place is one that is kept
    HELD: Final = 2  # the very row, for now
    OTHER: Final = 3  # another row, which follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A mark for each of the first keys of a ``Look``, as many as fit, and the rows of those that
    are marked ``OTHER``, in this order.
    """

    TYPE: ClassVar[int] = 69
    marks: bytes
    raws: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedIs:
    """A rightful no, such as ``busy`` or ``budget``: code and text only."""

    TYPE: ClassVar[int] = 127
    error_code: str
    text: str


Request: TypeAlias = Hello | Recon | Want | Rows | Look | Some
Answer: TypeAlias = HelloIs | ReconIs | RowsAre | Took | Seen | RefusedIs


def pack(message: Request | Answer) -> tuple[int, bytes, bytes]:
    """Return a message's type number, head and payload."""
    head, payload = _take_apart(message)
    return message.TYPE, encoding.encode(head), payload


def _take_apart(  # noqa: C901 - one case per message: a table, however long
    message: Request | Answer,
) -> tuple[list[encoding.Value], bytes]:
    match message:
        case Hello() | HelloIs():
            return [message.now_s, len(message.mandates)], _greeting(message)
        case Recon():
            return [message.set], message.message
        case Want():
            return [message.set], b"".join(message.ids)
        case Look():
            return [message.set], payloads.pack_glances(message.glances)
        case Some():
            return [message.set, message.start, message.count], b""
        case Rows():
            return [message.set, message.hops], payloads.pack_rows(message.raws)
        case ReconIs():
            return [], message.message
        case RowsAre():
            return [message.considered], payloads.pack_rows(message.raws)
        case Took():
            return [message.taken, message.refused], b""
        case Seen():
            return [message.marks], payloads.pack_rows(message.raws)
        case RefusedIs():
            return [message.error_code, message.text], b""


def _greeting(message: Hello | HelloIs) -> bytes:
    mandates = payloads.pack_mandates(message.mandates)
    if isinstance(message, Hello):
        return mandates + payloads.pack_depths(message.sets)
    return mandates + payloads.pack_states(message.states)


def parse_request(kind: int, head: Buffer, payload: Buffer) -> Request:
    """Turn a frame from the side that asks into a request.

    Raises:
        Malformed: unknown type, wrong shape, or a value out of bounds.
    """
    fields = Fields(head)
    request = _request(kind, fields, bytes(payload))
    fields.end()
    return request


def _request(kind: int, fields: Fields, data: bytes) -> Request:
    if kind == Hello.TYPE:
        return _hello(fields, data)
    number = fields.integer(_MAX_SET)
    match kind:
        case Recon.TYPE:
            return Recon(set=number, message=_recon(data))
        case Want.TYPE:
            return Want(set=number, ids=payloads.unpack_ids(data))
        case Rows.TYPE:
            hops = fields.integer(MAX_HOPS)
            return Rows(set=number, hops=hops, raws=payloads.unpack_rows(data))
        case Look.TYPE:
            return Look(set=number, glances=payloads.unpack_glances(data))
        case Some.TYPE:
            _check_empty(data)
            start = fields.integer(2**32 - 1)
            return Some(set=number, start=start, count=fields.integer(MAX_SOME))
        case _:
            raise Malformed(f"sync request of type {kind}")


def parse_answer(kind: int, head: Buffer, payload: Buffer) -> Answer:
    """Turn a frame from the side that answers into an answer.

    Raises:
        Malformed: unknown type, wrong shape, or a value out of bounds.
    """
    fields = Fields(head)
    answer = _answer(kind, fields, bytes(payload))
    fields.end()
    return answer


def _answer(kind: int, fields: Fields, data: bytes) -> Answer:
    match kind:
        case HelloIs.TYPE:
            return _hello_is(fields, data)
        case ReconIs.TYPE:
            return ReconIs(message=_recon(data))
        case RowsAre.TYPE:
            considered = fields.integer(MAX_WANT)
            return RowsAre(considered=considered, raws=payloads.unpack_rows(data))
        case Took.TYPE:
            _check_empty(data)
            taken = fields.integer(MAX_BATCH_ROWS)
            return Took(taken=taken, refused=fields.integer(MAX_BATCH_ROWS))
        case Seen.TYPE:
            return _seen(fields, data)
        case RefusedIs.TYPE:
            _check_empty(data)
            code = fields.text(MAX_TEXT)
            return RefusedIs(error_code=code, text=fields.text(MAX_TEXT))
        case _:
            raise Malformed(f"sync answer of type {kind}")


def _hello(fields: Fields, data: bytes) -> Hello:
    now_s = fields.integer(MAX_TIME_S)
    mandates, rest = payloads.unpack_mandates(data, fields.integer(MAX_MANDATES))
    return Hello(now_s=now_s, mandates=mandates, sets=payloads.unpack_depths(rest))


def _hello_is(fields: Fields, data: bytes) -> HelloIs:
    now_s = fields.integer(MAX_TIME_S)
    mandates, rest = payloads.unpack_mandates(data, fields.integer(MAX_MANDATES))
    return HelloIs(now_s=now_s, mandates=mandates, states=payloads.unpack_states(rest))


def _seen(fields: Fields, data: bytes) -> Seen:
    marks = fields.blob(MAX_LOOK)
    raws = payloads.unpack_rows(data)
    if any(mark > Mark.OTHER for mark in marks) or marks.count(Mark.OTHER) != len(raws):
        raise Malformed("marks that do not fit the rows")
    return Seen(marks=marks, raws=raws)


def _recon(data: bytes) -> bytes:
    if not 0 < len(data) <= MAX_MESSAGE_BYTES:
        raise Malformed("a reconciliation message of a wrong length")
    return data


def _check_empty(data: bytes) -> None:
    if data:
        raise Malformed("a payload where there is none")
