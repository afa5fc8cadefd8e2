"""Node ids in libp2p's text form, against libp2p itself."""

from __future__ import annotations

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.net.peer_id import (
    node_id_from_bytes,
    node_id_from_peer_id,
    peer_id_bytes,
    peer_id_text,
)


def test_an_id_is_the_one_that_libp2p_computes() -> None:
    from libp2p.crypto.ed25519 import Ed25519PublicKey
    from libp2p.peer.id import ID

    node = SigningKey(bytes(range(32))).node_id
    theirs = ID.from_pubkey(Ed25519PublicKey.from_bytes(node))
    assert peer_id_text(node) == str(theirs)
    assert peer_id_bytes(node) == theirs.to_bytes()


@given(st.binary(min_size=32, max_size=32))
def test_there_and_back(key: bytes) -> None:
    node = NodeId(key)
    assert peer_id_text(node) == base58.b58encode(peer_id_bytes(node)).decode()
    assert node_id_from_peer_id(peer_id_text(node)) == node
    assert node_id_from_bytes(peer_id_bytes(node)) == node


@given(st.text(alphabet="1Qm23456789ABCkw0Il", max_size=70))
def test_any_other_text_is_malformed(text: str) -> None:
    try:
        node = node_id_from_peer_id(text)
    except Malformed:
        return
    assert peer_id_text(node) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",  # RSA: a SHA-256 multihash
        "16Uiu2HAmPRoiuzp3XjT9RtYQ2qX3mLbGHTdVqYDUmBDGwKDTmUmZ",  # secp256k1
        "12D3KooWMbbPVGsZYh3ChQjue712NHHGNybRRXwnuSpezYjGbCD0",  # 0 is not a digit of base58
        "1" + "2" * 63,
    ],
)
def test_other_kinds_of_keys_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        node_id_from_peer_id(text)


def test_bytes_of_another_kind_are_refused() -> None:
    for data in (b"", bytes(38), bytes.fromhex("0025080212210279be667e") + bytes(28)):
        with pytest.raises(Malformed):
            node_id_from_bytes(data)
