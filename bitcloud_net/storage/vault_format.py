"""The bytes of a vault.

``"BCVT" version(1) header_length(2) header sealed check(32)``. The header is a canonical list:
algorithm, lock, generation, salt, Argon2id passes, Argon2id memory, key, nonce. ``sealed`` is
XChaCha20-Poly1305 with everything before it as associated data. ``check`` is the BLAKE3 of all that
stands before it; it tells a damaged file from a wrong passphrase.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import nacl.bindings
import nacl.exceptions
from blake3 import blake3

from bitcloud_net.core.encoding import decode, encode
from bitcloud_net.core.errors import BadInput, LocalFault, Malformed
from bitcloud_net.core.units import HASH_BYTES, KIB, MIB

MAX_SECRET_BYTES = 64 * KIB
"""A root seed, a node key and room for every key of a person's life."""
SALT_BYTES = 16
"""What Argon2id takes."""
VAULT_KEY_BYTES = 32
NONCE_BYTES = 24

_MAGIC = b"BCVT"
_VERSION = 1
_ALGORITHM = 1  # Argon2id version 1.3, XChaCha20-Poly1305, BLAKE3
_PREFIX_BYTES = len(_MAGIC) + 1 + 2
_MAX_HEADER_BYTES = 256
_MAX_PASSES = 16
_MAX_MEMORY_BYTES = 1024 * MIB  # costs come from a file: they are bounded before they are used
_MIN_MEMORY_BYTES = 8 * KIB  # libsodium's own minimum
MAX_VAULT_BYTES = MAX_SECRET_BYTES + _MAX_HEADER_BYTES + KIB


class LockKind(IntEnum):
    """What opens a vault."""

    OPEN = 0
    PASSPHRASE = 1
    KEY_STORE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultHeader:
    """What stands readable in front of the sealed secrets."""

    lock: LockKind
    generation: int
    salt: bytes  # of the passphrase; the account's name in a key store
    passes: int = 0
    memory_bytes: int = 0
    key: bytes = b""  # of an open vault only
    nonce: bytes

    def to_bytes(self) -> bytes:
        """Return magic, version, length and header: the associated data of the seal."""
        fields = (self.salt, self.passes, self.memory_bytes, self.key, self.nonce)
        header = encode([_ALGORITHM, int(self.lock), self.generation, *fields])
        return _MAGIC + bytes([_VERSION]) + len(header).to_bytes(2, "big") + header


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedVault:
    """A whole, undamaged vault file."""

    header: VaultHeader
    front: bytes
    sealed: bytes

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        body = self.front + self.sealed
        return body + blake3(body).digest()

    def unseal(self, key: bytes) -> bytes:
        """Return the secrets.

        Raises:
            BadInput: ``wrong-passphrase``.
            LocalFault: ``key-missing``: the key store's key is another one.
        """
        try:
            return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                self.sealed, self.front, self.header.nonce, key
            )
        except nacl.exceptions.CryptoError as error:
            if self.header.lock is LockKind.PASSPHRASE:
                text = "That is not the passphrase of this vault."
                raise BadInput(text, code="wrong-passphrase") from error
            text = "The key store holds another key than the one of this vault."
            raise LocalFault(text, code="key-missing") from error


def seal_vault(header: VaultHeader, secrets: bytes, key: bytes) -> SealedVault:
    """Seal ``secrets``; the nonce in ``header`` must be fresh.

    Raises:
        BadInput: ``too-large``: more than ``MAX_SECRET_BYTES``.
    """
    if len(secrets) > MAX_SECRET_BYTES:
        raise BadInput(f"A vault holds {MAX_SECRET_BYTES} bytes at most.", code="too-large")
    front = header.to_bytes()
    sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        secrets, front, header.nonce, key
    )
    return SealedVault(header=header, front=front, sealed=sealed)


def parse_vault(data: bytes) -> SealedVault:
    """Return the vault that ``data`` is.

    Raises:
        Malformed: damaged, or not a vault.
        LocalFault: ``vault-too-new``.
    """
    body, check = data[:-HASH_BYTES], data[-HASH_BYTES:]
    if len(body) < _PREFIX_BYTES or not body.startswith(_MAGIC) or blake3(body).digest() != check:
        raise Malformed("not a vault, or a damaged one")
    if body[len(_MAGIC)] != _VERSION:
        raise _too_new()
    end = _PREFIX_BYTES + int.from_bytes(body[_PREFIX_BYTES - 2 : _PREFIX_BYTES], "big")
    header = _parse_header(body[_PREFIX_BYTES:end])
    return SealedVault(header=header, front=body[:end], sealed=body[end:])


def _parse_header(data: bytes) -> VaultHeader:
    match decode(data, max_bytes=_MAX_HEADER_BYTES):
        case [int(algorithm), *_] if algorithm != _ALGORITHM:
            raise _too_new()
        case [
            _,
            int(lock),
            int(generation),
            bytes(salt),
            int(passes),
            int(memory),
            bytes(key),
            bytes(nonce),
        ]:
            lengths = len(salt), len(nonce), len(key)
            own_key = VAULT_KEY_BYTES if lock == LockKind.OPEN else 0
            if lengths == (SALT_BYTES, NONCE_BYTES, own_key) and _bounded(lock, passes, memory):
                return VaultHeader(
                    lock=LockKind(lock),
                    generation=generation,
                    salt=salt,
                    passes=passes,
                    memory_bytes=memory,
                    key=key,
                    nonce=nonce,
                )
    raise Malformed("a vault with an impossible header")


def _bounded(lock: int, passes: int, memory: int) -> bool:
    if lock == LockKind.PASSPHRASE:
        memory_fits = _MIN_MEMORY_BYTES <= memory <= _MAX_MEMORY_BYTES
        return 1 <= passes <= _MAX_PASSES and memory_fits
    return lock in (LockKind.OPEN, LockKind.KEY_STORE) and passes == memory == 0


def _too_new() -> LocalFault:
    text = "This vault was written by a newer Bitcloud. Update the program; nothing was changed."
    return LocalFault(text, code="vault-too-new")
