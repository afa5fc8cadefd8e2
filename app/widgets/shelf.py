"""The shelf at the bottom: the transfer under way, and how fast bytes move."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy

from app.session import Session
from app.text import speed_text, time_left_text, tr
from app.theme import Theme
from app.tokens import SHELF_HEIGHT
from app.widgets.button import Button, Look
from app.widgets.icon_box import IconBox
from app.widgets.label import ElidedLabel, Label
from app.widgets.meter import Meter
from bitcloud_net.api import Transfer, TransferKind, TransferState

ICONS = {
    TransferKind.PUBLISH: "arrow_upload",
    TransferKind.FETCH: "arrow_download",
    TransferKind.CHECK: "shield_checkmark",
    TransferKind.REPAIR: "wrench",
}


def verb_text(transfer: Transfer) -> str:
    """Return what a transfer does, with its title, as one line."""
    patterns = {
        TransferKind.PUBLISH: tr("Publishing “{title}”"),
        TransferKind.FETCH: tr("Saving “{title}”"),
        TransferKind.CHECK: tr("Checking “{title}”"),
        TransferKind.REPAIR: tr("Repairing “{title}”"),
    }
    return patterns[transfer.kind].format(title=transfer.title)


def fraction(transfer: Transfer) -> float:
    """Return how much is done, from 0 to 1; 1 only when the transfer is."""
    if transfer.state is TransferState.DONE:
        return 1.0
    return min(0.99, transfer.bytes_done / transfer.bytes_total) if transfer.bytes_total else 0.0


def progress_text(transfer: Transfer) -> str:
    """Return percent, speed and time left, or why it does not move."""
    if transfer.state is TransferState.PAUSED:
        return tr("{percent} %  ·  paused").format(percent=_percent(transfer))
    if transfer.state is TransferState.WAITING:
        return tr("waiting")
    if transfer.state is TransferState.AT_RISK:
        return tr("sent  ·  {have} of {need} receipts, waiting for nodes").format(
            have=transfer.receipts, need=transfer.receipts_needed
        )
    parts = [tr("{percent} %").format(percent=_percent(transfer))]
    if transfer.files_total > 1:
        parts.append(
            tr("{done} of {total} files").format(
                done=transfer.files_done, total=transfer.files_total
            )
        )
    if transfer.bytes_per_s:
        parts.append(speed_text(transfer.bytes_per_s))
    parts.append(time_left_text(transfer.seconds_left))
    return "  ·  ".join(part for part in parts if part)


def _percent(transfer: Transfer) -> int:
    return int(fraction(transfer) * 100)


class Shelf(QFrame):
    """Shows the oldest running transfer; a click leads to all of them."""

    wanted = Signal()

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__()
        self._session = session
        self._transfer: Transfer | None = None
        self.setProperty("role", "shelf")
        self.setFixedHeight(SHELF_HEIGHT)
        self._icon = IconBox(theme, "arrow_upload")
        self._title = ElidedLabel(role="body")
        self._title.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._title.setMaximumWidth(260)
        self._meter = Meter(theme, self.tr("Progress"))
        self._meter.setMaximumWidth(200)
        self._facts = ElidedLabel(role="small")
        self._facts.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._pause = Button(
            theme, self.tr("Pause"), icon="pause", look=Look.GHOST, icon_only=True, height=30
        )
        self._cancel = Button(
            theme, self.tr("Cancel"), icon="dismiss", look=Look.GHOST, icon_only=True, height=30
        )
        self._down, self._up = Label(role="small"), Label(role="small")
        self._build(theme)
        self._pause.clicked.connect(self._toggle_pause)
        self._cancel.clicked.connect(self._cancel_transfer)
        session.transfers_changed.connect(self.refresh)
        session.status_changed.connect(self.refresh)
        self.refresh()

    def _build(self, theme: Theme) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(20, 0, 16, 0)
        layout.setSpacing(10)
        layout.addWidget(self._icon)
        layout.addWidget(self._title)
        layout.addWidget(self._meter, 1)
        layout.addWidget(self._facts, 2)
        layout.addWidget(self._pause)
        layout.addWidget(self._cancel)
        for icon, label in (("arrow_circle_down", self._down), ("arrow_circle_up", self._up)):
            layout.addWidget(IconBox(theme, icon, quiet=True))
            label.setMinimumWidth(62)
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            layout.addWidget(label)

    def refresh(self) -> None:
        """Show what moves now."""
        running = self._session.running_transfers()
        moving = [t for t in running if t.state is TransferState.RUNNING]
        self._transfer = next(iter([*moving, *running]), None)
        for widget in (self._icon, self._meter, self._pause, self._cancel):
            widget.setVisible(self._transfer is not None)
        if self._transfer is None:
            self._title.setText(self.tr("No transfers under way"))
            self._title.set_role("small")
            self._facts.setText("")
        else:
            self._show(self._transfer, len(running) - 1)
        status = self._session.status
        self._down.setText(speed_text(status.receive_per_s if status else 0))
        self._up.setText(speed_text(status.send_per_s if status else 0))

    def _show(self, transfer: Transfer, waiting: int) -> None:
        self._icon.set_icon(ICONS[transfer.kind])
        self._title.set_role("body")
        self._title.setText(verb_text(transfer))
        self._meter.set_value(fraction(transfer))
        facts = progress_text(transfer)
        if waiting:
            facts += "  ·  " + self.tr("{count} more").format(count=waiting)
        self._facts.setText(facts)
        paused = transfer.state is TransferState.PAUSED
        self._pause.set_icon("play" if paused else "pause")
        self._pause.rename(self.tr("Resume") if paused else self.tr("Pause"))

    def _toggle_pause(self) -> None:
        if self._transfer is None:
            return
        if self._transfer.state is TransferState.PAUSED:
            self._session.resume(self._transfer.id)
        else:
            self._session.pause(self._transfer.id)

    def _cancel_transfer(self) -> None:
        if self._transfer is not None:
            self._session.cancel(self._transfer.id)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """A click leads to the transfers page."""
        self.wanted.emit()
