"""What stands in place of a view that has nothing to show: a picture, a sentence, one action."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.button import Button, Look
from app.widgets.emblem import cloud
from app.widgets.label import Label


class CloudPicture(QWidget):
    """Our cloud, large and quiet; crossed out when something is wrong."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.wrong = False
        self.setFixedSize(132, 96)
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the cloud."""
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shape = cloud(QRectF(10, 8, 112, 76)).simplified()
        painter.fillPath(shape, QColor(tokens.selection if not self.wrong else tokens.hover))
        colour = QColor(tokens.accent if not self.wrong else tokens.caption)
        pen = QPen(colour, 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        if self.wrong:
            painter.drawLine(54, 46, 78, 70)
            painter.drawLine(78, 46, 54, 70)
        else:
            painter.drawLine(66, 72, 66, 44)
            painter.drawLine(66, 44, 56, 54)
            painter.drawLine(66, 44, 76, 54)


class StatePane(QWidget):
    """Centred picture, sentence, second line and one button. Emits ``wanted`` when it is
    pressed."""

    wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._picture = CloudPicture(theme)
        self._sentence = Label(role="heading", wrap=True)
        self._advice = Label(role="second", wrap=True)
        self._action = Button(theme, self.tr("Publish"), look=Look.PRIMARY)
        self._action.clicked.connect(self.wanted)
        for label in (self._sentence, self._advice):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            label.setMaximumWidth(420)
            label.setMinimumWidth(220)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 48)
        column.setSpacing(8)
        column.addStretch()
        for widget in (self._picture, self._sentence, self._advice, self._action):
            row = QHBoxLayout()
            row.addStretch()
            row.addWidget(widget)
            row.addStretch()
            column.addLayout(row)
            column.addSpacing(4)
        column.addStretch()

    def show_state(
        self, sentence: str, advice: str, action: str = "", *, wrong: bool = False
    ) -> None:
        """Show these words; an empty action hides the button."""
        self._picture.wrong = wrong
        self._picture.update()
        self._sentence.setText(sentence)
        self._advice.setText(advice)
        self._action.setVisible(bool(action))
        if action:
            self._action.rename(action)
