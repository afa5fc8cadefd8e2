"""Writing one own row of the shared database by hand: table, key, values; checked by the node."""

from __future__ import annotations

import json
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QPlainTextEdit, QWidget

from app.dialogs.dialog import Dialog
from app.error_text import explain_own
from app.models.schema import TableInfo
from app.session import Session
from app.theme import Theme
from app.widgets.choice import Choice
from app.widgets.label import Label
from app.widgets.sql_editor import code_font
from bitcloud_net.api import WrittenRow

MAX_KEY_CHARACTERS = 256
_OF_EVERY_ROW = frozenset({"key", "owner", "seq", "period", "expires"})
_NOT_BY_HAND = frozenset(
    {"node", "folder", "file", "placement", "fault", "identity", "app", "beacon", "head"}
)
"""Tables whose rows the program writes by itself; ``bitcloud row put`` takes these as well."""
_EMPTY = {"integer": 0, "real": 0.0}


def by_hand(tables: Sequence[TableInfo]) -> list[TableInfo]:
    """Return the tables whose rows a person may sensibly write."""
    return [t for t in tables if t.name not in _NOT_BY_HAND and not t.name.startswith("np_")]


def template(table: TableInfo) -> str:
    """Return an empty row of a table as JSON, to be filled in."""
    fields = {
        column.name: _EMPTY.get(column.type, "")
        for column in table.columns
        if column.name not in _OF_EVERY_ROW
    }
    return json.dumps(fields, indent=2)


class WriteRowDialog(Dialog):
    """Emits ``written(WrittenRow)``, then closes; a refusal stays in the dialog."""

    written = Signal(object)

    def __init__(
        self, theme: Theme, session: Session, parent: QWidget, tables: Sequence[TableInfo]
    ) -> None:
        super().__init__(theme, parent, "Write a row", "Sign and write")
        self.setWindowTitle(self.tr("Write a row"))
        self._session = session
        self._tables = by_hand(tables)
        self._table = Choice(theme)
        self._key = QLineEdit()
        self._values = QPlainTextEdit()
        self._problem = Label(role="error", wrap=True)
        self._build()
        self._table.currentIndexChanged.connect(self._on_table)
        self.action.clicked.disconnect(self.accept)
        self.action.clicked.connect(self._try)
        self._on_table()

    def _build(self) -> None:
        self.say(
            self.tr(
                "The row is signed with your key and goes to all nodes of this network. It can be "
                "replaced, and deleted with null, but not taken back."
            )
        )
        self._table.addItems([table.name for table in self._tables])
        self._table.set_name(self.tr("Table"))
        self._key.setAccessibleName(self.tr("Key"))
        self._key.setMaxLength(MAX_KEY_CHARACTERS)
        self._key.setPlaceholderText(
            self.tr("what follows your own key, in hexadecimal; often nothing")
        )
        self._values.setAccessibleName(self.tr("Values"))
        self._values.setProperty("role", "code")
        self._values.setFont(code_font())
        self._values.setTabChangesFocus(True)
        self._values.setMinimumSize(420, 170)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(10)
        for row, field in enumerate((self._table, self._key, self._values)):
            name = Label(field.accessibleName(), role="second")
            name.setContentsMargins(0, 8, 0, 0)
            grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(field, row, 1)
        self.body.addLayout(grid)
        self.say(self.tr("Values are JSON; bytes are written in hexadecimal."), role="small")
        self.body.addWidget(self._problem)
        self._problem.hide()

    def _on_table(self) -> None:
        place = self._table.currentIndex()
        self.action.setEnabled(place >= 0)
        if place >= 0:
            self._values.setPlainText(template(self._tables[place]))

    def _try(self) -> None:
        table, key = self._table.currentText(), self._key.text().strip()
        values = self._values.toPlainText()
        self.action.setEnabled(False)
        self._problem.hide()
        self._session.call(
            lambda client: client.put_row(table, key, values),
            owner=self,
            done=self._on_written,
            failed=self._on_failed,
        )

    def _on_written(self, row: WrittenRow) -> None:
        self.written.emit(row)
        self.accept()

    def _on_failed(self, error: BaseException) -> None:
        self.action.setEnabled(True)
        self._problem.setText(str(explain_own(error)))
        self._problem.show()
        self.adjustSize()
