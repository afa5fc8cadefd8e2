"""``init`` and ``recover``: make a home, from nothing or from its 24 recovery words."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace
from pathlib import Path

from bitcloud_net.api import BadInput, BitcloudError
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.session import given_passphrase, home_of
from bitcloud_net.services.home import create_home
from bitcloud_net.services.test_grid import read_record
from bitcloud_net.storage.key_store import system_key_store
from bitcloud_net.storage.vault_lock import KeyStoreLock, OpenLock, PassphraseLock, VaultLock

MAX_WORDS_BYTES = 4096
"""24 words have at most some 220 bytes; whoever gives more gave the wrong file."""


async def init(arguments: Namespace, out: Output) -> None:
    """Make an identity and show its recovery words."""
    await _make(arguments, out, words=None)


async def recover(arguments: Namespace, out: Output) -> None:
    """Make a home from recovery words."""
    await _make(arguments, out, words=_read_words(arguments.words_file))


async def _make(arguments: Namespace, out: Output, words: str | None) -> None:
    home = home_of(arguments)
    name = arguments.name or getpass.getuser()
    grid = read_record(home)  # a test grid that was here first is what the home belongs to
    network = arguments.network or (grid.network if grid else None)
    made = await create_home(
        home,
        name=name,
        lock=_lock(arguments, out),
        words=words,
        network=network,
        light=arguments.light,
    )
    listed = made.split()
    lines = [f"Your home is {home}, and others see you as {name}."]
    if words is None:
        lines += ["", "These 24 words are your identity. Write them down and keep them safe:", ""]
        lines += [
            "   ".join(f"{i + 1:2} {listed[i]:<10}" for i in range(row, row + 4)).rstrip()
            for row in range(0, len(listed), 4)
        ]
        lines += ["", "Who has them is you. Without them and this home, nobody can help you."]
    answer = {"home": str(home), "name": name, "words": listed if words is None else None}
    out.answer(answer, lines)


def _lock(arguments: Namespace, out: Output) -> VaultLock:
    """How the keys are locked: as was asked for, else by the first that this system offers."""
    if arguments.no_passphrase:
        return OpenLock()
    if arguments.key_store:
        return KeyStoreLock()
    given = given_passphrase(arguments)
    if given is None and sys.stdin.isatty():
        given = _new_passphrase()
    if given:
        return PassphraseLock(passphrase=given)
    try:
        system_key_store()
    except BitcloudError:
        out.note(
            "bitcloud: no passphrase and no key store on this system: "
            "the keys are protected by file rights alone"
        )
        return OpenLock()
    return KeyStoreLock()


def _new_passphrase() -> str:
    first = getpass.getpass("Passphrase (empty: none): ")
    if first and getpass.getpass("Once more: ") != first:
        raise BadInput("the two passphrases differ; nothing was made", code="passphrases-differ")
    return first


def _read_words(file: Path | None) -> str:
    if file is None and sys.stdin.isatty():
        return input("The 24 words: ")
    try:
        if file is None or str(file) == "-":
            return sys.stdin.read(MAX_WORDS_BYTES)
        with file.open(encoding="utf-8") as opened:
            return opened.read(MAX_WORDS_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read {file}: {error}", code="unreadable") from error
