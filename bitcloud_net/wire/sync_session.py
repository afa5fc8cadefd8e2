"""The sync protocol's messages: compare sets of rows, then move what is missing
(``/bitcloud/np/sync/1``).

Numbered requests in frames (``wire.frames``), one at a time, each with one answer. The side that
opened the stream asks, the other answers and keeps nothing but its view of the sets::

    Hello   own clock, state of each set       →  HelloIs   the same of the other side
    Recon   one set's reconciliation message   →  ReconIs   the next one (wire.negentropy)
    Want    ids                                →  RowsAre   those that are held, as many as fit
    Rows    rows that the other side lacks     →  Took      how many were accepted, how many refused

Sets are the nodepool's tables by their number, and 0 for proofs; ``Rows`` of any other set may
hold rows of all tables. Both sides leave out what has expired
in the session's period, the smaller of the two clocks'. ``Rows`` may come without ``Hello``: a
push.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.rows import MAX_PERIOD
from bitcloud_net.core.units import HASH_BYTES, KIB, PERIOD_S
from bitcloud_net.wire.fields import Buffer, Fields
from bitcloud_net.wire.negentropy import FINGERPRINT_BYTES, MAX_MESSAGE_BYTES

PROTOCOL: Final = "/bitcloud/np/sync/1"

MAX_SETS: Final = 1024
"""Sets in one ``Hello``; applications' tables are sets too."""
MAX_WANT: Final = 512
"""Ids in one ``Want``: 16 KiB."""
MAX_BATCH_ROWS: Final = 512
MAX_BATCH_BYTES: Final = 256 * KIB
"""Rows in one message; what one transaction takes without holding readers up."""
MAX_ROUNDS: Final = 12
"""Reconciliation messages for one set in one session; a million rows need four."""
MAX_FRAME_BYTES: Final = MAX_BATCH_BYTES + 4 * KIB
"""Largest frame of this protocol: a batch, the lengths of its rows, and the head."""
MAX_HOPS: Final = 8
"""How far a push may travel: six peers each, 32 from the origin, reach ten million nodes in
eight.
"""
MAX_TIME_S: Final = MAX_PERIOD * PERIOD_S
MAX_TEXT: Final = 200
_MAX_SET: Final = 2**32 - 1

_STATE = struct.Struct(f">IQ{FINGERPRINT_BYTES}s")
_LENGTH = struct.Struct(">H")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetState:
    """How many items a set has, and the fingerprint of all of them."""

    set: int
    count: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Start a session; answered by ``HelloIs``."""

    TYPE: ClassVar[int] = 1
    now_s: int  # own clock, seconds since 1970
    states: tuple[SetState, ...]


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
class HelloIs:
    """The other side's clock and sets. The session's period is the smaller of the two."""

    TYPE: ClassVar[int] = 65
    now_s: int
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
    """What became of pushed rows."""

    TYPE: ClassVar[int] = 68
    accepted: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedIs:
    """A rightful no, such as ``busy`` or ``budget``: code and text only."""

    TYPE: ClassVar[int] = 127
    error_code: str
    text: str


Request: TypeAlias = Hello | Recon | Want | Rows
Answer: TypeAlias = HelloIs | ReconIs | RowsAre | Took | RefusedIs


def pack(message: Request | Answer) -> tuple[int, bytes, bytes]:
    """Return a message's type number, head and payload."""
    head, payload = _take_apart(message)
    return message.TYPE, encoding.encode(head), payload


def _take_apart(  # noqa: C901 - one case per message: a table, however long
    message: Request | Answer,
) -> tuple[list[encoding.Value], bytes]:
    match message:
        case Hello() | HelloIs():
            states = (_STATE.pack(s.set, s.count, s.fingerprint) for s in message.states)
            return [message.now_s], b"".join(states)
        case Recon():
            return [message.set], message.message
        case Want():
            return [message.set], b"".join(message.ids)
        case Rows():
            return [message.set, message.hops], pack_rows(message.raws)
        case ReconIs():
            return [], message.message
        case RowsAre():
            return [message.considered], pack_rows(message.raws)
        case Took():
            return [message.accepted, message.refused], b""
        case RefusedIs():
            return [message.error_code, message.text], b""


def parse_request(kind: int, head: Buffer, payload: Buffer) -> Request:
    """Turn a frame from the side that asks into a request.

    Raises:
        Malformed: unknown type, wrong shape, or a value out of bounds.
    """
    fields = Fields(head)
    data = bytes(payload)
    request: Request
    match kind:
        case Hello.TYPE:
            request = Hello(now_s=fields.integer(MAX_TIME_S), states=_states(data))
        case Recon.TYPE:
            request = Recon(set=fields.integer(_MAX_SET), message=_recon(data))
        case Want.TYPE:
            request = Want(set=fields.integer(_MAX_SET), ids=_ids(data))
        case Rows.TYPE:
            number = fields.integer(_MAX_SET)
            request = Rows(set=number, hops=fields.integer(MAX_HOPS), raws=unpack_rows(data))
        case _:
            raise Malformed(f"sync request of type {kind}")
    fields.end()
    return request


def parse_answer(kind: int, head: Buffer, payload: Buffer) -> Answer:
    """Turn a frame from the side that answers into an answer.

    Raises:
        Malformed: unknown type, wrong shape, or a value out of bounds.
    """
    fields = Fields(head)
    data = bytes(payload)
    answer: Answer
    match kind:
        case HelloIs.TYPE:
            answer = HelloIs(now_s=fields.integer(MAX_TIME_S), states=_states(data))
        case ReconIs.TYPE:
            answer = ReconIs(message=_recon(data))
        case RowsAre.TYPE:
            answer = RowsAre(considered=fields.integer(MAX_WANT), raws=unpack_rows(data))
        case Took.TYPE:
            accepted = fields.integer(MAX_BATCH_ROWS)
            answer = Took(accepted=accepted, refused=fields.integer(MAX_BATCH_ROWS))
        case RefusedIs.TYPE:
            code = fields.text(MAX_TEXT)
            answer = RefusedIs(error_code=code, text=fields.text(MAX_TEXT))
        case _:
            raise Malformed(f"sync answer of type {kind}")
    fields.end()
    return answer


def batches(raws: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Cut rows into batches that one message takes, keeping their order."""
    cut: list[tuple[bytes, ...]] = []
    batch: list[bytes] = []
    size = 0
    for raw in raws:
        if len(batch) == MAX_BATCH_ROWS or size + len(raw) > MAX_BATCH_BYTES:
            cut.append(tuple(batch))
            batch, size = [], 0
        batch.append(raw)
        size += len(raw)
    return [*cut, tuple(batch)] if batch else cut


def pack_rows(raws: Sequence[bytes]) -> bytes:
    """Return rows back to back, each with its length in two bytes in front."""
    return b"".join(_LENGTH.pack(len(raw)) + raw for raw in raws)


def unpack_rows(data: bytes) -> tuple[bytes, ...]:
    """Return what ``pack_rows`` packed.

    Raises:
        Malformed: a length that leads past the end, or more rows than allowed.
    """
    raws = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + _LENGTH.size], "big")
        at += _LENGTH.size
        if at + length > len(data):
            raise Malformed("rows end too early")
        raws.append(data[at : at + length])
        at += length
    if len(raws) > MAX_BATCH_ROWS:
        raise Malformed(f"more than {MAX_BATCH_ROWS} rows in one message")
    return tuple(raws)


def _states(data: bytes) -> tuple[SetState, ...]:
    if len(data) % _STATE.size or len(data) > MAX_SETS * _STATE.size:
        raise Malformed("states of a wrong length")
    return tuple(
        SetState(set=number, count=count, fingerprint=fingerprint)
        for number, count, fingerprint in _STATE.iter_unpack(data)
    )


def _recon(data: bytes) -> bytes:
    if not 0 < len(data) <= MAX_MESSAGE_BYTES:
        raise Malformed("a reconciliation message of a wrong length")
    return data


def _ids(data: bytes) -> tuple[bytes, ...]:
    if len(data) % HASH_BYTES or len(data) > MAX_WANT * HASH_BYTES:
        raise Malformed("ids of a wrong length")
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))
