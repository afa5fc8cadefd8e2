"""The library agrees with every line of ``audit.json``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import NodeId, SigningKey, verify
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.core.trust import audit
from bitcloud_net.core.trust.audit import Statement
from bitcloud_net.core.trust.false_claims import ClaimKind, refute
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.nodepool.row_store import FREE
from bitcloud_net.wire import audit_session as wire
from tests.vectors import make_audit_vectors as made

VECTORS: dict[str, Any] = json.loads(made.PATH.read_text("utf-8"))
NODE = NodeId(SigningKey(bytes(range(32))).public)


def test_the_file_is_what_the_program_writes() -> None:
    assert made.PATH.read_text("utf-8") == made.text()


@pytest.mark.parametrize("vector", VECTORS["statements"], ids=lambda vector: vector["about"])
def test_statements(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["statement"])
    assert Statement.parse(raw).encode() == raw
    verify(NODE, audit.ANSWER_KIND, raw, bytes.fromhex(vector["signature"]))


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["message"])
def test_messages(vector: dict[str, Any]) -> None:
    head, payload = bytes.fromhex(vector["head"]), bytes.fromhex(vector["payload"])
    parse = wire.parse_reply if vector["type"] > 64 else wire.parse_request
    message = parse(vector["type"], head, payload)
    assert type(message).__name__ == vector["message"]
    assert wire.pack(message) == (vector["type"], head, payload)


@pytest.mark.parametrize("vector", VECTORS["proofs"], ids=lambda vector: vector["id"][:8])
def test_proofs(vector: dict[str, Any]) -> None:
    proof = Proof.parse(bytes.fromhex(vector["proof"]), FREE)
    assert (proof.kind.value, proof.id.hex()) == (vector["kind"], vector["id"])
    assert (proof.owner, proof.table) == (NODE, Table.NODE)
    raw = bytearray(proof.raw)
    raw[len(raw) // 2] ^= 1  # in the manifest: then it is that of another file
    with pytest.raises(Malformed):
        Proof.parse(bytes(raw), FREE)


@pytest.mark.parametrize("vector", VECTORS["refused_proofs"], ids=lambda vector: vector["about"])
def test_refused_proofs(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as caught:
        refute(
            ClaimKind(vector["kind"]),
            bytes.fromhex(vector["manifest"]),
            bytes.fromhex(vector["claim"]),
        )
    assert caught.value.code == vector["code"]
