"""Buttons that paint themselves from the theme, each with a name for screen readers."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy

from app.icons import draw_icon
from app.theme import MEDIUM, SEMIBOLD, Theme, font
from app.tokens import TEXT_PX
from app.widgets.paint import draw_line_of_text, fill_rounded, outline_rounded
from app.widgets.ringed import RingedButton


class Look(Enum):
    """How much a button asks for attention."""

    PRIMARY = "primary"  # the one thing to do here
    OUTLINE = "outline"
    GHOST = "ghost"  # visible when pointed at


class Button(RingedButton):
    """A button with an icon, a text, or both. With an icon alone its ``name`` is also the
    tooltip."""

    def __init__(
        self,
        theme: Theme,
        name: str,
        *,
        icon: str = "",
        look: Look = Look.OUTLINE,
        icon_only: bool = False,
        filled: bool = False,
        height: int = 36,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._icon = icon
        self._filled = filled
        self._look = look
        self._height = height
        self._icon_only = icon_only
        self.rename(name)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def rename(self, name: str) -> None:
        """Change what the button says and is called; a name of our own, never foreign text."""
        self.setAccessibleName(name)
        if self._icon_only:
            self.setToolTip(name)
        else:
            self.setText(name)
        self.updateGeometry()
        self.update()

    def set_icon(self, icon: str, *, filled: bool = False) -> None:
        """Change the icon."""
        if (icon, filled) != (self._icon, self._filled):
            self._icon, self._filled = icon, filled
            self.update()

    def sizeHint(self) -> QSize:
        """Icon, text and room around them."""
        if not self.text():
            return QSize(self._height + (4 if self._look is Look.OUTLINE else 0), self._height)
        width = QFontMetrics(self._font()).horizontalAdvance(self.text()) + 32
        return QSize(width + (24 if self._icon else 0), self._height)

    def minimumSizeHint(self) -> QSize:
        """A button is never smaller than its content."""
        return self.sizeHint()

    def _font(self) -> QFont:
        return font(TEXT_PX, SEMIBOLD if self._look is Look.PRIMARY else MEDIUM)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Calm down."""
        self.update()
        super().leaveEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw ground, icon, text and focus ring."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.isEnabled():
            painter.setOpacity(0.45)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        colour = self._paint_ground(painter, box)
        self._paint_content(painter, box, colour)
        if self.has_ring():
            outline_rounded(
                painter, box.adjusted(1, 1, -1, -1), 8, self._theme.tokens.focus, width=2
            )

    def _paint_ground(self, painter: QPainter, box: QRectF) -> str:
        tokens = self._theme.tokens
        hot = self.underMouse() and self.isEnabled()
        if self._look is Look.PRIMARY:
            fill_rounded(painter, box, 8, tokens.accent_hover if hot else tokens.accent)
            return tokens.on_accent
        if self.isDown() or self.isChecked():
            fill_rounded(painter, box, 8, tokens.selection)
        elif hot:
            fill_rounded(painter, box, 8, tokens.hover)
        if self._look is Look.OUTLINE:
            if not (hot or self.isDown() or self.isChecked()):
                fill_rounded(painter, box, 8, tokens.card)
            outline_rounded(painter, box, 8, tokens.line)
        return tokens.on_selection if self.isChecked() else tokens.text

    def _paint_content(self, painter: QPainter, box: QRectF, colour: str) -> None:
        size = 20.0 if not self.text() else 18.0
        text_width = QFontMetrics(self._font()).horizontalAdvance(self.text()) if self.text() else 0
        gap = 7.0 if self._icon and self.text() else 0.0
        left = box.center().x() - (text_width + gap + (size if self._icon else 0)) / 2
        if self._icon:
            place = QRectF(left, box.center().y() - size / 2, size, size)
            soft = self._theme.tokens.second if not self.text() and not self.isChecked() else colour
            filled = self._filled or self.isChecked()
            draw_icon(painter, self._icon, place, soft, filled=filled)
            left += size + gap
        if self.text():
            place = QRectF(left, box.top(), text_width + 2, box.height())
            draw_line_of_text(painter, place, self.text(), self._font(), colour)
