"""The answer of a SELECT as a grid that stays quick with 10,000 rows.

The delegate asks the model for the value itself: one call from C++ for each cell that is painted,
instead of one for each of its roles.
"""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from app.icons import icon
from app.models.answer_model import AnswerModel, cell_text, copied_text
from app.session import Session, Tone
from app.text import shown
from app.theme import SEMIBOLD, Theme, font
from app.tokens import CAPTION_PX, SMALL_PX
from app.widgets.paint import draw_line_of_text, outline_rounded
from bitcloud_net.api import SqlAnswer

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 28
MIN_WIDTH, MAX_WIDTH = 56, 320
ARROW_ROOM = 20
"""Numbers stand below their column's name, which leaves room for the arrow of the order."""
MEASURED_CELLS = 1_000
"""So many cells decide how wide the columns are at first."""
MAX_COPIED_CELLS = 50_000
"""More would hold the window up, and hardly anything to paste it into; they can be exported."""


class _CellDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, view: QTableView, model: AnswerModel) -> None:
        super().__init__(view)
        self._theme = theme
        self._view = view
        self._model = model

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        tokens = self._theme.tokens
        state = option.state
        box = QRectF(option.rect)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen:
            painter.fillRect(box, tokens.selection)
        cell = self._model.cell(index.row(), index.column())
        colour = tokens.on_selection if chosen else tokens.text
        used = font(SMALL_PX)
        if cell is None:
            colour, used = (tokens.on_selection if chosen else tokens.caption), font(CAPTION_PX)
        is_text = cell is None or isinstance(cell, str)
        align = Qt.AlignmentFlag.AlignLeft if is_text else Qt.AlignmentFlag.AlignRight
        inner = box.adjusted(10, 0, -10 if is_text else -ARROW_ROOM, 0)
        draw_line_of_text(painter, inner, cell_text(cell), used, colour, align=align)
        if state & QStyle.StateFlag.State_HasFocus and self._view.hasFocus():
            outline_rounded(painter, box, 3, tokens.focus, width=1.5)
        painter.restore()


class AnswerGrid(QTableView):
    """Shows one answer; Ctrl+C copies, a click on a column's head sorts, Enter emits
    ``cell_wanted(name, value)`` for the whole of a cell."""

    cell_wanted = Signal(str, object)

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__()
        self._theme = theme
        self._session = session
        self.answer_model = AnswerModel(self)
        self.setModel(self.answer_model)
        self.setItemDelegate(_CellDelegate(theme, self, self.answer_model))
        self.setAccessibleName(self.tr("Result"))
        self.setTabKeyNavigation(False)
        self.setShowGrid(True)
        self.setWordWrap(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.doubleClicked.connect(self._want)
        self._dress_heads()
        theme.changed.connect(self.viewport().update)

    def _dress_heads(self) -> None:
        across, down = self.horizontalHeader(), self.verticalHeader()
        across.setAccessibleName(self.tr("Columns"))
        across.setHighlightSections(False)
        across.setSortIndicatorClearable(True)
        across.setMinimumSectionSize(MIN_WIDTH)
        across.setFont(font(SMALL_PX, SEMIBOLD))
        down.setAccessibleName(self.tr("Row numbers"))
        down.setSectionResizeMode(down.ResizeMode.Fixed)
        down.setDefaultSectionSize(ROW_HEIGHT)
        down.setFont(font(CAPTION_PX))
        corner = self.findChild(QAbstractButton)
        if corner is not None:
            corner.setAccessibleName(self.tr("Select everything"))

    def show_answer(self, answer: SqlAnswer) -> None:
        """Show an answer, in the order in which it came."""
        self.setSortingEnabled(False)
        self.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.answer_model.show_answer(answer)
        self._fit_columns(answer)
        self.setSortingEnabled(True)
        self.scrollToTop()

    def _fit_columns(self, answer: SqlAnswer) -> None:
        names, metrics = QFontMetrics(font(SMALL_PX, SEMIBOLD)), QFontMetrics(font(SMALL_PX))
        measured = answer.rows[: max(4, MEASURED_CELLS // max(1, len(answer.columns)))]
        for column, name in enumerate(answer.columns):
            widest = max((cell_text(row[column]) for row in measured), key=len, default="")
            width = max(
                names.horizontalAdvance(shown(name, 60)) + 40,
                metrics.horizontalAdvance(widest) + 38,
            )
            self.setColumnWidth(column, max(MIN_WIDTH, min(MAX_WIDTH, width)))

    # Copying and looking closer

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy, or show the whole of a cell; arrows move."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selected()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._want(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def copy_selected(self, *, with_names: bool = False) -> None:
        """Put the selected cells into the clipboard: rows as lines, cells with tabs between."""
        selection = self.selectionModel().selection()
        size = sum(part.width() * part.height() for part in selection)  # type: ignore[attr-defined]
        if not size:
            return
        if size > MAX_COPIED_CELLS:
            text = self.tr("These are too many cells to copy. “Export” saves all of them.")
            self._session.notice.emit(Tone.ERROR, text)
            return
        QGuiApplication.clipboard().setText(self._selected_text(with_names=with_names))
        self._session.notice.emit(Tone.GOOD, self.tr("Copied."))

    def _selected_text(self, *, with_names: bool) -> str:
        model = self.answer_model
        rows: dict[int, dict[int, str]] = {}
        for part in self.selectionModel().selection():  # type: ignore[attr-defined]
            for row in range(part.top(), part.bottom() + 1):
                cells = rows.setdefault(row, {})
                for column in range(part.left(), part.right() + 1):
                    cells[column] = copied_text(model.cell(row, column))
        columns = sorted({column for cells in rows.values() for column in cells})
        names = [shown(model.answer.columns[column]) for column in columns]
        lines = [[rows[row].get(column, "") for column in columns] for row in sorted(rows)]
        return "\n".join("\t".join(line) for line in ([names] if with_names else []) + lines)

    def _want(self, index: QModelIndex) -> None:
        if index.isValid():
            name = self.answer_model.answer.columns[index.column()]
            self.cell_wanted.emit(name, self.answer_model.cell(index.row(), index.column()))

    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        colour = self._theme.tokens.second
        for sign, name, action in (
            ("copy", self.tr("Copy"), self.copy_selected),
            ("table", self.tr("Copy with names"), lambda: self.copy_selected(with_names=True)),
            ("eye", self.tr("Show the whole cell"), lambda: self._want(self.currentIndex())),
        ):
            item: QAction = menu.addAction(icon(sign, colour), name)
            item.setEnabled(self.currentIndex().isValid())
            item.triggered.connect(lambda _checked=False, act=action: act())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.viewport().mapToGlobal(at))
