"""Secrets at rest: locks, generations, damage and crashes."""

import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio

from bitcloud_net.core.errors import BadInput, LocalFault, Malformed, Unavailable
from bitcloud_net.storage import vault_format
from bitcloud_net.storage.disk import RealDisk, replace_file
from bitcloud_net.storage.key_store import system_key_store
from bitcloud_net.storage.vault import (
    change_vault_lock,
    create_vault,
    lock_kind,
    open_vault,
    save_vault,
)
from bitcloud_net.storage.vault_format import LockKind, parse_vault
from bitcloud_net.storage.vault_lock import (
    ARGON2_MEMORY_BYTES,
    ARGON2_PASSES,
    KeyStoreLock,
    OpenLock,
    PassphraseLock,
    VaultLock,
)
from bitcloud_net.testing.faulty_disk import FaultyDisk, Loss, PowerCut

SECRETS = b"sixteen words and a key" * 3


def quick(passphrase: str) -> PassphraseLock:
    return PassphraseLock(passphrase=passphrase, passes=1, memory_bytes=8192)


class MemoryKeyStore:
    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, account: str) -> str | None:
        return self.entries.get((service, account))

    def set_password(self, service: str, account: str, password: str) -> None:
        self.entries[service, account] = password


KEY_STORE = MemoryKeyStore()
LOCKS = [OpenLock(), quick("pässword"), KeyStoreLock(find=lambda: KEY_STORE)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "vault"


@pytest.mark.parametrize("lock", LOCKS)
async def test_every_lock_opens_what_it_locked(path: Path, lock: VaultLock) -> None:
    await create_vault(path, SECRETS, lock)
    assert await open_vault(path, lock) == SECRETS
    await save_vault(path, b"new", lock)
    assert await open_vault(path, lock) == b"new"
    assert lock_kind(path) == LOCKS.index(lock)
    if not isinstance(lock, OpenLock):
        assert SECRETS not in path.read_bytes()


async def test_files_are_private(path: Path) -> None:
    await create_vault(path, SECRETS, OpenLock())
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


async def test_a_wrong_passphrase_opens_nothing(path: Path) -> None:
    await create_vault(path, SECRETS, quick("right"))
    before = path.read_bytes()
    for attempt in (
        lambda: open_vault(path, quick("wrong")),
        lambda: save_vault(path, b"", quick("wrong")),
    ):
        with pytest.raises(BadInput) as caught:
            await attempt()
        assert caught.value.code == "wrong-passphrase"
    assert path.read_bytes() == before
    with pytest.raises(BadInput) as caught:
        await open_vault(path, OpenLock())
    assert caught.value.code == "passphrase-needed"


async def test_a_passphrase_is_the_same_on_every_keyboard(path: Path) -> None:
    await create_vault(path, SECRETS, quick("pa\u0308ss"))
    assert await open_vault(path, quick("p\u00e4ss")) == SECRETS
    assert "p" not in repr(quick("p")).removeprefix("PassphraseLock")


async def test_a_vault_is_never_overwritten_by_a_new_one(path: Path) -> None:
    await create_vault(path, SECRETS, OpenLock())
    with pytest.raises(BadInput) as caught:
        await create_vault(path, b"other", OpenLock())
    assert caught.value.code == "vault-exists"
    path.unlink()
    with pytest.raises(BadInput):
        await create_vault(path, b"other", OpenLock())
    assert await open_vault(path, OpenLock()) == SECRETS


async def test_changing_the_lock_shuts_the_old_one_out_of_both_generations(path: Path) -> None:
    old, new = quick("old"), quick("new")
    await create_vault(path, SECRETS, old)
    await change_vault_lock(path, old, new)
    previous = path.with_name("vault.previous")
    for file in (path, previous):
        with pytest.raises(BadInput):
            await open_vault(file, old)
        assert await open_vault(file, new) == SECRETS


async def test_damage_falls_back_to_the_previous_generation(path: Path) -> None:
    lock = quick("p")
    await create_vault(path, b"first", lock)
    await save_vault(path, b"second", lock)
    whole = path.read_bytes()
    dice = random.Random(7)
    for _ in range(100):
        data = bytearray(whole)
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        assert await open_vault(path, lock) == b"first"
    path.write_bytes(whole[:20])
    path.with_name("vault.previous").write_bytes(b"")
    with pytest.raises(LocalFault) as caught:
        await open_vault(path, lock)
    assert caught.value.code == "vault-damaged"


async def test_a_missing_vault_is_missing(path: Path) -> None:
    with pytest.raises(LocalFault) as caught:
        await open_vault(path, OpenLock())
    assert caught.value.code == "vault-missing"


async def test_a_newer_vault_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_VERSION", "_ALGORITHM"):
        with monkeypatch.context() as newer:
            newer.setattr(vault_format, name, 2)
            await create_vault(path, SECRETS, OpenLock())
        before = path.read_bytes()
        with pytest.raises(LocalFault) as caught:
            await save_vault(path, b"", OpenLock())
        assert caught.value.code == "vault-too-new"
        assert path.read_bytes() == before
        path.unlink()
        path.with_name("vault.previous").unlink()


@pytest.mark.parametrize("cost", [(0, 8192), (17, 8192), (1, 8191), (1, (1 << 30) + 1)])
async def test_costs_are_bounded_before_they_are_paid(path: Path, cost: tuple[int, int]) -> None:
    header = vault_format.VaultHeader(
        lock=LockKind.PASSPHRASE,
        generation=1,
        salt=bytes(16),
        nonce=bytes(24),
        passes=cost[0],
        memory_bytes=cost[1],
    )
    data = vault_format.seal_vault(header, b"", bytes(32)).to_bytes()
    with pytest.raises(Malformed):
        parse_vault(data)


def test_no_bytes_confuse_the_parser() -> None:
    dice = random.Random(11)
    for size in range(0, 400, 3):
        with pytest.raises(Malformed):
            parse_vault(b"BCVT" + dice.randbytes(size))


async def test_too_much_is_refused(path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        await create_vault(path, bytes(vault_format.MAX_SECRET_BYTES + 1), OpenLock())
    assert caught.value.code == "too-large"
    await create_vault(path, bytes(vault_format.MAX_SECRET_BYTES), OpenLock())
    assert len(await open_vault(path, OpenLock())) == vault_format.MAX_SECRET_BYTES


async def test_the_key_store_holds_one_key_per_vault(path: Path) -> None:
    store = MemoryKeyStore()
    lock = KeyStoreLock(find=lambda: store)
    await create_vault(path, SECRETS, lock)
    await save_vault(path, b"new", lock)
    assert len(store.entries) == 1
    for damage in ("00" * 32, "no hex", ""):
        store.entries = dict.fromkeys(store.entries, damage)
        with pytest.raises(LocalFault) as caught:
            await open_vault(path, lock)
        assert caught.value.code == "key-missing"


def keyring_with(backend: object) -> ModuleType:
    module: Any = ModuleType("keyring")
    module.get_keyring = lambda: backend
    found: ModuleType = module
    return found


def backend_of(module: str) -> object:
    return type("Keyring", (MemoryKeyStore,), {"__module__": module})()


def test_only_the_systems_own_key_stores_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    good = backend_of("keyring.backends.SecretService")
    chain: Any = backend_of("keyring.backends.chainer")
    chain.backends = [backend_of("keyrings.alt.file"), good]
    for backend in (good, chain):
        monkeypatch.setitem(sys.modules, "keyring", keyring_with(backend))
        assert system_key_store() is good
    for module in (
        None,
        keyring_with(backend_of("keyrings.alt.file")),
        keyring_with(backend_of("keyring.backends.fail")),
    ):
        monkeypatch.setitem(sys.modules, "keyring", module)
        with pytest.raises(Unavailable) as caught:
            system_key_store()
        assert caught.value.code == "no-key-store"


def test_every_crash_leaves_the_old_or_the_new_secrets() -> None:
    path, lock = Path("/home/vault"), OpenLock()
    points = 0
    for crash_at in range(200):
        disk = FaultyDisk()
        trio.run(lambda disk=disk: create_vault(path, b"old", lock, disk=disk))
        disk.crash_at = disk.operations + crash_at
        try:
            trio.run(lambda disk=disk: save_vault(path, b"new", lock, disk=disk))
        except PowerCut:
            points += 1
            for loss in Loss:
                after = disk.survivor(loss, crash_at)
                found = trio.run(lambda after=after: open_vault(path, lock, disk=after))
                assert found in (b"old", b"new")
        else:
            break
    assert points == 12


def test_costs_of_new_vaults_are_what_the_design_asks_for() -> None:
    assert ARGON2_MEMORY_BYTES >= 64 << 20
    assert ARGON2_PASSES >= 3


def test_a_crashed_replacement_leaves_no_open_copy(path: Path) -> None:
    disk = RealDisk()
    disk.make_directory(path.parent)
    leftover = path.with_name("vault.new")
    leftover.write_bytes(b"half")
    leftover.chmod(0o644)
    replace_file(disk, path, b"whole")
    assert path.stat().st_mode & 0o777 == 0o600
    assert not leftover.exists()
