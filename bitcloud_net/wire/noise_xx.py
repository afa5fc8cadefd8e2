"""Noise_XX_25519_ChaChaPoly_SHA256: the three messages of the handshake, and the two keys they
yield.

Nothing of libp2p here, only the Noise Protocol Framework, revision 34
(https://noiseprotocol.org/noise.html; the names in the comments are its own). ``noise_handshake``
adds what libp2p adds.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from bitcloud_net.core.errors import Malformed

PROTOCOL_NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
"""Exactly 32 bytes, so it is the first handshake hash as it stands (section 5.2)."""

KEY_BYTES = 32
TAG_BYTES = 16

MESSAGES = (("e",), ("e", "ee", "s", "es"), ("s", "se"))
"""The pattern XX, section 7.5: the dialling side sends the first and the third message."""

OWN_AND_THEIRS = {
    ("ee", True): ("e", "e"),
    ("ee", False): ("e", "e"),
    ("es", True): ("e", "s"),
    ("es", False): ("s", "e"),
    ("se", True): ("s", "e"),
    ("se", False): ("e", "s"),
}
"""Which of our keys meets which of theirs, by token and by whether we dialled (section 5.3)."""

_nonce = struct.Struct(
    "<4xQ"
).pack  # 32 zero bits, then the counter in little endian (section 12.3)


class NoiseXX:
    """One side of one handshake. Messages are written and read in turn; an error ends it."""

    __slots__ = ("_dialled", "_next", "_own", "_symmetric", "_theirs")

    def __init__(
        self, *, dialled: bool, static: bytes, ephemeral: bytes, prologue: bytes = b""
    ) -> None:
        """Both keys are X25519 secrets of 32 bytes; the ephemeral one is used once."""
        self._dialled = dialled
        self._own = {
            "s": X25519PrivateKey.from_private_bytes(static),
            "e": X25519PrivateKey.from_private_bytes(ephemeral),
        }
        self._theirs: dict[str, X25519PublicKey] = {}
        self._symmetric = _SymmetricState(prologue)
        self._next = 0

    @property
    def peer_static(self) -> bytes:
        """The peer's static public key, 32 bytes; known once its message with ``s`` was read."""
        return self._theirs["s"].public_bytes_raw()

    @property
    def handshake_hash(self) -> bytes:
        """What both sides have seen, 32 bytes; equal on both after the third message."""
        return self._symmetric.hash

    @property
    def our_turn(self) -> bool:
        """Whether the next message is ours to write."""
        return not self.finished and (self._next % 2 == 0) == self._dialled

    @property
    def finished(self) -> bool:
        """Whether all three messages have passed."""
        return self._next == len(MESSAGES)

    def write_message(self, payload: bytes) -> bytes:
        """Return our next message, carrying ``payload``."""
        out = bytearray()
        for token in self._take_turn(ours=True):
            if token in self._own:
                public = self._own[token].public_key().public_bytes_raw()
                out += (
                    self._symmetric.seal(public) if token == "s" else self._symmetric.show(public)
                )
            else:
                self._mix(token)
        return bytes(out + self._symmetric.seal(payload))

    def read_message(self, message: bytes) -> bytes:
        """Take the peer's next message in and return its payload.

        Raises:
            Malformed: it is too short, or was not made by someone who follows the same handshake.
        """
        rest = memoryview(message)
        for token in self._take_turn(ours=False):
            if token in self._own:
                size = KEY_BYTES + (TAG_BYTES if token == "s" else 0)
                if len(rest) < size:
                    raise Malformed("handshake message is too short")
                part, rest = bytes(rest[:size]), rest[size:]
                public = self._symmetric.open(part) if token == "s" else self._symmetric.show(part)
                self._theirs[token] = X25519PublicKey.from_public_bytes(public)
            else:
                self._mix(token)
        return self._symmetric.open(bytes(rest))

    def split(self) -> tuple[bytes, bytes]:
        """Return the keys for sending and for receiving, 32 bytes each (section 5.2, Split)."""
        first, second = self._symmetric.split()
        return (first, second) if self._dialled else (second, first)

    def _take_turn(self, *, ours: bool) -> tuple[str, ...]:
        if self.finished or self.our_turn is not ours:
            raise Malformed("handshake message out of turn")
        self._next += 1
        return MESSAGES[self._next - 1]

    def _mix(self, token: str) -> None:
        own, theirs = OWN_AND_THEIRS[token, self._dialled]
        try:
            secret = self._own[own].exchange(self._theirs[theirs])
        except ValueError as error:  # an all-zero secret: the peer sent a point of small order
            raise Malformed("handshake key of small order") from error
        self._symmetric.mix_key(secret)


class _SymmetricState:
    """Section 5.2's SymmetricState with its CipherState; every key seals one message or two."""

    __slots__ = ("_chaining_key", "_cipher", "_count", "hash")

    def __init__(self, prologue: bytes) -> None:
        self.hash = self._chaining_key = PROTOCOL_NAME
        self._cipher: ChaCha20Poly1305 | None = None
        self._count = 0
        self.show(prologue)

    def show(self, data: bytes) -> bytes:
        """MixHash: both sides have now seen ``data``."""
        self.hash = hashlib.sha256(self.hash + data).digest()
        return data

    def mix_key(self, secret: bytes) -> None:
        self._chaining_key, key = self._hkdf(secret)
        self._cipher, self._count = ChaCha20Poly1305(key), 0

    def seal(self, plaintext: bytes) -> bytes:
        """EncryptAndHash."""
        if self._cipher is None:
            return self.show(plaintext)
        return self.show(self._cipher.encrypt(self._take_nonce(), plaintext, self.hash))

    def open(self, ciphertext: bytes) -> bytes:
        """DecryptAndHash."""
        if self._cipher is None:
            return self.show(ciphertext)
        try:
            plaintext = self._cipher.decrypt(self._take_nonce(), ciphertext, self.hash)
        except InvalidTag as error:
            raise Malformed("handshake message fails its check") from error
        self.show(ciphertext)
        return plaintext

    def split(self) -> tuple[bytes, bytes]:
        return self._hkdf(b"")

    def _take_nonce(self) -> bytes:
        self._count += 1
        return _nonce(self._count - 1)

    def _hkdf(self, material: bytes) -> tuple[bytes, bytes]:
        base = hmac.digest(self._chaining_key, material, "sha256")
        first = hmac.digest(base, b"\x01", "sha256")
        return first, hmac.digest(base, first + b"\x02", "sha256")
