"""A small card with one figure."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout

from app.text import as_tooltip
from app.theme import Theme
from app.widgets.icon_box import IconBox
from app.widgets.label import Card, ElidedLabel


class Figure(Card):
    """Icon, caption, figure, second line; ``about`` explains it to who points at it."""

    def __init__(self, theme: Theme, icon: str, caption: str, *, about: str = "") -> None:
        super().__init__(margin=14, spacing=0)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._caption = caption
        self._about = about
        self._figure = ElidedLabel(role="heading")
        self._note = ElidedLabel(role="small")
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(ElidedLabel(caption, role="small"))
        words.addWidget(self._figure)
        words.addWidget(self._note)
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(IconBox(theme, icon, tinted=True))
        row.addLayout(words, 1)
        self.body.addLayout(row)

    def show_figure(self, figure: str, note: str, *, wrong: bool = False) -> None:
        """Show these words; ``wrong`` ones in the colour of warnings."""
        self._figure.setText(figure)
        self._note.setText(note)
        self._note.set_role("warning" if wrong else "small")
        self.setAccessibleName(f"{self._caption}: {figure}, {note}")
        if self._about:
            for part in (self, *self.findChildren(ElidedLabel)):
                part.setToolTip(as_tooltip(self._about))
