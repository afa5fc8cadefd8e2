"""What all buttons share: a focus ring for the keyboard, and Enter beside Space."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QAbstractButton

_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class RingedButton(QAbstractButton):
    """A button that shows its focus only to those who move by keyboard."""

    def __init__(self) -> None:
        super().__init__()
        self._ring = False

    def has_ring(self) -> bool:
        """Whether the focus ring is to be drawn."""
        return self.hasFocus() and self._ring

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        self._ring = event.reason() in _KEYBOARD
        super().focusInEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses a button as Space does."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)
