"""A short notice at the bottom of the window, with at most one action."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.session import Tone
from app.theme import Theme
from app.widgets.button import Button, Look
from app.widgets.icon_box import IconBox
from app.widgets.label import Label
from app.widgets.paint import fill_rounded, outline_rounded

SHOWN_MS = 6000
ERROR_SHOWN_MS = 12000


class Toast(QWidget):
    """Shows one notice at a time; the newest wins."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._over = parent
        self._then: Callable[[], None] | None = None
        self._icon = IconBox(theme, "info")
        self._text = Label(wrap=True)
        self._action = Button(theme, self.tr("Show"), look=Look.OUTLINE, height=30)
        self._close = Button(
            theme, self.tr("Close"), icon="dismiss", look=Look.GHOST, icon_only=True, height=28
        )
        self._hide_later = QTimer(self, singleShot=True)
        self._hide_later.timeout.connect(self.hide)
        self._close.clicked.connect(self.hide)
        self._action.clicked.connect(self._act)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 10, 10)
        row.setSpacing(10)
        for widget in (self._icon, self._text, self._action, self._close):
            row.addWidget(widget, 1 if widget is self._text else 0)
        theme.changed.connect(self.update)
        self.hide()

    @property
    def text(self) -> str:
        """What is shown."""
        return self._text.text()

    def show_notice(
        self, tone: Tone, text: str, *, action: str = "", then: Callable[[], None] | None = None
    ) -> None:
        """Show a notice for some seconds."""
        tokens = self._theme.tokens
        icon, colour = {
            Tone.INFO: ("info", tokens.blue),
            Tone.GOOD: ("checkmark_circle", tokens.accent),
            Tone.ERROR: ("error_circle", tokens.error),
        }[tone]
        self._icon.set_icon(icon, colour, filled=True)
        self._text.setText(text)
        self._then = then
        self._action.setVisible(then is not None)
        if action:
            self._action.rename(action)
        self.setAccessibleName(text)
        self.place()
        self.show()
        self.raise_()
        self._hide_later.start(ERROR_SHOWN_MS if tone is Tone.ERROR else SHOWN_MS)

    def place(self) -> None:
        """Sit at the bottom of the parent, in its middle."""
        parent = self._over
        width = min(560, parent.width() - 80)
        self.setFixedWidth(width)
        self.adjustSize()
        x = (parent.width() - width) // 2
        self.move(x, parent.height() - self.height() - 62)

    def _act(self) -> None:
        self.hide()
        if self._then is not None:
            self._then()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the ground."""
        painter = QPainter(self)
        box = QRectF(self.rect())
        fill_rounded(painter, box, 10, self._theme.tokens.card)
        outline_rounded(painter, box, 10, self._theme.tokens.caption)
