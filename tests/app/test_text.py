from __future__ import annotations

import pytest

from app.file_actions import safe_file_name
from app.pages.player import clock_text
from app.pages.test_grid import promise_text, seventy_percent_left
from app.text import (
    ago_text,
    as_tooltip,
    extension,
    isolated,
    kind_text,
    part_text,
    round_size_text,
    shown,
    size_text,
    speed_text,
    time_left_text,
)
from bitcloud_net.api import Promise

HIDDEN = [
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    *range(0x200B, 0x2010),
    *range(0, 0x20),
    *range(0x7F, 0xA0),
    0x2028,
    0x2029,
    0xFEFF,
    0x00AD,
    0x061C,
    0x115F,
    0x3164,
    0xE0041,
]


@pytest.mark.parametrize("code", HIDDEN)
def test_hidden_characters_are_shown_as_escapes(code: int) -> None:
    assert shown(f"a{chr(code)}b") == f"a⟨U+{code:04X}⟩b"


def test_a_reversed_extension_cannot_pose_as_a_picture() -> None:
    assert shown("photo\u202egpj.exe") == "photo⟨U+202E⟩gpj.exe"
    assert extension("photo\u202egpj.exe") == "EXE"


@pytest.mark.parametrize("text", ["Dawn over the Alps", "Año nuevo", "日本語", "שלום", "🎬 film"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_foreign_scripts_are_isolated_within_sentences() -> None:
    hebrew = "\u05e9\u05dc\u05d5\u05dd"
    assert isolated(hebrew) == f"\u2068{hebrew}\u2069"
    assert isolated("Mary") == "Mary"


def test_endless_text_is_cut() -> None:
    assert len(shown("x" * 1_000_000)) == 512


def test_tooltips_show_markup_literally() -> None:
    assert as_tooltip("<b>&</b>") == "<qt>&lt;b&gt;&amp;&lt;/b&gt;</qt>"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "—"),
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (746_100_000, "746.1 MB"),
        (999_999_999, "1.0 GB"),
        (5_800_000_000, "5.8 GB"),
        (10**18, "1,000 PB"),
    ],
)
def test_sizes_read_well(size: int | None, text: str, qapp: object) -> None:
    assert size_text(size) == text


def test_amounts_read_well(qapp: object) -> None:
    assert round_size_text(500 * 10**9) == "500 GB"
    assert round_size_text(1_500_000_000) == "1.5 GB"
    assert part_text(212 * 10**9, 500 * 10**9) == "212 / 500 GB"
    assert part_text(212 * 10**6, 500 * 10**9) == "212 MB / 500 GB"
    assert speed_text(5_100_000) == "5.1 MB/s"
    assert speed_text(12) == "12 B/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (2, "a moment left"), (40, "40 s left"), (125, "2 min left"), (7300, "2 h left")],
)
def test_time_left_is_rounded(seconds: int | None, text: str) -> None:
    assert time_left_text(seconds) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (0, "just now"),
        (-50, "just now"),
        (70, "a minute ago"),
        (3 * 3600, "3 hours ago"),
        (90_000, "yesterday"),
        (2 * 86400, "2 days ago"),
    ],
)
def test_ages_read_well(passed: int, text: str) -> None:
    assert ago_text(1_700_000_000 - passed, 1_700_000_000) == text


def test_absurd_dates_do_not_break_the_window() -> None:
    assert ago_text(2**62, 0) == "just now"
    assert ago_text(-(2**40), 1_700_000_000)


def test_kinds_are_named() -> None:
    assert kind_text("video/webm", "a.webm") == "WebM video"
    assert kind_text("image/tiff", "a.tiff") == "Tiff picture"
    assert kind_text(None, "noext") == "File"


def test_the_promise_is_computed_not_claimed() -> None:
    exact = Promise(shares=10, needed=3, may_fail=7, survival_70=1.0)
    likely = Promise(shares=100, needed=20, may_fail=80, survival_70=0.999912)
    assert "10 shares on 10 nodes; any 3 rebuild it, so 7 may fail." in promise_text(exact, 10)
    assert "99.9912 %" in promise_text(likely, 300)
    assert "no storage node" in promise_text(None, 0)


@pytest.mark.parametrize(("nodes", "left"), [(10, 3), (20, 6), (1, 1), (0, 0), (60, 18)])
def test_seventy_percent_is_rounded_as_the_promise_does(nodes: int, left: int) -> None:
    assert seventy_percent_left(nodes) == left


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b", "C:\\x", "..", ".", "", "a\x00b", "x\u202ey"]
)
def test_save_dialog_gets_a_harmless_name(name: str) -> None:
    safe = safe_file_name(name)
    assert safe not in ("", ".", "..")
    assert "/" not in safe
    assert "\\" not in safe
    assert safe.isprintable()


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0:00"), (7_900, "0:07"), (754_000, "12:34"), (4_956_000, "1:22:36"), (-5, "0:00")],
)
def test_positions_of_films(milliseconds: int, text: str) -> None:
    assert clock_text(milliseconds) == text
