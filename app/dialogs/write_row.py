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
from bitcloud_net.api import FormPart, RowForm, WrittenRow, row_forms

MAX_KEY_CHARACTERS = 256
_OF_EVERY_ROW = frozenset({"key", "owner", "seq", "period", "expires"})
_NOT_BY_HAND = frozenset(
    {"node", "folder", "file", "placement", "fault", "identity", "app", "beacon", "head"}
)
"""Tables whose rows the program writes by itself; ``bitcloud row put`` takes these as well."""
_EMPTY = {"integer": 0, "real": 0.0}


def forms_for(tables: Sequence[TableInfo]) -> list[RowForm]:
    """Return a form for each table whose rows a person may sensibly write."""
    known = {form.table: form for form in row_forms()}
    return [
        known.get(table.name) or _form_of_application(table)
        for table in tables
        if table.name not in _NOT_BY_HAND and not table.name.startswith("np_")
    ]


def _form_of_application(table: TableInfo) -> RowForm:
    """An application's columns are its fields."""
    columns = [column for column in table.columns if column.name not in _OF_EVERY_ROW]
    return RowForm(
        table=table.name,
        key=(),
        fields=tuple(FormPart(name=column.name, about=column.type) for column in columns),
        blank=json.dumps({c.name: _EMPTY.get(c.type, "") for c in columns}, indent=2),
    )


def about_text(parts: Sequence[FormPart]) -> str:
    """Return what each part may hold, one on a line."""
    return "\n".join(f"{part.name}: {part.about}" for part in parts)


class WriteRowDialog(Dialog):
    """Emits ``written(WrittenRow)``, then closes; a refusal stays in the dialog."""

    written = Signal(object)

    def __init__(
        self, theme: Theme, session: Session, parent: QWidget, tables: Sequence[TableInfo]
    ) -> None:
        super().__init__(theme, parent, "Write a row", "Sign and write")
        self.setWindowTitle(self.tr("Write a row"))
        self.setMinimumWidth(600)
        self._session = session
        self._forms = forms_for(tables)
        self._table = Choice(theme)
        self._key = QLineEdit()
        self._values = QPlainTextEdit()
        self._about = QPlainTextEdit()
        self._problem = Label(role="error", wrap=True)
        self._build()
        self._table.currentIndexChanged.connect(self._on_table)
        self.action.clicked.disconnect(self.accept)
        self.action.clicked.connect(self._try)
        self._on_table()

    def _build(self) -> None:
        self.say(
            self.tr(
                "The row is signed with your key and goes to everybody who may see this table. It "
                "can be replaced, and deleted with null, but not taken back."
            )
        )
        self._table.addItems([form.table for form in self._forms])
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
        self._values.setMinimumHeight(170)
        self._about.setAccessibleName(self.tr("Fields"))
        self._about.setReadOnly(True)
        self._about.setTabChangesFocus(True)
        self._about.setProperty("role", "note")
        self._about.setFixedHeight(92)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        for row, field in enumerate((self._table, self._key, self._values, self._about)):
            name = Label(field.accessibleName(), role="second")
            name.setContentsMargins(0, 8, 0, 0)
            grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(field, row, 1)
        self.body.addLayout(grid)
        hint = self.tr("Values are JSON; bytes and keys are written in hexadecimal.")
        self.say(hint, role="small")
        self.body.addWidget(self._problem)
        self._problem.hide()

    def _on_table(self) -> None:
        place = self._table.currentIndex()
        self.action.setEnabled(place >= 0)
        if place < 0:
            return
        form = self._forms[place]
        self._values.setPlainText(form.blank)
        self._about.setPlainText(about_text(form.fields))
        hint = ", ".join(f"{part.name} ({part.about})" for part in form.key)
        self._key.setPlaceholderText(
            hint or self.tr("what follows your own key, in hexadecimal; often nothing")
        )

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
