"""Colours, fonts and icons, computed from the tokens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.icons import RESOURCES, icon_path
from app.theme import FAMILY, font, style_sheet
from app.tokens import DARK, LIGHT, Tokens, contrast

MIN_CONTRAST = 4.5
APP = Path(__file__).resolve().parents[2] / "app"


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *[
            (t, g)
            for t in ("text", "second", "caption")
            for g in ("ground", "side", "card", "field")
        ],
        ("accent", "ground"),
        ("on_accent", "accent"),
        ("on_accent", "accent_hover"),
        ("on_selection", "selection"),
        ("text", "hover"),
        ("second", "hover"),
        ("second", "selection"),
        ("warning", "ground"),
        ("warning", "card"),
        ("error", "ground"),
        ("error", "card"),
        ("on_overlay", "overlay"),
    ],
)
def test_text_is_readable(tokens: Tokens, text: str, ground: str) -> None:
    assert contrast(getattr(tokens, text), getattr(tokens, ground)) >= MIN_CONTRAST


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_style_sheet_has_no_holes(tokens: Tokens) -> None:
    sheet = style_sheet(tokens)
    assert sheet.count("{") == sheet.count("}")
    assert not re.search(r"\{[a-z_]+\}", sheet)


def test_our_font_is_there(qapp: object) -> None:
    from PySide6.QtGui import QFontInfo

    assert QFontInfo(font()).family() == FAMILY


def _words_in_code() -> set[str]:
    code = "".join(path.read_text(encoding="utf-8") for path in APP.rglob("*.py"))
    return set(re.findall(r'"([a-z][a-z_0-9]+)"', code))


def test_icons_used_are_there_and_no_others() -> None:
    stored = {p.name.rpartition("_20_")[0] for p in (RESOURCES / "icons").glob("*.svg")}
    assert stored <= _words_in_code()
    for name in stored:
        assert icon_path(name).exists()
        assert icon_path(name, filled=True).exists()


def test_every_icon_named_in_code_is_stored() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in APP.rglob("*.py"))
    named = set(re.findall(r'(?:icon=|IconBox\(theme, |set_icon\()"([a-z_0-9]+)"', code))
    missing = {name for name in named if not icon_path(name).exists()}
    assert named
    assert not missing


def test_licences_lie_beside_what_they_cover() -> None:
    assert "Open Font License" in (RESOURCES / "fonts" / "LICENSE.txt").read_text(encoding="utf-8")
    assert "MIT License" in (RESOURCES / "icons" / "LICENSE.txt").read_text(encoding="utf-8")
