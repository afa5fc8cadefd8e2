"""The drop zone over the whole window, and which files may be dropped or pasted."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.icons import draw_icon
from app.theme import SEMIBOLD, Theme, font
from app.tokens import TITLE_PX
from app.widgets.paint import draw_line_of_text, fill_rounded

MAX_DROPPED = 1000
"""Files and folders in one drop; a folder counts as one."""


def files_in(data: QMimeData | None) -> list[Path]:
    """Return the local files and folders that a drop or the clipboard (None: empty) carries."""
    if data is None or not data.hasUrls():
        return []
    return [Path(url.toLocalFile()) for url in data.urls()[:MAX_DROPPED] if url.isLocalFile()]


class DropZone(QWidget):
    """Drawn over everything while files hover; catches no events itself."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._over = parent
        self._text = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_over(self, text: str) -> None:
        """Cover the parent and say what a drop will do."""
        self._text = text
        self.setGeometry(self._over.rect())
        self.show()
        self.raise_()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the dashed zone."""
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(tokens.ground)
        veil.setAlpha(205)
        painter.fillRect(self.rect(), veil)
        box = QRectF(self.rect()).adjusted(24, 24, -24, -24)
        soft = QColor(tokens.selection)
        soft.setAlpha(150)
        fill_rounded(painter, box, 18, soft)
        painter.setPen(QPen(QColor(tokens.accent), 2, Qt.PenStyle.DashLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, 18, 18)
        sign = QRectF(box.center().x() - 28, box.center().y() - 84, 56, 56)
        draw_icon(painter, "cloud_arrow_up", sign, tokens.accent)
        middle = QRectF(box.left() + 20, box.center().y() - 20, box.width() - 40, 40)
        draw_line_of_text(
            painter,
            middle,
            self._text,
            font(TITLE_PX, SEMIBOLD),
            tokens.on_selection,
            align=Qt.AlignmentFlag.AlignHCenter,
            elide=Qt.TextElideMode.ElideMiddle,
        )
