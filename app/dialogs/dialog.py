"""What all our dialogs share: a heading, plain sentences, one way on and one way back."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.theme import Theme
from app.widgets.button import Button, Look
from app.widgets.label import Label


class Dialog(QDialog):
    """Modal to the window. Put widgets into ``body``; ``accepted`` means the named button."""

    def __init__(self, theme: Theme, parent: QWidget, title: str, action: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(460)
        self.body = QVBoxLayout()
        self.body.setSpacing(10)
        self.action = Button(theme, action, look=Look.PRIMARY)
        self.back = Button(theme, self.tr("Cancel"))
        self.action.clicked.connect(self.accept)
        self.back.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.back)
        buttons.addWidget(self.action)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(14)
        column.addWidget(Label(title, role="title"))
        column.addLayout(self.body)
        column.addSpacing(4)
        column.addLayout(buttons)

    def say(self, text: str, role: str = "second") -> Label:
        """Add a sentence."""
        label = Label(text, role=role, wrap=True)
        self.body.addWidget(label)
        return label


class ConfirmDialog(Dialog):
    """A question with its consequence."""

    def __init__(self, theme: Theme, parent: QWidget, title: str, text: str, action: str) -> None:
        super().__init__(theme, parent, title, action)
        self.say(text)


class PassphraseDialog(Dialog):
    """Asks for the passphrase that opens this home."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, parent, "Passphrase", "Open")
        self.setWindowTitle(self.tr("Passphrase"))
        self.say(self.tr("Your keys are locked with a passphrase."))
        self._field = QLineEdit()
        self._field.setEchoMode(QLineEdit.EchoMode.Password)
        self._field.setAccessibleName(self.tr("Passphrase"))
        self._field.returnPressed.connect(self.accept)
        self.body.addWidget(self._field)

    @property
    def passphrase(self) -> str:
        """What was entered."""
        return self._field.text()
