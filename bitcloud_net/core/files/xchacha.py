"""XChaCha20-Poly1305 (IETF): the one cipher of Bitcloud, through OpenSSL.

libsodium (PyNaCl) offers the same cipher in one call, but four to seven times slower and with two
more copies of every segment. OpenSSL has ChaCha20-Poly1305 with its 96-bit nonce only; the
extension to 192 bits is one HChaCha20 block (draft-irtf-cfrg-xchacha, section 2): the first 16
bytes of the nonce turn the key into a subkey, the other 8 become the inner nonce. The tests hold
both libraries against each other and against the draft's vectors.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from bitcloud_net.core.errors import Malformed

Buffer: TypeAlias = "bytes | bytearray | memoryview"

NONCE_BYTES: Final = 24
TAG_BYTES: Final = 16

_CONSTANTS: Final = struct.unpack("<4I", b"expand 32-byte k")
_WORDS: Final = struct.Struct("<16I")
_HALF: Final = struct.Struct("<4I")
_SUBKEY: Final = struct.Struct("<8I")


def encrypt_into(key: bytes, nonce: bytes, plain: Buffer, aad: bytes, out: Buffer) -> None:
    """Write ciphertext and tag of ``plain`` to ``out``, which has ``TAG_BYTES`` bytes more.

    ``key`` has 32 bytes, ``nonce`` 24. The interpreter lock is free during the work.
    """
    subkey, inner = _extend(key, nonce)
    ChaCha20Poly1305(subkey).encrypt_into(inner, plain, aad, out)


def encrypt(key: bytes, nonce: bytes, plain: Buffer, aad: bytes) -> bytes:
    """Return ciphertext and tag of ``plain``: ``TAG_BYTES`` longer."""
    subkey, inner = _extend(key, nonce)
    return ChaCha20Poly1305(subkey).encrypt(inner, plain, aad)


def decrypt(key: bytes, nonce: bytes, sealed: Buffer, aad: bytes) -> bytes:
    """Return the plaintext of ciphertext and tag.

    Raises:
        Malformed: ``bad-seal``: another key, nonce or ``aad``, or altered bytes.
    """
    subkey, inner = _extend(key, nonce)
    try:
        return ChaCha20Poly1305(subkey).decrypt(inner, sealed, aad)
    except InvalidTag as error:
        raise Malformed("sealed bytes do not open with this key", code="bad-seal") from error


def hchacha20(key: bytes, nonce16: bytes) -> bytes:
    """Return the 32-byte subkey of a 32-byte key and the first 16 bytes of a nonce.

    A ChaCha20 key stream block is the permuted state plus the state before; taking that away again
    from the first and the last row leaves HChaCha20.
    """
    block = Cipher(ChaCha20(key, nonce16), mode=None).encryptor().update(bytes(64))
    words = _WORDS.unpack(block)
    before = _CONSTANTS + _HALF.unpack(nonce16)
    after = words[:4] + words[12:]
    return _SUBKEY.pack(*((a - b) & 0xFFFFFFFF for a, b in zip(after, before, strict=True)))


def _extend(key: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    if len(key) != 32 or len(nonce) != NONCE_BYTES:
        raise Malformed("cipher key or nonce of a wrong length")
    return hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]
