"""The tables of the shared database and their columns, to look at and to insert."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTreeView

from app.icons import draw_icon
from app.models.schema import TableInfo
from app.text import as_tooltip, count_text, tr
from app.theme import MEDIUM, SEMIBOLD, Theme, font
from app.tokens import CAPTION_PX, SMALL_PX, TEXT_PX
from app.widgets.paint import draw_line_of_text, fill_rounded, outline_rounded

Index = QModelIndex | QPersistentModelIndex
TABLE_HEIGHT, COLUMN_HEIGHT = 46, 26
CHEVRON = 24.0
_NAME = Qt.ItemDataRole.UserRole
_INFO = Qt.ItemDataRole.UserRole + 1
_COUNT = Qt.ItemDataRole.UserRole + 2


class _Delegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, view: QTreeView) -> None:
        super().__init__(view)
        self._theme = theme
        self._view = view

    def sizeHint(self, _option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(80, COLUMN_HEIGHT if index.parent().isValid() else TABLE_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        box = QRectF(option.rect)
        self._paint_ground(painter, option, box.adjusted(0, 1, -2, -1))
        if index.parent().isValid():
            self._paint_column(painter, box, index)
        else:
            self._paint_table(painter, box, index)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem, box: QRectF) -> None:
        state = option.state
        tokens = self._theme.tokens
        if state & QStyle.StateFlag.State_MouseOver:
            fill_rounded(painter, box, 6, tokens.hover)
        if state & QStyle.StateFlag.State_HasFocus and self._view.hasFocus():
            outline_rounded(painter, box, 6, tokens.focus, width=1.5)

    def _paint_table(self, painter: QPainter, box: QRectF, index: Index) -> None:
        tokens = self._theme.tokens
        is_open = self._view.isExpanded(index)
        arrow = "chevron_down" if is_open else "chevron_right"
        place = QRectF(box.left() + 4, box.top() + 9, 14, 14)
        draw_icon(painter, arrow, place, tokens.caption)
        count = index.data(_COUNT)
        wide = QFontMetrics(font(CAPTION_PX)).horizontalAdvance(count) + 4.0
        left = box.left() + CHEVRON
        line = QRectF(left, box.top() + 5, box.width() - CHEVRON - wide - 14, 20)
        draw_line_of_text(painter, line, index.data(_NAME), font(TEXT_PX, SEMIBOLD), tokens.text)
        right = QRectF(box.right() - wide - 8, box.top() + 5, wide, 20)
        align = Qt.AlignmentFlag.AlignRight
        draw_line_of_text(painter, right, count, font(CAPTION_PX), tokens.caption, align=align)
        note = QRectF(left, box.top() + 23, box.width() - CHEVRON - 8, 16)
        draw_line_of_text(painter, note, index.data(_INFO), font(SMALL_PX), tokens.second)

    def _paint_column(self, painter: QPainter, box: QRectF, index: Index) -> None:
        tokens = self._theme.tokens
        name = QRectF(box.left() + 6, box.top(), box.width() * 0.62, box.height())
        draw_line_of_text(painter, name, index.data(_NAME), font(SMALL_PX, MEDIUM), tokens.text)
        kind = QRectF(name.right(), box.top(), box.right() - name.right() - 8, box.height())
        draw_line_of_text(
            painter,
            kind,
            index.data(_INFO),
            font(CAPTION_PX),
            tokens.caption,
            align=Qt.AlignmentFlag.AlignRight,
        )


class SchemaTree(QTreeView):
    """A click, or Enter, emits ``name_wanted(name, is_table)``; the arrow opens a table."""

    name_wanted = Signal(str, bool)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._tables: tuple[TableInfo, ...] = ()
        self._model = QStandardItemModel(self)
        self.setModel(self._model)
        self.setItemDelegate(_Delegate(theme, self))
        self.setAccessibleName(self.tr("Tables and columns"))
        self.setHeaderHidden(True)
        self.header().setAccessibleName(self.tr("Tables and columns"))
        self.setRootIsDecorated(False)
        self.setIndentation(int(CHEVRON) - 6)
        self.setMouseTracking(True)
        self.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        theme.changed.connect(self.viewport().update)

    def show_tables(self, tables: Sequence[TableInfo]) -> None:
        """Show these tables; those that are open stay open."""
        if tuple(tables) == self._tables:
            return
        same = [table.name for table in tables] == [table.name for table in self._tables]
        self._tables = tuple(tables)
        if same:
            for row, table in enumerate(tables):
                self._fill(self._model.item(row), table)
            return
        self._model.clear()
        for table in tables:
            item = QStandardItem()
            self._fill(item, table)
            for column in table.columns:
                inner = QStandardItem(column.name)
                inner.setData(column.name, _NAME)
                inner.setData(column.type, _INFO)
                item.appendRow(inner)
            self._model.appendRow(item)

    def _fill(self, item: QStandardItem, table: TableInfo) -> None:
        count = (
            count_text(table.rows, "{count} row", "{count} rows") if table.rows is not None else ""
        )
        item.setText(f"{table.name}, {table.description}, {count}")
        item.setToolTip(as_tooltip(tr("Click to insert “{name}”").format(name=table.name)))
        item.setData(table.name, _NAME)
        item.setData(table.description, _INFO)
        item.setData(count, _COUNT)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open or close a table at its arrow; insert a name everywhere else."""
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if not index.isValid() or event.button() is not Qt.MouseButton.LeftButton:
            return
        if self._is_arrow(index, event.position()):
            self.setExpanded(index, not self.isExpanded(index))
        else:
            self._want(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter and Space insert; arrows move, open and close."""
        keys = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
        if event.key() in keys and self.currentIndex().isValid():
            self._want(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def _is_arrow(self, index: QModelIndex, at: QPointF) -> bool:
        return not index.parent().isValid() and at.x() < self.visualRect(index).left() + CHEVRON

    def _want(self, index: QModelIndex) -> None:
        self.name_wanted.emit(index.data(_NAME), not index.parent().isValid())
