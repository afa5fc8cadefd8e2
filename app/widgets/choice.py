"""One of several, from a list that drops down."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QComboBox

from app.icons import draw_icon
from app.theme import Theme


class Choice(QComboBox):
    """A ``QComboBox`` with our arrow."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        theme.changed.connect(self.update)

    def set_name(self, name: str) -> None:
        """Name it, and the list it opens, for screen readers."""
        self.setAccessibleName(name)
        self.view().setAccessibleName(name)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the field and its arrow."""
        super().paintEvent(event)
        place = QRectF(self.width() - 26, self.height() / 2 - 8, 16, 16)
        draw_icon(QPainter(self), "chevron_down", place, self._theme.tokens.second)
