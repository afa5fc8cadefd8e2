"""Node ids as libp2p writes them.

A peer id is the multihash of the protobuf of a public key. An Ed25519 key is short enough for the
*identity* hash, so the id holds the key itself behind six fixed bytes; any other beginning is a key
of a kind that Bitcloud refuses.
"""

from __future__ import annotations

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import KEY_BYTES, NodeId

_PREFIX = bytes.fromhex("002408011220")  # identity hash, 36 bytes; key type Ed25519, 32 bytes
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {letter: value for value, letter in enumerate(_ALPHABET)}
_MAX_TEXT = 64  # an Ed25519 peer id has 52 letters


def peer_id_bytes(node: NodeId) -> bytes:
    """Return the 38 bytes of a node's libp2p peer id."""
    return _PREFIX + node


def node_id_from_bytes(peer_id: bytes) -> NodeId:
    """Return the node id inside a peer id.

    Raises:
        Malformed: it is the id of another kind of key.
    """
    if len(peer_id) != len(_PREFIX) + KEY_BYTES or not peer_id.startswith(_PREFIX):
        raise Malformed("not the peer id of an Ed25519 key", code="bad-peer-id")
    return NodeId(peer_id[len(_PREFIX) :])


def peer_id_text(node: NodeId) -> str:
    """Return a node's id in base58, as it stands behind ``/p2p/``: ``12D3KooW…``."""
    number = int.from_bytes(peer_id_bytes(node), "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _ALPHABET[digit] + text
    return "1" + text  # the first byte is zero


def node_id_from_peer_id(text: str) -> NodeId:
    """Return the node id that a peer id in base58 names.

    Raises:
        Malformed: not base58, or the id of another kind of key.
    """
    if not text.startswith("1") or len(text) > _MAX_TEXT:
        raise Malformed("not the peer id of an Ed25519 key", code="bad-peer-id")
    number = 0
    for letter in text:
        if letter not in _DIGITS:
            raise Malformed("a peer id is written in base58", code="bad-peer-id")
        number = number * 58 + _DIGITS[letter]
    if number.bit_length() > 8 * (len(_PREFIX) + KEY_BYTES - 1):
        raise Malformed("not the peer id of an Ed25519 key", code="bad-peer-id")
    return node_id_from_bytes(number.to_bytes(len(_PREFIX) + KEY_BYTES, "big"))
