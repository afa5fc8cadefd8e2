"""The first start: who are you, and the recovery words, shown once and asked for.

WelcomeDialog   a name; a new identity or one from its 24 words; a passphrase for this computer
WordsDialog     the 24 words, to be written down
then            two of them are asked for; a wrong one is pointed at, nothing is lost
"""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Sequence
from random import SystemRandom
from typing import Protocol

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from app.dialogs.dialog import Dialog
from app.error_text import explain
from app.session import Session
from app.theme import Theme
from app.widgets.button import Button
from app.widgets.label import Label

WORD_COUNT = 24
ASKED_WORDS = 2
MAX_NAME = 64
MAX_PASSPHRASE = 1024
WORD_COLUMNS = 4


class CreateHome(Protocol):
    """How an identity is made; see ``bitcloud_net.api.create_home``."""

    def __call__(self, *, name: str, passphrase: str, words: str | None) -> Awaitable[str]:
        """Make it and return its recovery words."""


class WelcomeDialog(Dialog):
    """Emits ``made(words, passphrase)``; the words are ``""`` for an identity brought back."""

    made = Signal(str, str)

    def __init__(
        self, theme: Theme, session: Session, parent: QWidget, create_home: CreateHome
    ) -> None:
        super().__init__(theme, parent, "Welcome to Bitcloud", "Begin")
        self.setWindowTitle(self.tr("Welcome to Bitcloud"))
        self._session = session
        self._create_home = create_home
        self._name = self._field(self.tr("Name"), login_name(), MAX_NAME)
        self._passphrase = self._field(self.tr("Passphrase"), "", MAX_PASSPHRASE, secret=True)
        self._again = self._field(self.tr("Passphrase again"), "", MAX_PASSPHRASE, secret=True)
        self._words = QPlainTextEdit()
        self._words.setAccessibleName(self.tr("Recovery words"))
        self._words.setPlaceholderText(self.tr("The 24 words, in their order"))
        self._words.setFixedHeight(84)
        self._new = Button(theme, self.tr("I am new"))
        self._restore = Button(theme, self.tr("I have recovery words"))
        self._problem = Label(role="error", wrap=True)
        self._build()
        self.action.clicked.disconnect(self.accept)
        self.action.clicked.connect(self._try)
        self._show_kind()

    def _field(self, name: str, text: str, limit: int, *, secret: bool = False) -> QLineEdit:
        field = QLineEdit(text)
        field.setMaxLength(limit)
        field.setAccessibleName(name)
        if secret:
            field.setEchoMode(QLineEdit.EchoMode.Password)
        return field

    def _build(self) -> None:
        self.say(
            self.tr(
                "Your identity belongs to you alone: no account, no server, and nobody who could "
                "reset a password."
            )
        )
        kinds, group = QHBoxLayout(), QButtonGroup(self)
        for button in (self._new, self._restore):
            button.setCheckable(True)
            button.clicked.connect(self._show_kind)
            group.addButton(button)
            kinds.addWidget(button)
        kinds.addStretch()
        self._new.setChecked(True)
        self.body.addLayout(kinds)
        self.body.addWidget(self._words)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(10)
        for row, field in enumerate((self._name, self._passphrase, self._again)):
            grid.addWidget(Label(field.accessibleName(), role="second"), row, 0)
            grid.addWidget(field, row, 1)
        self.body.addLayout(grid)
        self.say(
            self.tr(
                "The passphrase locks your keys on this computer. Without one, who can read your "
                "files here can use them."
            ),
            role="small",
        )
        self.body.addWidget(self._problem)
        self._problem.hide()

    def _show_kind(self) -> None:
        self._words.setVisible(self._restore.isChecked())
        self.adjustSize()

    def _say_problem(self, text: str) -> None:
        self._problem.setText(text)
        self._problem.setVisible(bool(text))
        self.action.setEnabled(True)

    def _try(self) -> None:
        """Make the identity; what is wrong is said here, and nothing entered is lost."""
        name, passphrase = self._name.text().strip(), self._passphrase.text()
        words = self._words.toPlainText() if self._restore.isChecked() else None
        if not name:
            self._say_problem(self.tr("Enter a name: others see your files under it."))
        elif passphrase != self._again.text():
            self._say_problem(self.tr("The two passphrases differ."))
        elif words is not None and len(words.split()) != WORD_COUNT:
            self._say_problem(
                self.tr("There are 24 recovery words; {count} were entered.").format(
                    count=len(words.split())
                )
            )
        else:
            self._make(name, passphrase, words)

    def _make(self, name: str, passphrase: str, words: str | None) -> None:
        self._say_problem("")
        self.action.setEnabled(False)

        def done(made: str) -> None:
            self.made.emit("" if words is not None else made, passphrase)
            self.accept()

        self._session.prepare(
            lambda: self._create_home(name=name, passphrase=passphrase, words=words),
            owner=self,
            done=done,
            failed=lambda error: self._say_problem(str(explain(error))),
        )


class WordsDialog(Dialog):
    """Shows the recovery words, then asks for two of them."""

    def __init__(
        self, theme: Theme, parent: QWidget, words: str, asked: Sequence[int] = ()
    ) -> None:
        super().__init__(theme, parent, "Write these words down", "I have written them down")
        self.setWindowTitle(self.tr("Recovery words"))
        self._list = words.split()
        self._asked = list(asked) or sorted(SystemRandom().sample(range(WORD_COUNT), ASKED_WORDS))
        self._sheet = QWidget()
        self._question = QWidget()
        self._fields: list[QLineEdit] = []
        self._problem = Label(role="error", wrap=True)
        self.say(
            self.tr(
                "These 24 words are your identity: on paper, in a safe place. Who has them is you; "
                "without them nobody can help you."
            )
        )
        self._build_sheet()
        self._build_question()
        for widget in (self._sheet, self._question, self._problem):
            self.body.addWidget(widget)
        self._question.hide()
        self._problem.hide()
        self.back.rename(self.tr("Show again"))
        self.back.hide()
        self.back.clicked.disconnect(self.reject)
        self.back.clicked.connect(lambda: self._turn(asking=False))
        self.action.clicked.disconnect(self.accept)
        self.action.clicked.connect(self._on_action)

    def _build_sheet(self) -> None:
        grid = QGridLayout(self._sheet)
        grid.setHorizontalSpacing(22)
        grid.setVerticalSpacing(8)
        grid.setContentsMargins(0, 4, 0, 4)
        for position, word in enumerate(self._list):
            row, column = divmod(position, WORD_COLUMNS)
            number = Label(f"{position + 1}", role="small")
            grid.addWidget(number, row, column * 2)
            grid.addWidget(Label(word, role="strong"), row, column * 2 + 1)

    def _build_question(self) -> None:
        grid = QGridLayout(self._question)
        grid.setContentsMargins(0, 4, 0, 4)
        for row, position in enumerate(self._asked):
            name = self.tr("Word {number}").format(number=position + 1)
            field = QLineEdit()
            field.setAccessibleName(name)
            grid.addWidget(Label(name, role="second"), row, 0)
            grid.addWidget(field, row, 1)
            self._fields.append(field)

    def _turn(self, *, asking: bool) -> None:
        self._sheet.setVisible(not asking)
        self._question.setVisible(asking)
        self.back.setVisible(asking)
        self._problem.hide()
        self.action.rename(self.tr("Done") if asking else self.tr("I have written them down"))
        self.adjustSize()

    def _on_action(self) -> None:
        if not self._question.isVisible():
            self._turn(asking=True)
            return
        for position, field in zip(self._asked, self._fields, strict=True):
            if field.text().strip().lower() != self._list[position]:
                text = self.tr("Word {number} is another one. Look again.")
                self._problem.setText(text.format(number=position + 1))
                self._problem.show()
                return
        self.accept()


def login_name() -> str:
    """Return the name a person goes by on this computer, as a first guess."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such thing on this system
        return ""
