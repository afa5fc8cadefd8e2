"""The preview: a picture or the beginning of a text, over the page it was asked from."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QStackedWidget, QVBoxLayout, QWidget

from app.bridge import Job
from app.error_text import explain
from app.session import Session
from app.text import shown, size_text
from app.theme import Theme
from app.thumbnails import Thumbnails, can_decode, read_whole
from app.widgets.art import art, family
from app.widgets.button import Button, Look
from app.widgets.label import ElidedLabel, Label
from bitcloud_net.api import Entry

TEXT_BYTES = 256 * 1024
"""How much of a text is shown; laying out more would be felt."""

PICTURE_SIDE = 2048


def can_preview_text(entry: Entry) -> bool:
    """Whether a file is text that we show as it is."""
    media_type = entry.media_type or ""
    return media_type.startswith("text/") or media_type in ("application/json", "application/xml")


class _Picture(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self._pixmap: QPixmap | None = None

    def show_pixmap(self, pixmap: QPixmap | None) -> None:
        self._pixmap = pixmap
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._pixmap is None or self._pixmap.isNull():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        ratio = self._pixmap.devicePixelRatio()
        width, height = self._pixmap.width() / ratio, self._pixmap.height() / ratio
        scale = min(1.0, self.width() / width, self.height() / height)
        box = QRectF(0, 0, width * scale, height * scale)
        box.moveCenter(QRectF(self.rect()).center())
        painter.drawPixmap(box, self._pixmap, QRectF(self._pixmap.rect()))


class PreviewPage(QWidget):
    """Emits ``closed``, and ``open_wanted(Entry)`` to open the file in its own program."""

    closed = Signal()
    open_wanted = Signal(object)

    def __init__(self, theme: Theme, session: Session, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._session = session
        self._thumbnails = thumbnails
        self._entry: Entry | None = None
        self._job: Job[bytes] | None = None
        self._title = ElidedLabel(role="heading")
        self._facts = Label(role="small")
        self._note = Label(role="second")
        self._note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._picture = _Picture()
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setAccessibleName(self.tr("Text"))
        self._stack = QStackedWidget()
        for widget in (self._note, self._picture, self._text):
            self._stack.addWidget(widget)
        close = Button(
            theme, self.tr("Close (Esc)"), icon="dismiss", look=Look.GHOST, icon_only=True
        )
        opener = Button(theme, self.tr("Open"), icon="open")
        close.clicked.connect(self.closed)
        opener.clicked.connect(self._open)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self._title, 1)
        head.addWidget(self._facts)
        head.addWidget(opener)
        head.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 16, 24, 20)
        column.setSpacing(14)
        column.addLayout(head)
        column.addWidget(self._stack, 1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def show_entry(self, entry: Entry) -> None:
        """Show a file; what cannot be shown keeps its generic picture."""
        self._entry = entry
        self._title.setText(entry.name)
        self._facts.setText(size_text(entry.size_bytes))
        if self._job is not None:
            self._job.cancel()
        if can_preview_text(entry):
            self._say(self.tr("Loading…"))
            self._job = self._session.call(
                lambda client: read_whole(client, entry.path, TEXT_BYTES),
                owner=self,
                done=self._show_text,
                failed=lambda error: self._say(str(explain(error))),
            )
        elif can_decode(entry):
            self._say(self.tr("Loading…"))
            self._thumbnails.load(
                entry, PICTURE_SIDE, lambda pixmap: self._show_picture(entry, pixmap)
            )
        else:
            self._show_generic(entry)

    def _say(self, text: str) -> None:
        self._note.setText(text)
        self._stack.setCurrentWidget(self._note)

    def _show_text(self, data: bytes) -> None:
        text = data.decode("utf-8", errors="replace")
        lines = (shown(line) if len(line) <= 512 else line for line in text.splitlines())
        self._text.setPlainText("\n".join(lines))
        self._stack.setCurrentWidget(self._text)

    def _show_picture(self, entry: Entry, pixmap: QPixmap | None) -> None:
        if self._entry is not entry:
            return
        if pixmap is None:
            self._show_generic(entry)
            return
        self._picture.show_pixmap(pixmap)
        self._stack.setCurrentWidget(self._picture)

    def _show_generic(self, entry: Entry) -> None:
        wide = family(entry) in ("video", "image", "audio")
        size = (640, 360) if wide else (480, 270)
        self._picture.show_pixmap(art(entry, *size, self.devicePixelRatioF()))
        self._stack.setCurrentWidget(self._picture)

    def _open(self) -> None:
        if self._entry is not None:
            self.open_wanted.emit(self._entry)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc and Space close."""
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Space):
            self.closed.emit()
        else:
            super().keyPressEvent(event)
