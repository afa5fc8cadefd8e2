"""Recovery words: forgiving about writing, strict about words; helpful when something is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.recovery import Role, role_key, role_secret, seed_from_words, words_from_seed
from tests.core.properties import hashes, quick

SEED = bytes(range(32))


@quick
@given(hashes)
def test_round_trip(seed: bytes) -> None:
    words = words_from_seed(seed)
    assert len(words.split()) == 24
    assert seed_from_words(words) == seed


def test_spaces_lines_and_capitals_do_not_matter() -> None:
    words = words_from_seed(SEED).split()
    text = "\n ".join(word.capitalize() for word in words[:12]) + "\t\r\n" + "  ".join(words[12:])
    assert seed_from_words(f"  {text.upper()}  ") == SEED


def test_message_names_the_wrong_word_and_a_likely_one() -> None:
    words = words_from_seed(SEED).split()
    assert words[4] == "expire"
    with pytest.raises(BadInput, match=r"word 5, “expyre”, is .*mean “expire”") as caught:
        seed_from_words(" ".join([*words[:4], "expyre", *words[5:]]))
    assert caught.value.code == "recovery-words"


@pytest.mark.parametrize("count", [1, 12, 23, 25])
def test_message_counts(count: int) -> None:
    with pytest.raises(BadInput, match=f"24 recovery words, but {count} were given"):
        seed_from_words("abandon " * count)


def test_message_about_the_checksum() -> None:
    with pytest.raises(BadInput, match="every word is in the list"):
        seed_from_words("abandon " * 24)


def test_every_role_and_index_has_its_own_key() -> None:
    secrets = {role_secret(SEED, role, index) for role in Role for index in range(5)}
    assert len(secrets) == 5 * len(Role)
    assert role_key(SEED, Role.NODE).public != role_key(SEED, Role.USER).public
    assert role_key(SEED, Role.NODE).seed == role_secret(SEED, Role.NODE, 0)


@pytest.mark.parametrize(("seed", "index"), [(SEED[:31], 0), (SEED, -1), (SEED, 1 << 32)])
def test_bad_seed_or_index(seed: bytes, index: int) -> None:
    with pytest.raises(Malformed):
        role_secret(seed, Role.USER, index)
