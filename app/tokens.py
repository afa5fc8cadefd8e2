"""Colours and sizes of the window, in one place, light and dark. Pure.

Every pair of text and ground keeps a contrast of at least 4.5 : 1 (WCAG 2.2, level AA); a test
computes it from the values below.
"""

from __future__ import annotations

from dataclasses import dataclass

SIDEBAR_WIDTH = 212
DETAILS_WIDTH = 292
TOOLBAR_HEIGHT = 60
SHELF_HEIGHT = 46
RADIUS = 10

TITLE_PX = 22
HEADING_PX = 15
TEXT_PX = 13
SMALL_PX = 12
CAPTION_PX = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The colours of one scheme, as ``#rrggbb``."""

    dark: bool
    ground: str
    side: str
    card: str
    field: str
    text: str
    second: str
    caption: str
    line: str
    accent: str
    accent_hover: str
    on_accent: str
    selection: str
    on_selection: str
    hover: str
    track: str
    offered: str
    blue: str
    warning: str
    error: str
    focus: str
    overlay: str
    on_overlay: str


LIGHT = Tokens(
    dark=False,
    ground="#ffffff",
    side="#f3f6f4",
    card="#ffffff",
    field="#f3f6f4",
    text="#16211b",
    second="#5d6b63",
    caption="#66746c",
    line="#e3e8e5",
    accent="#15803f",
    accent_hover="#116a34",
    on_accent="#ffffff",
    selection="#dcf0e2",
    on_selection="#14582f",
    hover="#ebf1ed",
    track="#e3e8e5",
    offered="#a9dcb8",
    blue="#2f6df0",
    warning="#945700",
    error="#c9372c",
    focus="#2f6df0",
    overlay="#16211b",
    on_overlay="#ffffff",
)

DARK = Tokens(
    dark=True,
    ground="#15191a",
    side="#101314",
    card="#1c2122",
    field="#1c2122",
    text="#e9efeb",
    second="#a2aea7",
    caption="#84918a",
    line="#2a3132",
    accent="#37c172",
    accent_hover="#4ad184",
    on_accent="#08150d",
    selection="#173a27",
    on_selection="#7fe0a6",
    hover="#22292a",
    track="#2a3132",
    offered="#22603c",
    blue="#7aa5ff",
    warning="#f0b04c",
    error="#ff7b6e",
    focus="#7aa5ff",
    overlay="#e9efeb",
    on_overlay="#15191a",
)


def luminance(colour: str) -> float:
    """Return the relative luminance (0 to 1) of ``#rrggbb``, as WCAG 2.2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 (equal) to 21 (black on white)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
