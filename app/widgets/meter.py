"""Bars and rings that show a part of a whole."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import SEMIBOLD, Theme, font
from app.tokens import SMALL_PX
from app.widgets.paint import draw_line_of_text, fill_rounded, rounded_path


class Meter(QWidget):
    """A thin bar, filled from 0 to 1."""

    def __init__(self, theme: Theme, name: str, *, height: int = 6) -> None:
        super().__init__()
        self._theme = theme
        self._value = 0.0
        self._colour = ""
        self._name = name
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_value(0)
        theme.changed.connect(self.update)

    @property
    def value(self) -> float:
        """How full the bar is, from 0 to 1."""
        return self._value

    def set_value(self, value: float, colour: str = "") -> None:
        """Fill the bar; an empty colour is the accent."""
        self._value = min(1.0, max(0.0, value))
        self._colour = colour
        self.setAccessibleName(f"{self._name}: {self._value:.0%}")
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(80, self.height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw track and filling."""
        painter = QPainter(self)
        box = QRectF(self.rect())
        radius = box.height() / 2
        fill_rounded(painter, box, radius, self._theme.tokens.track)
        if self._value > 0:
            painter.setClipPath(rounded_path(box, radius))
            filled = QRectF(0, 0, max(box.height(), box.width() * self._value), box.height())
            fill_rounded(painter, filled, radius, self._colour or self._theme.tokens.accent)


class StackedBar(QWidget):
    """Several parts of one whole, side by side; the rest is track."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self._parts: tuple[tuple[float, str], ...] = ()
        self.setAccessibleName(name)
        self.setFixedHeight(14)
        theme.changed.connect(self.update)

    def set_parts(self, parts: Sequence[tuple[float, str]]) -> None:
        """Show parts as (share of the whole, colour), from the left."""
        self._parts = tuple(parts)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the parts with a thin gap between them."""
        painter = QPainter(self)
        box = QRectF(self.rect())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipPath(rounded_path(box, box.height() / 2))
        painter.fillRect(box, QColor(self._theme.tokens.track))
        left = 0.0
        for share, colour in self._parts:
            width = max(0.0, share) * box.width()
            if width > 0:
                painter.fillRect(QRectF(left, 0, max(2.0, width - 2), box.height()), QColor(colour))
            left += width


class Ring(QWidget):
    """A ring filled from 0 to 1, with a figure and a caption inside."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self._name = name
        self._value = 0.0
        self._figure = ""
        self._caption = ""
        self.setFixedSize(160, 160)
        theme.changed.connect(self.update)

    def set_value(self, value: float, figure: str, caption: str) -> None:
        """Fill the ring and write into it."""
        self._value = min(1.0, max(0.0, value))
        self._figure, self._caption = figure, caption
        self.setAccessibleName(f"{self._name}: {figure} {caption}")
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw ring and text."""
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(9, 9, -9, -9)
        pen = QPen(QColor(tokens.track), 15)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawArc(box, 0, 360 * 16)
        if self._value > 0:
            pen.setColor(QColor(tokens.accent))
            painter.setPen(pen)
            painter.drawArc(box, 90 * 16, -round(self._value * 360 * 16))
        self._write(painter, 60, 30, self._figure, font(24, SEMIBOLD), tokens.text)
        self._write(painter, 89, 18, self._caption, font(SMALL_PX), tokens.second)

    def _write(
        self, painter: QPainter, top: float, height: float, text: str, used: QFont, colour: str
    ) -> None:
        place = QRectF(18, top, 124, height)
        draw_line_of_text(painter, place, text, used, colour, align=Qt.AlignmentFlag.AlignHCenter)
