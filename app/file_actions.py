"""What can be done with files: open, preview, play, save, copy the link, check, repair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, Qt, QUrl, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from app.icons import icon
from app.models.entry_model import address_of
from app.pages.preview import can_preview_text
from app.session import Session, Tone
from app.text import isolated
from app.theme import Theme
from app.thumbnails import can_decode
from app.widgets.art import family
from bitcloud_net.api import Details, Entry, EntryKind

OpenUrl = Callable[[QUrl], bool]
"""Hands an address to the system; False when nothing there can open it."""


def is_local_address(url: QUrl) -> bool:
    """Whether an address is our own gateway's: the only kind this window ever opens."""
    host = url.host()
    local = host in ("127.0.0.1", "::1", "localhost") or host.endswith(".localhost")
    return url.scheme() == "http" and local


class FileActions(QObject):
    """Carries out what a person wants done with entries; dialogs belong to ``window``.

    Emits what only the window can show: ``preview_wanted(Entry)``, ``folder_wanted(path)``,
    ``film_wanted(Entry, QUrl)`` when ``plays_inside`` is set, ``unopened(address)`` for what no
    program opens, and ``checked(Details)``.
    """

    preview_wanted = Signal(object)
    folder_wanted = Signal(str)
    film_wanted = Signal(object, object)
    unopened = Signal(str)
    checked = Signal(object)

    def __init__(
        self, theme: Theme, session: Session, window: QWidget, open_url: OpenUrl, play_url: OpenUrl
    ) -> None:
        super().__init__(window)
        self._theme = theme
        self._session = session
        self._window = window
        self._open_url = open_url
        self._play_url = play_url
        self.plays_inside = False

    # Opening

    def open(self, entry: Entry) -> None:
        """Open a folder here, pictures and texts here, everything else in its own program."""
        if entry.kind is not EntryKind.FILE:
            self.folder_wanted.emit(entry.path)
        elif can_preview_text(entry) or can_decode(entry):
            self.preview_wanted.emit(entry)
        else:
            self.play(entry)

    def preview(self, entry: Entry) -> None:
        """Show a file here as far as that is possible."""
        if entry.kind is EntryKind.FILE:
            self.preview_wanted.emit(entry)

    def play(self, entry: Entry) -> None:
        """Open a file in its own program; films and music in a player."""
        if family(entry) not in ("video", "audio"):
            self._open_address(entry.path, self._open_url)
        elif self.plays_inside:
            self._open_address(entry.path, partial(self._play_inside, entry))
        else:
            self._open_address(entry.path, self._play_url)

    def open_link(self, cap: str) -> None:
        """Open what a read cap names."""
        self._open_address(cap, self._open_url)

    def play_outside(self, url: QUrl) -> None:
        """Let the system play what this window's player cannot."""
        if is_local_address(url):
            self._play_url(url)

    def _play_inside(self, entry: Entry, url: QUrl) -> bool:
        self.film_wanted.emit(entry, url)
        return True

    def _open_address(self, target: str, opener: OpenUrl) -> None:
        def done(address: str) -> None:
            url = QUrl(address)
            if not is_local_address(url) or not opener(url):
                self.unopened.emit(address)

        self._session.call(lambda client: client.url(target), owner=self, done=done)

    # Saving and copying

    def save(self, entries: Sequence[Entry]) -> None:
        """Ask where these go, and fetch them there."""
        if len(entries) == 1 and entries[0].kind is EntryKind.FILE:
            name, _filter = QFileDialog.getSaveFileName(
                self._window, self.tr("Save as"), safe_file_name(entries[0].name)
            )
        else:
            name = QFileDialog.getExistingDirectory(self._window, self.tr("Save in"))
        for entry in entries if name else ():
            self._session.save(entry.path, Path(name))

    def copy_link(self, entry: Entry) -> None:
        """Put the read cap of a file into the clipboard."""

        def done(link: str) -> None:
            QGuiApplication.clipboard().setText(link)
            text = self.tr("Link copied. Whoever has it can read this file.")
            self._session.notice.emit(Tone.GOOD, text)

        self._session.call(lambda client: client.share(entry.path), owner=self, done=done)

    def copy(self, text: str) -> None:
        """Put a text into the clipboard."""
        QGuiApplication.clipboard().setText(text)
        self._session.notice.emit(Tone.GOOD, self.tr("Copied."))

    # Looking after

    def check(self, entry: Entry) -> None:
        """Read and check every byte of every share of a file."""
        self._session.notice.emit(Tone.INFO, self.tr("Reading and checking every share…"))
        self._session.call(
            lambda client: client.check(entry.path, verify=True), owner=self, done=self._on_checked
        )

    def repair(self, entry: Entry) -> None:
        """Rebuild the missing shares of a file."""
        self._session.notice.emit(Tone.INFO, self.tr("Rebuilding what is missing…"))
        self._session.call(
            lambda client: client.repair(entry.path), owner=self, done=self._on_checked
        )

    def _on_checked(self, details: Details) -> None:
        self.checked.emit(details)
        health = details.health
        self._session.keep_health(details.entry.path, health)
        self._session.notice.emit(
            Tone.GOOD if health.alive >= health.total else Tone.INFO,
            self.tr("“{name}”: {alive} of {total} shares are good.").format(
                name=isolated(details.entry.name), alive=health.alive, total=health.total
            ),
        )

    # The menu

    def show_menu(self, entries: Sequence[Entry], at: QPoint) -> None:
        """Open the menu of these entries."""
        menu = self.menu_for(entries)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def menu_for(self, entries: Sequence[Entry]) -> QMenu:
        """Return what can be done with these entries."""
        menu = QMenu(self._window)
        entry = entries[0]
        one = len(entries) == 1
        one_file = one and entry.kind is EntryKind.FILE
        items: list[tuple[str, str, Callable[[], None], bool]] = [
            ("open", self.tr("Open"), partial(self.open, entry), one),
            ("eye", self.tr("Preview"), partial(self.preview, entry), one_file),
            ("arrow_download", self.tr("Save as…"), partial(self.save, entries), True),
            ("link", self.tr("Copy link"), partial(self.copy_link, entry), one_file),
            ("copy", self.tr("Copy address"), partial(self.copy, address_of(entry)), one),
            ("shield_checkmark", self.tr("Check every byte"), partial(self.check, entry), one_file),
            ("wrench", self.tr("Repair"), partial(self.repair, entry), one_file),
        ]
        for sign, name, action, possible in items:
            item = menu.addAction(icon(sign, self._theme.tokens.second), name)
            item.setEnabled(possible)
            item.triggered.connect(lambda _checked=False, act=action: act())
        return menu


def safe_file_name(name: str) -> str:
    """Return a published name as a first guess for the save dialog; the node makes the final
    check."""
    kept = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name)
    return kept.strip(" .") or "file"
