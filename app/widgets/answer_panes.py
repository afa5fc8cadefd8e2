"""What stands in the place of an answer: questions to begin with, or why there is none."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.error_text import ErrorText
from app.models.statements import EXAMPLES, Example
from app.theme import Theme
from app.widgets.button import Button
from app.widgets.icon_box import IconBox
from app.widgets.label import Card, Label


class ExamplePane(QWidget):
    """What stands in the place of a result at first: questions that can be asked."""

    wanted = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._buttons = [self._button(theme, example) for example in EXAMPLES]
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 8, 0, 0)
        self._grid.setSpacing(8)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(6)
        column.addWidget(Label(self.tr("Ask the shared database"), role="heading"))
        hint = self.tr("Begin with one of these, or with a table at the left.")
        column.addWidget(Label(hint, role="second", wrap=True))
        column.addLayout(self._grid)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName(self.tr("Examples"))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._arrange()

    def _button(self, theme: Theme, example: Example) -> Button:
        button = Button(theme, self.tr(example.question), icon="lightbulb")
        button.clicked.connect(lambda: self.wanted.emit(example.statement))
        return button

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the questions in as many columns as there is room for."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        widest = max(button.sizeHint().width() for button in self._buttons)
        columns = max(1, min(3, (self.width() - 20) // (widest + self._grid.spacing())))
        for place, button in enumerate(self._buttons):
            self._grid.addWidget(button, *divmod(place, columns), Qt.AlignmentFlag.AlignLeft)
        for column in range(4):
            self._grid.setColumnStretch(column, 1 if column == columns else 0)


class ErrorPane(QWidget):
    """Why there is no result, and what to do."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._sentence = Label(role="strong", wrap=True)
        self._advice = Label(role="second", wrap=True)
        mark = IconBox(theme, "error_circle")
        mark.set_icon("error_circle", theme.tokens.error)
        theme.changed.connect(lambda: mark.set_icon("error_circle", theme.tokens.error))
        card = Card(margin=16, spacing=4)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._sentence)
        words.addWidget(self._advice)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        card.body.addLayout(row)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.addWidget(card)
        column.addStretch()

    def show_error(self, error: ErrorText) -> None:
        """Show these words."""
        self._sentence.setText(error.sentence)
        self._advice.setText(error.advice)
        self.setAccessibleName(str(error))
