"""Secrets at rest: one small encrypted file, in two generations.

Every save writes the vault it replaces to ``<name>.previous`` first, then the new one; each goes
through a temporary file, fsync, rename and fsync of the directory. A vault that is damaged or
missing is read from its previous generation; the first one is written twice.
"""

from __future__ import annotations

import functools
from pathlib import Path

import trio

from bitcloud_net.core.errors import BadInput, LocalFault, Malformed
from bitcloud_net.storage.disk import REAL_DISK, Disk, disk_faults, replace_file
from bitcloud_net.storage.vault_format import (
    MAX_VAULT_BYTES,
    LockKind,
    SealedVault,
    VaultHeader,
    parse_vault,
    seal_vault,
)
from bitcloud_net.storage.vault_lock import VaultLock, key_of, make_stored_key, new_header


async def create_vault(
    path: Path, secrets: bytes, lock: VaultLock, *, disk: Disk = REAL_DISK
) -> None:
    """Write a new vault, and its directory if that is missing.

    Takes up to some seconds of a worker thread. Cancel: waits for it; the vault is whole or absent.

    Raises:
        BadInput: ``vault-exists``, or ``too-large`` beyond ``MAX_SECRET_BYTES``.
        Unavailable: ``no-key-store``.
        LocalFault: the disk would not take it.
    """
    await trio.to_thread.run_sync(functools.partial(_create, disk, path, secrets, lock))


async def open_vault(path: Path, unlock: VaultLock, *, disk: Disk = REAL_DISK) -> bytes:
    """Return the secrets in a vault. A vault with an open lock opens with any ``unlock``.

    Takes up to some seconds of a worker thread. Cancel: waits for it.

    Raises:
        BadInput: ``wrong-passphrase``; ``passphrase-needed`` when ``unlock`` is of another kind.
        Unavailable: ``no-key-store``.
        LocalFault: ``vault-missing``, ``vault-too-new``, ``vault-damaged`` (both generations), or
            ``key-missing`` when the key store has lost the key.
    """
    return await trio.to_thread.run_sync(functools.partial(_open, disk, path, unlock))


async def save_vault(
    path: Path, secrets: bytes, lock: VaultLock, *, disk: Disk = REAL_DISK
) -> None:
    """Replace the content of a vault that ``lock`` opens; the previous generation is kept.

    Time, cancel and errors: as ``create_vault`` and ``open_vault``.
    """

    def save() -> None:
        old = _newest(disk, path)
        old.unseal(key_of(old.header, lock))
        _replace(disk, path, old, _sealed(secrets, lock, old.header))

    await trio.to_thread.run_sync(save)


async def change_vault_lock(
    path: Path, unlock: VaultLock, lock: VaultLock, *, disk: Disk = REAL_DISK
) -> None:
    """Lock a vault anew; afterwards ``unlock`` opens neither generation.

    Time, cancel and errors: as ``create_vault`` and ``open_vault``.
    """

    def change() -> None:
        old = _newest(disk, path)
        new = _sealed(old.unseal(key_of(old.header, unlock)), lock, old.header)
        _replace(disk, path, old, new)
        _replace(disk, path, new, new)

    await trio.to_thread.run_sync(change)


def lock_kind(path: Path, *, disk: Disk = REAL_DISK) -> LockKind:
    """Return what a vault wants to be opened with. Reads one small file.

    Raises:
        LocalFault: as ``open_vault``.
    """
    return _newest(disk, path).header.lock


def _create(disk: Disk, path: Path, secrets: bytes, lock: VaultLock) -> None:
    with disk_faults(f"Making {path.parent}"):
        disk.make_directory(path.parent)
    if any(_read(disk, name) is not None for name in (path, _previous(path))):
        raise BadInput(f"There is a vault already: {path}", code="vault-exists")
    vault = _sealed(secrets, lock, None)
    _write(disk, path, vault)
    _write(disk, _previous(path), vault)


def _open(disk: Disk, path: Path, unlock: VaultLock) -> bytes:
    vault = _newest(disk, path)
    return vault.unseal(key_of(vault.header, unlock))


def _newest(disk: Disk, path: Path) -> SealedVault:
    """Return the newest generation that is whole."""
    found = [data for name in (path, _previous(path)) if (data := _read(disk, name)) is not None]
    for data in found:
        try:
            return parse_vault(data)
        except Malformed:
            continue
    if found:
        raise LocalFault(
            f"The vault {path} is damaged, and so is its previous generation. Bring it back from a "
            "copy, or restore the identity from its recovery words.",
            code="vault-damaged",
        )
    raise LocalFault(f"There is no vault at {path}.", code="vault-missing")


def _sealed(secrets: bytes, lock: VaultLock, old: VaultHeader | None) -> SealedVault:
    header = new_header(lock, old)
    make_stored_key(header, lock)
    return seal_vault(header, secrets, key_of(header, lock))


def _replace(disk: Disk, path: Path, old: SealedVault, new: SealedVault) -> None:
    _write(disk, _previous(path), old)
    _write(disk, path, new)


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def _read(disk: Disk, path: Path) -> bytes | None:
    with disk_faults(f"Reading {path}"):
        try:
            file = disk.open(path)
        except FileNotFoundError:
            return None
        try:
            return file.read_at(0, MAX_VAULT_BYTES)
        finally:
            file.close()


def _write(disk: Disk, path: Path, vault: SealedVault) -> None:
    with disk_faults(f"Writing {path}"):
        replace_file(disk, path, vault.to_bytes())
