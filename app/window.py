"""The window: puts sidebar, toolbar, pages and shelf together and carries out what pages ask
for."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import (
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.dialog import ConfirmDialog
from app.dialogs.welcome import CreateHome
from app.file_actions import FileActions, OpenUrl
from app.first_start import FirstStart
from app.local_copies import LocalCopies
from app.models.listing import path_names
from app.pages.contribute import ContributePage
from app.pages.database import DatabasePage
from app.pages.files import FilesPage
from app.pages.network import NetworkPage
from app.pages.player import make_player
from app.pages.preview import PreviewPage
from app.pages.settings import SettingsPage
from app.pages.test_grid import TestGridPage
from app.pages.transfers import TransfersPage, describe
from app.player import play
from app.preferences import Preferences, ViewMode
from app.publishing import Publishing
from app.session import NodeState, Session, Tone
from app.text import isolated, shown
from app.theme import Theme
from app.thumbnails import Thumbnails
from app.widgets.drop_zone import DropZone, files_in
from app.widgets.shelf import Shelf
from app.widgets.sidebar import Sidebar
from app.widgets.toast import Toast
from app.widgets.toolbar import Toolbar
from bitcloud_net.api import Entry, Transfer, TransferKind, TransferState

SIZE = (1360, 820)
MIN_SIZE = (960, 600)
MAX_LINK_CHARACTERS = 2048
"""Longer links are refused (security design, 3.5)."""


class Window(QMainWindow):
    """The one window. ``open_url`` and ``play_url`` hand an address to the system; tests replace
    them. Without ``create_home`` a missing identity is only reported.
    """

    def __init__(
        self,
        theme: Theme,
        session: Session,
        preferences: Preferences,
        *,
        home: Path | None = None,
        open_url: OpenUrl = QDesktopServices.openUrl,
        play_url: OpenUrl = play,
        create_home: CreateHome | None = None,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._session = session
        self._preferences = preferences
        self.may_close = False  # set when the person has agreed to interrupt transfers
        thumbnails = self._thumbnails = Thumbnails(session, self)
        copies = LocalCopies(session, self)
        self.sidebar = Sidebar(theme, session)
        self.toolbar = Toolbar(theme)
        self.files = FilesPage(theme, session, preferences, thumbnails, copies)
        self.transfers = TransfersPage(theme, session)
        self.contribute = ContributePage(theme, session, _contribution_folder(home))
        self.network = NetworkPage(theme, session)
        self.database = DatabasePage(theme, session, preferences)
        self.test_grid = TestGridPage(theme, session)
        self.settings = SettingsPage(
            theme, session, str(home) if home else self.tr("the usual place")
        )
        self.preview = PreviewPage(theme, session, thumbnails)
        self.shelf = Shelf(theme, session)
        self.file_actions = FileActions(theme, session, self, open_url, play_url)
        self.publishing = Publishing(theme, session, self, self.files.publish_target)
        self.first_start = FirstStart(theme, session, self, create_home)
        self._pages: dict[str, tuple[QWidget, list[str]]] = {
            "files": (self.files, []),
            "transfers": (self.transfers, [self.tr("Transfers")]),
            "contribute": (self.contribute, [self.tr("My node"), self.tr("Contribute")]),
            "network": (self.network, [self.tr("My node"), self.tr("Network")]),
            "database": (self.database, [self.tr("My node"), self.tr("Database")]),
            "test-grid": (self.test_grid, [self.tr("My node"), self.tr("Test grid")]),
            "settings": (self.settings, [self.tr("Settings")]),
            "preview": (self.preview, [self.tr("Preview")]),
        }
        self._player = make_player(theme)
        if self._player is not None:
            self._pages["player"] = (self._player, [self.tr("Player")])
            self._player.closed.connect(lambda: self.show_page("files"))
            self._player.failed.connect(self._on_unplayed)
            self.file_actions.plays_inside = True
        self._build()
        self.drop_zone = DropZone(theme, self)
        self.toast = Toast(theme, self)
        self._connect_pages()
        self._connect_session()
        self._add_shortcuts()
        if not preferences.geometry.isEmpty():
            self.restoreGeometry(preferences.geometry)
        self.toolbar.views.choose(preferences.view)
        self.show_page("files")

    def _build(self) -> None:
        self.setWindowTitle("Bitcloud")
        self.setMinimumSize(*MIN_SIZE)
        self.resize(*SIZE)
        self.setAcceptDrops(True)
        self._stack = QStackedWidget()
        for page, _names in self._pages.values():
            self._stack.addWidget(page)
        main = QVBoxLayout()
        main.setContentsMargins(0, 0, 0, 0)
        main.setSpacing(0)
        for widget in (self.toolbar, self._stack, self.shelf):
            main.addWidget(widget, 1 if widget is self._stack else 0)
        inner = QWidget()
        row = QHBoxLayout(inner)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.sidebar)
        row.addLayout(main, 1)
        self.setCentralWidget(inner)

    def _connect_pages(self) -> None:
        bar, files, actions = self.toolbar, self.files, self.file_actions
        self.sidebar.wanted.connect(self.show_page)
        bar.back.clicked.connect(lambda: self._go(-1))
        bar.forward.clicked.connect(lambda: self._go(1))
        bar.up.clicked.connect(self._up)
        bar.breadcrumb.wanted.connect(self._open_prefix)
        bar.search.textChanged.connect(self._search)
        bar.search.returnPressed.connect(self._search_entered)
        bar.views.wanted.connect(self._set_view)
        bar.publish.clicked.connect(self._ask_publish)
        bar.avatar.clicked.connect(self._show_me)
        files.moved.connect(self._show_place)
        files.publish_wanted.connect(self._ask_publish)
        files.retry_wanted.connect(self.first_start.try_again)
        files.open_wanted.connect(actions.open)
        files.preview_wanted.connect(actions.preview)
        files.link_wanted.connect(actions.copy_link)
        files.save_wanted.connect(lambda entry: actions.save([entry]))
        files.menu_wanted.connect(actions.show_menu)
        actions.preview_wanted.connect(self._show_preview)
        actions.folder_wanted.connect(files.open)
        actions.film_wanted.connect(self._show_film)
        actions.unopened.connect(self._on_unopened)
        actions.checked.connect(files.details.show_details)
        self.transfers.publish_wanted.connect(self._ask_publish)
        self.transfers.reveal_wanted.connect(self.reveal)
        self.contribute.folder_wanted.connect(self._ask_folder)
        self.settings.copy_wanted.connect(actions.copy)
        self.network.copy_wanted.connect(actions.copy)
        self.preview.closed.connect(lambda: self.show_page("files"))
        self.preview.open_wanted.connect(actions.play)
        self.shelf.wanted.connect(lambda: self.show_page("transfers"))

    def _connect_session(self) -> None:
        session = self._session
        session.notice.connect(self.toast.show_notice)
        session.transfers_changed.connect(self._show_counts)
        session.transfer_ended.connect(self._on_transfer_ended)
        session.status_changed.connect(self._on_status)
        session.state_changed.connect(self._on_status)
        session.test_grid_changed.connect(self._on_test_grid)

    def _on_test_grid(self) -> None:
        self.sidebar.set_visible("test-grid", visible=self._session.test_grid is not None)

    def _add_shortcuts(self) -> None:
        for keys, action in (
            ("Ctrl+K", self._focus_search),
            ("Ctrl+V", self.publishing.paste),
            ("F5", self._reload),
            ("Esc", self._escape),
            ("Alt+Left", lambda: self._go(-1)),
            ("Alt+Right", lambda: self._go(1)),
            ("Alt+Up", self._up),
            ("Ctrl+O", self._ask_publish),
            ("Ctrl+Q", self.close),
            ("Ctrl+1", lambda: self._set_view(ViewMode.COLUMNS)),
            ("Ctrl+2", lambda: self._set_view(ViewMode.TILES)),
            ("Ctrl+3", lambda: self._set_view(ViewMode.LIST)),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(action)

    # Pages

    def show_page(self, key: str) -> None:
        """Show a page by its key."""
        page, _names = self._pages[key]
        self._stack.setCurrentWidget(page)
        if key in ("preview", "player"):
            page.setFocus()
        else:
            self.sidebar.choose(key)
        if key == "files":
            self.files.area.setFocus()
        elif key == "database":
            self.database.take_focus()
        self._show_place()

    def _current_key(self) -> str:
        current = self._stack.currentWidget()
        return next(key for key, (page, _) in self._pages.items() if page is current)

    def _show_place(self) -> None:
        key = self._current_key()
        on_files = key == "files"
        names = path_names(self.files.path) or [self.tr("Publishers")]
        self.toolbar.breadcrumb.set_names(names if on_files else self._pages[key][1])
        history = self.files.history
        self.toolbar.back.setEnabled(not on_files or history.can_move(-1))
        self.toolbar.forward.setEnabled(on_files and history.can_move(1))
        self.toolbar.up.setEnabled(on_files and bool(self.files.path))

    def _go(self, step: int) -> None:
        if self._current_key() == "files":
            self.files.history.move(step)
        elif step < 0:
            self.show_page("files")

    def _up(self) -> None:
        if self._current_key() == "files":
            self.files.up()

    def _open_prefix(self, length: int) -> None:
        if self._current_key() == "files":
            self.files.open("/".join(path_names(self.files.path)[:length]))

    def _set_view(self, mode: ViewMode) -> None:
        self.show_page("files")
        self.toolbar.views.choose(mode)
        self.files.set_view(mode)

    def reveal(self, path: str) -> None:
        """Show a file in its folder."""
        self.show_page("files")
        self.files.reveal(path)

    def _escape(self) -> None:
        if self._current_key() in ("preview", "player"):
            self.show_page("files")
        elif self._current_key() == "database" and self.database.is_running:
            self.database.stop()
        elif self.toolbar.search.text():
            self.toolbar.search.clear()
            self.files.area.focus()
        else:
            self.toast.hide()

    def _reload(self) -> None:
        if self._current_key() == "database":
            self.database.refresh()
        else:
            self.files.reload()

    # Search and links

    def _focus_search(self) -> None:
        self.toolbar.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.toolbar.search.selectAll()

    def _search(self, text: str) -> None:
        if text.strip().startswith("bitcloud:"):
            return  # a link: opened with Enter
        if text.strip():
            self.show_page("files")
            self.toolbar.search.setFocus()
        self.files.search(text)

    def _search_entered(self) -> None:
        text = self.toolbar.search.text().strip()
        if text.startswith("bitcloud:"):
            self.open_link(text)
        else:
            self.files.area.focus()

    def open_link(self, link: str) -> None:
        """Show or open what a ``bitcloud:`` link names. A link can do nothing else."""
        self.toolbar.search.clear()
        if len(link) > MAX_LINK_CHARACTERS or not link.startswith("bitcloud:"):
            self.toast.show_notice(Tone.ERROR, self.tr("This is not a link of Bitcloud."))
        elif link.startswith("bitcloud:/"):
            self.reveal(link.removeprefix("bitcloud:/").strip("/"))
        else:
            self.file_actions.open_link(link)

    # Publishing

    def _ask_publish(self) -> None:
        button = self.toolbar.publish
        self.publishing.ask(button.mapToGlobal(QPoint(0, button.height() + 4)))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Show the drop zone for files from elsewhere."""
        if event.source() is None and files_in(event.mimeData()):
            target = isolated(" / ".join(path_names(self.files.publish_target())))
            self.drop_zone.show_over(self.tr("Publish to {place}").format(place=target))
            event.acceptProposedAction()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        """Take the drop zone away."""
        self.drop_zone.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Publish what was dropped."""
        self.drop_zone.hide()
        sources = files_in(event.mimeData())
        if sources:
            event.acceptProposedAction()
            self.publishing.begin(sources)

    # Files

    def _show_preview(self, entry: Entry) -> None:
        self.preview.show_entry(entry)
        self.show_page("preview")

    def _show_film(self, entry: Entry, url: QUrl) -> None:
        if self._player is not None:
            self._player.play(entry, url)
            self.show_page("player")

    def _on_unplayed(self, url: QUrl) -> None:
        self.show_page("files")
        self.file_actions.play_outside(url)

    def _on_unopened(self, address: str) -> None:
        self.toast.show_notice(
            Tone.ERROR,
            self.tr("No program opens this kind of file. Its address can be copied."),
            action=self.tr("Copy address"),
            then=lambda: self.file_actions.copy(address),
        )

    # Node

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("Folder for the space you lend"))
        if name:
            self.contribute.set_folder(Path(name))

    def _show_me(self) -> None:
        status = self._session.status
        menu = QMenu(self)
        if status is None:
            menu.addAction(self.tr("The node is not running")).setEnabled(False)
        else:
            # A menu would read "&" as an underline; names are ours or made safe.
            name = menu.addAction(shown(status.person).replace("&", "&&"))
            name.setEnabled(False)
            menu.addAction(self.tr("My files")).triggered.connect(self._go_home)
            menu.addAction(self.tr("Copy key fingerprint")).triggered.connect(
                lambda: self.file_actions.copy(status.fingerprint)
            )
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.toolbar.avatar.menu_place())

    def _go_home(self) -> None:
        self.show_page("files")
        self.files.open(self._session.person_path())

    def _on_status(self) -> None:
        if self._session.status is not None:
            self.toolbar.avatar.set_person(self._session.status.person)
        self.toolbar.publish.setEnabled(self._session.state is NodeState.READY)

    def _show_counts(self) -> None:
        self.sidebar.set_count("transfers", len(self._session.running_transfers()))

    def _on_transfer_ended(self, transfer: Transfer) -> None:
        if transfer.state is TransferState.CANCELLED:
            return
        failed = transfer.state is TransferState.FAILED
        can_show = transfer.kind is TransferKind.PUBLISH and not failed
        self.toast.show_notice(
            Tone.ERROR if failed else Tone.GOOD,
            describe(transfer),
            action=self.tr("Show"),
            then=(lambda: self.reveal(transfer.target)) if can_show else None,
        )

    # The window itself

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the notice in its place."""
        super().resizeEvent(event)
        self.toast.place()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask before transfers are interrupted; they resume with the next start."""
        running = self._session.running_transfers()
        if running and not self.may_close:
            event.ignore()
            self._confirm_close(len(running))
            return
        self._preferences.geometry = self.saveGeometry()
        self._thumbnails.stop()
        super().closeEvent(event)

    def _confirm_close(self, count: int) -> None:
        dialog = ConfirmDialog(
            self._theme,
            self,
            self.tr("Close Bitcloud?"),
            self.tr("{count} under way. They stop now and go on with the next start.").format(
                count=self.tr("A transfer is")
                if count == 1
                else self.tr("{n} transfers are").format(n=count)
            ),
            self.tr("Close"),
        )

        def close() -> None:
            self.may_close = True
            self.close()

        dialog.accepted.connect(close)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()


def _contribution_folder(home: Path | None) -> Path:
    return (home or Path.home() / ".bitcloud") / "contributed"
