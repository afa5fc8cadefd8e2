"""Miller columns: publishers, people, folders, and the folders inside."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.models.entry_model import EntryModel
from app.models.listing import ListingState, columned, parent_path, path_chain, path_names
from app.session import NodeState, Session
from app.text import shown
from app.theme import Theme
from app.widgets.entry_delegates import spoken
from app.widgets.entry_views import ColumnView
from app.widgets.label import ElidedLabel
from bitcloud_net.api import Entry

COLUMNS = 3
"""Columns side by side at most; a deeper path pushes the first ones out, the breadcrumb keeps
them."""

WIDE, NARROW = 174, 158
"""Widths of a column in pixels."""


def places(path: str, *, inner_folders: bool) -> list[tuple[str, str]]:
    """Return (parent, chosen) of each column for an open path, left to right.

    The column of the open folder itself is there only while it has folders in it, or is one of the
    first three levels, which always have a column.
    """
    chain = path_chain(path)
    pairs = [(parent, chain[i + 1] if i + 1 < len(chain) else "") for i, parent in enumerate(chain)]
    if len(pairs) > COLUMNS and not inner_folders:
        pairs.pop()
    return pairs


class _Pane(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.parent_path = ""
        self.shown = False
        self.title = ElidedLabel(role="caption")
        self.title.setContentsMargins(12, 0, 8, 0)
        self.view = ColumnView(theme, self.tr("Column"))
        self.model = EntryModel(self.view, spoken=spoken)
        self.view.setModel(self.model)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 10, 0, 0)
        column.setSpacing(4)
        self.title.setFixedHeight(20)
        column.addWidget(self.title)
        column.addWidget(self.view)


class Columns(QWidget):
    """Shows the way to the open folder. Emits ``wanted(path)``, and ``left_right`` at its right
    edge."""

    wanted = Signal(str)
    entered_files = Signal()
    up_wanted = Signal()

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__()
        self._session = session
        self._path = ""
        self._selecting = False
        self._count = COLUMNS
        self._width = WIDE
        self._panes = [_Pane(theme) for _ in range(COLUMNS)]
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 0, 0)
        row.setSpacing(0)
        for pane in self._panes:
            row.addWidget(pane)
            pane.view.chosen.connect(self._on_chosen)
            pane.view.opened.connect(self._on_opened)
            pane.view.left.connect(lambda p=pane: self._move(p, -1))
            pane.view.righted.connect(lambda p=pane: self._move(p, 1))
            pane.view.up_wanted.connect(self.up_wanted)
        session.listing_changed.connect(self.refresh)
        session.state_changed.connect(self.refresh)

    def set_room(self, count: int, width: int) -> None:
        """Show at most ``count`` columns of ``width`` pixels."""
        if (count, width) != (self._count, self._width):
            self._count, self._width = count, width
            self.refresh()

    def open(self, path: str) -> None:
        """Show the way to this path."""
        self._path = path
        self.refresh()

    def refresh(self, _changed_path: str = "") -> None:
        """Show what the session knows by now."""
        inner = bool(columned(self._session.listing(self._path).entries))
        wanted = places(self._path, inner_folders=inner)[-self._count :] if self._count else []
        focused = next((p.parent_path for p in self._panes if p.view.hasFocus()), None)
        self._selecting = True
        for position, pane in enumerate(self._panes):
            pane.setVisible(position < self._count)
            pane.setFixedWidth(self._width)
            used = position < len(wanted)
            self._fill(pane, *wanted[position]) if used else self._clear(pane)
        self._selecting = False
        if focused is not None:
            self._focus(focused)
        self.setFixedWidth(8 + self._count * self._width)

    def _fill(self, pane: _Pane, parent: str, chosen: str) -> None:
        listing = self._session.listing(parent)
        pane.parent_path, pane.shown = parent, True
        title = self._title(parent)
        pane.title.setText(title)
        pane.view.setAccessibleName(title.capitalize())
        pane.model.replace(columned(listing.entries))
        reachable = self._session.state is not NodeState.OFFLINE
        pane.view.set_loading(loading=reachable and listing.state is ListingState.LOADING)
        if not pane.view.select_path(chosen) and not chosen:
            pane.view.clearSelection()
            pane.view.setCurrentIndex(pane.model.index(-1))

    def _clear(self, pane: _Pane) -> None:
        pane.parent_path, pane.shown = "", False
        pane.title.setText("")
        pane.model.replace(())
        pane.view.set_loading(loading=False)

    def _title(self, parent: str) -> str:
        names = path_names(parent)
        if len(names) < COLUMNS:
            return (self.tr("PUBLISHERS"), self.tr("PEOPLE"), self.tr("FOLDERS"))[len(names)]
        return self.tr("IN {name}").format(name=shown(names[-1]).upper())

    def _on_chosen(self, entry: Entry | None) -> None:
        if entry is not None and not self._selecting:
            self.wanted.emit(entry.path)

    def _on_opened(self, entry: Entry) -> None:
        self.wanted.emit(entry.path)
        self.entered_files.emit()

    def _move(self, pane: _Pane, step: int) -> None:
        position = self._panes.index(pane) + step
        if step > 0 and (position >= self._count or not self._panes[position].model.rowCount()):
            self.entered_files.emit()
        elif position >= 0:
            self._panes[position].view.setFocus(Qt.FocusReason.TabFocusReason)
        else:
            self.wanted.emit(parent_path(parent_path(self._path)))

    def _focus(self, parent: str) -> None:
        for pane in self._panes:
            if pane.shown and pane.parent_path == parent:
                if not pane.view.hasFocus():
                    pane.view.setFocus(Qt.FocusReason.OtherFocusReason)
                return

    def focus_last(self) -> None:
        """Put the keyboard into the last column that shows something."""
        for pane in reversed(self._panes):
            if pane.isVisible() and pane.shown and pane.model.rowCount():
                pane.view.setFocus(Qt.FocusReason.TabFocusReason)
                return
