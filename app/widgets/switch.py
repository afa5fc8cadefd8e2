"""An on/off switch."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent

from app.theme import Theme
from app.widgets.paint import fill_rounded, outline_rounded
from app.widgets.ringed import RingedButton


class Switch(RingedButton):
    """Checked means on. Its position says so, not its colour alone."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedSize(self.sizeHint())
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """A fixed size, with room for the focus ring."""
        return QSize(46, 28)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw track, knob and focus ring."""
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.isEnabled():
            painter.setOpacity(0.45)
        track = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        fill_rounded(
            painter,
            track,
            track.height() / 2,
            tokens.accent if self.isChecked() else tokens.caption,
        )
        radius = track.height() / 2 - 3
        x = track.right() - radius - 3 if self.isChecked() else track.left() + radius + 3
        painter.setBrush(QColor("#ffffff"))
        painter.drawEllipse(QPointF(x, track.center().y()), radius, radius)
        if self.has_ring():
            outline_rounded(painter, QRectF(self.rect()), 14, tokens.focus, width=1.5)
