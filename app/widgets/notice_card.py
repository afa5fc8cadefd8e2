"""A card that says what needs to be known before all else on a page: icon, sentences, an action."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from app.theme import Theme
from app.widgets.button import Button
from app.widgets.icon_box import IconBox
from app.widgets.label import Card, Label


class NoticeCard(Card):
    """Put more widgets into ``words``; emits ``wanted`` when its button is pressed."""

    wanted = Signal()

    def __init__(self, theme: Theme, icon: str, *, serious: bool = False) -> None:
        super().__init__(margin=18, spacing=0)
        self._theme = theme
        self._icon = icon
        self._serious = serious
        self._mark = IconBox(theme, icon, tinted=not serious, size=24 if serious else 20)
        self._title = Label(role="heading")
        self._text = Label(role="second", wrap=True)
        self._action = Button(theme, self.tr("Go on"))
        self._action.hide()
        self._action.clicked.connect(self.wanted)
        self.words = QVBoxLayout()
        self.words.setSpacing(8)
        self.words.addWidget(self._title)
        self.words.addWidget(self._text)
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(self.words, 1)
        row.addWidget(self._action, 0, Qt.AlignmentFlag.AlignVCenter)
        self.body.addLayout(row)
        self._colour()
        theme.changed.connect(self._colour)

    def _colour(self) -> None:
        if self._serious:
            self._mark.set_icon(self._icon, self._theme.tokens.error, filled=True)

    def say(self, title: str, text: str, action: str = "", *, icon: str = "") -> None:
        """Show these words; an empty action hides the button."""
        self._title.setText(title)
        self._text.setText(text)
        self._action.setVisible(bool(action))
        if action:
            self._action.rename(action)
            self._action.set_icon(icon)
        self.setAccessibleName(f"{title} {text}")
