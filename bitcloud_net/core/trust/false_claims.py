"""Signed claims about a file's content that the file's own manifest refutes.

A manifest's hash is the file's content id, and it fixes the root of every share. So a node's
signature over another root, or over a path that does not lead there, convicts the node before
anybody, whatever rows say and whoever asked: a node that hashes what it reads cannot sign it. A
node that lost a share says so, and no such word is a claim about content.

::

    claim = canonical CBOR [node, statement, signature]     kinds "audit" and "block"
            a storage receipt as it is                      kind "receipt"
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.manifest import Manifest, content_id, parse_manifest
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.keys import NodeId, verify
from bitcloud_net.core.trust import audit
from bitcloud_net.core.units import HASH_BYTES, KIB, MAX_SEGMENTS, MAX_SHARES

MAX_CLAIM_BYTES: Final = 4 * KIB
"""A statement, its signature and a key."""
BLOCK_KIND: Final = "block-answer"
"""Signature domain of the blocks that a node hands out."""

_UNPROVEN: Final = "bad-proof"


class ClaimKind(StrEnum):
    """What was claimed. Also the kinds of the proofs."""

    AUDIT = "audit"  # the answer to an audit
    BLOCK = "block"  # a block handed out
    RECEIPT = "receipt"  # a share taken in


@dataclass(frozen=True, slots=True, kw_only=True)
class Accused:
    """Whom a false claim convicts."""

    node: NodeId
    period: int  # in which it signed


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockClaim:
    """What a node signs with each block: that these bytes are that block of that share."""

    cid: bytes
    share_no: int
    segment_no: int
    block_root: bytes
    block_path: tuple[bytes, ...]  # to the share root
    period: int

    def encode(self) -> bytes:
        """Return the bytes that are signed in the domain ``BLOCK_KIND``."""
        return encoding.encode(
            [
                self.cid,
                self.share_no,
                self.segment_no,
                self.block_root,
                list(self.block_path),
                self.period,
            ]
        )

    @classmethod
    def parse(cls, raw: bytes) -> BlockClaim:
        """Return the claim whose bytes are ``raw``.

        Raises:
            Malformed: it is not one.
        """
        match encoding.decode(raw, max_bytes=MAX_CLAIM_BYTES):
            case [
                bytes(cid),
                int(share_no),
                int(segment_no),
                bytes(root),
                list(path),
                int(period),
            ] if 0 <= share_no < MAX_SHARES and 0 <= segment_no < MAX_SEGMENTS and period >= 0:
                return cls(
                    cid=cid,
                    share_no=share_no,
                    segment_no=segment_no,
                    block_root=root,
                    block_path=_hashes(path),
                    period=period,
                )
        raise Malformed("a block claim has six fields of fixed types")


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidBlock:
    """A wrong block as it came: what the node claimed with it, in a period that it did not name."""

    node: NodeId
    manifest: bytes
    claim: BlockClaim
    signature: bytes

    def signed_in(self, periods: Iterable[int]) -> bytes | None:
        """Return the claim as it lies in a proof, of the first of these periods for which the
        signature holds; None when it holds for none.
        """
        for period in periods:
            statement = replace(self.claim, period=period).encode()
            try:
                verify(self.node, BLOCK_KIND, statement, self.signature)
            except Malformed:
                continue
            return signed_claim(self.node, statement, self.signature)
        return None


def signed_claim(node: NodeId, statement: bytes, signature: bytes) -> bytes:
    """Return the claim that a signed statement is, as it lies in a proof."""
    return encoding.encode([node, statement, signature])


def refute(kind: ClaimKind, manifest_bytes: bytes, claim: bytes) -> Accused:
    """Return who signed the claim, which the manifest refutes. All of it is checked.

    Raises:
        Malformed: ``bad-proof`` (the claim is true, or about another file) or why it cannot be
            read; ``bad-signature``.
    """
    manifest = parse_manifest(manifest_bytes)
    if not isinstance(manifest, Manifest):
        raise Malformed("an inline file has no shares", code=_UNPROVEN)
    cid = content_id(manifest_bytes)
    if kind is ClaimKind.RECEIPT:
        return _refute_receipt(manifest, cid, claim)
    node, statement, signature = _take_apart(claim)
    if kind is ClaimKind.AUDIT:
        period = _refute_audit(manifest, cid, statement)
        verify(node, audit.ANSWER_KIND, statement, signature)
    else:
        period = _refute_block(manifest, cid, statement)
        verify(node, BLOCK_KIND, statement, signature)
    return Accused(node=NodeId(node), period=period)


def _refute_audit(manifest: Manifest, cid: bytes, raw: bytes) -> int:
    statement = audit.Statement.parse(raw)
    question, claim = statement.question, statement.claim
    if question is None or not isinstance(claim, audit.Shown):
        raise Malformed("the answer claims nothing about content", code=_UNPROVEN)
    _expect_file(question.cid, cid)
    try:
        audit.check_shown(manifest, question, claim)
    except Malformed:
        return statement.period
    raise Malformed("the answer was right", code=_UNPROVEN)


def _refute_block(manifest: Manifest, cid: bytes, raw: bytes) -> int:
    claim = BlockClaim.parse(raw)
    _expect_file(claim.cid, cid)
    if claim.share_no < manifest.n:
        try:
            merkle.check_path(
                claim.block_root,
                claim.segment_no,
                manifest.segment_count,
                claim.block_path,
                manifest.share_roots[claim.share_no],
            )
        except Malformed:
            return claim.period
        raise Malformed("the block was right", code=_UNPROVEN)
    return claim.period


def _refute_receipt(manifest: Manifest, cid: bytes, raw: bytes) -> Accused:
    receipt = StorageReceipt.parse_and_verify(raw)
    _expect_file(receipt.cid, cid)
    said = (receipt.share_root, receipt.share_bytes)
    if receipt.share_no < manifest.n and said == (
        manifest.share_roots[receipt.share_no],
        manifest.share_bytes,
    ):
        raise Malformed("the receipt was right", code=_UNPROVEN)
    return Accused(node=receipt.node, period=receipt.period)


def _take_apart(claim: bytes) -> tuple[bytes, bytes, bytes]:
    match encoding.decode(claim, max_bytes=MAX_CLAIM_BYTES):
        case [bytes(node), bytes(statement), bytes(signature)]:
            return node, statement, signature
    raise Malformed("a claim is a node, a statement and a signature")


def _expect_file(named: bytes, cid: bytes) -> None:
    if named != cid:
        raise Malformed("the claim is about another file", code=_UNPROVEN)


def _hashes(values: list[encoding.Value]) -> tuple[bytes, ...]:
    if len(values) > audit.MAX_PATH:
        raise Malformed("a path that is too long")
    hashes = []
    for value in values:
        if not isinstance(value, bytes) or len(value) != HASH_BYTES:
            raise Malformed("a path that is no path")
        hashes.append(value)
    return tuple(hashes)
