"""What an auditor asks of a storage node, and what the node's signed answer says.

::

    statement = canonical CBOR [1, auditor, challenge, period, clock_s, question, claim]
    question  = [cid, share_no, segment_no, leaf_no], or null: only whether the node is there
    claim     = [leaf hash, [leaf path …], [block path …]], or "not-held", or "unreadable", or null

The leaf path leads from the leaf (16 KiB of a block) to the block's root, the block path from there
to the share's root, which the file's manifest fixes. The node signs the statement in the domain
``audit-answer``. The challenge is fresh, so an answer cannot be an old one; the period is the
auditor's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.manifest import Manifest
from bitcloud_net.core.files.xchacha import Buffer
from bitcloud_net.core.keys import KEY_BYTES, NodeId
from bitcloud_net.core.units import HASH_BYTES, MAX_SEGMENTS, MAX_SHARES

LEAVES_PER_PERIOD: Final = 2
"""Leaves that all auditors of a target together ask of it in a period: 864 in three days. A node
that has dropped 1 % of its shares passes them all once in 6,000 times (0.99 ** 864), and with four
auditors of ten silent once in 180. A probe of 16 auditors so moves 2.8 KiB on average."""
SUSPECT_LEAVES: Final = 4
"""Leaves that each auditor asks of a target that was found to lack one of late. So a node that lost
a third of its shares fails before eleven of sixteen (each sees it with 1 - 0.67 ** 4 = 0.8), and
one that lost a few in a thousand does not."""

CHALLENGE_BYTES: Final = 32
MAX_LEAF_NO: Final = 127
"""A block of 1 MiB and a little more has 65 leaves."""
MAX_PATH: Final = 24
"""Hashes in one path: as many as the largest file's segments need."""
MAX_STATEMENT_BYTES: Final = 2048
"""Two paths of the greatest length and what is around them."""

ANSWER_KIND: Final = "audit-answer"
"""Signature domain of answers."""
NOT_HELD: Final = "not-held"
UNREADABLE: Final = "unreadable"
LACKS: Final = (NOT_HELD, UNREADABLE)
"""Why a node cannot show a leaf: it has no such share, or its disk does not give it."""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which leaf a node shall show."""

    cid: bytes
    share_no: int
    segment_no: int
    leaf_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A node's claim that a leaf with this hash lies where the question points to."""

    leaf_hash: bytes
    leaf_path: tuple[bytes, ...]
    block_path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a node signs. ``claim`` is None exactly where nothing of content was asked."""

    auditor: NodeId
    challenge: bytes
    period: int
    clock_s: int  # of the node, seconds since 1970
    question: Question | None
    claim: Shown | str | None

    def encode(self) -> bytes:
        """Return the bytes that are signed."""
        return encoding.encode(
            [
                _VERSION,
                self.auditor,
                self.challenge,
                self.period,
                self.clock_s,
                _question_value(self.question),
                _claim_value(self.claim),
            ]
        )

    @classmethod
    def parse(cls, raw: Buffer) -> Statement:
        """Return the statement whose bytes are ``raw``.

        Raises:
            Malformed: it is not one.
        """
        match encoding.decode(bytes(raw), max_bytes=MAX_STATEMENT_BYTES):
            case [int(version), *_] if version != _VERSION:
                raise Malformed("a statement of an unknown version", code="unknown-version")
            case [int(), bytes(auditor), bytes(challenge), int(period), int(clock_s), asked, said]:
                statement = cls(
                    auditor=NodeId(auditor),
                    challenge=challenge,
                    period=period,
                    clock_s=clock_s,
                    question=_parse_question(asked),
                    claim=_parse_claim(said),
                )
                _check(statement)
                return statement
        raise Malformed("an audit statement has seven fields of fixed types")


def leaves_to_ask(seats: int, *, is_suspect: bool, chance: float) -> int:
    """Return how many leaves one of ``seats`` auditors asks of a target in this period.

    ``is_suspect``: somebody said of late that it cannot show what it holds. ``chance`` is a random
    number below 1.
    """
    if is_suspect:
        return SUSPECT_LEAVES
    whole, rest = divmod(LEAVES_PER_PERIOD, seats)
    return whole + (chance * seats < rest)


def leaf_count(manifest: Manifest, segment_no: int) -> int:
    """Return how many leaves each block of a segment has.

    Raises:
        Malformed: there is no such segment.
    """
    return merkle.leaf_count(manifest.block_bytes(segment_no))


def check_shown(manifest: Manifest, question: Question, shown: Shown) -> None:
    """Return when the claim is true: the leaf is what the manifest fixes in that place.

    Raises:
        Malformed: ``bad-proof``, or there is no such place in the file.
    """
    if question.share_no >= manifest.n:
        raise Malformed(f"there is no share {question.share_no}", code="bad-proof")
    block_root = merkle.root_of_path(
        shown.leaf_hash,
        question.leaf_no,
        leaf_count(manifest, question.segment_no),
        shown.leaf_path,
    )
    merkle.check_path(
        block_root,
        question.segment_no,
        manifest.segment_count,
        shown.block_path,
        manifest.share_roots[question.share_no],
    )


def _check(statement: Statement) -> None:
    if len(statement.auditor) != KEY_BYTES or len(statement.challenge) != CHALLENGE_BYTES:
        raise Malformed("an auditor or a challenge of a wrong length")
    if statement.period < 0 or statement.clock_s < 0:
        raise Malformed("a time in a statement is out of range")
    if (statement.question is None) != (statement.claim is None):
        raise Malformed("a claim answers a question, and no question has none")


def _question_value(question: Question | None) -> encoding.Value:
    if question is None:
        return None
    return [question.cid, question.share_no, question.segment_no, question.leaf_no]


def _claim_value(claim: Shown | str | None) -> encoding.Value:
    if isinstance(claim, Shown):
        return [claim.leaf_hash, list(claim.leaf_path), list(claim.block_path)]
    return claim


def _parse_question(value: encoding.Value) -> Question | None:
    match value:
        case None:
            return None
        case [bytes(cid), int(share_no), int(segment_no), int(leaf_no)]:
            limits = (
                (share_no, MAX_SHARES),
                (segment_no, MAX_SEGMENTS),
                (leaf_no, MAX_LEAF_NO + 1),
            )
            if len(cid) == HASH_BYTES and all(0 <= number < limit for number, limit in limits):
                return Question(cid=cid, share_no=share_no, segment_no=segment_no, leaf_no=leaf_no)
    raise Malformed("not a question of an audit")


def _parse_claim(value: encoding.Value) -> Shown | str | None:
    match value:
        case None:
            return None
        case str() if value in LACKS:
            return value
        case [bytes(leaf_hash), list(leaf_path), list(block_path)]:
            return Shown(
                leaf_hash=_hash(leaf_hash),
                leaf_path=_path(leaf_path),
                block_path=_path(block_path),
            )
    raise Malformed("not a claim of an audit")


def _path(values: list[encoding.Value]) -> tuple[bytes, ...]:
    if len(values) > MAX_PATH:
        raise Malformed(f"a path of more than {MAX_PATH} hashes")
    return tuple(_hash(value) for value in values)


def _hash(value: encoding.Value) -> bytes:
    if not isinstance(value, bytes) or len(value) != HASH_BYTES:
        raise Malformed(f"a hash has {HASH_BYTES} bytes")
    return value
