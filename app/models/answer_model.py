"""The rows that a SELECT found, as a table that can be sorted. Text in it comes from strangers."""

from __future__ import annotations

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.text import as_tooltip, shown, visible
from bitcloud_net.api import PlainCell, SqlAnswer

Index = QModelIndex | QPersistentModelIndex

MAX_CELL_CHARACTERS = 120
"""What a cell shows; the whole is a key press away."""
MAX_SORTED_CHARACTERS = 200
"""So much of a text decides its place."""
_NOTHING = SqlAnswer(columns=(), rows=(), cut_off=False, seconds=0.0)
_ROOT = QModelIndex()
_LEFT = Qt.AlignmentFlag.AlignLeft


def cell_text(cell: PlainCell) -> str:
    """Return a cell as its place in the table shows it: safe, and not too long."""
    if isinstance(cell, str):
        return shown(cell, MAX_CELL_CHARACTERS)
    return "NULL" if cell is None else str(cell)


def copied_text(cell: PlainCell) -> str:
    """Return a cell for the clipboard: whole, invisible characters as escapes, NULL as nothing.

    A tab, a line end or an escape sequence from a stranger must not act where it is pasted.
    """
    if isinstance(cell, str):
        return visible(cell)
    return "" if cell is None else str(cell)


class AnswerModel(QAbstractTableModel):
    """Holds one answer; sorting changes the order of showing it, never the answer."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._answer = _NOTHING
        self._order: list[int] = []

    @property
    def answer(self) -> SqlAnswer:
        """The answer as it came."""
        return self._answer

    def show_answer(self, answer: SqlAnswer) -> None:
        """Show another answer."""
        self.beginResetModel()
        self._answer = answer
        self._order = [*range(len(answer.rows))]
        self.endResetModel()

    def cell(self, row: int, column: int) -> PlainCell:
        """Return the value at a place of the table as it is sorted now."""
        return self._answer.rows[self._order[row]][column]

    def rowCount(self, parent: Index = _ROOT) -> int:
        """How many rows were found."""
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """How many columns were asked for."""
        return 0 if parent.isValid() else len(self._answer.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> str | None:
        """Return a cell's text; the delegate asks for the value itself."""
        if not index.isValid():
            return None
        cell = self.cell(index.row(), index.column())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return cell_text(cell)
        if role == Qt.ItemDataRole.ToolTipRole and isinstance(cell, str):
            return as_tooltip(cell)
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | int | None:
        """Return a column's name, or a row's number."""
        if orientation is Qt.Orientation.Vertical:
            return section + 1 if role == Qt.ItemDataRole.DisplayRole else None
        if role == Qt.ItemDataRole.DisplayRole:
            return shown(self._answer.columns[section], MAX_CELL_CHARACTERS)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if self._is_number(section) else _LEFT
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _is_number(self, column: int) -> bool:
        """Whether a column holds numbers, as far as its first values tell."""
        found = (row[column] for row in self._answer.rows[:20] if row[column] is not None)
        return isinstance(next(found, ""), int | float)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column, -1 as it came: NULL first, then numbers, then text. Equal rows keep
        their order; the selection ends.
        """
        rows = self._answer.rows
        fresh = [*range(len(rows))]
        if 0 <= column < len(self._answer.columns):
            down = order is Qt.SortOrder.DescendingOrder
            fresh.sort(key=lambda row: _sort_key(rows[row][column]), reverse=down)
        self.beginResetModel()  # a mark for each of 100,000 selected cells would take seconds
        self._order = fresh
        self.endResetModel()


def _sort_key(cell: PlainCell) -> tuple[int, float | int, str, str]:
    if cell is None:
        return 0, 0, "", ""
    if isinstance(cell, str):
        head = cell[:MAX_SORTED_CHARACTERS]
        return 2, 0, head.casefold(), head
    return 1, cell, "", ""
