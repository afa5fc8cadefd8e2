"""The share protocol's messages: put, get and find blocks (``/bitcloud/share/1``).

One long-lived stream carries numbered requests in frames (``wire.frames``). A storage node answers
in any order; the request number says what an answer belongs to. share.md in this folder is the
specification. Each message knows its type number, its head (canonical CBOR) and whether a payload
follows; ``parse_request`` and ``parse_answer`` turn a frame into a message or raise ``Malformed``.

A put runs ``Begin`` → ``PutBlock`` … (acknowledged by ``Held``, cumulative) → ``Finish`` →
``Stored`` with a signed storage receipt. A share that fits one frame goes as one ``PutShare``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import SIGNATURE_BYTES
from bitcloud_net.core.units import MAX_SEGMENTS, MAX_SHARES, MIB
from bitcloud_net.wire.fields import Buffer, Fields

PROTOCOL: Final = "/bitcloud/share/1"

UPLOAD_ID_BYTES: Final = 16
HEADER_BYTES: Final = 64
"""Length of a share file's fixed header, carried as it is (``core.files.share``)."""
MAX_PATH: Final = 24
"""Longest Merkle path: a file has at most 2^24 segments."""
MAX_FIND: Final = 256
"""Content ids in one ``Find``: 8 KiB of question, and an answer that fits one head."""
MAX_SHARES_PER_NODE: Final = 4
"""Shares of one file that a node may name as its own; it should hold one, never more than a few."""
MAX_TEXT: Final = 200
"""Characters of a refusal's text."""
MAX_CODE: Final = 40
"""Characters of a refusal's code, as of ours."""
SMALL_SHARE_BYTES: Final = MIB
"""A share up to this size travels in one ``PutShare`` message."""
MAX_SMALL_SEGMENTS: Final = 64
"""Segments in one ``PutShare``; their hashes must fit the head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Start or resume the upload of one share; answered by ``Begun``."""

    TYPE: ClassVar[int] = 1
    header: bytes  # 64 bytes, core.files.share.ShareHeader
    salt: bytes  # 32 bytes, binds the leaf hashes


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBlock:
    """The next block of a share under way; acknowledged by ``Held``."""

    TYPE: ClassVar[int] = 2
    upload_id: bytes
    share_no: int
    segment_no: int
    segment_hash: bytes
    block: Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """All blocks were sent; here is the manifest they must agree with. Answered by ``Stored``."""

    TYPE: ClassVar[int] = 3
    upload_id: bytes
    share_no: int
    manifest: Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class PutShare:
    """A whole small share at once; answered by ``Stored``."""

    TYPE: ClassVar[int] = 4
    header: bytes
    segment_hashes: tuple[bytes, ...]
    manifest_bytes: int  # the payload is the manifest, then the blocks back to back
    payload: Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBlock:
    """Ask for one block; answered by ``Block``."""

    TYPE: ClassVar[int] = 5
    cid: bytes
    share_no: int
    segment_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """Ask which shares of these files the node holds; answered by ``Found``."""

    TYPE: ClassVar[int] = 6
    cids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetManifest:
    """Ask for the manifest of a file; answered by ``ManifestIs``."""

    TYPE: ClassVar[int] = 7
    cid: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandon:
    """Drop an unfinished upload; answered by ``Begun`` with 0."""

    TYPE: ClassVar[int] = 8
    upload_id: bytes
    share_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The asker has no more use for the answer to ``request``. Never answered."""

    TYPE: ClassVar[int] = 9
    request: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """So many leading blocks are durably held; go on from there."""

    TYPE: ClassVar[int] = 64
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Blocks 0 … held - 1 of the upload were written; durable only after ``Stored``."""

    TYPE: ClassVar[int] = 65
    upload_id: bytes
    share_no: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The share is durable; the receipt is the node's signed word (``core.files.receipt``)."""

    TYPE: ClassVar[int] = 66
    receipt: Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block with its proofs, signed so that a wrong one is evidence against its sender
    (``core.trust.false_claims.BlockClaim``)."""

    TYPE: ClassVar[int] = 67
    block_path: tuple[bytes, ...]  # from the block root to the share root
    segment_path: tuple[bytes, ...]  # from the segment hash to the ciphertext root
    signature: bytes
    block: Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """For each asked content id, in order, the share numbers held."""

    TYPE: ClassVar[int] = 68
    shares: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestIs:
    """The manifest's bytes; empty when the node does not know the file."""

    TYPE: ClassVar[int] = 69
    manifest: Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedIs:
    """A rightful no, or the node's own trouble: code and text only."""

    TYPE: ClassVar[int] = 127
    error_code: str
    text: str


Request: TypeAlias = (
    Begin | PutBlock | Finish | PutShare | GetBlock | Find | GetManifest | Abandon | Cancel
)
Answer: TypeAlias = Begun | Held | Stored | Block | Found | ManifestIs | RefusedIs

_CODE_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def pack(message: Request | Answer) -> tuple[int, bytes, Buffer]:
    """Return a message's type number, head and payload."""
    fields, payload = _take_apart(message)
    return message.TYPE, encoding.encode(fields), payload


# One case per message: a table, however long.
def _take_apart(  # noqa: C901
    message: Request | Answer,
) -> tuple[list[encoding.Value], Buffer]:
    match message:
        case Begin():
            return [message.header, message.salt], b""
        case PutBlock():
            head: list[encoding.Value] = [message.upload_id, message.share_no, message.segment_no]
            return [*head, message.segment_hash], message.block
        case Finish():
            return [message.upload_id, message.share_no], message.manifest
        case PutShare():
            hashes = list(message.segment_hashes)
            return [message.header, hashes, message.manifest_bytes], message.payload
        case GetBlock():
            return [message.cid, message.share_no, message.segment_no], b""
        case Find():
            return [list(message.cids)], b""
        case GetManifest():
            return [message.cid], b""
        case Abandon():
            return [message.upload_id, message.share_no], b""
        case Cancel():
            return [message.request], b""
        case Begun():
            return [message.held], b""
        case Held():
            return [message.upload_id, message.share_no, message.held], b""
        case Stored():
            return [], message.receipt
        case Block():
            paths = [list(message.block_path), list(message.segment_path)]
            return [*paths, message.signature], message.block
        case Found():
            return [[list(shares) for shares in message.shares]], b""
        case ManifestIs():
            return [], message.manifest
        case RefusedIs():
            return [message.error_code, message.text], b""


def parse_request(kind: int, head: Buffer, payload: Buffer) -> Request:
    """Turn a frame from a client into a request.

    Raises:
        Malformed: unknown type, wrong shape, or a value out of bounds.
    """
    fields = Fields(head)
    match kind:
        case Begin.TYPE:
            request: Request = Begin(header=fields.raw(HEADER_BYTES), salt=fields.hash())
        case PutBlock.TYPE:
            request = PutBlock(
                upload_id=fields.raw(UPLOAD_ID_BYTES),
                share_no=fields.integer(MAX_SHARES - 1),
                segment_no=fields.integer(MAX_SEGMENTS - 1),
                segment_hash=fields.hash(),
                block=payload,
            )
        case GetBlock.TYPE:
            request = GetBlock(
                cid=fields.hash(),
                share_no=fields.integer(MAX_SHARES - 1),
                segment_no=fields.integer(MAX_SEGMENTS - 1),
            )
        case PutShare.TYPE:
            request = PutShare(
                header=fields.raw(HEADER_BYTES),
                segment_hashes=fields.hashes(MAX_SMALL_SEGMENTS),
                manifest_bytes=fields.integer(len(payload)),
                payload=payload,
            )
        case _:
            request = _parse_short_request(kind, fields, payload)
    fields.end()
    _bound_payload(request, payload, (PutBlock, Finish, PutShare))
    return request


def _parse_short_request(kind: int, fields: Fields, payload: Buffer) -> Request:
    match kind:
        case Finish.TYPE:
            upload_id, share_no = fields.raw(UPLOAD_ID_BYTES), fields.integer(MAX_SHARES - 1)
            return Finish(upload_id=upload_id, share_no=share_no, manifest=payload)
        case Find.TYPE:
            return Find(cids=fields.hashes(MAX_FIND))
        case GetManifest.TYPE:
            return GetManifest(cid=fields.hash())
        case Abandon.TYPE:
            return Abandon(
                upload_id=fields.raw(UPLOAD_ID_BYTES), share_no=fields.integer(MAX_SHARES - 1)
            )
        case Cancel.TYPE:
            return Cancel(request=fields.integer(2**32 - 1))
        case _:
            raise Malformed(f"unknown request type {kind}")


def parse_answer(kind: int, head: Buffer, payload: Buffer) -> Answer:
    """Turn a frame from a storage node into an answer.

    Raises:
        Malformed: unknown type, wrong shape, or a value out of bounds.
    """
    fields = Fields(head)
    match kind:
        case Block.TYPE:
            answer: Answer = Block(
                block_path=fields.hashes(MAX_PATH),
                segment_path=fields.hashes(MAX_PATH),
                signature=fields.raw(SIGNATURE_BYTES),
                block=payload,
            )
        case Held.TYPE:
            answer = Held(
                upload_id=fields.raw(UPLOAD_ID_BYTES),
                share_no=fields.integer(MAX_SHARES - 1),
                held=fields.integer(MAX_SEGMENTS),
            )
        case Begun.TYPE:
            answer = Begun(held=fields.integer(MAX_SEGMENTS))
        case Stored.TYPE:
            answer = Stored(receipt=payload)
        case Found.TYPE:
            answer = Found(
                shares=fields.number_lists(MAX_FIND, MAX_SHARES_PER_NODE, MAX_SHARES - 1)
            )
        case ManifestIs.TYPE:
            answer = ManifestIs(manifest=payload)
        case RefusedIs.TYPE:
            answer = RefusedIs(error_code=_code(fields), text=_shown(fields.text(MAX_TEXT)))
        case _:
            raise Malformed(f"unknown answer type {kind}")
    fields.end()
    _bound_payload(answer, payload, (Stored, Block, ManifestIs))
    return answer


def _code(fields: Fields) -> str:
    code = fields.text(MAX_CODE)
    if not code or not set(code) <= _CODE_LETTERS:
        raise Malformed("a refusal's code has small letters, digits and hyphens")
    return code


def _shown(text: str) -> str:
    """Return a stranger's text without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _bound_payload(message: Request | Answer, payload: Buffer, carriers: tuple[type, ...]) -> None:
    if len(payload) and not isinstance(message, carriers):
        raise Malformed("a payload where none belongs")
