"""Labels that cannot show rich text. The only place in the program that makes a ``QLabel``."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.text import as_tooltip, shown


class Label(QLabel):
    """Plain text in one of the style sheet's roles; foreign text is made safe on its way in.

    Roles: title, figure, heading, strong, body, second, small, caption, warning, error.
    """

    def __init__(
        self,
        text: str = "",
        role: str = "body",
        *,
        wrap: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setWordWrap(wrap)
        if wrap:
            self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show this text, with invisible characters escaped."""
        super().setText(shown(text))

    def set_role(self, role: str) -> None:
        """Change how the text looks."""
        if self.property("role") != role:
            self.setProperty("role", role)
            self.style().unpolish(self)
            self.style().polish(self)


class ElidedLabel(Label):
    """One line that is cut with an ellipsis where it does not fit; the whole text is its
    tooltip."""

    def __init__(self, text: str = "", role: str = "body", *, middle: bool = False) -> None:
        self._mode = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
        super().__init__(text, role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        """Show this text on one line."""
        super().setText(text.replace("\n", " "))
        self.setToolTip(as_tooltip(text))

    def minimumSizeHint(self) -> QSize:
        """An elided label may become as narrow as its ellipsis."""
        return QSize(16, super().minimumSizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the line, cut to the width there is."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        line = QFontMetrics(self.font()).elidedText(
            self.text(), self._mode, self.contentsRect().width()
        )
        painter.drawText(self.contentsRect(), int(self.alignment()), line)


class Card(QFrame):
    """A box with a soft border; put widgets into ``body``."""

    def __init__(self, *, margin: int = 16, spacing: int = 8) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(margin, margin, margin, margin)
        self.body.setSpacing(spacing)


def rule() -> QFrame:
    """Return a thin line between two parts."""
    line = QFrame()
    line.setProperty("role", "rule")
    return line
