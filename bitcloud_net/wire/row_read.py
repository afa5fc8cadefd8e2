"""The messages of reading single rows that one does not keep (``/bitcloud/np/read/1``).

Numbered requests in frames (``wire.frames``), one at a time, each with one answer::

    Read   table, key                          →  RowIs    the row, or that it is not held
    List   table, beginning of the key, after  →  PageIs   rows in the order of their keys
    Find   table, end of the key, after        →  PageIs   the same, of all owners

Every answer says whether its sender *keeps* what was asked for: in a large network a node that does
not keep the owner's place has nothing to say about what there is. Rows travel in their signed form,
tombstones too, so an answer needs no trust; only absence does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.core.units import KIB, MAX_ROW_BYTES
from bitcloud_net.wire.fields import Buffer, Fields
from bitcloud_net.wire.sync_payload import MAX_BATCH_BYTES, pack_rows, unpack_rows

PROTOCOL: Final = "/bitcloud/np/read/1"

MAX_SUFFIX_BYTES: Final = 96
"""What may follow the owner in a key: three keys or ids."""
MAX_KEY_BYTES: Final = KEY_BYTES + MAX_SUFFIX_BYTES
MAX_FRAME_BYTES: Final = MAX_BATCH_BYTES + 4 * KIB
"""Largest frame of this protocol: a page, the lengths of its rows, and the head."""
MAX_TEXT: Final = 200
_MAX_TABLE: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Ask for one row; answered by ``RowIs``."""

    TYPE: ClassVar[int] = 1
    table: int
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """Ask for the rows whose key begins with ``prefix``, b"" for all of a table, and comes behind
    ``after``, b"" for the first ones; answered by ``PageIs``.
    """

    TYPE: ClassVar[int] = 2
    table: int
    prefix: bytes
    after: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """Ask for the rows of all owners whose key ends with ``suffix``, as ``List``. Only tables that
    are sorted by it answer: placements by their cid.
    """

    TYPE: ClassVar[int] = 3
    table: int
    suffix: bytes
    after: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowIs:
    """The row that is held, b"" when there is none. ``keeps``: it would be here if there were."""

    TYPE: ClassVar[int] = 65
    keeps: bool
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PageIs:
    """Rows in the order of their keys; ``more``: others come behind the last one."""

    TYPE: ClassVar[int] = 66
    keeps: bool
    more: bool
    raws: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedIs:
    """A rightful no, such as ``busy`` or ``budget``: code and text only."""

    TYPE: ClassVar[int] = 127
    error_code: str
    text: str


Request: TypeAlias = Read | List | Find
Answer: TypeAlias = RowIs | PageIs | RefusedIs


def pack(message: Request | Answer) -> tuple[int, bytes, bytes]:
    """Return a message's type number, head and payload."""
    head, payload = _take_apart(message)
    return message.TYPE, encoding.encode(head), payload


def _take_apart(message: Request | Answer) -> tuple[list[encoding.Value], bytes]:
    match message:
        case Read():
            return [message.table, message.key], b""
        case List():
            return [message.table, message.prefix, message.after], b""
        case Find():
            return [message.table, message.suffix, message.after], b""
        case RowIs():
            return [int(message.keeps)], message.raw
        case PageIs():
            return [int(message.keeps), int(message.more)], pack_rows(message.raws)
        case RefusedIs():
            return [message.error_code, message.text], b""


def parse_request(kind: int, head: Buffer, payload: Buffer) -> Request:
    """Turn a frame from the side that asks into a request.

    Raises:
        Malformed: unknown type, wrong shape, or a value out of bounds.
    """
    if len(payload):
        raise Malformed("a question with something behind it")
    fields = Fields(head)
    request: Request
    match kind:
        case Read.TYPE:
            request = Read(table=fields.integer(_MAX_TABLE), key=_key(fields, KEY_BYTES))
        case List.TYPE:
            table, prefix = fields.integer(_MAX_TABLE), _key(fields)
            request = List(table=table, prefix=prefix, after=_key(fields))
        case Find.TYPE:
            table, suffix = fields.integer(_MAX_TABLE), _key(fields, 1)
            request = Find(table=table, suffix=suffix, after=_key(fields))
        case _:
            raise Malformed(f"read request of type {kind}")
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
        case RowIs.TYPE:
            answer = RowIs(keeps=bool(fields.integer(1)), raw=_raw(data))
        case PageIs.TYPE:
            keeps, more = bool(fields.integer(1)), bool(fields.integer(1))
            answer = PageIs(keeps=keeps, more=more, raws=unpack_rows(data))
            if more and not answer.raws:
                raise Malformed("a page without rows, and more behind it")
        case RefusedIs.TYPE:
            code = fields.text(MAX_TEXT)
            answer = RefusedIs(error_code=code, text=fields.text(MAX_TEXT))
        case _:
            raise Malformed(f"read answer of type {kind}")
    fields.end()
    return answer


def _key(fields: Fields, least: int = 0) -> bytes:
    key = fields.blob(MAX_KEY_BYTES)
    if len(key) < least:
        raise Malformed("a key that is too short")
    return key


def _raw(data: bytes) -> bytes:
    if len(data) > MAX_ROW_BYTES:
        raise Malformed("a row that is too long")
    return data
