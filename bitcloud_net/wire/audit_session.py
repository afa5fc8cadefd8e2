"""The messages of the audit protocol, ``/bitcloud/np/audit/1``, and their bytes.

One question at a time on a stream, each with one answer that carries its number (``wire.frames``).
What an answer says and what is signed is in ``core.trust.audit``; the statement itself does not
travel, because the asker knows what it asked.

======  ===========  =============================================================  =======
type    message      head                                                           payload
======  ===========  =============================================================  =======
1       Ping         -                                                              -
2       Challenge    challenge (32), period                                         -
3       ShowLeaf     challenge (32), period, cid, share, segment, leaf              -
4       Which        content ids, 32 bytes each, at most 8                          -
65      Pong         -                                                              -
66      Answer       clock in seconds, what it lacks (text), leaf path, block       the leaf
                     path, signature
67      Holds        for each content id the numbers of the shares held, at most 4  -
127     RefusedIs    code, text                                                     -
======  ===========  =============================================================  =======
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import SIGNATURE_BYTES
from bitcloud_net.core.trust.audit import CHALLENGE_BYTES, LACKS, MAX_LEAF_NO, MAX_PATH, Question
from bitcloud_net.core.units import KIB, LEAF_BYTES, MAX_SEGMENTS, MAX_SHARES
from bitcloud_net.wire.fields import Buffer, Fields

PROTOCOL: Final = "/bitcloud/np/audit/1"
MAX_WHICH: Final = 8
"""Files named in one ``Which``."""
MAX_SHARES_PER_NODE: Final = 4
"""Shares of one file that one node may hold (``wire.share_session``)."""
MAX_QUESTION_BYTES: Final = 512
"""Largest frame of a question; the longest names 8 files and has 285 bytes."""
MAX_ANSWER_BYTES: Final = LEAF_BYTES + 4 * KIB
"""Largest frame of an answer: one leaf and its path, at most 20 KiB."""
MAX_CODE: Final = 64
MAX_TEXT: Final = 256
_MAX_PERIOD: Final = 2**40
_MAX_CLOCK_S: Final = 2**50
_CODE_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Are you there? Answered by ``Pong`` at once, so that the way can be measured."""

    TYPE: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Sign this; answered by ``Answer``."""

    TYPE: ClassVar[int] = 2
    challenge: bytes
    period: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowLeaf:
    """Show one leaf of one share; answered by ``Answer``."""

    TYPE: ClassVar[int] = 3
    challenge: bytes
    period: int
    question: Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which shares of these files do you hold? Answered by ``Holds``."""

    TYPE: ClassVar[int] = 4
    cids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """Here I am."""

    TYPE: ClassVar[int] = 65


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The signed answer. ``lack`` is empty, or why the leaf cannot be shown
    (``core.trust.audit``).
    """

    TYPE: ClassVar[int] = 66
    clock_s: int
    lack: str = ""
    leaf_path: tuple[bytes, ...] = ()
    block_path: tuple[bytes, ...] = ()
    signature: bytes
    leaf: Buffer = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """For each file that was named, in order, the numbers of the shares held."""

    TYPE: ClassVar[int] = 67
    shares: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedIs:
    """No answer: code and text only."""

    TYPE: ClassVar[int] = 127
    error_code: str
    text: str


Request: TypeAlias = Ping | Challenge | ShowLeaf | Which
Reply: TypeAlias = Pong | Answer | Holds | RefusedIs


def pack(message: Request | Reply) -> tuple[int, bytes, Buffer]:
    """Return a message's type number, head and payload."""
    fields, payload = _take_apart(message)
    return message.TYPE, encoding.encode(fields), payload


def _take_apart(message: Request | Reply) -> tuple[list[encoding.Value], Buffer]:
    match message:
        case Ping() | Pong():
            return [], b""
        case Challenge():
            return [message.challenge, message.period], b""
        case ShowLeaf():
            asked = message.question
            place: list[encoding.Value] = [asked.share_no, asked.segment_no, asked.leaf_no]
            return [message.challenge, message.period, asked.cid, *place], b""
        case Answer():
            paths: list[encoding.Value] = [list(message.leaf_path), list(message.block_path)]
            head = [message.clock_s, message.lack, *paths, message.signature]
            return head, message.leaf
        case Which():
            return [list(message.cids)], b""
        case Holds():
            return [[list(numbers) for numbers in message.shares]], b""
        case RefusedIs():
            return [message.error_code, message.text], b""


def parse_request(kind: int, head: Buffer, payload: Buffer) -> Request:
    """Turn a frame from an auditor into a question.

    Raises:
        Malformed: unknown type, wrong shape, or a value out of bounds.
    """
    if len(payload):
        raise Malformed("a payload where none belongs")
    fields = Fields(head)
    match kind:
        case Ping.TYPE:
            request: Request = Ping()
        case Challenge.TYPE:
            request = Challenge(
                challenge=fields.raw(CHALLENGE_BYTES), period=fields.integer(_MAX_PERIOD)
            )
        case ShowLeaf.TYPE:
            request = ShowLeaf(
                challenge=fields.raw(CHALLENGE_BYTES),
                period=fields.integer(_MAX_PERIOD),
                question=_parse_question(fields),
            )
        case Which.TYPE:
            request = Which(cids=fields.hashes(MAX_WHICH))
        case _:
            raise Malformed(f"unknown request type {kind}")
    fields.end()
    return request


def parse_reply(kind: int, head: Buffer, payload: Buffer) -> Reply:
    """Turn a frame from a storage node into an answer.

    Raises:
        Malformed: unknown type, wrong shape, or a value out of bounds.
    """
    fields = Fields(head)
    match kind:
        case Pong.TYPE:
            reply: Reply = Pong()
        case Answer.TYPE:
            reply = Answer(
                clock_s=fields.integer(_MAX_CLOCK_S),
                lack=_lack(fields.text(MAX_CODE)),
                leaf_path=fields.hashes(MAX_PATH),
                block_path=fields.hashes(MAX_PATH),
                signature=fields.raw(SIGNATURE_BYTES),
                leaf=payload,
            )
        case Holds.TYPE:
            reply = Holds(
                shares=fields.number_lists(MAX_WHICH, MAX_SHARES_PER_NODE, MAX_SHARES - 1)
            )
        case RefusedIs.TYPE:
            reply = RefusedIs(error_code=_code(fields.text(MAX_CODE)), text=_shown(fields))
        case _:
            raise Malformed(f"unknown answer type {kind}")
    fields.end()
    _check_payload(reply, payload)
    return reply


def _check_payload(reply: Reply, payload: Buffer) -> None:
    most = LEAF_BYTES if isinstance(reply, Answer) and not reply.lack else 0
    if len(payload) > most:
        raise Malformed("a payload where none belongs, or more than a leaf")


def _parse_question(fields: Fields) -> Question:
    return Question(
        cid=fields.hash(),
        share_no=fields.integer(MAX_SHARES - 1),
        segment_no=fields.integer(MAX_SEGMENTS - 1),
        leaf_no=fields.integer(MAX_LEAF_NO),
    )


def _lack(text: str) -> str:
    if text and text not in LACKS:
        raise Malformed("an unknown reason for showing nothing")
    return text


def _code(code: str) -> str:
    if not code or not set(code) <= _CODE_LETTERS:
        raise Malformed("a refusal's code has small letters, digits and hyphens")
    return code


def _shown(fields: Fields) -> str:
    """Return a stranger's text without what a terminal would obey."""
    text = fields.text(MAX_TEXT)
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
