"""Publishing from the window: choose, paste or drop; confirm; begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from app.dialogs.publish import PublishDialog
from app.icons import icon
from app.session import Session, Tone
from app.theme import Theme
from app.widgets.drop_zone import files_in


class Publishing(QObject):
    """Asks what and where. ``target`` returns where things go when nothing else is said."""

    def __init__(
        self, theme: Theme, session: Session, window: QWidget, target: Callable[[], str]
    ) -> None:
        super().__init__(window)
        self._theme = theme
        self._session = session
        self._window = window
        self._target = target

    def ask(self, at: QPoint) -> None:
        """Let the person choose between files and a folder."""
        menu = QMenu(self._window)
        colour = self._theme.tokens.second
        files = menu.addAction(icon("document_arrow_up", colour), self.tr("Publish files…"))
        folder = menu.addAction(icon("folder_add", colour), self.tr("Publish a folder…"))
        files.triggered.connect(self._choose_files)
        folder.triggered.connect(self._choose_folder)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def _choose_files(self) -> None:
        names, _filter = QFileDialog.getOpenFileNames(self._window, self.tr("Publish files"))
        self.confirm([Path(name) for name in names])

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self._window, self.tr("Publish a folder"))
        self.confirm([Path(name)] if name else [])

    def paste(self) -> None:
        """Publish the files in the clipboard, after asking."""
        sources = files_in(QGuiApplication.clipboard().mimeData())
        if sources:
            self.confirm(sources)
        else:
            text = self.tr("There are no files in the clipboard.")
            self._session.notice.emit(Tone.INFO, text)

    def confirm(self, sources: Sequence[Path]) -> None:
        """Ask where these go, then publish them."""
        if not sources:
            return
        dialog = PublishDialog(self._theme, self._session, self._window, sources, self._target())
        dialog.accepted.connect(lambda: self.begin(sources, dialog.target))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def begin(self, sources: Sequence[Path], target: str = "") -> None:
        """Publish files and folders; the transfer shows up by itself."""
        if sources:
            self._session.publish(sources, target or self._target())
