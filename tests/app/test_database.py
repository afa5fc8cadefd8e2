"""The database page as a person uses it, on a scripted node with the real tables."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest
from desk import Desk
from fake_client import FakeClient, failing_opener
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QFileDialog, QMenu, QPlainTextEdit
from pytestqt.qtbot import QtBot

from app.dialogs.cell import CellDialog, laid_out
from app.dialogs.write_row import WriteRowDialog, about_text, forms_for
from app.models.answer_model import AnswerModel
from app.models.schema import (
    Column,
    TableInfo,
    browse_statement,
    count_statement,
    parse_tables,
    suggestion,
    with_counts,
)
from app.models.statements import EXAMPLES, MAX_KEPT, StatementHistory
from app.pages.database import DatabasePage
from app.preferences import Preferences
from app.save_text import save_text
from app.session import NodeState
from app.widgets.answer_grid import MAX_COPIED_CELLS
from app.widgets.sql_editor import token_spans
from bitcloud_net.api import BadInput, LocalFault, SqlAnswer

CONTROL = Qt.KeyboardModifier.ControlModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def page(desk: Desk, qtbot: QtBot) -> DatabasePage:
    """The page, opened, with its tables counted."""
    desk.window.show_page("database")
    found = desk.window.database
    qtbot.waitUntil(lambda: bool(found._tables) and found._tables[0].rows is not None)
    return found


def ask(page: DatabasePage, qtbot: QtBot, statement: str) -> None:
    page.ask(statement)
    qtbot.waitUntil(lambda: page._job is None)


def texts(page: DatabasePage, column: int = 0) -> list[str]:
    model = page.grid.answer_model
    return [str(model.index(row, column).data()) for row in range(model.rowCount())]


def answer_of(*rows: tuple[object, ...]) -> SqlAnswer:
    names = tuple(f"c{at}" for at in range(len(rows[0])))
    return SqlAnswer(columns=names, rows=rows, cut_off=False, seconds=0.0)  # type: ignore[arg-type]


# Asking


def test_the_whole_way_by_keyboard(page: DatabasePage, qtbot: QtBot) -> None:
    assert page.editor.hasFocus()
    qtbot.keyClicks(page.editor, "SELECT nickname FROM user ORDER BY nickname")
    qtbot.keyClick(page.editor, Qt.Key.Key_Return, CONTROL)
    qtbot.waitUntil(lambda: page._facts.text().startswith("8 rows"))
    assert texts(page)[:3] == ["Ada", "Alice", "Barbara"]
    qtbot.keyClick(page.editor, Qt.Key.Key_Tab)
    assert page.run_button.hasFocus()
    for widget in (page._ask, page._recent, page._export, page.grid):
        qtbot.keyClick(QGuiApplication.focusObject(), Qt.Key.Key_Tab)
        assert widget.hasFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_Down)
    qtbot.keyClick(page.grid, Qt.Key.Key_C, CONTROL)
    assert QGuiApplication.clipboard().text() in ("Ada", "Alice")


def test_examples_run_and_say_how_long_they_took(page: DatabasePage, qtbot: QtBot) -> None:
    assert page._stack.currentWidget() is page._examples
    for example in EXAMPLES:
        ask(page, qtbot, example.statement)
        assert page._stack.currentWidget() is page.grid, example.question
        assert page._facts.text().endswith(" ms")
    page._examples.wanted.emit(EXAMPLES[0].statement)
    qtbot.waitUntil(lambda: page._facts.text().startswith("8 rows"))
    assert page.editor.toPlainText() == EXAMPLES[0].statement


def test_an_error_says_what_and_the_way_out(page: DatabasePage, qtbot: QtBot) -> None:
    ask(page, qtbot, "SELECT nickname FROM usr")
    assert page._stack.currentWidget() is page._error
    assert page._error.accessibleName() == "No such table: usr. Did you mean “user”?"
    assert not page._export.isVisible()
    ask(page, qtbot, "SELECT nicname FROM user")
    assert "“nickname”" in page._error.accessibleName()
    ask(page, qtbot, "SELEC 1")
    assert "syntax error" in page._error.accessibleName()
    ask(page, qtbot, "SELECT 1")
    assert page._stack.currentWidget() is page.grid


def test_without_a_node_it_says_why_there_is_none(make_desk, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
    client = FakeClient()
    missing = BadInput("x", code="no-home")
    desk: Desk = make_desk(client, failing_opener(missing, client))
    qtbot.waitUntil(lambda: desk.session.state is NodeState.OFFLINE)
    desk.window.show_page("database")
    page = desk.window.database
    ask(page, qtbot, "SELECT 1")
    assert "no identity on this computer yet" in page._error.accessibleName()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sql-not-allowed", "nothing changed"),
        ("sql-takes-too-long", "five seconds"),
        ("sql-too-long", "64 KiB"),
    ],
)
def test_what_is_not_possible_is_explained(
    desk: Desk, page: DatabasePage, qtbot: QtBot, code: str, words: str
) -> None:
    desk.client.errors["select"] = BadInput("<b>x</b>", code=code)
    ask(page, qtbot, "DELETE FROM user")
    assert words in page._error.accessibleName()
    assert "<b>" not in page._error.accessibleName()


def test_a_statement_that_runs_can_be_stopped(desk: Desk, page: DatabasePage, qtbot: QtBot) -> None:
    desk.client.endless = True
    page.ask("SELECT 1")
    assert page.run_button.accessibleName() == "Stop"
    qtbot.waitUntil(lambda: "Asking" in page._facts.text())
    qtbot.waitUntil(lambda: ("select", "SELECT 1") in desk.client.calls)
    qtbot.mouseClick(page.run_button, LEFT)
    qtbot.waitUntil(lambda: desk.client.interrupted == 1)
    assert (page._facts.text(), page.run_button.accessibleName()) == ("Stopped.", "Run")
    page.ask("SELECT 2")
    qtbot.waitUntil(lambda: ("select", "SELECT 2") in desk.client.calls)
    qtbot.keyClick(page.editor, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: desk.client.interrupted == 2)
    desk.client.endless = False
    ask(page, qtbot, "SELECT 3")
    assert texts(page) == ["3"]


def test_running_again_ends_what_still_runs(desk: Desk, page: DatabasePage, qtbot: QtBot) -> None:
    desk.client.endless = True
    page.ask("SELECT 1")
    qtbot.waitUntil(lambda: ("select", "SELECT 1") in desk.client.calls)
    desk.client.endless = False
    ask(page, qtbot, "SELECT 2")
    assert desk.client.interrupted == 1
    assert texts(page) == ["2"]


def test_an_answer_that_was_cut_off_says_so(page: DatabasePage, qtbot: QtBot) -> None:
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)"
    ask(page, qtbot, f"{count} SELECT i FROM n")
    assert page._facts.text().startswith("10,000 rows")
    assert "cut off" in page._cut_off.text()
    ask(page, qtbot, "SELECT 1")
    assert not page._cut_off.text()


def test_only_what_is_selected_runs(desk: Desk, page: DatabasePage, qtbot: QtBot) -> None:
    page.editor.setPlainText("SELECT 1;\nSELECT 2")
    cursor = page.editor.textCursor()
    cursor.movePosition(cursor.MoveOperation.Start)
    cursor.movePosition(cursor.MoveOperation.Down, cursor.MoveMode.KeepAnchor)
    page.editor.setTextCursor(cursor)
    page.run()
    qtbot.waitUntil(lambda: page._job is None)
    assert ("select", "SELECT 1;") in desk.client.calls


def test_pasting_into_the_editor_pastes_text(desk: Desk, page: DatabasePage, qtbot: QtBot) -> None:
    QGuiApplication.clipboard().setText("SELECT 7")
    qtbot.keyClick(page.editor, Qt.Key.Key_V, CONTROL)
    assert page.editor.toPlainText() == "SELECT 7"
    assert not desk.window.toast.isVisible()  # “no files in the clipboard” would be shown there


# History


def test_the_history_survives_a_restart(desk: Desk, page: DatabasePage, qtbot: QtBot) -> None:
    for statement in ("SELECT 1", "SELECT 2", "SELECT 1"):
        ask(page, qtbot, statement)
    assert desk.window._preferences.statements == ("SELECT 1", "SELECT 2")
    page.editor.setPlainText("draft")
    for expected in ("SELECT 1", "SELECT 2", "SELECT 2"):
        qtbot.keyClick(page.editor, Qt.Key.Key_Up, CONTROL)
        assert page.editor.toPlainText() == expected
    for expected in ("SELECT 1", "draft", "draft"):
        qtbot.keyClick(page.editor, Qt.Key.Key_Down, CONTROL)
        assert page.editor.toPlainText() == expected
    page._show_history()
    menu = page.findChildren(QMenu)[-1]
    assert [action.text() for action in menu.actions()] == ["SELECT 1", "SELECT 2", "Forget all"]
    menu.actions()[-1].trigger()
    assert desk.window._preferences.statements == ()


def test_history_is_bounded_and_damage_forgotten(tmp_path: Path) -> None:
    history = StatementHistory()
    for number in range(2 * MAX_KEPT):
        history.add(f"SELECT {number}")
    history.add("x" * 100_000)
    assert len(history.statements) == MAX_KEPT
    assert history.statements[0] == f"SELECT {2 * MAX_KEPT - 1}"
    preferences = Preferences(tmp_path)
    preferences.statements = ('SELECT "a\n, b" -- %1',)
    assert Preferences(tmp_path).statements == ('SELECT "a\n, b" -- %1',)
    for damaged in ("{", "3", '{"a": 1}', '[1, "SELECT 1"]'):
        preferences._settings.setValue("statements", damaged)
        assert preferences.statements in ((), ("SELECT 1",))


# Tables


def test_tables_have_words_counts_and_columns(page: DatabasePage) -> None:
    tables = {table.name: table for table in page._tables}
    assert (tables["user"].rows, tables["node"].rows) == (8, 10)
    assert tables["user"].description == "people and their names"
    assert [column.name for column in tables["user"].columns] == [
        "key",
        "nickname",
        "seq",
        "period",
        "expires",
    ]
    assert tables["node"].columns[4] == Column(name="capacity", type="integer")
    names = [table.name for table in page._tables]
    assert names[0] == "user"
    assert all(name.startswith("np_") for name in names[-3:])
    assert all(table.description for table in page._tables)
    shown = page.tree.model()
    assert shown.index(0, 0).data() == "user, people and their names, 8 rows"


def test_a_click_inserts_and_an_arrow_opens(page: DatabasePage, qtbot: QtBot) -> None:
    tree = page.tree
    first = tree.model().index(0, 0)
    box = tree.visualRect(first)
    qtbot.mouseClick(tree.viewport(), LEFT, pos=box.center())
    assert page.editor.toPlainText() == browse_statement("user")
    arrow = QPoint(box.left() + 8, box.center().y())
    qtbot.mouseClick(tree.viewport(), LEFT, pos=arrow)
    assert tree.isExpanded(first)
    page.editor.setPlainText("SELECT")
    page.editor.moveCursor(page.editor.textCursor().MoveOperation.End)
    column = tree.model().index(1, 0, first)
    qtbot.mouseClick(tree.viewport(), LEFT, pos=tree.visualRect(column).center())
    assert page.editor.toPlainText() == "SELECT nickname"
    tree.setFocus()
    tree.setCurrentIndex(first)
    qtbot.keyClick(tree, Qt.Key.Key_Left)
    assert not tree.isExpanded(first)
    qtbot.keyClick(tree, Qt.Key.Key_Return)
    assert page.editor.toPlainText() == "SELECT nickname user"


def test_open_tables_stay_open_when_counts_change(
    desk: Desk, page: DatabasePage, qtbot: QtBot
) -> None:
    first = page.tree.model().index(0, 0)
    page.tree.expand(first)
    desk.client.database.execute("DELETE FROM user WHERE nickname = 'Mary'")
    page.refresh()
    qtbot.waitUntil(lambda: page._tables[0].rows == 7)
    assert page.tree.isExpanded(page.tree.model().index(0, 0))


def test_tables_of_applications_and_strange_ones() -> None:
    made = (
        'CREATE TABLE "app_0123456789ab_moves" ("key" BLOB NOT NULL PRIMARY KEY, "owner" BLOB NOT'
        ' NULL, "move" TEXT, "number" INTEGER NOT NULL) STRICT, WITHOUT ROWID'
    )
    tables = parse_tables(
        [
            ("np_row", "CREATE TABLE np_row (id BLOB)"),
            ("app_0123456789ab_moves", made),
            ("zebra", "CREATE TABLE zebra (x TEXT) -- , y BLOB"),
            ("sqlite_stat1", "CREATE TABLE sqlite_stat1 (x)"),
            ('evil"; DROP', "CREATE TABLE x (y BLOB)"),
            (None, None),
        ]
    )
    assert [table.name for table in tables] == ["app_0123456789ab_moves", "zebra", "np_row"]
    assert tables[0].description == "“moves” of an application"
    assert tables[1].description == "x"
    assert [c.name for c in tables[0].columns] == ["key", "owner", "move", "number"]
    assert [c.name for c in tables[1].columns] == ["x"]
    assert with_counts(tables, (1, 2, "x"))[1].rows == 2
    assert count_statement(tables[:1]) == 'SELECT (SELECT count(*) FROM "app_0123456789ab_moves")'
    assert suggestion("no such column: zebra.w", tables) == ""
    assert suggestion("no such table: zebr", tables) == "zebra"


# The grid


def test_sorting_puts_null_then_numbers_then_text(qtbot: QtBot) -> None:
    model = AnswerModel()
    model.show_answer(answer_of(("b",), (10,), (None,), ("A",), (-1.5,), (2,)))
    model.sort(0)
    column = [model.cell(row, 0) for row in range(6)]
    assert column == [None, -1.5, 2, 10, "A", "b"]
    model.sort(0, Qt.SortOrder.DescendingOrder)
    assert model.cell(0, 0) == "b"
    model.sort(-1)
    assert model.cell(0, 0) == "b"
    assert model.cell(1, 0) == 10


def test_a_click_on_a_head_sorts_and_copies_follow(page: DatabasePage, qtbot: QtBot) -> None:
    ask(page, qtbot, "SELECT nickname, length(nickname) AS n FROM user")
    head = page.grid.horizontalHeader()
    place = QPoint(head.sectionViewportPosition(1) + 20, head.height() // 2)
    qtbot.mouseClick(head.viewport(), LEFT, pos=place)
    numbers = [int(text) for text in texts(page, 1)]
    assert numbers in (sorted(numbers), sorted(numbers, reverse=True))
    page.grid.selectRow(0)
    page.grid.copy_selected(with_names=True)
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines == ["nickname\tn", f"{texts(page)[0]}\t{numbers[0]}"]


def test_ten_thousand_rows_do_not_hold_the_window_up(page: DatabasePage, qtbot: QtBot) -> None:
    rows = tuple((i * 7919 % 10_000, f"name {i:05d} é", "ab" * 32, None) for i in range(10_000))
    longest = []
    for _ in range(3):
        steps = []
        for step in (
            lambda: page.grid.show_answer(answer_of(*rows)),
            lambda: page.grid.sortByColumn(0, Qt.SortOrder.AscendingOrder),
            lambda: page.grid.sortByColumn(1, Qt.SortOrder.DescendingOrder),
            lambda: page.grid.verticalScrollBar().setValue(5_000),
            page.grid.grab,
        ):
            start = time.thread_time()
            step()
            steps.append((time.thread_time() - start) * 1000)
        longest.append(max(steps))
    assert min(longest) < 50, longest
    assert page.grid.answer_model.cell(0, 1) == "name 09999 é"


def test_too_many_cells_are_not_copied_but_can_be_exported(
    desk: Desk, page: DatabasePage, qtbot: QtBot
) -> None:
    QGuiApplication.clipboard().setText("before")
    width = MAX_COPIED_CELLS // 10_000 + 1
    page.grid.show_answer(answer_of(*(tuple(range(width)) for _ in range(10_000))))
    page.grid.selectAll()
    page.grid.copy_selected()
    assert QGuiApplication.clipboard().text() == "before"
    assert "Export" in desk.window.toast.text


EVIL = "\x1b[2J<b>x</b>\u202egnp.exe\n\trm -rf"


def test_strangers_text_is_shown_and_copied_harmlessly(page: DatabasePage, qtbot: QtBot) -> None:
    page.grid.show_answer(answer_of((EVIL, "x" * 100_000, 1)))
    cell, long = texts(page, 0)[0], texts(page, 1)[0]
    for hidden in ("\x1b", "\u202e", "\n", "\t"):
        assert hidden not in cell
    assert "⟨U+202E⟩" in cell
    assert len(long) < 200
    tip = page.grid.answer_model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "<b>" not in tip
    page.grid.selectAll()
    page.grid.copy_selected()
    copied = QGuiApplication.clipboard().text()
    assert copied.count("\n") == 0
    assert copied.count("\t") == 2
    assert "\x1b" not in copied
    assert "x" * 100_000 in copied
    page._stack.setCurrentWidget(page.grid)
    page.grab()
    assert laid_out(EVIL).count("\n") == 1
    assert "\x1b" not in laid_out(EVIL)


def test_the_whole_of_a_cell(page: DatabasePage, qtbot: QtBot) -> None:
    page.grid.show_answer(answer_of(("y" * 500,)))
    page._stack.setCurrentWidget(page.grid)
    page.grid.setCurrentIndex(page.grid.answer_model.index(0, 0))
    qtbot.keyClick(page.grid, Qt.Key.Key_Return)
    dialog = page.findChild(CellDialog)
    assert dialog is not None
    assert dialog.findChild(QPlainTextEdit).toPlainText() == "y" * 500
    dialog.accept()
    assert QGuiApplication.clipboard().text() == "y" * 500


# Taking along


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_export_saves_the_answer_whole(
    desk: Desk,
    page: DatabasePage,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
) -> None:
    path = tmp_path / f"people.{ending}"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    ask(page, qtbot, "SELECT nickname, key, NULL AS none FROM user ORDER BY nickname")
    page.export(ending)
    qtbot.waitUntil(lambda: "Saved as" in desk.window.toast.text)
    if ending == "json":
        first = json.loads(path.read_text("utf-8"))[0]
        assert (first["nickname"], len(first["key"]), first["none"]) == ("Ada", 64, None)
    else:
        with open(path, newline="", encoding="utf-8") as file:
            assert [row[0] for row in csv.reader(file)][:2] == ["nickname", "Ada"]
    assert [item.name for item in tmp_path.iterdir() if item.is_file()] == [path.name]


def test_an_export_that_fails_leaves_what_was_there(
    desk: Desk, page: DatabasePage, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = str(tmp_path / "no such folder" / "x.csv")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (nowhere, ""))
    ask(page, qtbot, "SELECT 1")
    page.export("csv")
    qtbot.waitUntil(lambda: "cannot be written" in desk.window.toast.text)
    with pytest.raises(LocalFault):
        save_text(tmp_path, "x")
    assert tmp_path.is_dir()


# Writing a row


def open_dialog(page: DatabasePage) -> WriteRowDialog:
    page._write.click()
    dialog = page.findChild(WriteRowDialog)
    assert dialog is not None
    return dialog


def test_writing_a_row(desk: Desk, page: DatabasePage, qtbot: QtBot) -> None:
    dialog = open_dialog(page)
    offered = dialog.findChild(QComboBox)
    assert offered.itemText(0) == "user"
    assert not {"np_row", "placement"} & {offered.itemText(i) for i in range(offered.count())}
    assert json.loads(dialog._values.toPlainText()) == {"nickname": ""}
    dialog._values.setPlainText('{"nickname": "Mary II"}')
    qtbot.mouseClick(dialog.action, LEFT)
    qtbot.waitUntil(lambda: "written to “user”" in desk.window.toast.text)
    assert ("put_row", ("user", "", '{"nickname": "Mary II"}')) in desk.client.calls


def test_a_refused_row_says_why_and_stays(desk: Desk, page: DatabasePage, qtbot: QtBot) -> None:
    desk.client.errors["put_row"] = BadInput("not JSON: line 1", code="bad-json")
    dialog = open_dialog(page)
    qtbot.mouseClick(dialog.action, LEFT)
    qtbot.waitUntil(lambda: dialog._problem.isVisible())
    assert "Not JSON: line 1." in dialog._problem.text()
    assert dialog.isVisible()
    desk.client.errors.clear()
    qtbot.mouseClick(dialog.action, LEFT)
    qtbot.waitUntil(lambda: "written to" in desk.window.toast.text)


def test_each_table_has_its_form(page: DatabasePage) -> None:
    dialog = open_dialog(page)
    place = dialog._table.findText("trust")
    dialog._table.setCurrentIndex(place)
    assert "stance" in json.loads(dialog._values.toPlainText())
    assert dialog._key.placeholderText() == "publisher (32 bytes)"
    assert "reason: text, 256" in dialog._about.toPlainText()
    names = [dialog._table.itemText(at) for at in range(dialog._table.count())]
    assert not {"np_row", "node", "file", "head"} & set(names)


def test_a_form_of_an_application_has_its_columns() -> None:
    columns = ("key", "owner", "number", "move", "seq", "period", "expires")
    types = ("blob", "blob", "integer", "text", "integer", "integer", "integer")
    made = [Column(name=n, type=t) for n, t in zip(columns, types, strict=True)]
    table = TableInfo(name="app_0123456789ab_moves", columns=tuple(made))
    (form,) = forms_for([table])
    assert json.loads(form.blank) == {"number": 0, "move": ""}
    assert about_text(form.fields) == "number: integer\nmove: text"


# The editor


def test_parts_of_sql_are_told_apart() -> None:
    line = "SELECT max(n), 'it''s', x'ff' FROM \"a b\" WHERE n > 1.5e3 -- SELECT"
    found = [(line[start : start + length], kind) for start, length, kind in token_spans(line)]
    assert found == [
        ("SELECT", "keyword"),
        ("max", "function"),
        ("'it''s'", "text"),
        ("x'ff'", "text"),
        ("FROM", "keyword"),
        ('"a b"', "quoted"),
        ("WHERE", "keyword"),
        ("1.5e3", "number"),
        ("-- SELECT", "comment"),
    ]
    assert token_spans("'never ends") == [(0, 11, "text")]
    assert token_spans("SELECT " * 10_000) == []


def test_colouring_is_quick_whatever_is_pasted(page: DatabasePage) -> None:
    for line in ("'" * 1999, '"' * 1999, "((((" * 499, "a" * 1999, "-" * 1999, "select" * 333):
        start = time.thread_time()
        token_spans(line)
        assert time.thread_time() - start < 0.05, line[:10]


def test_both_themes(desk: Desk, page: DatabasePage, qtbot: QtBot) -> None:
    from app.preferences import Scheme

    ask(page, qtbot, EXAMPLES[1].statement)
    for scheme in (Scheme.DARK, Scheme.LIGHT):
        desk.theme.choose(scheme)
        desk.window.grab()
