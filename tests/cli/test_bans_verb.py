"""``bans`` as somebody types it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bitcloud_net.cli.bans import ADVICE, PROOF_ADVICE
from bitcloud_net.core.trust.verdicts import FRAUD, FaultReason
from bitcloud_net.nodepool.proofs import ProofKind
from bitcloud_net.testing.fake_client import ban


def test_nobody_is_banned(bitcloud: Any) -> None:
    assert bitcloud("bans").out == "no node is banned\n"
    assert bitcloud("bans", "--json").document == []


def test_whose_word_a_ban_rests_on(bitcloud: Any, opened: Any) -> None:
    opened.client.banned = [ban()]
    lines = bitcloud("bans").out.splitlines()
    assert lines[0].startswith("abababababababab  Attic: ping-timeout, ")
    assert lines[1] == "  said by 2 auditors:"
    assert lines[2] == "    cdcdcdcdcdcdcdcd  ping-timeout, seen in 3 periods"
    assert not any("advice" in line for line in lines)
    (document,) = bitcloud("bans", "--json").document
    assert document["node"] == "ab" * 32
    assert document["statements"][1] == {
        "auditor": "ef" * 32,
        "reason": "ping-timeout",
        "periods": 3,
    }


def test_our_own_ban_comes_with_advice(bitcloud: Any, opened: Any) -> None:
    opened.client.banned = [ban(own=True), ban(own=True, proof="number")]
    lines = bitcloud("bans").out.splitlines()
    assert "this computer: ping-timeout" in lines[0]
    assert f"  advice: {ADVICE['ping-timeout']}" in lines
    assert "  proved: number" in lines
    assert lines[-1] == f"  advice: {ADVICE['fraud']}"


@pytest.mark.parametrize("proof", PROOF_ADVICE)
def test_a_proof_has_its_own_advice(bitcloud: Any, opened: Any, proof: str) -> None:
    opened.client.banned = [ban(own=True, proof=proof)]
    assert bitcloud("bans").out.splitlines()[-1] == f"  advice: {PROOF_ADVICE[proof]}"


def test_every_reason_has_its_advice() -> None:
    others = {ProofKind.NUMBER.value, ProofKind.SLOT.value}
    assert set(PROOF_ADVICE) | others == {kind.value for kind in ProofKind}
    assert set(ADVICE) == {FRAUD, *(reason.text for reason in FaultReason)}


def test_a_name_cannot_paint_over_the_terminal(bitcloud: Any, opened: Any) -> None:
    opened.client.banned = [replace(ban(), name="x\x1b[2Jy")]
    assert "\x1b" not in bitcloud("bans").out
