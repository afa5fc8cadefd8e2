"""Names from strangers: refused in the disk, harmless on a computer, honest on the screen."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.files.names import (
    MAX_NAME_BYTES,
    System,
    collision_key,
    display_name,
    entry_name,
    file_name_for,
    join_path,
    numbered_name,
    split_path,
)
from tests.core.properties import quick

SYSTEMS: tuple[System, ...] = get_args(System)

GOOD = [
    "Dawn.webm",
    "a",
    ".profile",
    "…",
    "README",
    "two words.tar.gz",
    "naïve café.txt",
    "文件.pdf",
    "Ελληνικά",
    "עברית.doc",
    "नमस्ते.txt",
    "👩‍👩‍👧.png",
    "می‌خواهم.txt",
    "100% sure!.md",
    "(1) [2] {3}.csv",
    "semi;colon,comma=equals+plus",
    "x" * 255,
    "é" * 127,
]
HOSTILE = [
    *("", ".", "..", "...", "/", "//", "\\", "../x", "..\\x", "/etc/passwd", "a/b", "a\\b"),
    *("C:\\x", "C:x", "\\\\host\\share", "//host/share", "file:///x", "a:b", "a::$DATA"),
    *(f"{device}{tail}" for device in ("CON", "prn", "Aux", "NUL", "COM1", "lpt9", "COM¹", "CONIN$")
      for tail in ("", ".txt", ".tar.gz", " ", " .txt", ".")),
    *(f"x{chr(code)}y.txt" for code in (*range(0x20), 0x7F, 0x80, 0x85, 0x9F)),
    *(f"x{mark}gnp.exe" for mark in "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"),
    *(f"x{mark}gnp.exe" for mark in "\u061c\u2066\u2067\u2068\u2069\u2028\u2029\u00ad\u180e"),
    *("-rf", "--help", "-", "~", "~root", "~/x", "-/../x", " x", "x ", "x.", "x. . .", " ", "  ."),
    *('a<b', "a>b", 'a"b', "a|b", "a?b", "a*b", "<script>", "$(rm)", "`x`", "%00", "%2e%2e%2f"),
    *("\ud800", "x\udfffy", "\ud83d", "x" * 256, "é" * 200, "文" * 100, "👩" * 100, "." * 300),
    *("x" * 250 + ".jpeg", "x" * 300 + ".tar.gz", "x." + "y" * 300, " " * 300, "-" * 300),
    *("desktop.ini", "autorun.inf", "x.lnk", "x.url", ".DS_Store", "Icon\r", "~$doc.docx"),
    *(f"{'../' * depth}x" for depth in range(1, 20)),
    *(f"{'..' + chr(92)}" * depth + "x" for depth in range(1, 20)),
    *(f"CON{mark}" for mark in (":", "\0", "\t", "/", "\\", "\u202e")),
]  # fmt: skip
MORE = [
    f"{left}{middle}{right}"
    for left in ("..", "a", "CON", "-")
    for middle in "/\\:\0.\u202e\n "
    for right in ("..", "b", "", ".", " ", "NUL", "x.exe")
]
NAMES = [*GOOD, *HOSTILE, *MORE]


def test_there_are_400_names() -> None:
    assert len(set(NAMES)) >= 400


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_saved_name_stays_in_its_directory(name: str, system: System) -> None:
    """T-names: whatever the name, the file is an ordinary one in the chosen directory."""
    for number in (None, 2, 10**6):
        saved = file_name_for(name, system)
        saved = saved if number is None else numbered_name(name, number, system)
        check_saved(saved, system)
    assert file_name_for(file_name_for(name, system), system) == file_name_for(name, system)


def check_saved(saved: str, system: System) -> None:
    assert 1 <= len(saved.encode()) <= MAX_NAME_BYTES
    assert unicodedata.is_normalized("NFC", saved)
    assert saved not in (".", "..")
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in saved)
    assert not set(saved) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
    )
    assert saved[0] not in "-~"
    assert PurePosixPath("/target", saved).parts == ("/", "target", saved)
    if system == "macos":
        assert ":" not in saved
    if system == "windows":
        assert PureWindowsPath("C:\\target", saved).parts == ("C:\\", "target", saved)
        assert not set(saved) & set('<>:"/\\|?*')
        assert saved[-1] not in ". "
        assert not PureWindowsPath(saved).is_reserved()
        assert saved.partition(".")[0].rstrip().upper() not in ("CON", "COM¹", "CONIN$", "CLOCK$")


@pytest.mark.parametrize("system", SYSTEMS)
@quick
@given(st.text(max_size=300))
def test_any_text_gives_a_safe_name(system: System, name: str) -> None:
    check_saved(file_name_for(name, system), system)
    check_saved(numbered_name(name, 3, system), system)


@pytest.mark.parametrize("name", GOOD, ids=range(len(GOOD)))
def test_good_names_stay_as_they_are(name: str) -> None:
    assert entry_name(name) == name
    for system in SYSTEMS:
        assert file_name_for(name, system) == name


def test_long_names_keep_their_extension() -> None:
    assert file_name_for("x" * 300 + ".webm").endswith("x.webm")
    assert len(file_name_for("x" * 300 + ".webm")) == 255
    assert numbered_name("x" * 300 + ".webm", 2).endswith("x (2).webm")
    assert numbered_name("Dawn.webm", 2) == "Dawn (2).webm"
    assert numbered_name(".profile", 2) == ".profile (2)"


def test_collisions() -> None:
    assert collision_key("Straße.TXT") == collision_key("STRASSE.txt")
    assert collision_key("e\u0301") == collision_key("É")
    assert collision_key("a") != collision_key("b")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "/",
        "a\0",
        "a\nb",
        "\x7f",
        "\x85",
        "\u2028",
        "\ud800",
        "x" * 256,
        "é" * 128,
    ],
)
def test_disk_refuses(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        entry_name(name)
    assert caught.value.code == "bad-name"


def test_disk_normalises() -> None:
    assert entry_name("e\u0301") == "\u00e9"
    assert entry_name("e\u0301" * 127) == "é" * 127


@quick
@given(st.text(max_size=300))
def test_disk_takes_or_refuses_and_nothing_else(text: str) -> None:
    try:
        name = entry_name(text)
    except BadInput:
        return
    assert entry_name(name) == name
    assert split_path(name) == (name,)


def test_paths() -> None:
    assert split_path("") == split_path("/") == ()
    assert split_path("Public/Mary/Videos") == ("Public", "Mary", "Videos")
    assert split_path("/Public/Mary/") == ("Public", "Mary")
    assert join_path(["Public", "Mary"]) == "Public/Mary"
    assert join_path([]) == ""
    assert len(split_path("/".join("x" * 64))) == 64


@pytest.mark.parametrize("path", ["a//b", "///", "a/../b", "./a", "a/b\0", "/a//"])
def test_bad_paths(path: str) -> None:
    with pytest.raises(BadInput):
        split_path(path)


def test_too_deep_paths() -> None:
    for act in (lambda: split_path("/".join("x" * 65)), lambda: join_path("x" * 65)):
        with pytest.raises(BadInput) as caught:
            act()
        assert caught.value.code == "bad-path"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Dawn 1.webm", "Dawn 1.webm"),
        ("photo\u202egnp.exe", "photo\\u{202e}gnp.exe"),
        ("a\u2066b\u2069", "a\\u{2066}b\\u{2069}"),
        ("pay\u200bpal", "pay\\u{200b}pal"),
        ("a\u00adb\ufeff", "a\\u{ad}b\\u{feff}"),
        ("a\nb\0", "a\\u{a}b\\u{0}"),
        ("a\u00a0b\u3000", "a\\u{a0}b\\u{3000}"),
        ("\u3164", "\\u{3164}"),
        ("a\ufe01\U000e0101", "a\\u{fe01}\\u{e0101}"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("e\u0301", "é"),
        ("👩\u200d👧", "👩\\u{200d}👧"),
        ("\ud800", "\\u{d800}"),
    ],
)
def test_shown_name(name: str, shown: str) -> None:
    """T-bidi: nothing invisible, nothing that turns the text around."""
    assert display_name(name) == shown


@quick
@given(st.text(max_size=100))
def test_shown_names_hide_nothing(name: str) -> None:
    shown = display_name(name)
    assert all(char == " " or unicodedata.category(char)[0] not in "CZ" for char in shown)
    assert display_name(shown) == shown
