"""A home: made once, opened with its lock, its settings kept as a whole."""

from __future__ import annotations

import stat
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.core.recovery import Role, role_secret
from bitcloud_net.services.home import (
    create_home,
    default_home,
    exists,
    identity_of,
    open_home,
    recovery_words,
)
from bitcloud_net.settings import FILE, Settings, describe, load_settings, save_settings
from bitcloud_net.storage.vault_lock import OpenLock, PassphraseLock


async def make(home: Path, name: str = "Mary", **more: str) -> str:
    return await create_home(home, name=name, lock=OpenLock(), **more)


async def test_what_is_made_is_opened(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    assert not exists(home)
    words = await make(home, network="test")
    assert exists(home)
    assert len(words.split()) == 24
    settings, identity = await open_home(home)
    assert (settings.name, settings.network) == ("Mary", "test")
    assert (await open_home(home))[1].node.node_id == identity.node.node_id
    assert await recovery_words(home) == words


async def test_words_restore_the_person_and_not_the_machine(tmp_path: Path) -> None:
    words = await make(tmp_path / "one")
    again = await make(tmp_path / "two", words=words)
    assert again == words
    one, two = [(await open_home(tmp_path / name))[1] for name in ("one", "two")]
    assert one.user.public == two.user.public
    assert one.node.node_id != two.node.node_id


async def test_a_home_is_private(tmp_path: Path) -> None:
    await make(tmp_path / "home")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "home" / "vault").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", "a/b", "..", "line\nbreak", "x" * 65, "x" * 1000])
async def test_names_nobody_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput) as caught:
        await make(tmp_path / "home", name)
    assert caught.value.code == "bad-name"
    assert not exists(tmp_path / "home")


@pytest.mark.parametrize("words", ["abandon", "abandon " * 24, "not words at all " * 6])
async def test_words_that_are_none(tmp_path: Path, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        await make(tmp_path / "home", words=words)
    assert caught.value.code == "recovery-words"
    assert not exists(tmp_path / "home"), "nothing is changed"


async def test_a_home_is_made_once(tmp_path: Path) -> None:
    await make(tmp_path / "home")
    with pytest.raises(BadInput) as caught:
        await make(tmp_path / "home")
    assert caught.value.code == "home-exists"


async def test_no_home(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        await open_home(tmp_path)
    assert caught.value.code == "no-home"


async def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LocalFault) as caught:
        await make(tmp_path / "file" / "home")
    assert caught.value.code == "unwritable"


async def test_a_damaged_vault(tmp_path: Path) -> None:
    """Each generation is kept twice: one may be damaged, not both."""
    words = await make(tmp_path / "home")
    for number, name in enumerate(("vault", "vault.previous")):
        vault = tmp_path / "home" / name
        vault.chmod(0o600)
        vault.write_bytes(vault.read_bytes()[:-5])
        if number == 0:
            assert await recovery_words(tmp_path / "home") == words
    with pytest.raises(LocalFault) as caught:
        await open_home(tmp_path / "home")
    assert caught.value.code == "vault-damaged"


def test_where_a_home_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BITCLOUD_HOME", str(tmp_path / "mine"))
    assert default_home() == tmp_path / "mine"
    monkeypatch.delenv("BITCLOUD_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_home() == tmp_path / "bitcloud"


def test_each_role_has_its_own_key() -> None:
    identity = identity_of(bytes(32), bytes(32))
    assert len({identity.node.public, identity.user.public, identity.log_key}) == 3


# Settings

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
settings_made = st.builds(
    Settings,
    name=texts,
    network=texts,
    listen=st.lists(texts, max_size=3).map(tuple),
    bootstrap=st.lists(texts, max_size=3).map(tuple),
    contribute_folder=texts,
    contribute_bytes=st.integers(0, 2**53),
    gateway_port=st.integers(0, 65535),
    identity_bits=st.integers(-1, 40),
    identity_memory_mib=st.integers(1, 1024),
)


@given(settings_made)
def test_settings_come_back(tmp_path_factory: pytest.TempPathFactory, made: Settings) -> None:
    home = tmp_path_factory.mktemp("home")
    save_settings(home, made)
    assert load_settings(home) == made


def test_no_settings_are_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()


def test_defaults_are_not_written(tmp_path: Path) -> None:
    save_settings(tmp_path, Settings(name="Mary"))
    text = (tmp_path / FILE).read_text()
    assert 'name = "Mary"' in text
    assert "listen" not in text
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("version = 2\n", "settings-too-new"),
        ("not toml", "settings-damaged"),
        ("name = 5\n", "settings-damaged"),
        ("contribute_bytes = true\n", "settings-damaged"),
        ('listen = "one"\n', "settings-damaged"),
        ("listen = [1, 2]\n", "settings-damaged"),
        ("unheard_of = 1\n", "settings-damaged"),
        ("\xff\xfe", "settings-damaged"),
    ],
)
def test_settings_that_are_wrong(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(LocalFault) as caught:
        load_settings(tmp_path)
    assert caught.value.code == code
    assert str(tmp_path) in caught.value.message


def test_every_setting_is_described() -> None:
    described = describe()
    assert set(described) == {item.name for item in fields(Settings)}
    assert all(text for _, text, _ in described.values())
    assert described["contribute_bytes"][2] == "bytes"


def test_settings_do_not_change_in_place(tmp_path: Path) -> None:
    settings = Settings(name="Mary")
    assert replace(settings, gateway_port=1).gateway_port == 1
    assert settings.gateway_port == 0


@pytest.mark.parametrize(
    ("network", "bits", "memory_kib"),
    [("bitcloud", 17, 65_536), ("family", 8, 65_536), ("test-1", 0, 65_536), ("", 8, 65_536)],
)
def test_what_an_identity_costs_goes_by_the_network(
    network: str, bits: int, memory_kib: int
) -> None:
    asked = Settings(network=network).difficulty
    assert (asked.bits, asked.memory_kib) == (bits, memory_kib)
    own = Settings(network=network, identity_bits=3, identity_memory_mib=2)
    assert (own.difficulty.bits, own.difficulty.memory_kib) == (3, 2_048)
    assert own.on(network) == own
    assert own.on("test-2").difficulty.bits == 0, "rules belong to the network"


@pytest.mark.parametrize(("bits", "mib"), [(-2, 64), (41, 64), (8, 0), (8, 1 << 20)])
def test_costs_that_cannot_be(bits: int, mib: int) -> None:
    with pytest.raises(BadInput) as caught:
        _ = Settings(identity_bits=bits, identity_memory_mib=mib).difficulty
    assert caught.value.code == "bad-difficulty"


async def test_what_lies_on_the_disk_is_useless_without_the_passphrase(tmp_path: Path) -> None:
    """R-CA-08: a stolen home is a stolen vault, and nothing else in it says anything."""
    home, dealt = tmp_path / "home", [bytes(range(at, at + 32)) for at in (10, 90)]
    secrets = iter(dealt)
    lock = PassphraseLock(passphrase="correct horse")
    words = await create_home(home, name="Mary", lock=lock, random_bytes=lambda _: next(secrets))
    _, identity = await open_home(home, lambda: "correct horse")
    seed, node_seed = dealt
    hidden = [seed, node_seed, identity.log_key, words.encode(), b"correct horse"]
    hidden += [role_secret(seed, role) for role in Role] + [role_secret(node_seed, Role.NODE)]
    hidden += [secret.hex().encode() for secret in hidden] + words.encode().split()[:3]
    files = [path for path in home.rglob("*") if path.is_file()]
    assert home / "vault" in files
    for path in files:
        content = path.read_bytes()
        assert not [secret for secret in hidden if secret in content], path
    for passphrase, code in ((None, "passphrase-needed"), (str, "wrong-passphrase")):
        with pytest.raises(BadInput) as caught:
            await open_home(home, passphrase)
        assert caught.value.code == code
