"""The published vectors of the nodepool: the file is up to date, and the library agrees with it."""

from __future__ import annotations

import json
import runpy
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cbor2
import pytest
from blake3 import blake3

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import NodeId, PublicKey
from bitcloud_net.core.nodepool import mandates
from bitcloud_net.core.nodepool.mandates import Mandate
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.shards import Span, shared_span
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.nodepool.row_store import FREE
from bitcloud_net.wire import row_read as read
from bitcloud_net.wire import sync_session as wire

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS: dict[str, Any] = json.loads((FOLDER / "nodepool.json").read_text("utf-8"))


def test_the_file_is_what_its_program_writes() -> None:
    program = runpy.run_path(str(FOLDER / "make_nodepool_vectors.py"))
    assert json.loads(json.dumps(program["vectors"]())) == VECTORS


@pytest.mark.parametrize("vector", VECTORS["rows"], ids=lambda vector: vector["about"])
def test_good_rows(vector: dict[str, Any]) -> None:
    row = SignedRow.parse(bytes.fromhex(vector["wire"]))
    row.verify()
    assert row.id.hex() == vector["id"]
    assert row.table == vector["table"]


@pytest.mark.parametrize("vector", VECTORS["refused_rows"], ids=lambda vector: vector["about"])
def test_refused_rows(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as caught:
        SignedRow.parse(bytes.fromhex(vector["wire"])).verify()
    assert caught.value.code == vector["code"]


@pytest.mark.parametrize("vector", VECTORS["proofs"], ids=lambda vector: vector["kind"])
def test_proofs(vector: dict[str, Any]) -> None:
    proof = Proof.parse(bytes.fromhex(vector["proof"]), FREE)
    assert (proof.kind.value, proof.id.hex()) == (vector["kind"], vector["id"])
    one, other = (SignedRow.parse(bytes.fromhex(raw)) for raw in vector["rows"])
    assert Proof.of(one, other) == Proof.of(other, one) == proof


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["message"])
def test_messages(vector: dict[str, Any]) -> None:
    head, payload = bytes.fromhex(vector["head"]), bytes.fromhex(vector["payload"])
    parse = wire.parse_request if vector["type"] < 64 else wire.parse_answer
    message = parse(vector["type"], head, payload)
    assert type(message).__name__ == vector["message"]
    assert wire.pack(message) == (vector["type"], head, payload)


@pytest.mark.parametrize("vector", VECTORS["read_messages"], ids=lambda vector: vector["message"])
def test_read_messages(vector: dict[str, Any]) -> None:
    head, payload = bytes.fromhex(vector["head"]), bytes.fromhex(vector["payload"])
    parse = read.parse_request if vector["type"] < 64 else read.parse_answer
    message = parse(vector["type"], head, payload)
    assert type(message).__name__ == vector["message"]
    assert read.pack(message) == (vector["type"], head, payload)


@pytest.mark.parametrize("vector", VECTORS["heads"], ids=lambda vector: str(len(vector["ids"])))
def test_heads(vector: dict[str, Any]) -> None:
    """The README's formula, word by word."""
    ids = [bytes.fromhex(row_id) for row_id in vector["ids"]]
    total = sum(int.from_bytes(row_id, "little") for row_id in ids) % 2**256
    data = total.to_bytes(32, "little") + len(ids).to_bytes(8, "big")
    digest = blake3(data, derive_key_context="bitcloud v1 head").hexdigest()
    assert digest[:32] == vector["fingerprint"]


@pytest.mark.parametrize("vector", VECTORS["mandates"], ids=lambda vector: vector["about"])
def test_mandates(vector: dict[str, Any]) -> None:
    mandate = Mandate(
        key=PublicKey(bytes.fromhex(vector["key"])), signature=bytes.fromhex(vector["signature"])
    )
    node, peer = (NodeId(bytes.fromhex(vector[name])) for name in ("node", "peer"))
    with nullcontext() if vector["holds"] else pytest.raises(Malformed):
        mandates.check(mandate, node=node, peer=peer, period=vector["period"])


@pytest.mark.parametrize("vector", VECTORS["spans"], ids=lambda vector: vector["about"])
def test_spans(vector: dict[str, Any]) -> None:
    (one, other), (depth, other_depth) = vector["positions"], vector["depths"]
    expected = vector["shared"] and Span(*vector["shared"])
    assert shared_span(one << 240, depth, other << 240, other_depth) == expected
    assert shared_span(other << 240, other_depth, one << 240, depth) == expected


@pytest.mark.parametrize("vector", VECTORS["networks"], ids=lambda vector: vector["id"][:8])
def test_a_networks_id_needs_no_library_of_ours(vector: dict[str, Any]) -> None:
    memory = vector["memory_kib"] if vector["bits"] else 0
    rules = cbor2.dumps([1, vector["name"].encode(), vector["bits"], memory], canonical=True)
    expected = blake3(rules, derive_key_context="bitcloud v1 network").hexdigest()
    assert vector["id"] == expected


def test_the_networks_of_test_grids_have_one_id_whatever_memory_says() -> None:
    free = {vector["id"] for vector in VECTORS["networks"] if not vector["bits"]}
    assert len(free) == 1
    assert len({vector["id"] for vector in VECTORS["networks"]}) == len(VECTORS["networks"]) - 1


def test_there_are_at_least_sixty() -> None:
    parts = ("rows", "refused_rows", "proofs", "messages", "identities")
    assert sum(len(VECTORS[part]) for part in parts) >= 60
