"""The window: puts sidebar, toolbar, pages and shelf together and carries out what pages ask
for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QUrl, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.dialog import ConfirmDialog, PassphraseDialog
from app.dialogs.publish import PublishDialog
from app.dialogs.welcome import CreateHome, WelcomeDialog, WordsDialog
from app.icons import icon
from app.local_copies import LocalCopies
from app.models.entry_model import address_of
from app.models.listing import path_names
from app.pages.contribute import ContributePage
from app.pages.files import FilesPage
from app.pages.player import make_player
from app.pages.preview import PreviewPage, can_preview_text
from app.pages.settings import SettingsPage
from app.pages.test_grid import TestGridPage
from app.pages.transfers import TransfersPage, describe
from app.player import play
from app.preferences import Preferences, ViewMode
from app.session import NodeState, Session, Tone
from app.text import isolated, shown
from app.theme import Theme
from app.thumbnails import Thumbnails, can_decode
from app.widgets.art import family
from app.widgets.drop_zone import DropZone, files_in
from app.widgets.shelf import Shelf
from app.widgets.sidebar import Sidebar
from app.widgets.toast import Toast
from app.widgets.toolbar import Toolbar
from bitcloud_net.api import (
    BitcloudError,
    Details,
    Entry,
    EntryKind,
    Transfer,
    TransferKind,
    TransferState,
)

SIZE = (1360, 820)
MIN_SIZE = (960, 600)
MAX_LINK_CHARACTERS = 2048
"""Longer links are refused (security design, 3.5)."""


def is_local_address(url: QUrl) -> bool:
    """Whether an address is our own gateway's: the only kind this window ever opens."""
    host = url.host()
    local = host in ("127.0.0.1", "::1", "localhost") or host.endswith(".localhost")
    return url.scheme() == "http" and local


class Window(QMainWindow):
    """The one window. ``open_url`` and ``play_url`` hand an address to the system; tests replace
    them.

    Emits ``passphrase_given`` (text, or None) when asked by ``ask_passphrase``.
    """

    passphrase_given = Signal(object)

    def __init__(
        self,
        theme: Theme,
        session: Session,
        preferences: Preferences,
        *,
        home: Path | None = None,
        open_url: Callable[[QUrl], bool] = QDesktopServices.openUrl,
        play_url: Callable[[QUrl], bool] = play,
        create_home: CreateHome | None = None,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._session = session
        self._preferences = preferences
        self._open_url = open_url
        self._play_url = play_url
        self._create_home = create_home
        self._fresh_passphrase: str | None = None
        self.setWindowTitle("Bitcloud")
        self.setMinimumSize(*MIN_SIZE)
        self.resize(*SIZE)
        self.setAcceptDrops(True)
        thumbnails = self._thumbnails = Thumbnails(session, self)
        copies = LocalCopies(session, self)
        self.sidebar = Sidebar(theme, session)
        self.toolbar = Toolbar(theme)
        self.files = FilesPage(theme, session, preferences, thumbnails, copies)
        self.transfers = TransfersPage(theme, session)
        self.contribute = ContributePage(theme, session, _contribution_folder(home))
        self.test_grid = TestGridPage(theme, session)
        self.settings = SettingsPage(
            theme, session, str(home) if home else self.tr("the usual place")
        )
        self.preview = PreviewPage(theme, session, thumbnails)
        self.shelf = Shelf(theme, session)
        self._pages: dict[str, tuple[QWidget, list[str]]] = {
            "files": (self.files, []),
            "transfers": (self.transfers, [self.tr("Transfers")]),
            "contribute": (self.contribute, [self.tr("My node"), self.tr("Contribute")]),
            "test-grid": (self.test_grid, [self.tr("My node"), self.tr("Test grid")]),
            "settings": (self.settings, [self.tr("Settings")]),
            "preview": (self.preview, [self.tr("Preview")]),
        }
        self._player = make_player(theme)
        if self._player is not None:
            self._pages["player"] = (self._player, [self.tr("Player")])
            self._player.closed.connect(lambda: self.show_page("files"))
            self._player.failed.connect(self._play_outside)
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
        bar, files = self.toolbar, self.files
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
        files.retry_wanted.connect(self._try_again)
        files.open_wanted.connect(self.open_entry)
        files.preview_wanted.connect(self._preview)
        files.link_wanted.connect(self._copy_link)
        files.save_wanted.connect(self._ask_save)
        files.menu_wanted.connect(self._show_menu)
        self.transfers.publish_wanted.connect(self._ask_publish)
        self.transfers.reveal_wanted.connect(self.reveal)
        self.contribute.folder_wanted.connect(self._ask_folder)
        self.settings.copy_wanted.connect(self._copy)
        self.preview.closed.connect(lambda: self.show_page("files"))
        self.preview.open_wanted.connect(self._play)
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
            ("Ctrl+V", self._paste),
            ("F5", self.files.reload),
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
        elif self.toolbar.search.text():
            self.toolbar.search.clear()
            self.files.area.focus()
        else:
            self.toast.hide()

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
            self._open_target(link, self._open_url)

    # Publishing

    def _ask_publish(self) -> None:
        menu = QMenu(self)
        tokens = self._theme.tokens
        files = menu.addAction(icon("document_arrow_up", tokens.second), self.tr("Publish files…"))
        folder = menu.addAction(icon("folder_add", tokens.second), self.tr("Publish a folder…"))
        files.triggered.connect(self._choose_files)
        folder.triggered.connect(self._choose_folder)
        button = self.toolbar.publish
        menu.popup(button.mapToGlobal(QPoint(0, button.height() + 4)))

    def _choose_files(self) -> None:
        names, _filter = QFileDialog.getOpenFileNames(self, self.tr("Publish files"))
        self.confirm_publish([Path(name) for name in names])

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("Publish a folder"))
        self.confirm_publish([Path(name)] if name else [])

    def confirm_publish(self, sources: list[Path]) -> None:
        """Ask where these go, then publish them."""
        if not sources:
            return
        target = self.files.publish_target()
        dialog = PublishDialog(self._theme, self._session, self, sources, target)
        dialog.accepted.connect(lambda: self.publish(sources, dialog.target))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def publish(self, sources: list[Path], target: str) -> None:
        """Publish files and folders below a path."""
        if sources:
            self._session.publish(sources, target)

    def _paste(self) -> None:
        sources = files_in(QGuiApplication.clipboard().mimeData())
        if sources:
            self.confirm_publish(sources)
        else:
            self.toast.show_notice(Tone.INFO, self.tr("There are no files in the clipboard."))

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
            self.publish(sources, self.files.publish_target())

    # Files

    def open_entry(self, entry: Entry) -> None:
        """Open a file: pictures and texts here, everything else in its own program."""
        if can_preview_text(entry) or can_decode(entry):
            self._preview(entry)
        else:
            self._play(entry)

    def _preview(self, entry: Entry) -> None:
        if entry.kind is EntryKind.FILE:
            self.preview.show_entry(entry)
            self.show_page("preview")

    def _play(self, entry: Entry) -> None:
        plays = family(entry) in ("video", "audio")
        inside = self._player is not None and plays
        opener = self._play_url if plays else self._open_url
        self._open_target(entry.path, partial(self._play_inside, entry) if inside else opener)

    def _play_inside(self, entry: Entry, url: QUrl) -> bool:
        if self._player is not None:
            self._player.play(entry, url)
            self.show_page("player")
        return True

    def _play_outside(self, url: QUrl) -> None:
        """Let the system play what this window's player cannot."""
        self.show_page("files")
        if is_local_address(url):
            self._play_url(url)

    def _open_target(self, target: str, opener: Callable[[QUrl], bool]) -> None:
        def done(address: str) -> None:
            url = QUrl(address)
            if not is_local_address(url) or not opener(url):
                self.toast.show_notice(
                    Tone.ERROR,
                    self.tr("No program opens this kind of file. Its address can be copied."),
                    action=self.tr("Copy address"),
                    then=lambda: self._copy(address),
                )

        self._session.call(lambda client: client.url(target), owner=self, done=done)

    def _copy_link(self, entry: Entry) -> None:
        def done(link: str) -> None:
            QGuiApplication.clipboard().setText(link)
            self.toast.show_notice(
                Tone.GOOD, self.tr("Link copied. Whoever has it can read this file.")
            )

        self._session.call(lambda client: client.share(entry.path), owner=self, done=done)

    def _ask_save(self, entry: Entry) -> None:
        if entry.kind is EntryKind.FILE:
            name, _filter = QFileDialog.getSaveFileName(
                self, self.tr("Save as"), safe_file_name(entry.name)
            )
        else:
            name = QFileDialog.getExistingDirectory(self, self.tr("Save the folder in"))
        if name:
            self._session.save(entry.path, Path(name))

    def _show_menu(self, entries: list[Entry], at: QPoint) -> None:
        menu = self.menu_for(entries)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def menu_for(self, entries: list[Entry]) -> QMenu:
        """Return what can be done with these entries."""
        menu = QMenu(self)
        tokens = self._theme.tokens
        entry = entries[0]
        single_file = len(entries) == 1 and entry.kind is EntryKind.FILE
        items: list[tuple[str, str, Callable[[], None], bool]] = [
            ("open", self.tr("Open"), lambda: self._open_any(entry), len(entries) == 1),
            ("eye", self.tr("Preview"), lambda: self._preview(entry), single_file),
            ("arrow_download", self.tr("Save as…"), lambda: self._save_all(entries), True),
            ("link", self.tr("Copy link"), lambda: self._copy_link(entry), single_file),
            ("copy", self.tr("Copy address"), lambda: self._copy(address_of(entry)), True),
            (
                "shield_checkmark",
                self.tr("Check every byte"),
                lambda: self._check(entry),
                single_file,
            ),
            ("wrench", self.tr("Repair"), lambda: self._repair(entry), single_file),
        ]
        for sign, name, action, possible in items:
            item = menu.addAction(icon(sign, tokens.second), name)
            item.setEnabled(possible)
            item.triggered.connect(lambda _checked=False, act=action: act())
        return menu

    def _open_any(self, entry: Entry) -> None:
        if entry.kind is EntryKind.FILE:
            self.open_entry(entry)
        else:
            self.files.open(entry.path)

    def _save_all(self, entries: list[Entry]) -> None:
        if len(entries) == 1:
            self._ask_save(entries[0])
            return
        name = QFileDialog.getExistingDirectory(self, self.tr("Save the files in"))
        if name:
            for entry in entries:
                self._session.save(entry.path, Path(name))

    def _check(self, entry: Entry) -> None:
        self.toast.show_notice(Tone.INFO, self.tr("Reading and checking every share…"))
        self._session.call(
            lambda client: client.check(entry.path, verify=True), owner=self, done=self._on_checked
        )

    def _repair(self, entry: Entry) -> None:
        self.toast.show_notice(Tone.INFO, self.tr("Rebuilding what is missing…"))
        self._session.call(
            lambda client: client.repair(entry.path), owner=self, done=self._on_checked
        )

    def _on_checked(self, details: Details) -> None:
        self.files.details.show_details(details)
        health = details.health
        self.toast.show_notice(
            Tone.GOOD if health.alive >= health.total else Tone.INFO,
            self.tr("“{name}”: {alive} of {total} shares are good.").format(
                name=isolated(details.entry.name), alive=health.alive, total=health.total
            ),
        )

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.toast.show_notice(Tone.GOOD, self.tr("Copied."))

    # Node

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("Folder for the space you lend"))
        if name:
            self.contribute.set_folder(Path(name))

    def _try_again(self) -> None:
        """Start the node again; where there is no identity yet, make one first."""
        failure = self._session.failure
        missing = isinstance(failure, BitcloudError) and failure.code == "no-home"
        if not missing or self._create_home is None:
            self._session.start()
            return
        dialog = WelcomeDialog(self._theme, self._session, self, self._create_home)
        dialog.made.connect(self._on_home_made)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _on_home_made(self, words: str, passphrase: str) -> None:
        self._fresh_passphrase = passphrase or None
        if not words:
            self._session.start()
            return
        dialog = WordsDialog(self._theme, self, words)
        dialog.finished.connect(self._start_after_words)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _start_after_words(self, _result: int) -> None:
        self._session.start()

    def ask_passphrase(self) -> None:
        """Ask for the passphrase of this home; answers by ``passphrase_given``."""
        if self._fresh_passphrase is not None:  # entered a moment ago, when the home was made
            fresh, self._fresh_passphrase = self._fresh_passphrase, None
            self.passphrase_given.emit(fresh)
            return
        dialog = PassphraseDialog(self._theme, self)
        dialog.finished.connect(
            lambda result: self.passphrase_given.emit(
                dialog.passphrase if result == QDialog.DialogCode.Accepted else None
            )
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

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
                lambda: self._copy(status.fingerprint)
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
        if running and not getattr(self, "_may_close", False):
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
            self._may_close = True
            self.close()

        dialog.accepted.connect(close)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()


def safe_file_name(name: str) -> str:
    """Return a published name as a first guess for the save dialog; the node makes the final
    check."""
    kept = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)
    return kept.strip(" .") or "file"


def _contribution_folder(home: Path | None) -> Path:
    return (home or Path.home() / ".bitcloud") / "contributed"
