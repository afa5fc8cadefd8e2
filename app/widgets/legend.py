"""The words under a stacked bar."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.theme import Theme, font
from app.tokens import SMALL_PX
from app.widgets.paint import draw_line_of_text, fill_rounded


class Legend(QWidget):
    """Dots and names in a row; wraps to a second line where it is narrow."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._items: tuple[tuple[str, str], ...] = ()
        self.setFixedHeight(20)
        theme.changed.connect(self.update)

    def set_items(self, items: Sequence[tuple[str, str]]) -> None:
        """Show (text, colour) pairs."""
        self._items = tuple(items)
        self.setAccessibleName(", ".join(text for text, _colour in items))
        self._fit()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take a second line where it is needed."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        lines = 1 + max((line for line, *_ in self._places()), default=0)
        self.setFixedHeight(20 * lines)

    def _places(self) -> list[tuple[int, float, float, str, str]]:
        metrics = QFontMetrics(font(SMALL_PX))
        places, left, line = [], 0.0, 0
        for text, colour in self._items:
            width = metrics.horizontalAdvance(text) + 16.0
            if left and left + width > self.width():
                left, line = 0.0, line + 1
            places.append((line, left, width, text, colour))
            left += width + 16
        return places

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw dots and names."""
        painter = QPainter(self)
        for line, left, width, text, colour in self._places():
            top = line * 20.0
            fill_rounded(painter, QRectF(left, top + 5, 10, 10), 5, colour)
            place = QRectF(left + 16, top, width, 20)
            draw_line_of_text(painter, place, text, font(SMALL_PX), self._theme.tokens.second)
