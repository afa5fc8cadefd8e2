"""Who can be convicted by a signed claim about a file, and who cannot."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import content_id
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.share import HEADER_BYTES
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.trust import audit
from bitcloud_net.core.trust.audit import Question, Shown, Statement
from bitcloud_net.core.trust.false_claims import (
    BLOCK_KIND,
    BlockClaim,
    ClaimKind,
    refute,
    signed_claim,
)
from bitcloud_net.core.units import LEAF_BYTES, MIB

from .shares import store

NODE, AUDITOR = SigningKey(b"\5" * 32), NodeId(b"\6" * 32)
FILE = store(Random(1).randbytes(3 * MIB), CodeParams(3, 10))
RAW = FILE.manifest.encode()
CID = content_id(RAW)
SHARE, SEGMENT = 4, 1


def block() -> bytes:
    layout = FILE.manifest.layout
    start = HEADER_BYTES + layout.block_start(SEGMENT)
    return FILE.shares[SHARE][start : start + layout.block_bytes(SEGMENT)]


def share_tree() -> merkle.Tree:
    layout, manifest = FILE.manifest.layout, FILE.manifest
    roots = []
    for index in range(manifest.segment_count):
        start = HEADER_BYTES + layout.block_start(index)
        data = FILE.shares[SHARE][start : start + layout.block_bytes(index)]
        roots.append(merkle.block_root(manifest.salt, SHARE, index, data))
    return merkle.Tree(roots)


def right_answer(leaf_no: int = 3) -> Statement:
    hashes = merkle.hash_leaves(FILE.manifest.salt, SHARE, SEGMENT, block())
    return Statement(
        auditor=AUDITOR,
        challenge=bytes(32),
        period=77,
        clock_s=46_200,
        question=Question(cid=CID, share_no=SHARE, segment_no=SEGMENT, leaf_no=leaf_no),
        claim=Shown(
            leaf_hash=hashes[leaf_no],
            leaf_path=merkle.Tree(hashes).path(leaf_no),
            block_path=share_tree().path(SEGMENT),
        ),
    )


def signed(statement: Statement, key: SigningKey = NODE) -> bytes:
    raw = statement.encode()
    return signed_claim(NODE.node_id, raw, key.sign(audit.ANSWER_KIND, raw))


def wrong(statement: Statement, **changes: object) -> Statement:
    assert isinstance(statement.claim, Shown)
    return replace(statement, claim=replace(statement.claim, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("leaf_no", range(-(-len(block()) // LEAF_BYTES)))
def test_a_right_answer_convicts_nobody(leaf_no: int) -> None:
    answer = right_answer(leaf_no)
    assert Statement.parse(answer.encode()) == answer
    with pytest.raises(Malformed, match="right"):
        refute(ClaimKind.AUDIT, RAW, signed(answer))


@pytest.mark.parametrize(
    "change",
    [
        {"leaf_hash": bytes(32)},
        {"leaf_path": ()},
        {"block_path": ()},
        {"leaf_path": (bytes(32),) * 5},
        {"block_path": (bytes(32),) * 2},
    ],
)
def test_a_wrong_answer_convicts_who_signed_it(change: dict[str, object]) -> None:
    accused = refute(ClaimKind.AUDIT, RAW, signed(wrong(right_answer(), **change)))
    assert (accused.node, accused.period) == (NODE.node_id, 77)


@pytest.mark.parametrize(
    "place", [{"share_no": 10}, {"segment_no": 3}, {"leaf_no": 22}, {"segment_no": 0}]
)
def test_to_show_what_does_not_exist_is_a_lie(place: dict[str, int]) -> None:
    answer = right_answer()
    assert answer.question is not None
    elsewhere = replace(answer, question=replace(answer.question, **place))
    assert refute(ClaimKind.AUDIT, RAW, signed(elsewhere)).node == NODE.node_id


@pytest.mark.parametrize("claim", audit.LACKS)
def test_to_have_lost_a_share_is_no_lie(claim: str) -> None:
    with pytest.raises(Malformed, match="claims nothing"):
        refute(ClaimKind.AUDIT, RAW, signed(replace(right_answer(), claim=claim)))


def test_only_to_be_there_is_no_claim() -> None:
    with pytest.raises(Malformed, match="claims nothing"):
        refute(ClaimKind.AUDIT, RAW, signed(replace(right_answer(), question=None, claim=None)))


def test_nobody_is_convicted_by_what_others_sign_or_by_another_file() -> None:
    lie = wrong(right_answer(), leaf_hash=bytes(32))
    with pytest.raises(Malformed) as caught:
        refute(ClaimKind.AUDIT, RAW, signed(lie, SigningKey(b"\7" * 32)))
    assert caught.value.code == "bad-signature"
    other = store(b"x" * 9000, CodeParams(3, 10)).manifest.encode()
    with pytest.raises(Malformed, match="another file"):
        refute(ClaimKind.AUDIT, other, signed(lie))
    with pytest.raises(Malformed):
        refute(ClaimKind.BLOCK, RAW, signed(lie))  # the domain of one is not that of the other


def block_claim(root: bytes, path: tuple[bytes, ...], share_no: int = SHARE) -> bytes:
    claim = BlockClaim(
        cid=CID,
        share_no=share_no,
        segment_no=SEGMENT,
        block_root=root,
        block_path=path,
        period=78,
    )
    assert BlockClaim.parse(claim.encode()) == claim
    return signed_claim(NODE.node_id, claim.encode(), NODE.sign(BLOCK_KIND, claim.encode()))


def test_blocks() -> None:
    root = merkle.block_root(FILE.manifest.salt, SHARE, SEGMENT, block())
    path = share_tree().path(SEGMENT)
    with pytest.raises(Malformed, match="right"):
        refute(ClaimKind.BLOCK, RAW, block_claim(root, path))
    for lie in (
        block_claim(bytes(32), path),
        block_claim(root, ()),
        block_claim(root, path, SHARE + 1),
        block_claim(root, path, 10),
    ):
        accused = refute(ClaimKind.BLOCK, RAW, lie)
        assert (accused.node, accused.period) == (NODE.node_id, 78)


def receipt(**changes: object) -> bytes:
    fields: dict[str, object] = {
        "cid": CID,
        "share_no": SHARE,
        "share_root": FILE.manifest.share_roots[SHARE],
        "share_bytes": FILE.manifest.share_bytes,
        "period": 79,
    }
    return StorageReceipt.build(NODE, **(fields | changes)).encode()  # type: ignore[arg-type]


def test_receipts() -> None:
    with pytest.raises(Malformed, match="right"):
        refute(ClaimKind.RECEIPT, RAW, receipt())
    with pytest.raises(Malformed, match="another file"):
        refute(ClaimKind.RECEIPT, RAW, receipt(cid=bytes(32), share_root=bytes(32)))
    for change in ({"share_root": bytes(32)}, {"share_bytes": 1}, {"share_no": 10}):
        accused = refute(ClaimKind.RECEIPT, RAW, receipt(**change))
        assert (accused.node, accused.period) == (NODE.node_id, 79)


@pytest.mark.parametrize("kind", list(ClaimKind))
def test_garbage_is_malformed(kind: ClaimKind) -> None:
    random = Random(3)
    good = {
        ClaimKind.AUDIT: signed(wrong(right_answer(), leaf_hash=bytes(32))),
        ClaimKind.BLOCK: block_claim(bytes(32), ()),
        ClaimKind.RECEIPT: receipt(share_bytes=1),
    }[kind]
    refute(kind, RAW, good)
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1 << random.randrange(8)
        with pytest.raises(Malformed):
            refute(kind, RAW, bytes(bad))
    for value in (b"", b"\xff", encoding.encode([1, 2, 3]), encoding.encode([b"", b"", b""])):
        with pytest.raises(Malformed):
            refute(kind, RAW, value)
        with pytest.raises(Malformed):
            refute(kind, value, good)
