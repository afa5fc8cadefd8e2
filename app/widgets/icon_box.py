"""An icon that is only looked at."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.icons import draw_icon
from app.theme import Theme
from app.widgets.paint import fill_rounded


class IconBox(QWidget):
    """A coloured icon; with ``tinted`` on a soft square, as in the figures of the contribute
    page."""

    def __init__(
        self, theme: Theme, icon: str, *, quiet: bool = False, tinted: bool = False, size: int = 20
    ) -> None:
        super().__init__()
        self._theme = theme
        self._icon = icon
        self._quiet = quiet
        self._tinted = tinted
        self._filled = False
        self._colour = ""
        self._size = size
        side = 38 if tinted else size
        self.setFixedSize(side, side)
        theme.changed.connect(self.update)

    def set_icon(self, icon: str, colour: str = "", *, filled: bool = False) -> None:
        """Change the icon; an empty colour is the accent, or quiet."""
        self._icon, self._colour, self._filled = icon, colour, filled
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the icon."""
        tokens = self._theme.tokens
        painter = QPainter(self)
        box = QRectF(self.rect())
        if self._tinted:
            fill_rounded(painter, box, 8, tokens.selection)
        place = QRectF(0, 0, self._size, self._size)
        place.moveCenter(box.center())
        colour = self._colour or (tokens.second if self._quiet else tokens.accent)
        draw_icon(painter, self._icon, place, colour, filled=self._filled)
