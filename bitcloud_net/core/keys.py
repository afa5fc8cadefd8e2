"""Key pairs, signatures and typed ids.

Ed25519 through libsodium (PyNaCl) and nothing else: two verifiers that disagree on an edge case
could split the nodepool, so this module is the only one that signs or verifies Bitcloud's own
signatures.
"""

from __future__ import annotations

from typing import NewType

import nacl.bindings
import nacl.exceptions
from blake3 import blake3

from bitcloud_net.core.errors import Malformed

NodeId = NewType("NodeId", bytes)
"""An Ed25519 public key, 32 bytes. For a node it is its libp2p identity too."""
PublicKey = NewType("PublicKey", bytes)
"""The Ed25519 public key of a user, publisher or grid owner, 32 bytes."""

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_SIGNED_PREFIX = b"bitcloud/v1/"


class SigningKey:
    """An Ed25519 key pair. Keep it in as few objects as possible; Python cannot wipe memory."""

    __slots__ = ("_secret", "public", "seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != KEY_BYTES:
            raise Malformed(f"a key seed has {KEY_BYTES} bytes")
        public, secret = nacl.bindings.crypto_sign_seed_keypair(seed)
        self.seed = seed
        self.public = PublicKey(public)
        self._secret = secret

    @property
    def node_id(self) -> NodeId:
        """The public key in its part as a node's id."""
        return NodeId(self.public)

    def sign(self, kind: str, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message`` in the domain ``kind``."""
        signed = nacl.bindings.crypto_sign(_domain(kind) + message, self._secret)
        return signed[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"SigningKey({self.public.hex()[:8]}…)"


def verify(public: bytes, kind: str, message: bytes, signature: bytes) -> None:
    """Return when ``signature`` is that of ``public`` over ``message`` in the domain ``kind``.

    Raises:
        Malformed: it is not, or one of them has a wrong length.
    """
    if len(public) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Malformed("key or signature of a wrong length", code="bad-signature")
    try:
        nacl.bindings.crypto_sign_open(signature + _domain(kind) + message, public)
    except nacl.exceptions.BadSignatureError as error:
        raise Malformed("the signature does not verify", code="bad-signature") from error


def derive(secret: bytes, label: str, info: bytes = b"") -> bytes:
    """Return 32 bytes derived from ``secret`` for one purpose (BLAKE3 derive-key mode).

    ``label`` names the purpose and is fixed in the code; ``info`` separates uses within it. The two
    inputs cannot run into each other, because every secret of one label has one length.
    """
    return blake3(secret + info, derive_key_context=f"bitcloud v1 {label}").digest()


def _domain(kind: str) -> bytes:
    return _SIGNED_PREFIX + kind.encode("ascii") + b"\0"
