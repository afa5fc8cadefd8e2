"""The database page: SQL over what all nodes share. It reads everything and changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.bridge import Job
from app.dialogs.cell import CellDialog
from app.dialogs.write_row import WriteRowDialog
from app.error_text import ErrorText, explain_own
from app.models.schema import (
    TABLES_STATEMENT,
    TableInfo,
    browse_statement,
    count_statement,
    parse_tables,
    suggestion,
    with_counts,
)
from app.models.statements import EXAMPLES, StatementHistory
from app.preferences import Preferences
from app.save_text import save_text
from app.session import NodeState, Session, Tone
from app.text import count_text, isolated, shown
from app.theme import Theme
from app.widgets.answer_grid import AnswerGrid
from app.widgets.answer_panes import ErrorPane, ExamplePane
from app.widgets.button import Button, Look
from app.widgets.label import Label
from app.widgets.schema_tree import SchemaTree
from app.widgets.sql_editor import SqlEditor
from bitcloud_net.api import BadInput, PlainCell, SqlAnswer, WrittenRow, csv_text, json_text

TREE_WIDTH = 252
TICK_MS = 100
MENU_CHARACTERS = 64
MENU_STATEMENTS = 15


def seconds_text(seconds: float) -> str:
    """Return how long a statement took, as finely as it matters."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{max(1, round(seconds * 1000))} ms"


class DatabasePage(QWidget):
    """Asks through the session; remembers statements in the preferences."""

    def __init__(self, theme: Theme, session: Session, preferences: Preferences) -> None:
        super().__init__()
        self._theme = theme
        self._session = session
        self._preferences = preferences
        self._history = StatementHistory(preferences.statements)
        self._tables: tuple[TableInfo, ...] = ()
        self._job: Job[SqlAnswer] | None = None
        self._started_s = 0.0
        self._ticks = QTimer(self, interval=TICK_MS)
        self._ticks.timeout.connect(self._show_time)
        self.tree = SchemaTree(theme)
        self.editor = SqlEditor(theme)
        self.grid = AnswerGrid(theme, session)
        self._examples = ExamplePane(theme)
        self._error = ErrorPane(theme)
        self.run_button = Button(theme, self.tr("Run"), icon="play", look=Look.PRIMARY)
        self._ask = Button(theme, self.tr("Examples"), icon="lightbulb")
        self._recent = Button(theme, self.tr("History"), icon="history")
        self._write = Button(theme, self.tr("Write a row…"), icon="edit")
        self._export = Button(theme, self.tr("Export…"), icon="arrow_download", height=32)
        self._line = QWidget()
        self._facts = Label(role="strong")
        self._cut_off = Label(role="warning")
        self._build()
        self._connect()
        self._show_result(self._examples, "")

    # Layout

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 20, 28, 18)
        column.setSpacing(14)
        column.addLayout(self._head())
        row = QHBoxLayout()
        row.setSpacing(18)
        row.addWidget(self._tables_pane())
        split = QSplitter(Qt.Orientation.Vertical)
        split.setHandleWidth(9)
        split.setChildrenCollapsible(False)
        split.addWidget(self._editor_pane())
        split.addWidget(self._result_pane())
        split.setSizes([190, 420])
        split.setStretchFactor(1, 1)
        row.addWidget(split, 1)
        column.addLayout(row, 1)

    def _head(self) -> QHBoxLayout:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(Label(self.tr("Database"), role="title"))
        hint = self.tr("What all nodes share. Read everything with SQL; write rows of your own.")
        words.addWidget(Label(hint, role="second"))
        head = QHBoxLayout()
        head.addLayout(words, 1)
        head.addWidget(self._write, 0, Qt.AlignmentFlag.AlignTop)
        return head

    def _tables_pane(self) -> QWidget:
        pane = QWidget()
        pane.setFixedWidth(TREE_WIDTH)
        column = QVBoxLayout(pane)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(Label(self.tr("TABLES"), role="caption"))
        column.addWidget(self.tree, 1)
        return pane

    def _editor_pane(self) -> QWidget:
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        self.editor.setMinimumHeight(84)
        column.addWidget(self.editor, 1)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.run_button)
        row.addWidget(Label("Ctrl+Enter", role="small"))
        row.addStretch()
        row.addWidget(self._ask)
        row.addWidget(self._recent)
        column.addLayout(row)
        return pane

    def _result_pane(self) -> QWidget:
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(8)
        row = QHBoxLayout(self._line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self._facts)
        row.addWidget(self._cut_off)
        row.addStretch()
        row.addWidget(self._export)
        column.addWidget(self._line)
        self._stack = QStackedWidget()
        for widget in (self._examples, self.grid, self._error):
            self._stack.addWidget(widget)
        column.addWidget(self._stack, 1)
        return pane

    def _connect(self) -> None:
        self.run_button.clicked.connect(self._run_or_stop)
        self.editor.run_wanted.connect(self.run)
        self.editor.older_wanted.connect(self._show_older)
        self.editor.newer_wanted.connect(self._show_newer)
        self.tree.name_wanted.connect(self._insert)
        self.grid.cell_wanted.connect(self._show_cell)
        self._examples.wanted.connect(self.ask)
        self._ask.clicked.connect(self._show_examples)
        self._recent.clicked.connect(self._show_history)
        self._export.clicked.connect(self._show_formats)
        self._write.clicked.connect(self.write_row)
        self._session.state_changed.connect(self._on_state)

    # Tables

    def showEvent(self, event: QShowEvent) -> None:
        """Look again at tables and counts whenever the page is opened."""
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Ask which tables there are, and how many rows each has."""
        if self._session.state is NodeState.READY:
            self._session.select(
                TABLES_STATEMENT, owner=self, done=self._on_tables, failed=lambda _error: None
            )

    def _on_state(self) -> None:
        ready = self._session.state is NodeState.READY
        self._write.setEnabled(ready)
        if ready and self.isVisible():
            self.refresh()

    def _on_tables(self, answer: SqlAnswer) -> None:
        tables = parse_tables(answer.rows)
        if [t.name for t in tables] != [t.name for t in self._tables]:
            self._show_tables(tables)
        if tables:
            self._session.select(
                count_statement(tables),
                owner=self,
                done=lambda counted: self._show_tables(with_counts(tables, counted.rows[0])),
                failed=lambda _error: None,
            )

    def _show_tables(self, tables: tuple[TableInfo, ...]) -> None:
        self._tables = tables
        self.tree.show_tables(tables)

    def _insert(self, name: str, is_table: bool) -> None:  # noqa: FBT001 - a signal's argument
        if is_table and not self.editor.toPlainText().strip():
            self.editor.show_statement(browse_statement(name))
            self.editor.setFocus()
        else:
            self.editor.insert_word(name)

    # Asking

    def ask(self, statement: str) -> None:
        """Show a statement and run it."""
        self.editor.show_statement(statement)
        self.run()

    def run(self) -> None:
        """Run what is in the editor; a statement that still runs is ended first."""
        statement = self.editor.statement
        if not statement:
            self._show_result(self._examples, "")
            return
        self.stop()
        self._history.add(statement)
        self._preferences.statements = self._history.statements
        self._started_s = time.monotonic()
        self._ticks.start()
        self._show_running(running=True)
        self._show_time()
        self._job = self._session.select(
            statement, owner=self, done=self._on_answer, failed=self._on_failed
        )

    @property
    def is_running(self) -> bool:
        """Whether a statement is under way."""
        return self._job is not None

    def stop(self) -> None:
        """End the statement that runs, if one does."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
            self._show_running(running=False)
            self._say(self.tr("Stopped."))

    def _run_or_stop(self) -> None:
        if self.is_running:
            self.stop()
        else:
            self.run()

    def _show_running(self, *, running: bool) -> None:
        if not running:
            self._ticks.stop()
        self.run_button.rename(self.tr("Stop") if running else self.tr("Run"))
        self.run_button.set_icon("stop" if running else "play")
        self._stack.setEnabled(not running)
        self._export.setEnabled(not running)
        self._cut_off.setText("")

    def _show_time(self) -> None:
        passed = time.monotonic() - self._started_s
        self._say(self.tr("Asking…  {seconds:.1f} s").format(seconds=passed))

    def _say(self, facts: str) -> None:
        self._facts.setText(facts)
        self._line.setVisible(bool(facts))

    def _on_answer(self, answer: SqlAnswer) -> None:
        self._job = None
        self._show_running(running=False)
        self.grid.show_answer(answer)
        rows = count_text(len(answer.rows), "{count} row", "{count} rows")
        facts = f"{rows}  ·  {seconds_text(answer.seconds)}"
        self._show_result(self.grid, facts)
        if answer.cut_off:
            self._cut_off.setText(
                self.tr("There are more: the answer was cut off here. Add WHERE or LIMIT.")
            )

    def _on_failed(self, error: BaseException) -> None:
        self._job = None
        self._show_running(running=False)
        why_offline = self._session.failure
        if self._session.state is NodeState.OFFLINE and why_offline is not None:
            error = why_offline
        text = explain_own(error)
        if isinstance(error, BadInput):
            near = suggestion(error.message, self._tables)
            if near:
                advice = self.tr("Did you mean “{name}”?").format(name=isolated(near))
                text = ErrorText(sentence=text.sentence, advice=advice)
        self._error.show_error(text)
        self._show_result(self._error, "")

    def _show_result(self, pane: QWidget, facts: str) -> None:
        self._stack.setCurrentWidget(pane)
        self._say(facts)
        self._export.setVisible(pane is self.grid)

    # Menus

    def _show_older(self) -> None:
        statement = self._history.older(self.editor.toPlainText())
        if statement is not None:
            self.editor.show_statement(statement)

    def _show_newer(self) -> None:
        statement = self._history.newer()
        if statement is not None:
            self.editor.show_statement(statement)

    def _show_examples(self) -> None:
        items = [(self.tr(e.question), partial(self.ask, e.statement)) for e in EXAMPLES]
        self._popup(self._ask, items)

    def _show_history(self) -> None:
        items: list[tuple[str, Callable[[], None]]] = [
            (shown(" ".join(text.split()), MENU_CHARACTERS), partial(self._bring_back, text))
            for text in self._history.statements[:MENU_STATEMENTS]
        ]
        if items:
            items.append((self.tr("Forget all"), self._forget))
        self._popup(self._recent, items or [(self.tr("Nothing was asked yet"), lambda: None)])

    def _bring_back(self, statement: str) -> None:
        self.editor.show_statement(statement)
        self.editor.setFocus()

    def _forget(self) -> None:
        self._history.clear()
        self._preferences.statements = ()

    def _popup(self, button: Button, items: Sequence[tuple[str, Callable[[], None]]]) -> QMenu:
        menu = QMenu(self)
        for name, action in items:
            # A menu would read "&" as an underline.
            item = menu.addAction(name.replace("&", "&&"))
            item.triggered.connect(lambda _checked=False, act=action: act())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        wide = menu.sizeHint().width()
        left = button.width() - wide  # these buttons stand at the right edge
        menu.popup(button.mapToGlobal(QPoint(left, button.height() + 4)))
        return menu

    # Taking along

    def _show_formats(self) -> None:
        self._popup(
            self._export,
            [
                (self.tr("CSV, for spreadsheets…"), partial(self.export, "csv")),
                (self.tr("JSON, for programs…"), partial(self.export, "json")),
            ],
        )

    def export(self, ending: str) -> None:
        """Ask where to, and save the whole answer there."""
        name, _filter = QFileDialog.getSaveFileName(
            self,
            self.tr("Export"),
            str(Path.home() / f"answer.{ending}"),
            f"{ending.upper()} (*.{ending})",
        )
        if not name:
            return
        path, answer = Path(name), self.grid.answer_model.answer
        write = csv_text if ending == "csv" else json_text

        def done(_nothing: None) -> None:
            text = self.tr("Saved as “{name}”.").format(name=isolated(path.name))
            self._session.notice.emit(Tone.GOOD, text)

        self._session.compute(
            lambda: save_text(path, write(answer.columns, answer.rows)), owner=self, done=done
        )

    def _show_cell(self, name: str, cell: PlainCell) -> None:
        dialog = CellDialog(self._theme, self, name, cell)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def write_row(self) -> None:
        """Ask for an own row, and write it."""
        dialog = WriteRowDialog(self._theme, self._session, self, self._tables)
        dialog.written.connect(self._on_written)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _on_written(self, row: WrittenRow) -> None:
        text = self.tr("Signed and written to “{table}”.").format(table=isolated(row.table))
        self._session.notice.emit(Tone.GOOD, text)
        self.refresh()

    def take_focus(self) -> None:
        """Let typing begin in the editor."""
        self.editor.setFocus()
