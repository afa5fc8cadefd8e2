"""What a libp2p peer says of itself inside the Noise handshake: its identity key, and a
signature.

::

    message NoiseHandshakePayload { bytes identity_key = 1; bytes identity_sig = 2; extensions =
    4; } message PublicKey { KeyType Type = 1; bytes Data = 2; }      (Ed25519 = 1)

The signature is over ``noise-libp2p-static-key:`` and the static Noise key, so whoever completed
the handshake owns the identity (https://github.com/libp2p/specs/blob/master/noise/README.md).
Only Ed25519 is let in: any other key type is refused by its type, before a single byte of the key
is looked at. Extensions and early data are skipped unread.
"""

from __future__ import annotations

from collections.abc import Iterator

import nacl.bindings
import nacl.exceptions

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import KEY_BYTES, SIGNATURE_BYTES, NodeId

SIGNED_PREFIX = b"noise-libp2p-static-key:"

ED25519_KEY_HEAD = bytes.fromhex("08011220")
"""A libp2p ``PublicKey`` up to its bytes: field 1 = 1 (Ed25519), field 2 of 32 bytes. Keys have one
encoding by libp2p's peer id specification, so nothing else is an Ed25519 key."""

MAX_PAYLOAD_BYTES = 2048
"""Ours has 104. Room for the extensions of others (certificate hashes, muxer names), no more."""

_IDENTITY_KEY, _IDENTITY_SIGNATURE = 1, 2
_FIXED_BYTES = {1: 8, 5: 4}  # protobuf wire types of fixed length
_MAX_VARINT_BYTES = 10


def pack_payload(identity: bytes, signature: bytes) -> bytes:
    """Return the payload of an Ed25519 identity; the signature is over ``to_sign(static)``."""
    key = ED25519_KEY_HEAD + identity
    return b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(signature)]) + signature


def to_sign(static: bytes) -> bytes:
    """Return what an identity signs to vouch for a static Noise key."""
    return SIGNED_PREFIX + static


def check_payload(payload: bytes, static: bytes) -> NodeId:
    """Return the identity that vouches for the ``static`` Noise key.

    Raises:
        Malformed: not a payload; a key that is not Ed25519 (code ``key-type``); a signature
            that does not verify (code ``bad-signature``).
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Malformed(f"handshake payload of {len(payload)} bytes")
    fields = dict(_length_delimited(payload))
    key = fields.get(_IDENTITY_KEY, b"")
    if key[: len(ED25519_KEY_HEAD)] != ED25519_KEY_HEAD:
        raise Malformed("the peer's identity is not an Ed25519 key", code="key-type")
    identity = key[len(ED25519_KEY_HEAD) :]
    signature = fields.get(_IDENTITY_SIGNATURE, b"")
    if len(identity) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Malformed("identity key or signature of a wrong length", code="bad-signature")
    try:
        nacl.bindings.crypto_sign_open(signature + to_sign(static), identity)
    except nacl.exceptions.BadSignatureError as error:
        raise Malformed("the peer does not own its identity", code="bad-signature") from error
    return NodeId(identity)


def _length_delimited(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each length-delimited field; skip every other field."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(data, at)
            continue
        if kind == 2:
            size, at = _varint(data, at)
        else:
            size = _FIXED_BYTES.get(kind, len(data) + 1)
        if size > len(data) - at:
            raise Malformed("handshake payload is cut short or not protobuf")
        if kind == 2:
            yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise Malformed("handshake payload has a number without end")
