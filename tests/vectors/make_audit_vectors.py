"""Makes ``audit.json`` here: ``python -m tests.vectors.make_audit_vectors``.

One small file of two shares, the audit of a leaf of its share 1 word for word, and proofs: signed
claims that the manifest refutes, and claims that convict nobody, each with the one reason. All
input is fixed, so two runs give the same file; a test compares them. Bytes are hexadecimal.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

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
from bitcloud_net.core.units import LEAF_BYTES
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.wire import audit_session as wire
from tests.core.shares import store
from tests.vectors.common import leaf, pattern

PATH: Final = Path(__file__).with_name("audit.json")
NODE, AUDITOR = SigningKey(bytes(range(32))), SigningKey(b"\2" * 32)
FILE = store(pattern(60_000), CodeParams(1, 2))
MANIFEST = FILE.manifest.encode()
CID = content_id(MANIFEST)
BLOCK = FILE.shares[1][HEADER_BYTES : HEADER_BYTES + FILE.manifest.block_bytes(0)]
HASHES = merkle.hash_leaves(FILE.manifest.salt, 1, 0, BLOCK)
CHALLENGE, PERIOD, CLOCK_S = leaf(9), 2_900_000, 1_740_000_123
QUESTION = Question(cid=CID, share_no=1, segment_no=0, leaf_no=2)
SHOWN = Shown(leaf_hash=HASHES[2], leaf_path=merkle.Tree(HASHES).path(2), block_path=())
LEAF = BLOCK[2 * LEAF_BYTES : 3 * LEAF_BYTES]
Json = dict[str, Any]


def said(claim: Shown | str | None, question: Question | None = QUESTION) -> Statement:
    return Statement(
        auditor=AUDITOR.node_id,
        challenge=CHALLENGE,
        period=PERIOD,
        clock_s=CLOCK_S,
        question=question,
        claim=claim,
    )


def signature(statement: Statement) -> bytes:
    return NODE.sign(audit.ANSWER_KIND, statement.encode())


def statements() -> list[Json]:
    made = {
        "there": said(None, None),
        "shows": said(SHOWN),
        "holds nothing": said(audit.NOT_HELD),
        "cannot read": said(audit.UNREADABLE),
    }
    return [
        {"about": about, "statement": item.encode().hex(), "signature": signature(item).hex()}
        for about, item in made.items()
    ]


def messages() -> list[Json]:
    shows, nothing = said(SHOWN), said(audit.NOT_HELD)
    examples: list[wire.Request | wire.Reply] = [
        wire.Ping(),
        wire.Challenge(challenge=CHALLENGE, period=PERIOD),
        wire.ShowLeaf(challenge=CHALLENGE, period=PERIOD, question=QUESTION),
        wire.Which(cids=(CID, leaf(1))),
        wire.Pong(),
        wire.Holds(shares=((1,), ())),
        wire.Answer(clock_s=CLOCK_S, signature=signature(said(None, None))),
        wire.Answer(clock_s=CLOCK_S, lack=audit.NOT_HELD, signature=signature(nothing)),
        wire.Answer(
            clock_s=CLOCK_S,
            leaf_path=SHOWN.leaf_path,
            block_path=SHOWN.block_path,
            signature=signature(shows),
            leaf=LEAF,
        ),
        wire.RefusedIs(error_code="busy", text="come again"),
    ]
    packed = [(type(message).__name__, wire.pack(message)) for message in examples]
    return [
        {"message": name, "type": kind, "head": head.hex(), "payload": bytes(payload).hex()}
        for name, (kind, head, payload) in packed
    ]


def answer_claim(statement: Statement, node: NodeId = NODE.node_id) -> bytes:
    return signed_claim(node, statement.encode(), signature(statement))


def block_claim(root: bytes) -> bytes:
    claim = BlockClaim(
        cid=CID, share_no=1, segment_no=0, block_root=root, block_path=(), period=PERIOD
    ).encode()
    return signed_claim(NODE.node_id, claim, NODE.sign(BLOCK_KIND, claim))


def receipt(root: bytes) -> bytes:
    return StorageReceipt.build(
        NODE,
        cid=CID,
        share_no=1,
        share_root=root,
        share_bytes=FILE.manifest.share_bytes,
        period=PERIOD,
    ).encode()


def proofs() -> list[Json]:
    lies = [
        (ClaimKind.AUDIT, answer_claim(said(replace(SHOWN, leaf_hash=leaf(1))))),
        (ClaimKind.AUDIT, answer_claim(said(replace(SHOWN, block_path=(leaf(1),))))),
        (ClaimKind.AUDIT, answer_claim(said(SHOWN, replace(QUESTION, leaf_no=100)))),
        (ClaimKind.BLOCK, block_claim(leaf(1))),
        (ClaimKind.RECEIPT, receipt(leaf(1))),
    ]
    made = [(kind, Proof.of_claim(kind, MANIFEST, claim)) for kind, claim in lies]
    return [
        {"kind": kind.value, "proof": proof.raw.hex(), "id": proof.id.hex()} for kind, proof in made
    ]


def refused_proofs() -> list[Json]:
    other = store(pattern(5_000), CodeParams(1, 2)).manifest.encode()
    lie = answer_claim(said(replace(SHOWN, leaf_hash=leaf(1))))
    examples = [
        ("a right answer", ClaimKind.AUDIT, MANIFEST, answer_claim(said(SHOWN))),
        ("a share that was lost", ClaimKind.AUDIT, MANIFEST, answer_claim(said(audit.NOT_HELD))),
        ("no question of content", ClaimKind.AUDIT, MANIFEST, answer_claim(said(None, None))),
        ("the manifest of another file", ClaimKind.AUDIT, other, lie),
        (
            "another node than the one that signed",
            ClaimKind.AUDIT,
            MANIFEST,
            answer_claim(said(replace(SHOWN, leaf_hash=leaf(1))), AUDITOR.node_id),
        ),
        ("an answer as a block", ClaimKind.BLOCK, MANIFEST, lie),
        ("a right block", ClaimKind.BLOCK, MANIFEST, block_claim(FILE.manifest.share_roots[1])),
        (
            "a right receipt",
            ClaimKind.RECEIPT,
            MANIFEST,
            receipt(FILE.manifest.share_roots[1]),
        ),
    ]
    return [
        {
            "about": about,
            "kind": kind.value,
            "manifest": manifest.hex(),
            "claim": claim.hex(),
            "code": refusal(kind, manifest, claim),
        }
        for about, kind, manifest, claim in examples
    ]


def refusal(kind: ClaimKind, manifest: bytes, claim: bytes) -> str:
    try:
        refute(kind, manifest, claim)
    except Malformed as error:
        return error.code
    raise AssertionError("it convicts")


def vectors() -> Json:
    return {
        "about": "Node: the Ed25519 key of the seed 000102…1f; auditor: of 02…02. The question is "
        "leaf 2 of segment 0 of share 1. README.md in bitcloud_net/nodepool explains the rest.",
        "manifest": MANIFEST.hex(),
        "cid": CID.hex(),
        "statements": statements(),
        "messages": messages(),
        "proofs": proofs(),
        "refused_proofs": refused_proofs(),
    }


def text() -> str:
    """Return the file's content."""
    return json.dumps(vectors(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
