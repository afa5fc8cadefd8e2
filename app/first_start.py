"""What comes before the node: making an identity, and unlocking it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QDialog, QWidget

from app.dialogs.dialog import PassphraseDialog
from app.dialogs.welcome import CreateHome, WelcomeDialog, WordsDialog
from app.session import Session
from app.theme import Theme
from bitcloud_net.api import BitcloudError


class FirstStart(QObject):
    """Emits ``passphrase_given`` (text, or None when declined) after ``ask_passphrase``."""

    passphrase_given = Signal(object)

    def __init__(
        self, theme: Theme, session: Session, window: QWidget, create_home: CreateHome | None
    ) -> None:
        super().__init__(window)
        self._theme = theme
        self._session = session
        self._window = window
        self.create_home = create_home
        self._fresh_passphrase: str | None = None

    def try_again(self) -> None:
        """Start the node again; where there is no identity yet, make one first."""
        failure = self._session.failure
        missing = isinstance(failure, BitcloudError) and failure.code == "no-home"
        if not missing or self.create_home is None:
            self._session.start()
            return
        dialog = WelcomeDialog(self._theme, self._session, self._window, self.create_home)
        dialog.made.connect(self._on_made)
        self._open(dialog)

    def _on_made(self, words: str, passphrase: str) -> None:
        self._fresh_passphrase = passphrase or None
        if not words:
            self._session.start()
            return
        dialog = WordsDialog(self._theme, self._window, words)
        dialog.finished.connect(self._start)
        self._open(dialog)

    def _start(self, _result: int) -> None:
        self._session.start()

    def ask_passphrase(self) -> None:
        """Ask for the passphrase of this home, unless it was chosen a moment ago."""
        fresh, self._fresh_passphrase = self._fresh_passphrase, None
        if fresh is not None:
            self.passphrase_given.emit(fresh)
            return
        dialog = PassphraseDialog(self._theme, self._window)
        dialog.finished.connect(
            lambda result: self.passphrase_given.emit(
                dialog.passphrase if result == QDialog.DialogCode.Accepted else None
            )
        )
        self._open(dialog)

    def _open(self, dialog: QDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
