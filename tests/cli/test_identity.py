"""``init`` and ``recover`` with the real vault."""

from pathlib import Path
from typing import Any

import pytest


def test_words_restore_the_identity(bitcloud: Any, tmp_path: Path) -> None:
    made = bitcloud("init", "--name", "Mary", "--no-passphrase", "--json")
    assert made.status == 0
    words = made.document["words"]
    assert len(words) == 24
    file = tmp_path / "words.txt"
    file.write_text(" ".join(words) + "\n")
    again = bitcloud(
        "recover", "--words-file", file, "--home", tmp_path / "two", "--no-passphrase", "--json"
    )
    assert again.status == 0
    assert again.document["home"] == str(tmp_path / "two")


def test_init_shows_the_words_numbered(bitcloud: Any) -> None:
    result = bitcloud("init", "--name", "Mary", "--no-passphrase")
    assert result.status == 0
    assert "24 words" in result.out
    assert " 1 " in result.out
    assert "24 " in result.out


def test_a_home_is_never_overwritten(bitcloud: Any) -> None:
    assert bitcloud("init", "--no-passphrase").status == 0
    result = bitcloud("init", "--no-passphrase", "--json")
    assert result.status == 1
    assert result.document["error"]["code"] == "home-exists"


def test_wrong_words_are_named(bitcloud: Any, tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("abandon " * 24)
    result = bitcloud("recover", "--words-file", file, "--no-passphrase", "--json")
    assert result.status == 1
    assert result.document["error"]["code"] == "recovery-words"
    assert not (tmp_path / "home").exists()


def test_without_a_terminal_and_a_key_store_it_says_how_keys_are_protected(bitcloud: Any) -> None:
    result = bitcloud("init", "--name", "Mary")
    assert result.status == 0
    assert result.err == "" or "file rights" in result.err


def test_a_passphrase_locks_the_home(
    bitcloud: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BITCLOUD_PASSPHRASE", "open sesame")
    assert bitcloud("init", "--name", "Mary").status == 0
    assert b"open sesame" not in (tmp_path / "home" / "vault").read_bytes()
