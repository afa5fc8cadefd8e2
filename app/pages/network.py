"""The network page: how well the shared database is in step, and the storage nodes one by one."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QListView,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.ban_text import ban_text, running
from app.icons import draw_icon
from app.models.node_model import NODE_ROLE, NodeLine, NodeModel, node_lines
from app.session import Session, now_s
from app.sync_text import facts, is_clock_wrong, verdict_text
from app.text import count_text
from app.theme import MEDIUM, Theme, font
from app.tokens import CAPTION_PX, SMALL_PX, TEXT_PX
from app.widgets.figure import Figure
from app.widgets.label import Label
from app.widgets.paint import draw_line_of_text, fill_rounded, outline_rounded
from app.widgets.state_pane import StatePane
from bitcloud_net.api import SyncHealth

Index = QModelIndex | QPersistentModelIndex
LINE_HEIGHT = 54
NARROW = 900
"""Below this width the five figures take two lines."""


class _NodeDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, view: QListView) -> None:
        super().__init__(view)
        self._theme = theme
        self._view = view

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(200, LINE_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        line: NodeLine = index.data(NODE_ROLE)
        painter.save()
        tokens = self._theme.tokens
        state = option.state
        box = QRectF(option.rect).adjusted(1, 2, -1, -2)
        if state & QStyle.StateFlag.State_Selected:
            fill_rounded(painter, box, 8, tokens.selection)
        elif state & QStyle.StateFlag.State_MouseOver:
            fill_rounded(painter, box, 8, tokens.hover)
        self._paint_sign(painter, box, line)
        self._paint_words(painter, box, line)
        if state & QStyle.StateFlag.State_HasFocus and self._view.hasFocus():
            outline_rounded(painter, box, 8, tokens.focus, width=1.5)
        painter.restore()

    def _paint_sign(self, painter: QPainter, box: QRectF, line: NodeLine) -> None:
        tokens = self._theme.tokens
        icon, colour = ("server", tokens.accent) if line.node.online else ("server", tokens.caption)
        if line.ban is not None:
            icon, colour = "prohibited", tokens.error
        place = QRectF(box.left() + 12, box.center().y() - 10, 20, 20)
        draw_icon(painter, icon, place, colour)

    def _paint_words(self, painter: QPainter, box: QRectF, line: NodeLine) -> None:
        tokens = self._theme.tokens
        left, wide = box.left() + 46, box.width()
        name = QRectF(left, box.top() + 6, wide * 0.44 - 46, 20)
        title = self.tr("{name} (this computer)").format(name=line.name) if line.own else line.name
        draw_line_of_text(painter, name, title, font(TEXT_PX, MEDIUM), tokens.text)
        ident = QRectF(left, box.top() + 25, wide * 0.44 - 46, 16)
        middle = Qt.TextElideMode.ElideMiddle
        draw_line_of_text(
            painter, ident, line.node.node, font(CAPTION_PX), tokens.caption, elide=middle
        )
        room = QRectF(box.left() + wide * 0.46, box.top(), wide * 0.2, box.height())
        draw_line_of_text(painter, room, line.room, font(SMALL_PX), tokens.second)
        self._paint_state(
            painter, QRectF(room.right(), box.top(), wide * 0.34 - 14, box.height()), line
        )

    def _paint_state(self, painter: QPainter, box: QRectF, line: NodeLine) -> None:
        tokens = self._theme.tokens
        align = Qt.AlignmentFlag.AlignRight
        if line.ban is None:
            colour = tokens.accent if line.node.online else tokens.second
            text = line.state(now_s())
            draw_line_of_text(painter, box, text, font(SMALL_PX, MEDIUM), colour, align=align)
            return
        upper = QRectF(box.left(), box.top() + 6, box.width(), 20)
        lower = QRectF(box.left(), box.top() + 25, box.width(), 16)
        state, why = line.state(now_s()), ban_text(line.ban).sentence
        draw_line_of_text(painter, upper, state, font(SMALL_PX, MEDIUM), tokens.error, align=align)
        draw_line_of_text(painter, lower, why, font(CAPTION_PX), tokens.second, align=align)


class NodeList(QListView):
    """The storage nodes; Ctrl+C emits ``copy_wanted(id)``."""

    copy_wanted = Signal(str)

    def __init__(self, theme: Theme, model: NodeModel) -> None:
        super().__init__()
        self.setModel(model)
        self.setItemDelegate(_NodeDelegate(theme, self))
        self.setAccessibleName(self.tr("Storage nodes"))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        theme.changed.connect(self.viewport().update)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+C copies the id of a node; arrows move."""
        line = self.currentIndex().data(NODE_ROLE)
        if event.matches(QKeySequence.StandardKey.Copy) and isinstance(line, NodeLine):
            self.copy_wanted.emit(line.node.node)
        else:
            super().keyPressEvent(event)


class NetworkPage(QWidget):
    """Shows what status and bans say; emits ``copy_wanted(text)``."""

    copy_wanted = Signal(str)

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__()
        self._session = session
        self._model = NodeModel(self)
        self._seen: tuple[object, ...] = ()
        self.list = NodeList(theme, self._model)
        self._verdict = Label(role="second")
        self._clock_note = Label(role="warning", wrap=True)
        self._count = Label(role="heading")
        self._stack = QStackedWidget()
        self._empty = StatePane(theme)
        self._figures = self._make_figures(theme)
        self._cards = QGridLayout()
        self._build()
        self.list.copy_wanted.connect(self.copy_wanted)
        session.status_changed.connect(self.refresh)
        session.standing.bans_changed.connect(self.refresh)
        self.refresh()

    def _make_figures(self, theme: Theme) -> tuple[Figure, ...]:
        return tuple(
            Figure(theme, icon, caption, about=about)
            for icon, caption, about in (
                (
                    "checkmark_circle",
                    self.tr("In step"),
                    self.tr(
                        "This node compares its rows with up to 16 others in turn. In step means "
                        "that nothing was left to exchange the last time."
                    ),
                ),
                (
                    "history",
                    self.tr("Oldest difference"),
                    self.tr(
                        "How old the oldest row was that the last comparison brought. Minutes are "
                        "usual; hours mean that this computer was away, or cut off."
                    ),
                ),
                (
                    "arrow_sync",
                    self.tr("Waiting"),
                    self.tr(
                        "Rows that came before what they belong to, such as a file before its "
                        "folder. They wait for an hour."
                    ),
                ),
                (
                    "database",
                    self.tr("Exchanged"),
                    self.tr("Bytes of rows sent and received since the last full ten minutes."),
                ),
                (
                    "clock",
                    self.tr("Own clock"),
                    self.tr(
                        "Compared with the middle of the partners' clocks. From ten seconds on, "
                        "others count a wrong clock as a fault of this computer."
                    ),
                ),
            )
        )

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 20, 28, 8)
        column.setSpacing(14)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(Label(self.tr("Network"), role="title"))
        words.addWidget(self._verdict)
        column.addLayout(words)
        column.addWidget(self._clock_note)
        self._cards.setSpacing(14)
        column.addLayout(self._cards)
        column.addSpacing(6)
        column.addWidget(self._count)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        self._stack.setMinimumHeight(LINE_HEIGHT)  # in a low window the list gives way
        column.addWidget(self._stack, 1)
        self._arrange(5)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the figures in two lines where one is too narrow."""
        super().resizeEvent(event)
        self._arrange(5 if self.width() > NARROW else 3)

    def _arrange(self, columns: int) -> None:
        for position, card in enumerate(self._figures):
            self._cards.addWidget(card, *divmod(position, columns))
        for column in range(5):
            self._cards.setColumnStretch(column, 1 if column < columns else 0)

    def showEvent(self, event: QShowEvent) -> None:
        """Show what is true when the page is opened."""
        super().showEvent(event)
        self.refresh()

    def refresh(self) -> None:
        """Show what is true now, if anybody looks."""
        if not self.isVisible():
            return
        status = self._session.status
        health = status.sync if status is not None and status.sync is not None else SyncHealth()
        self._verdict.setText(verdict_text(status))
        for card, fact in zip(self._figures, facts(health), strict=True):
            card.show_figure(fact.figure, fact.note, wrong=fact.wrong)
        self._clock_note.setVisible(is_clock_wrong(health))
        self._clock_note.setText(
            self.tr(
                "The clock of this computer differs from the others' by {count} seconds. Set it "
                "right, best by your system's time service: rows that seem to come from the "
                "future are refused."
            ).format(count=abs(health.clock_behind_s))
        )
        self._show_nodes()

    def _show_nodes(self) -> None:
        status = self._session.status
        nodes = status.nodes if status is not None else ()
        bans = running(self._session.standing.bans, now_s())
        own = status.node if status is not None else ""
        seen = (nodes, tuple(bans.values()), own)
        if seen != self._seen:  # sorting thousands of nodes each second would be felt
            self._seen = seen
            self._model.show_lines(node_lines(nodes, bans, own), now_s())
        lines = self._model.rowCount()
        self._stack.setCurrentWidget(self.list if lines else self._empty)
        self._count.setVisible(bool(lines))
        online = status.online_nodes if status is not None else 0
        more = status.more_nodes if status is not None else 0
        parts = [count_text(lines + more, "{count} storage node", "{count} storage nodes")]
        parts.append(self.tr("{count} on").format(count=online))
        if bans:
            parts.append(self.tr("{count} banned").format(count=len(bans)))
        self._count.setText("  ·  ".join(parts))
        self._empty.show_state(
            self.tr("No storage node is known yet."),
            self.tr("They show up here as soon as this computer meets others that lend space."),
        )
