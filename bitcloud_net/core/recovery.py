"""Twenty-four words that bring a person's keys back, and the keys themselves.

The words are BIP39's English list with its checksum, for 32 bytes of entropy. They stand for the
root seed directly; BIP39's own stretching with a passphrase is not used. Every role has a key of
its own, so that a server that holds the node's key never holds the person's.
"""

from __future__ import annotations

import difflib
from enum import StrEnum
from functools import lru_cache
from typing import Final

from mnemonic import Mnemonic

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.keys import SigningKey, derive

SEED_BYTES: Final = 32
WORD_COUNT: Final = 24
MAX_TEXT_CHARS: Final = 1000
"""Longest text looked at: 24 words of at most 8 letters, with generous space between them."""

_HINT_CHARS: Final = 12  # no word of the list is longer than 8; comparing takes time


class Role(StrEnum):
    """What a key is for. One key never serves two roles."""

    USER = "user"
    PUBLISHER = "publisher"
    NODE = "node"
    GRID = "grid"
    BOX = "box"  # receives sealed messages; never signs
    VAULT = "vault"  # seals what is kept on this machine; never signs


def words_from_seed(seed: bytes) -> str:
    """Return the 24 recovery words of ``seed`` (32 bytes), one space between them.

    Raises:
        Malformed: the seed is not 32 bytes.
    """
    _check_seed(seed)
    return str(_english().to_mnemonic(seed))


def seed_from_words(text: str) -> bytes:
    """Return the 32-byte seed of 24 recovery words. Spaces, line ends and capitals do not matter.

    Raises:
        BadInput: ``recovery-words``, with a sentence that says what to look at.
    """
    words = text.lower().split() if len(text) <= MAX_TEXT_CHARS else []
    if len(words) != WORD_COUNT:
        raise _bad(
            f"there are {WORD_COUNT} recovery words, but {len(words) or 'too many'} were given"
        )
    for number, word in enumerate(words, 1):
        _check_word(number, word)
    try:
        return bytes(_english().to_entropy(words))
    except ValueError as error:
        raise _bad(
            "every word is in the list, but together they do not fit: "
            "one of them is another word, or two have changed places"
        ) from error


def role_secret(seed: bytes, role: Role, index: int = 0) -> bytes:
    """Return the 32 secret bytes of one role. ``index`` (0 to 2**32 - 1) numbers keys of one role.

    Raises:
        Malformed: the seed is not 32 bytes, or the index is out of range.
    """
    _check_seed(seed)
    if not 0 <= index < 1 << 32:
        raise Malformed("a key index has 32 bits")
    return derive(seed, f"role {role.value}", index.to_bytes(4, "big"))


def role_key(seed: bytes, role: Role, index: int = 0) -> SigningKey:
    """Return the signing key of one role; see ``role_secret``."""
    return SigningKey(role_secret(seed, role, index))


@lru_cache(maxsize=1)
def _english() -> Mnemonic:
    return Mnemonic("english")


def _check_word(number: int, word: str) -> None:
    known = _english().wordlist
    if word not in known:
        near = difflib.get_close_matches(word[:_HINT_CHARS], known, n=1)
        hint = f"; did you mean “{near[0]}”?" if near else ""
        raise _bad(f"word {number}, “{word[:20]}”, is not a recovery word{hint}")


def _check_seed(seed: bytes) -> None:
    if len(seed) != SEED_BYTES:
        raise Malformed(f"a root seed has {SEED_BYTES} bytes")


def _bad(message: str) -> BadInput:
    return BadInput(message, code="recovery-words")
