"""The files page: columns, the open folder, details; going back, forward and up; search."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.bridge import Job
from app.error_text import explain
from app.health_watch import HealthWatch
from app.local_copies import LocalCopies
from app.models.listing import Listing, ListingState, arranged, parent_path, path_chain, path_names
from app.preferences import Preferences, ViewMode
from app.session import NodeState, Session
from app.text import count_text, isolated, shown, size_text
from app.theme import Theme
from app.thumbnails import Thumbnails
from app.tokens import DETAILS_WIDTH
from app.widgets.columns import COLUMNS, NARROW, WIDE, Columns
from app.widgets.details_pane import DetailsPane
from app.widgets.file_area import FileArea
from bitcloud_net.api import BitcloudError, Entry, EntryKind

OVERLAY_BELOW = 988
"""Page width under which details lie over the files instead of beside them (window 1200)."""

SORTED_AT_ONCE = 3000
"""Folders up to this size are sorted on the spot, some 10 ms."""

SEARCH_PERIOD_MS = 200
"""How often results are looked through again while folders still arrive."""

MIN_FILES = 350
"""Width that is left to the files before a column gives way."""


class History(QObject):
    """Where the person has been, as a browser keeps it."""

    changed = Signal()
    MAX = 200

    def __init__(self) -> None:
        super().__init__()
        self._paths = [""]
        self._position = 0

    @property
    def path(self) -> str:
        """The open path."""
        return self._paths[self._position]

    def go(self, path: str) -> None:
        """Open a path; what was ahead is forgotten."""
        if path == self.path:
            return
        self._paths = [*self._paths[: self._position + 1], path][-self.MAX :]
        self._position = len(self._paths) - 1
        self.changed.emit()

    def move(self, step: int) -> None:
        """Go back (-1) or forward (1)."""
        position = self._position + step
        if 0 <= position < len(self._paths):
            self._position = position
            self.changed.emit()

    def can_move(self, step: int) -> bool:
        """Whether there is somewhere to go."""
        return 0 <= self._position + step < len(self._paths)


class FilesPage(QWidget):
    """Emits what the window does for it: ``open_wanted``, ``publish_wanted`` and so on."""

    moved = Signal()
    publish_wanted = Signal()
    retry_wanted = Signal()
    open_wanted = Signal(object)
    preview_wanted = Signal(object)
    link_wanted = Signal(object)
    save_wanted = Signal(object)
    menu_wanted = Signal(object, object)

    def __init__(
        self,
        theme: Theme,
        session: Session,
        preferences: Preferences,
        thumbnails: Thumbnails,
        copies: LocalCopies,
    ) -> None:
        super().__init__()
        self._session = session
        self._preferences = preferences
        self._searched = ""
        self._sorting: Job[list[Entry]] | None = None
        self._at_home = False
        self.history = History()
        self._health = HealthWatch(session, self)
        self._search_later = QTimer(self, interval=SEARCH_PERIOD_MS, singleShot=True)
        self._search_later.timeout.connect(self._search_again)
        self.columns = Columns(theme, session)
        self.area = FileArea(theme, preferences, thumbnails.get, copies.find)
        self.details = DetailsPane(theme, session, thumbnails.get)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self._row.addWidget(self.columns)
        self._row.addWidget(self.area, 1)
        self._row.addWidget(self.details)
        self._connect(session, thumbnails, copies)
        session.look_at(path_chain(self.path))
        self.refresh()

    def _connect(self, session: Session, thumbnails: Thumbnails, copies: LocalCopies) -> None:
        self.history.changed.connect(self._on_moved)
        self.columns.wanted.connect(self.open)
        self.columns.entered_files.connect(self.area.focus)
        self.columns.up_wanted.connect(self.up)
        self.area.order_changed.connect(self.refresh)
        self.area.action_wanted.connect(self._on_action)
        self.area.chosen.connect(self._on_chosen)
        self.area.menu_wanted.connect(self.menu_wanted)
        self.area.details_button.toggled.connect(lambda _on: self._arrange())
        for view in self.area.views:
            view.opened.connect(self._on_opened)
            view.previewed.connect(self.preview_wanted)
            view.left.connect(self.columns.focus_last)
            view.up_wanted.connect(self.up)
            view.drag_began.connect(copies.prepare)
        self.details.open_wanted.connect(self._on_opened)
        self.details.link_wanted.connect(self.link_wanted)
        self.details.save_wanted.connect(self.save_wanted)
        self.details.menu_wanted.connect(lambda entry, at: self.menu_wanted.emit([entry], at))
        session.listing_changed.connect(self._on_listing)
        session.health_changed.connect(self._on_health)
        session.state_changed.connect(self.refresh)
        session.status_changed.connect(self._go_home_once)
        session.test_grid_changed.connect(self._ask_again)
        thumbnails.ready.connect(self._repaint)

    # Where we are

    @property
    def path(self) -> str:
        """The open folder."""
        return self.history.path

    def open(self, path: str) -> None:
        """Open a folder, person or publisher."""
        self._searched = ""
        self.history.go(path)

    def up(self) -> None:
        """Open what is above, with the cursor on where we came from."""
        here = self.path
        if here:
            self.open(parent_path(here))
            self.area.view.select_path(here)

    def reveal(self, path: str) -> None:
        """Open the folder of a file and put the cursor on it."""
        self.open(parent_path(path))
        self.area.view.select_path(path)

    def reload(self) -> None:
        """Load the open folder again (F5)."""
        self._session.refresh(self.path)

    def publish_target(self) -> str:
        """Return where a drop goes: the open folder when it is mine, else my own folder."""
        mine = self._session.person_path()
        inside = self.path == mine or self.path.startswith(f"{mine}/")
        return self.path if mine and inside else mine

    def _go_home_once(self) -> None:
        """Begin in Public, which every grid has, once the node knows who I am."""
        if not self._at_home and self._session.status is not None:
            self._at_home = True
            if not self.path:
                self.open(self._session.person_path())

    def _on_moved(self) -> None:
        for view in self.area.views:
            view.clearSelection()
        self._session.look_at(path_chain(self.path))
        self.columns.open(self.path)
        self.refresh()
        self.moved.emit()

    # What is shown

    def search(self, text: str) -> None:
        """Show what has been seen with these words in its name; empty text ends the search."""
        self._searched = text.strip()
        if self._searched:
            self._session.look_further()
        self.refresh()

    def _search_again(self) -> None:
        if self._searched:
            self._session.look_further()
            self.refresh()

    def set_view(self, mode: ViewMode) -> None:
        """Change how the folder is shown."""
        self.area.set_view(mode)
        self._arrange()

    def _on_listing(self, path: str) -> None:
        if self._searched:
            if not self._search_later.isActive():
                self._search_later.start()
        elif path == self.path:
            self.refresh()
        elif path == parent_path(self.path):
            self._show_details()

    def refresh(self) -> None:
        """Show what is known now."""
        self._arrange()
        if self._searched:
            self._show_results()
            return
        listing = self._session.listing(self.path)
        self.area.show_head(self._title(), self._facts(listing))
        nothing = not listing.entries
        if self._session.state is NodeState.OFFLINE and nothing:
            self._show_offline()
        elif listing.state is ListingState.ERROR and nothing and listing.error is not None:
            text = explain(listing.error)
            self.area.show_state(text.sentence, text.advice, self.tr("Try again"), wrong=True)
        elif listing.state is ListingState.READY and nothing:
            self._show_empty()
        else:
            self._show_listing(listing)
        self._show_details()

    def _show_listing(self, listing: Listing) -> None:
        """Show a folder; one of many thousand files is sorted in a worker thread first."""
        order = self._preferences.order
        if len(listing.entries) <= SORTED_AT_ONCE:
            self._show_sorted(listing, arranged(listing.entries, order))
            return
        if self._sorting is not None:
            self._sorting.cancel()
        self._sorting = self._session.compute(
            lambda: arranged(listing.entries, order),
            owner=self,
            done=lambda entries: self._show_sorted(listing, entries),
        )

    def _show_sorted(self, listing: Listing, entries: list[Entry]) -> None:
        if listing.path != self.path or self._searched:
            return
        known = [self._session.with_health(entry) for entry in entries]
        self.area.show_entries(known, loading=listing.state is ListingState.LOADING)
        self._health.watch(known)

    def _on_health(self, path: str) -> None:
        row = self.area.model.row_of(path)
        if row >= 0:
            known = self._session.with_health(self.area.model.entries[row])
            self.area.model.update_entry(known)

    def _show_offline(self) -> None:
        error = self._session.failure
        text = explain(error) if error is not None else None
        welcome = isinstance(error, BitcloudError) and error.code == "no-home"
        self.area.show_state(
            text.sentence if text else self.tr("Not connected."),
            text.advice if text else "",
            self.tr("Begin") if welcome else self.tr("Try again"),
            wrong=not welcome,
        )

    def _show_empty(self) -> None:
        if self.publish_target() == self.path:
            self.area.show_state(
                self.tr("Nothing here yet."),
                self.tr("Drop files or a folder on this window and they live on the grid."),
                self.tr("Publish"),
            )
        else:
            self.area.show_state(self.tr("This folder is empty."), "")

    def _show_results(self) -> None:
        found = self._session.search(self._searched)
        self.area.show_head(
            self.tr("Found"),
            self.tr("{count} with “{words}”").format(
                count=count_text(len(found), "{count} name", "{count} names"),
                words=isolated(self._searched),
            ),
        )
        if found:
            self.area.show_entries(found)
        else:
            self.area.show_state(
                self.tr("Nothing found."), self.tr("Every word must occur in the name.")
            )

    def _title(self) -> str:
        names = path_names(self.path)
        return shown(names[-1]) if names else self.tr("Publishers")

    def _facts(self, listing: Listing) -> str:
        if listing.state is ListingState.LOADING:
            offline = self._session.state is NodeState.OFFLINE
            return self.tr("Not connected") if offline else self.tr("Loading…")
        total = sum(entry.size_bytes or 0 for entry in listing.entries)
        parts = [count_text(len(listing.entries), "{count} item", "{count} items")]
        if total:
            parts.append(size_text(total))
        names = path_names(self.path)
        if len(names) > 2:
            parts.append(
                self.tr("{person} in {publisher}").format(
                    person=isolated(names[1]), publisher=isolated(names[0])
                )
            )
        if self._session.state is NodeState.OFFLINE:
            parts.append(self.tr("offline, as last seen"))
        return "  ·  ".join(parts)

    def _show_details(self) -> None:
        current = self.area.view.current_entry()
        self.details.show_entry(current or self._session.entry(self.path))

    def _ask_again(self) -> None:
        self.details.ask_again()
        self._health.watch(self.area.model.entries)

    def _repaint(self, _path: str) -> None:
        self.area.view.viewport().update()
        self.details.update()

    # What the person does

    def _on_chosen(self, entry: Entry | None) -> None:
        self.details.show_entry(entry or self._session.entry(self.path))

    def _on_opened(self, entry: Entry) -> None:
        if entry.kind is EntryKind.FILE:
            self.open_wanted.emit(entry)
        else:
            self.open(entry.path)

    def _on_action(self) -> None:
        offline = self._session.state is NodeState.OFFLINE
        failed = self._session.listing(self.path).state is ListingState.ERROR
        if offline:
            self.retry_wanted.emit()
        elif failed:
            self.reload()
        else:
            self.publish_wanted.emit()

    # Room

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give way in order: details lie over the files, then columns go."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        overlay = self.width() < OVERLAY_BELOW
        self.area.details_button.setVisible(overlay)
        if overlay:
            self._row.removeWidget(self.details)
            self.details.setGeometry(self.width() - DETAILS_WIDTH, 0, DETAILS_WIDTH, self.height())
            self.details.raise_()
        elif self._row.indexOf(self.details) < 0:
            self._row.addWidget(self.details)
        has_entry = self.details.entry is not None
        wanted = self.area.details_button.isChecked() if overlay else True
        self.details.setVisible(wanted and (has_entry or not overlay))
        self._arrange_columns(self.width() - (0 if overlay else DETAILS_WIDTH))

    def _arrange_columns(self, room: int) -> None:
        shown_mode = self._preferences.view is ViewMode.COLUMNS and not self._searched
        self.columns.setVisible(shown_mode)
        width = WIDE if room - COLUMNS * WIDE > 520 else NARROW
        count = max(1, min(COLUMNS, (room - MIN_FILES) // width))
        self.columns.set_room(count if self.width() >= 780 else 1, width)
