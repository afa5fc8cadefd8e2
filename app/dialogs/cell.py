"""The whole of one cell: what the grid cuts off."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.dialogs.dialog import Dialog
from app.models.answer_model import copied_text
from app.text import count_text, shown, visible
from app.theme import Theme
from app.widgets.sql_editor import code_font
from bitcloud_net.api import PlainCell

MAX_CHARACTERS = 20_000
"""Laying out more would hold the window up; all of it can be copied."""


def laid_out(cell: PlainCell) -> str:
    """Return a cell as it is read: line ends are kept, everything else invisible is an escape."""
    if isinstance(cell, str):
        return "\n".join(visible(line) for line in cell[:MAX_CHARACTERS].split("\n"))
    return "NULL" if cell is None else str(cell)


class CellDialog(Dialog):
    """Shows a value; its button copies it."""

    def __init__(self, theme: Theme, parent: QWidget, name: str, cell: PlainCell) -> None:
        super().__init__(theme, parent, shown(name, 60), "Copy")
        self.action.rename(self.tr("Copy"))
        self.back.rename(self.tr("Close"))
        self._cell = cell
        text = QPlainTextEdit(laid_out(cell))
        text.setReadOnly(True)
        text.setFont(code_font())
        text.setProperty("role", "code")
        text.setAccessibleName(self.tr("Value"))
        text.setTabChangesFocus(True)
        text.setMinimumSize(560, 260)
        self.body.addWidget(text)
        if isinstance(cell, str):
            length = count_text(len(cell), "{count} character", "{count} characters")
            cut = self.tr(", the first {count} are shown").format(count=MAX_CHARACTERS)
            self.say(length + (cut if len(cell) > MAX_CHARACTERS else ""), role="small")
        self.accepted.connect(self._copy)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(copied_text(self._cell))
