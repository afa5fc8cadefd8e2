"""The operating system's key store, where there is one: a place for one key per vault.

It is reached through the optional ``keyring`` package. Only the systems' own stores are accepted; a
back end that would write the key to a plain file is worse than a passphrase and is refused.
"""

from __future__ import annotations

import importlib
from typing import Protocol

from bitcloud_net.core.errors import Unavailable

SERVICE = "bitcloud"

_TRUSTED_MODULES = frozenset(
    f"keyring.backends.{name}"
    for name in ("SecretService", "libsecret", "kwallet", "macOS", "Windows")
)


class KeyStore(Protocol):
    """What the vault needs of a key store. Calls may block while the system asks the person."""

    def get_password(self, service: str, account: str) -> str | None:
        """Return what was stored, or None."""

    def set_password(self, service: str, account: str, password: str) -> None:
        """Store, replacing what was there."""


def system_key_store() -> KeyStore:
    """Return this system's key store.

    Raises:
        Unavailable: ``no-key-store``: ``keyring`` is not installed, or it knows only unsafe stores.
    """
    try:
        keyring = importlib.import_module("keyring")
        backend = keyring.get_keyring()
    except Exception as error:  # back ends raise anything
        raise _no_key_store() from error
    chained = getattr(backend, "backends", None)
    members = list(chained) if chained is not None else [backend]
    for member in members:
        if type(member).__module__ in _TRUSTED_MODULES:
            found: KeyStore = member
            return found
    raise _no_key_store()


def _no_key_store() -> Unavailable:
    return Unavailable(
        "This system has no safe key store that Bitcloud can use. Choose a passphrase instead.",
        code="no-key-store",
    )
