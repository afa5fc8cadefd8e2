"""What becomes of a peer's fault: a proof, or our word, or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
import trio.testing

from bitcloud_net.core.errors import (
    BadMessage,
    BadProof,
    BadSignature,
    CorruptBlock,
    FloodLimitExceeded,
    PeerFault,
)
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import content_id
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.table_rules import PROOFS
from bitcloud_net.core.trust.false_claims import BLOCK_KIND, BlockClaim, SaidBlock
from bitcloud_net.core.trust.verdicts import FaultReason
from bitcloud_net.nodepool.outcome import Outcome
from bitcloud_net.nodepool.proofs import Proof, ProofKind
from bitcloud_net.nodepool.row_store import FREE
from bitcloud_net.services.trust.complaints import MAX_REMEMBERED, Complaints
from tests.core.shares import store

NODE = SigningKey(b"\1" * 32)
FILE = store(b"x" * 90_000, CodeParams(2, 3))
RAW = FILE.manifest.encode()
NOW = 3_000_000


class Court:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    async def take(
        self, of: int, raws: list[bytes], *, source: NodeId | None
    ) -> tuple[Outcome, ...]:
        assert (of, source) == (PROOFS, None)
        await trio.lowlevel.checkpoint()
        self.taken += raws
        return ()


def wrong_block(*, period: int, signer: SigningKey = NODE) -> CorruptBlock:
    claim = BlockClaim(
        cid=content_id(RAW),
        share_no=1,
        segment_no=0,
        block_root=merkle.block_root(FILE.manifest.salt, 1, 0, b"wrong"),
        block_path=(),
        period=period,
    )
    signature = signer.sign(BLOCK_KIND, claim.encode())
    said = SaidBlock(
        node=NODE.node_id, manifest=RAW, claim=replace(claim, period=0), signature=signature
    )
    return CorruptBlock("a wrong block", peer=NODE.public, said=said)


@pytest.mark.parametrize("period", [NOW - 1, NOW, NOW + 1])
async def test_a_wrong_block_that_was_signed_becomes_a_proof(period: int) -> None:
    court = Court()
    complaints = Complaints(court, lambda: NOW)
    async with trio.open_nursery() as nursery:
        await nursery.start(complaints.run)
        complaints.note(wrong_block(period=period))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    (raw,) = court.taken
    proof = Proof.parse(raw, FREE)
    assert (proof.kind, proof.owner, proof.period) == (ProofKind.BLOCK, NODE.public, period)
    assert complaints.about(NODE.node_id) is FaultReason.CORRUPT_DATA


@pytest.mark.parametrize(
    "fault",
    [
        wrong_block(period=NOW - 2),
        wrong_block(period=NOW, signer=SigningKey(b"\2" * 32)),
        CorruptBlock("unsigned", peer=NODE.public),
    ],
)
async def test_what_proves_nothing_is_our_word_alone(fault: PeerFault) -> None:
    court = Court()
    complaints = Complaints(court, lambda: NOW)
    async with trio.open_nursery() as nursery:
        await nursery.start(complaints.run)
        complaints.note(fault)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert court.taken == []
    assert complaints.about(NODE.node_id) is FaultReason.CORRUPT_DATA


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (CorruptBlock("", peer=NODE.public), FaultReason.CORRUPT_DATA),
        (BadSignature("", peer=NODE.public), FaultReason.WRONG_SIGNATURE),
        (
            BadMessage("", peer=NODE.public, reason="bad-signature"),
            FaultReason.WRONG_SIGNATURE,
        ),
        (BadProof("", peer=NODE.public), FaultReason.WRONG_AUDIT),
        (BadMessage("", peer=NODE.public), FaultReason.DENIAL_OF_SERVICE),
        (FloodLimitExceeded("", peer=NODE.public), FaultReason.DENIAL_OF_SERVICE),
    ],
)
def test_our_word_names_the_reason_once(fault: PeerFault, reason: FaultReason) -> None:
    complaints = Complaints(Court(), lambda: NOW)
    complaints.note(fault)
    assert complaints.about(NODE.node_id) is reason
    assert complaints.about(NODE.node_id) is None


def test_old_faults_are_forgotten_and_there_are_never_many() -> None:
    now = [NOW]
    complaints = Complaints(Court(), lambda: now[0])
    complaints.note(BadMessage("", peer=None))
    for number in range(MAX_REMEMBERED + 5):
        complaints.note(BadMessage("", peer=number.to_bytes(32, "big")))
    assert complaints.about(NodeId((4).to_bytes(32, "big"))) is None
    assert complaints.about(NodeId((5).to_bytes(32, "big"))) is FaultReason.DENIAL_OF_SERVICE
    now[0] += 1
    assert complaints.about(NodeId((6).to_bytes(32, "big"))) is FaultReason.DENIAL_OF_SERVICE
    now[0] += 1
    assert complaints.about(NodeId((7).to_bytes(32, "big"))) is None


async def test_a_flood_of_evidence_is_bounded() -> None:
    court = Court()
    complaints = Complaints(court, lambda: NOW)
    for _ in range(1_000):
        complaints.note(wrong_block(period=NOW))
    async with trio.open_nursery() as nursery:
        await nursery.start(complaints.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert 1 <= len(court.taken) <= 64
