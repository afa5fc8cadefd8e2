"""The settings of one home: frozen, typed, each with a unit and a description; kept as TOML.

The form in the window, ``--help`` and the documentation are made from ``describe()``. Secrets are
not settings; they are in the vault.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.trust.identity import (
    NO_DIFFICULTY,
    PRIVATE_DIFFICULTY,
    PUBLIC_DIFFICULTY,
    Difficulty,
)
from bitcloud_net.core.units import KIB

FILE: Final = "settings.toml"
VERSION: Final = 1
MAX_BYTES: Final = 64 * 1024

PUBLIC_NETWORK: Final = "bitcloud"
"""The network that everybody shares."""
TEST_NETWORKS: Final = "test-"
"""How the names of test grids' networks begin: nobody mines there, and they never mix with
others."""


def _setting(default: Any, description: str, unit: str = "") -> Any:
    return field(default=default, metadata={"description": description, "unit": unit})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a person may choose for one home. A new value is a new ``Settings``."""

    name: str = _setting("", "the name that others see beside what you publish")
    network: str = _setting(PUBLIC_NETWORK, "the network this home belongs to")
    listen: tuple[str, ...] = _setting(
        ("/ip4/0.0.0.0/tcp/0",), "where the node listens; port 0 is chosen once and then kept"
    )
    bootstrap: tuple[str, ...] = _setting((), "addresses of nodes to join the network through")
    contribute_folder: str = _setting("", "the folder lent to the grid; empty: none")
    contribute_bytes: int = _setting(0, "how much of it is lent", "bytes")
    light: bool = _setting(
        default=False,
        description="keep only what is yours and what you look at, for small devices",
    )
    gateway_port: int = _setting(0, "port of the gateway for browsers and players; 0: any")
    audit: int = _setting(
        -1,
        "whether this computer audits other storage nodes while it lends storage itself: 1: yes, "
        "0: no, -1: yes, but not on test grids",
    )
    identity_bits: int = _setting(
        -1,
        "what an identity costs on this network, the same on all its nodes: 2^bits tries on "
        "average; 0: nothing; -1: 17 on the public network, 8 on others, 0 on test grids",
        "bits",
    )
    identity_memory_mib: int = _setting(
        64, "memory that one try takes, the same on all nodes of a network", "MiB"
    )

    @property
    def audits(self) -> bool:
        """Whether this node audits others. On a test grid people switch nodes off for play, and
        nobody shall be banned for that.
        """
        return not self.network.startswith(TEST_NETWORKS) if self.audit == -1 else self.audit > 0

    @property
    def difficulty(self) -> Difficulty:
        """What an identity costs on this network.

        Raises:
            BadInput: ``bad-difficulty``: not one that can be.
        """
        bits = _usual_bits(self.network) if self.identity_bits == -1 else self.identity_bits
        return Difficulty(bits=bits, memory_kib=self.identity_memory_mib * KIB)

    def on(self, network: str) -> Settings:
        """Return these settings for another network, with its usual rules."""
        if network == self.network:
            return self
        usual = describe()
        return replace(
            self,
            network=network,
            identity_bits=usual["identity_bits"][0],
            identity_memory_mib=usual["identity_memory_mib"][0],
        )


def _usual_bits(network: str) -> int:
    if network.startswith(TEST_NETWORKS):
        return NO_DIFFICULTY.bits
    usual = PUBLIC_DIFFICULTY if network == PUBLIC_NETWORK else PRIVATE_DIFFICULTY
    return usual.bits


def load_settings(home: Path) -> Settings:
    """Return the settings of ``home``, the defaults where there are none.

    Raises:
        LocalFault: the file cannot be read, is damaged (``settings-damaged``), or is of a newer
            version (``settings-too-new``).
    """
    path = home / FILE
    try:
        data = path.read_bytes()[:MAX_BYTES]
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise LocalFault(f"cannot read {path}: {error.strerror}", code="unreadable") from error
    try:
        plain = tomllib.loads(data.decode())
        if plain.pop("version", VERSION) > VERSION:
            message = f"{path} was written by a newer Bitcloud; update this one first"
            raise LocalFault(message, code="settings-too-new")
        return _from_plain(plain)
    except (ValueError, TypeError) as error:
        message = f"{path} is damaged ({error}); mend it, or remove it to start with the defaults"
        raise LocalFault(message, code="settings-damaged") from error


def save_settings(home: Path, settings: Settings) -> None:
    """Write the settings as a whole, or not at all. Values that are the default are left out."""
    lines = [f"version = {VERSION}"]
    for item in fields(Settings):
        value = getattr(settings, item.name)
        if value != item.default:
            unit = f", in {item.metadata['unit']}" if item.metadata["unit"] else ""
            lines += [f"# {item.metadata['description']}{unit}", f"{item.name} = {_toml(value)}"]
    fresh = home / (FILE + ".new")
    fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    fresh.replace(home / FILE)


def describe() -> dict[str, tuple[Any, str, str]]:
    """Return for each setting its default, its description and its unit."""
    return {
        item.name: (item.default, item.metadata["description"], item.metadata["unit"])
        for item in fields(Settings)
    }


def _toml(value: str | int | tuple[str, ...]) -> str:
    # JSON's strings, numbers and lists of strings are TOML's as well, but for two things: TOML
    # knows no surrogate pairs (so letters stand as they are), and wants DEL escaped.
    text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")


def _from_plain(plain: dict[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for item in fields(Settings):
        if item.name not in plain:
            continue
        value = plain.pop(item.name)
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            value = tuple(value)
        if type(value) is not type(item.default):
            raise TypeError(f"{item.name} has a value of a wrong type")
        values[item.name] = value
    if plain:
        raise ValueError(f"there is no setting {next(iter(plain))}")
    return Settings(**values)
