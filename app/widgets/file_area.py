"""The open folder: its name and facts, its files as tiles or list, or why there is nothing to
see."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.models.entry_model import EntryModel
from app.preferences import Order, Preferences, ViewMode
from app.text import tr
from app.theme import SEMIBOLD, Theme, font
from app.tokens import CAPTION_PX
from app.widgets.button import Button
from app.widgets.entry_delegates import Thumbnail, columns_that_fit, spoken
from app.widgets.entry_views import EntryView, RowView, TileView
from app.widgets.label import ElidedLabel
from app.widgets.paint import draw_line_of_text
from app.widgets.state_pane import StatePane
from bitcloud_net.api import Entry


def order_text(order: Order) -> str:
    """Return what an order is called."""
    return {
        Order.NEWEST: tr("Newest first"),
        Order.NAME: tr("By name"),
        Order.LARGEST: tr("Largest first"),
        Order.KIND: tr("By kind"),
    }[order]


class RowTitles(QWidget):
    """The captions above the list's columns."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFixedHeight(24)
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the captions where the list's delegate draws its columns."""
        painter = QPainter(self)
        used, colour = font(CAPTION_PX, SEMIBOLD), self._theme.tokens.caption
        width = self.width() - 8 - 12  # the row's margins and the scroll bar
        right = 4 + width - 8.0
        for title, column in columns_that_fit(width):
            place = QRectF(right - column, 0, column - 8, self.height())
            draw_line_of_text(painter, place, tr(title).upper(), used, colour)
            right -= column
        name = QRectF(74, 0, 100, self.height())
        draw_line_of_text(painter, name, tr("Name").upper(), used, colour)


class FileArea(QWidget):
    """Shows entries in the chosen view. Pages connect to ``views`` and to its signals."""

    order_changed = Signal()
    action_wanted = Signal()
    menu_wanted = Signal(object, object)  # list of Entry, QPoint
    chosen = Signal(object)

    def __init__(
        self,
        theme: Theme,
        preferences: Preferences,
        thumbnail: Thumbnail,
        local_copy: Callable[[Entry], str | None],
    ) -> None:
        super().__init__()
        self._preferences = preferences
        self._title = ElidedLabel(role="title")
        self._facts = ElidedLabel(role="small")
        self._order = Button(theme, order_text(preferences.order), icon="arrow_sort")
        self.details_button = Button(theme, self.tr("Details"), icon="info", icon_only=True)
        self.details_button.setCheckable(True)
        self._order.clicked.connect(self._choose_order)
        self.model = EntryModel(self, local_copy=local_copy, spoken=spoken)
        self.tiles = TileView(theme, self.tr("Files as tiles"), thumbnail)
        self.rows = RowView(theme, self.tr("Files as list"), thumbnail)
        self._titles = RowTitles(theme)
        self._state = StatePane(theme)
        self._state.wanted.connect(self.action_wanted)
        self._stack = QStackedWidget()
        self.views: tuple[EntryView, ...] = (self.tiles, self.rows)
        self._build()
        for view in self.views:
            view.setModel(self.model)
            view.chosen.connect(self.chosen)
            view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            view.customContextMenuRequested.connect(lambda at, v=view: self._ask_menu(v, at))
        self.set_view(preferences.view)

    def _build(self) -> None:
        title = QHBoxLayout()
        title.setSpacing(8)
        title.addWidget(self._title, 1)
        title.addWidget(self._order)
        title.addWidget(self.details_button)
        head = QVBoxLayout()
        head.setContentsMargins(12, 10, 14, 6)
        head.setSpacing(0)
        head.addLayout(title)
        head.addWidget(self._facts)
        listing = QWidget()
        column = QVBoxLayout(listing)
        column.setContentsMargins(8, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._titles)
        column.addWidget(self.rows)
        for widget in (self.tiles, listing, self._state):
            self._stack.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self._stack, 1)

    @property
    def view(self) -> EntryView:
        """The view in use."""
        return self.rows if self._preferences.view is ViewMode.LIST else self.tiles

    def set_view(self, mode: ViewMode) -> None:
        """Change between tiles and list, keeping the cursor."""
        current = self.view.current_entry()
        self._preferences.view = mode
        if self._stack.currentWidget() is not self._state:
            self._stack.setCurrentIndex(1 if mode is ViewMode.LIST else 0)
        if current is not None:
            self.view.select_path(current.path)

    def show_head(self, title: str, facts: str) -> None:
        """Show the folder's name and facts."""
        self._title.setText(title)
        self._facts.setText(facts)

    def show_entries(self, entries: Sequence[Entry], *, loading: bool = False) -> None:
        """Show entries, or skeletons while they load."""
        self.model.replace(entries)
        for view in self.views:
            view.set_loading(loading=loading)
        self._stack.setCurrentIndex(1 if self._preferences.view is ViewMode.LIST else 0)

    def show_state(
        self, sentence: str, advice: str, action: str = "", *, wrong: bool = False
    ) -> None:
        """Show why there is nothing to see."""
        self.model.replace(())
        self._state.show_state(sentence, advice, action, wrong=wrong)
        self._stack.setCurrentWidget(self._state)

    def focus(self) -> None:
        """Put the keyboard into the files."""
        self.view.setFocus(Qt.FocusReason.TabFocusReason)

    def _choose_order(self) -> None:
        menu = QMenu(self)
        group = QActionGroup(menu)
        for order in Order:
            action = QAction(order_text(order), menu, checkable=True)
            action.setChecked(order is self._preferences.order)
            action.triggered.connect(lambda _checked, o=order: self._set_order(o))
            group.addAction(action)
            menu.addAction(action)
        menu.popup(self._order.mapToGlobal(QPoint(0, self._order.height() + 4)))

    def _set_order(self, order: Order) -> None:
        self._preferences.order = order
        self._order.rename(order_text(order))
        self.order_changed.emit()

    def _ask_menu(self, view: EntryView, at: QPoint) -> None:
        entries = view.selected_entries()
        if entries:
            self.menu_wanted.emit(entries, view.viewport().mapToGlobal(at))
