"""A home: the folder with one person's identity, settings and databases.

::

    settings.toml    what the person chose                vault           the root seed, locked
    nodepool/        the shared database and own rows     local.db        transfers
    control.sock     where programs call the node         private.db      whom this person avoids
    mining/          searches that are not over           testgrid/       a local test grid, if any

Everything in it is private to its owner (0700, files 0600).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitcloud_net.core.encoding import decode, encode
from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.core.files.names import entry_name
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import MAX_NAME_CHARS
from bitcloud_net.core.nodepool.table_rules import Role as TableRole
from bitcloud_net.core.recovery import Role, role_key, role_secret, seed_from_words, words_from_seed
from bitcloud_net.settings import PUBLIC_NETWORK, Settings, load_settings, save_settings
from bitcloud_net.storage.vault import create_vault, lock_kind, open_vault
from bitcloud_net.storage.vault_format import LockKind
from bitcloud_net.storage.vault_lock import KeyStoreLock, OpenLock, PassphraseLock, VaultLock

VAULT: Final = "vault"
SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The keys of one person on one machine, all from one seed."""

    node: SigningKey
    user: SigningKey
    log_key: bytes  # seals what is secret in the transfer log

    def key_of(self, role: TableRole) -> SigningKey:
        """Return the key that joins in a role. A publisher is a person, who takes the identity
        along with the 24 words; nodes, gateways and who sells a grid of them are machines."""
        return self.user if role is TableRole.PUBLISHER else self.node


def default_home() -> Path:
    """Return ``$BITCLOUD_HOME``, or the usual place for a program's data on this system."""
    if given := os.environ.get("BITCLOUD_HOME"):
        return Path(given).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "bitcloud"


def exists(home: Path) -> bool:
    """Whether ``home`` has an identity."""
    return (home / VAULT).exists() or (home / f"{VAULT}.previous").exists()


async def create_home(
    home: Path,
    *,
    name: str,
    lock: VaultLock,
    words: str | None = None,
    network: str | None = None,
    light: bool = False,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """Make an identity in ``home`` and return its 24 recovery words.

    ``words`` restores an identity from its recovery words instead of making a new one;
    ``random_bytes`` gives the seeds of a new one. ``light`` makes it one of a small device.

    Raises:
        BadInput: ``home-exists``, ``recovery-words``, ``bad-name``.
        LocalFault: the folder cannot be written.
    """
    if exists(home):
        message = f"{home} has an identity already; use another --home, or go on with this one"
        raise BadInput(message, code="home-exists")
    if len(entry_name(name)) > MAX_NAME_CHARS:
        message = f"a name has at most {MAX_NAME_CHARS} letters; choose a shorter one"
        raise BadInput(message, code="bad-name")
    seed = seed_from_words(words) if words else random_bytes(SEED_BYTES)
    make_private(home)
    chosen = Settings(name=name, network=network or PUBLIC_NETWORK, light=light)
    save_settings(home, chosen)
    kept = _Kept(seed=seed, node_seed=random_bytes(SEED_BYTES))
    await create_vault(home / VAULT, kept.encode(), lock)
    return words_from_seed(seed)


async def open_home(
    home: Path, passphrase: Callable[[], str] | None = None
) -> tuple[Settings, Identity]:
    """Return settings and keys of ``home``. ``passphrase`` is asked only when the lock needs one.

    Raises:
        BadInput: ``no-home``, ``passphrase-needed``, ``wrong-passphrase``.
        LocalFault: the vault or the settings are damaged or of a newer version.
    """
    if not exists(home):
        message = f"{home} has no identity yet; make one with: bitcloud init --home {home}"
        raise BadInput(message, code="no-home")
    settings = load_settings(home)
    kept = _Kept.parse(await open_vault(home / VAULT, _unlock(home, passphrase)))
    return settings, identity_of(kept.seed, kept.node_seed)


async def recovery_words(home: Path, passphrase: Callable[[], str] | None = None) -> str:
    """Return the 24 words of the identity in ``home``. Raises as ``open_home``."""
    kept = _Kept.parse(await open_vault(home / VAULT, _unlock(home, passphrase)))
    return words_from_seed(kept.seed)


def identity_of(seed: bytes, node_seed: bytes) -> Identity:
    """Return the keys of the person with this root seed, on the machine with this node seed.

    The words restore the person, not the machine: two machines with one node key would take each
    other's connections.
    """
    return Identity(
        node=role_key(node_seed, Role.NODE),
        user=role_key(seed, Role.USER),
        log_key=role_secret(seed, Role.VAULT),
    )


def make_private(folder: Path) -> None:
    """Make a folder that only its owner can enter.

    Raises:
        LocalFault: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        message = f"cannot use {folder}: {error.strerror}; choose another folder"
        raise LocalFault(message, code="unwritable") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What the vault holds."""

    seed: bytes
    node_seed: bytes

    def encode(self) -> bytes:
        return encode([1, self.seed, self.node_seed])

    @classmethod
    def parse(cls, data: bytes) -> _Kept:
        match decode(data, max_bytes=256):
            case [1, bytes(seed), bytes(node_seed)]:
                return cls(seed=seed, node_seed=node_seed)
        raise LocalFault("the vault holds something unknown; update Bitcloud", code="vault-too-new")


def _unlock(home: Path, passphrase: Callable[[], str] | None) -> VaultLock:
    kind = lock_kind(home / VAULT)
    if kind is LockKind.OPEN:
        return OpenLock()
    if kind is LockKind.KEY_STORE:
        return KeyStoreLock()
    if passphrase is None:
        message = (
            "this home is locked with a passphrase; give it with --passphrase-file or "
            "BITCLOUD_PASSPHRASE"
        )
        raise BadInput(message, code="passphrase-needed")
    return PassphraseLock(passphrase=passphrase())
