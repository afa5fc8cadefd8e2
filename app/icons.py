"""Fluent icons in any colour, sharp at any scale. The SVG files lie in ``resources/icons``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

RESOURCES = Path(__file__).resolve().parent.parent / "resources"


def icon_path(name: str, *, filled: bool = False) -> Path:
    """Return where an icon's SVG lies; ``name`` is Fluent's, such as ``arrow_upload``."""
    return RESOURCES / "icons" / f"{name}_20_{'filled' if filled else 'regular'}.svg"


@lru_cache(maxsize=512)
def _renderer(name: str, filled: bool, colour: str) -> QSvgRenderer:  # noqa: FBT001 - cache key
    svg = icon_path(name, filled=filled).read_text(encoding="utf-8")
    coloured = svg.replace("<svg ", f'<svg fill="{colour}" ', 1)
    return QSvgRenderer(QByteArray(coloured.encode()))


def draw_icon(
    painter: QPainter, name: str, box: QRectF, colour: str | QColor, *, filled: bool = False
) -> None:
    """Draw one of our icons into ``box``."""
    text = colour.name() if isinstance(colour, QColor) else colour
    _renderer(name, filled, text).render(painter, box)


def icon(name: str, colour: str, *, size: int = 20, filled: bool = False) -> QIcon:
    """Return an icon for a menu."""
    pixmap = QPixmap(size * 2, size * 2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    draw_icon(painter, name, QRectF(0, 0, size * 2, size * 2), colour, filled=filled)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return QIcon(pixmap)
