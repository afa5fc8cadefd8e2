"""What a vault is locked with, and the key that follows from it."""

from __future__ import annotations

import secrets as randomness
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import nacl.pwhash.argon2id

from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.core.units import MIB
from bitcloud_net.storage.key_store import SERVICE, KeyStore, system_key_store
from bitcloud_net.storage.vault_format import (
    NONCE_BYTES,
    SALT_BYTES,
    VAULT_KEY_BYTES,
    LockKind,
    VaultHeader,
)

ARGON2_PASSES = 3
"""Passes for new vaults; with the memory below a guess costs a core about half a second."""
ARGON2_MEMORY_BYTES = 64 * MIB
"""Memory for new vaults: security.md 4.1 sets this floor, and small computers can still open it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLock:
    """Only the file's mode (0600) protects it: for test grids, or by a person's explicit choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassphraseLock:
    """A passphrase, as typed. The costs are for new vaults; an old one is opened with its own."""

    passphrase: str
    passes: int = ARGON2_PASSES
    memory_bytes: int = ARGON2_MEMORY_BYTES

    def __repr__(self) -> str:
        return "PassphraseLock(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStoreLock:
    """A random key in the operating system's key store."""

    find: Callable[[], KeyStore] = system_key_store


VaultLock: TypeAlias = OpenLock | PassphraseLock | KeyStoreLock


def new_header(lock: VaultLock, old: VaultHeader | None) -> VaultHeader:
    """Return the header of the next generation after ``old``, with fresh salt, key and nonce."""
    generation = old.generation + 1 if old else 1
    salt = randomness.token_bytes(SALT_BYTES)
    nonce = randomness.token_bytes(NONCE_BYTES)
    match lock:
        case OpenLock():
            key = randomness.token_bytes(VAULT_KEY_BYTES)
            return VaultHeader(
                lock=LockKind.OPEN, generation=generation, salt=salt, key=key, nonce=nonce
            )
        case PassphraseLock():
            return VaultHeader(
                lock=LockKind.PASSPHRASE,
                generation=generation,
                salt=salt,
                passes=lock.passes,
                memory_bytes=lock.memory_bytes,
                nonce=nonce,
            )
        case KeyStoreLock():
            if old and old.lock is LockKind.KEY_STORE:
                salt = old.salt  # one entry in the key store per vault, not one per save
            return VaultHeader(
                lock=LockKind.KEY_STORE, generation=generation, salt=salt, nonce=nonce
            )


def key_of(header: VaultHeader, lock: VaultLock) -> bytes:
    """Return the key that opens a vault with ``header``. Blocks: a second, or a system dialog.

    Raises:
        BadInput: ``passphrase-needed``.
        Unavailable: ``no-key-store``.
        LocalFault: ``key-missing``.
    """
    if header.lock is LockKind.OPEN:
        return header.key
    if header.lock is LockKind.KEY_STORE:
        find = lock.find if isinstance(lock, KeyStoreLock) else system_key_store
        return _stored_key(find(), header.salt.hex())
    if not isinstance(lock, PassphraseLock):
        raise BadInput("This vault is opened by a passphrase.", code="passphrase-needed")
    # The same words typed on another keyboard may be other code points.
    typed = unicodedata.normalize("NFKC", lock.passphrase).encode()
    key: bytes = nacl.pwhash.argon2id.kdf(
        VAULT_KEY_BYTES, typed, header.salt, opslimit=header.passes, memlimit=header.memory_bytes
    )
    return key


def make_stored_key(header: VaultHeader, lock: VaultLock) -> None:
    """Put a fresh key for ``header`` into the key store, if that is what locks it and has none.

    Raises:
        Unavailable: ``no-key-store``.
    """
    if isinstance(lock, KeyStoreLock):
        store, account = lock.find(), header.salt.hex()
        if store.get_password(SERVICE, account) is None:
            store.set_password(SERVICE, account, randomness.token_hex(VAULT_KEY_BYTES))


def _stored_key(store: KeyStore, account: str) -> bytes:
    try:
        key = bytes.fromhex(store.get_password(SERVICE, account) or "")
    except ValueError:
        key = b""
    if len(key) != VAULT_KEY_BYTES:
        raise LocalFault(
            "The system's key store has no key for this vault. Restore the identity from its "
            "recovery words.",
            code="key-missing",
        )
    return key
