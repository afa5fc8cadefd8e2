"""Where a statement is written: plain text, with the parts of SQL in their colours."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QKeyEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import QPlainTextEdit

from app.theme import SEMIBOLD, Theme
from app.tokens import TEXT_PX

MAX_HIGHLIGHTED = 2_000
"""Longer lines stay plain: colouring must never take longer than a frame."""

_KEYWORDS = """
    all and as asc between by case cast collate count cross desc distinct else end escape except
    exists explain filter following for from full glob group having in inner intersect is isnull
    join left like limit natural not notnull null offset on or order outer over partition preceding
    range recursive regexp right row rows select then unbounded union using values when where window
    with
"""
_TOKEN = re.compile(
    r"(?P<comment>--.*)"
    r"|(?P<text>[xX]?'(?:[^']|'')*'?)"
    r'|(?P<quoted>"(?:[^"]|"")*"?)'
    r"|(?P<number>\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)"
    rf"|(?P<keyword>\b(?:{'|'.join(_KEYWORDS.split())})\b)"
    r"|(?P<function>\b\w+(?=\s*\())",
    re.IGNORECASE,
)


def token_spans(line: str) -> list[tuple[int, int, str]]:
    """Return (start, length, kind) of what is coloured in a line; pure."""
    if len(line) > MAX_HIGHLIGHTED:
        return []
    return [(m.start(), m.end() - m.start(), m.lastgroup or "") for m in _TOKEN.finditer(line)]


class _Highlighter(QSyntaxHighlighter):
    def __init__(self, theme: Theme, document: QTextDocument) -> None:
        super().__init__(document)
        self._theme = theme
        self._formats: dict[str, QTextCharFormat] = {}
        self._take_colours()
        theme.changed.connect(self._on_theme)

    def _on_theme(self) -> None:
        self._take_colours()
        self.rehighlight()

    def _take_colours(self) -> None:
        tokens = self._theme.tokens
        self._formats = {
            "keyword": _format(tokens.accent, SEMIBOLD),
            "function": _format(tokens.blue),
            "number": _format(tokens.blue),
            "text": _format(tokens.warning),
            "quoted": _format(tokens.text),
            "comment": _format(tokens.caption),
        }

    def highlightBlock(self, text: str) -> None:
        for start, length, kind in token_spans(text):
            self.setFormat(start, length, self._formats[kind])


def _format(colour: str, weight: QFont.Weight = QFont.Weight.Normal) -> QTextCharFormat:
    result = QTextCharFormat()
    result.setForeground(QColor(colour))
    result.setFontWeight(weight)
    return result


def code_font() -> QFont:
    """Return the system's font of equal widths, in our size."""
    result = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    result.setPixelSize(TEXT_PX)
    return result


class SqlEditor(QPlainTextEdit):
    """Ctrl+Enter emits ``run_wanted``; Ctrl+Up and Ctrl+Down emit ``older_wanted`` and
    ``newer_wanted``. Tab moves on, so that the keyboard is never caught here."""

    run_wanted = Signal()
    older_wanted = Signal()
    newer_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("SQL statement"))
        self.setPlaceholderText("SELECT …")
        self.setProperty("role", "code")
        self.setTabChangesFocus(True)
        self.setFont(code_font())
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self._highlighter = _Highlighter(theme, self.document())

    @property
    def statement(self) -> str:
        """What is to be run: what is selected, else everything."""
        selected = self.textCursor().selectedText().replace("\u2029", "\n")
        return (selected if selected.strip() else self.toPlainText()).strip()

    def show_statement(self, statement: str) -> None:
        """Put a statement in the place of the present one; Ctrl+Z brings that back."""
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(statement)
        self.setTextCursor(cursor)

    def insert_word(self, word: str) -> None:
        """Put a name at the cursor, with a space before it where one is needed."""
        cursor = self.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        needs_space = bool(before) and before[-1] not in " (.,\"'"
        cursor.insertText(f" {word}" if needs_space else word)
        self.setTextCursor(cursor)
        self.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Run, or walk through the history; all else is typing."""
        signals = {
            Qt.Key.Key_Return: self.run_wanted,
            Qt.Key.Key_Enter: self.run_wanted,
            Qt.Key.Key_Up: self.older_wanted,
            Qt.Key.Key_Down: self.newer_wanted,
        }
        found = signals.get(Qt.Key(event.key()))
        if found is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            found.emit()
        else:
            super().keyPressEvent(event)
