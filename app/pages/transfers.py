"""The transfers page: every transfer with its state, its reason for waiting, and what can be
done."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListView,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.error_text import OWN_FILE_CODES, ErrorText, explain_code, own_words
from app.icons import draw_icon
from app.models.transfer_model import TRANSFER_ROLE, TransferModel
from app.session import Session, now_s
from app.text import ago_text, isolated, size_text, tr
from app.theme import MEDIUM, Theme, font
from app.tokens import SMALL_PX, TEXT_PX, Tokens
from app.widgets.button import Button
from app.widgets.label import Label
from app.widgets.paint import draw_line_of_text, fill_rounded, outline_rounded
from app.widgets.shelf import ICONS, fraction, progress_text, verb_text
from app.widgets.state_pane import StatePane
from bitcloud_net.api import Transfer, TransferKind, TransferState

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 76
BUTTON = 32.0


def state_text(transfer: Transfer) -> str:
    """Return a transfer's state and, when it does not move, why, and what comes next."""
    reason = _reason(transfer)
    why = str(reason) if reason else ""
    texts = {
        TransferState.WAITING: why or tr("Waiting for its turn."),
        TransferState.RUNNING: progress_text(transfer),
        TransferState.PAUSED: tr("Paused. It goes on where it stopped."),
        TransferState.AT_RISK: tr(
            "Sent, with {have} of {need} storage receipts. It goes on until enough nodes answer."
        ).format(have=transfer.receipts, need=transfer.receipts_needed),
        TransferState.DONE: _done_text(transfer),
        TransferState.FAILED: tr("Failed. {why}").format(why=why or tr("Try again.")),
        TransferState.CANCELLED: tr("Cancelled. Nothing half done is visible."),
    }
    return texts[transfer.state]


def _reason(transfer: Transfer) -> ErrorText | None:
    """Return why a transfer waits or failed; which file it is, where it is one of ours."""
    code = transfer.reason_code
    if transfer.missing and transfer.state is TransferState.FAILED:
        return _missing(transfer.missing)
    if transfer.kind is TransferKind.PUBLISH and code in OWN_FILE_CODES and transfer.reason:
        return own_words(code, transfer.reason)
    return explain_code(code)


def _missing(paths: Sequence[str]) -> ErrorText:
    """Return how many files of a folder were not published, and the name of the first."""
    name = isolated(paths[0])
    if len(paths) == 1:
        sentence = tr("“{name}” was not published.").format(name=name)
    else:
        text = tr("{count} files were not published, among them “{name}”.")
        sentence = text.format(count=len(paths), name=name)
    return ErrorText(sentence=sentence, advice=tr("Resume: these alone are sent."))


def _done_text(transfer: Transfer) -> str:
    words = {
        TransferKind.PUBLISH: tr("On the grid"),
        TransferKind.FETCH: tr("Saved"),
        TransferKind.CHECK: tr("Checked"),
        TransferKind.REPAIR: tr("Repaired"),
    }
    parts = [words[transfer.kind], size_text(transfer.bytes_total)]
    if transfer.receipts:
        parts.append(tr("{count} storage receipts").format(count=transfer.receipts))
    return "  ·  ".join(parts)


def actions(transfer: Transfer) -> tuple[str, ...]:
    """Return what can be done with a transfer: names of ``Session`` methods."""
    if transfer.state in (TransferState.DONE, TransferState.CANCELLED):
        return ()
    if transfer.state is TransferState.FAILED:
        return ("resume",)
    first = "resume" if transfer.state is TransferState.PAUSED else "pause"
    return (first, "cancel")


_ACTION_ICONS = {"pause": "pause", "resume": "play", "cancel": "dismiss"}


class TransferDelegate(QStyledItemDelegate):
    """Draws a transfer and its buttons. Emits ``acted(id, action)``."""

    acted = Signal(str, str)

    def __init__(self, theme: Theme, view: QListView) -> None:
        super().__init__(view)
        self._theme = theme

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """All rows are equally high."""
        return QSize(300, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one transfer."""
        transfer = index.data(TRANSFER_ROLE)
        if not isinstance(transfer, Transfer):
            return
        tokens = self._theme.tokens
        painter.save()
        box = QRectF(option.rect).adjusted(2, 4, -2, -4)
        fill_rounded(painter, box, 12, tokens.card)
        chosen = option.state & QStyle.StateFlag.State_Selected
        outline_rounded(painter, box, 12, tokens.accent if chosen else tokens.line)
        mark = QRectF(box.left() + 14, box.center().y() - 19, 38, 38)
        fill_rounded(painter, mark, 8, tokens.selection)
        place = mark.adjusted(9, 9, -9, -9)
        draw_icon(painter, ICONS[transfer.kind], place, tokens.accent)
        right = self._draw_actions(painter, box, transfer)
        self._draw_words(
            painter,
            QRectF(mark.right() + 14, box.top(), right - mark.right() - 28, box.height()),
            transfer,
        )
        painter.restore()

    def _draw_words(self, painter: QPainter, box: QRectF, transfer: Transfer) -> None:
        tokens = self._theme.tokens
        name = QRectF(box.left(), box.top() + 9, box.width() - 130, 20)
        draw_line_of_text(painter, name, transfer.title, font(TEXT_PX, MEDIUM), tokens.text)
        when = QRectF(box.right() - 120, box.top() + 9, 120, 20)
        age = ago_text(transfer.started_s or None, now_s())
        align = Qt.AlignmentFlag.AlignRight
        draw_line_of_text(painter, when, age, font(SMALL_PX), tokens.caption, align=align)
        line = QRectF(box.left(), box.top() + 29, box.width(), 18)
        colour = state_colour(transfer.state, tokens)
        draw_line_of_text(painter, line, state_text(transfer), font(SMALL_PX), colour)
        track = QRectF(box.left(), box.bottom() - 15, box.width(), 4)
        fill_rounded(painter, track, 2, tokens.track)
        done = fraction(transfer)
        if done > 0:
            track.setWidth(max(4.0, track.width() * done))
            paused = transfer.state in (TransferState.PAUSED, TransferState.CANCELLED)
            failed = transfer.state is TransferState.FAILED
            bar = tokens.error if failed else tokens.caption if paused else tokens.accent
            fill_rounded(painter, track, 2, bar)

    def _draw_actions(self, painter: QPainter, box: QRectF, transfer: Transfer) -> float:
        tokens = self._theme.tokens
        places = action_boxes(box, transfer)
        for action, place in places:
            outline_rounded(painter, place, 8, tokens.line)
            draw_icon(painter, _ACTION_ICONS[action], place.adjusted(7, 7, -7, -7), tokens.text)
        return places[0][1].left() if places else box.right()

    def editorEvent(
        self,
        event: QEvent,
        _model: QAbstractItemModel,
        option: QStyleOptionViewItem,
        index: Index,
    ) -> bool:
        """A click on a button acts."""
        if event.type() != QEvent.Type.MouseButtonRelease or not isinstance(event, QMouseEvent):
            return False
        transfer = index.data(TRANSFER_ROLE)
        box = QRectF(option.rect).adjusted(2, 4, -2, -4)
        for action, place in action_boxes(box, transfer):
            if place.contains(QPointF(event.position())):
                self.acted.emit(transfer.id, action)
                return True
        return False


def action_boxes(box: QRectF, transfer: Transfer) -> list[tuple[str, QRectF]]:
    """Return where a transfer's buttons are, left to right."""
    names = actions(transfer)
    left = box.right() - 14 - len(names) * (BUTTON + 6) + 6
    top = box.center().y() - BUTTON / 2
    return [
        (name, QRectF(left + i * (BUTTON + 6), top, BUTTON, BUTTON)) for i, name in enumerate(names)
    ]


def state_colour(state: TransferState, tokens: Tokens) -> str:
    """Return the colour of a transfer's second line; the words say the same."""
    return {TransferState.FAILED: tokens.error, TransferState.AT_RISK: tokens.warning}.get(
        state, tokens.second
    )


class TransferView(QListView):
    """The list; P pauses or resumes, Del cancels. Emits ``acted(id, action)``,
    ``opened(Transfer)``."""

    acted = Signal(str, str)
    opened = Signal(object)

    def __init__(self, theme: Theme, model: TransferModel) -> None:
        super().__init__()
        self.setModel(model)
        delegate = TransferDelegate(theme, self)
        delegate.acted.connect(self.acted)
        self.setItemDelegate(delegate)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setAccessibleName(self.tr("Transfers"))
        self.doubleClicked.connect(self._open)
        theme.changed.connect(self.viewport().update)

    def _open(self, index: QModelIndex) -> None:
        self.opened.emit(index.data(TRANSFER_ROLE))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """P pauses or resumes, Del cancels, Enter shows the file."""
        transfer = self.currentIndex().data(TRANSFER_ROLE)
        wanted = {Qt.Key.Key_P: 0, Qt.Key.Key_Delete: 1}.get(Qt.Key(event.key()))
        if isinstance(transfer, Transfer) and wanted is not None:
            possible = actions(transfer)
            if wanted < len(possible):
                self.acted.emit(transfer.id, possible[wanted])
        elif isinstance(transfer, Transfer) and event.key() in (
            Qt.Key.Key_Return,
            Qt.Key.Key_Enter,
        ):
            self.opened.emit(transfer)
        else:
            super().keyPressEvent(event)


class TransfersPage(QWidget):
    """Emits ``reveal_wanted(path)`` for a transfer's file and ``publish_wanted``."""

    reveal_wanted = Signal(str)
    publish_wanted = Signal()

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__()
        self._session = session
        self._model = TransferModel(self, spoken=spoken)
        self.view = TransferView(theme, self._model)
        self._facts = Label(role="second")
        self._pause_all = Button(theme, self.tr("Pause all"), icon="pause")
        self._clear = Button(theme, self.tr("Clear ended"))
        self._stack = QStackedWidget()
        empty = StatePane(theme)
        empty.show_state(
            self.tr("No transfers yet."),
            self.tr("What you publish or save shows up here, with its progress."),
            self.tr("Publish"),
        )
        empty.wanted.connect(self.publish_wanted)
        self._stack.addWidget(self.view)
        self._stack.addWidget(empty)
        self._build()
        self.view.acted.connect(self._act)
        self.view.opened.connect(self._reveal)
        self._pause_all.clicked.connect(self._toggle_all)
        self._clear.clicked.connect(session.forget_ended)
        session.transfers_changed.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(Label(self.tr("Transfers"), role="title"))
        words.addWidget(self._facts)
        head = QHBoxLayout()
        head.addLayout(words, 1)
        head.addWidget(self._pause_all)
        head.addWidget(self._clear)
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 22, 28, 8)
        column.setSpacing(14)
        column.addLayout(head)
        column.addWidget(self._stack, 1)

    def refresh(self) -> None:
        """Show what is true now."""
        transfers = self._session.transfers.values()
        running = self._session.running_transfers()
        self._model.replace(transfers)
        self._stack.setCurrentIndex(0 if transfers else 1)
        self._facts.setText(
            self.tr("{running} under way  ·  {ended} ended").format(
                running=len(running), ended=len(transfers) - len(running)
            )
        )
        self._pause_all.setVisible(bool(running))
        self._clear.setVisible(len(transfers) > len(running))
        moving = any(t.state is not TransferState.PAUSED for t in running)
        self._pause_all.rename(self.tr("Pause all") if moving else self.tr("Resume all"))
        self._pause_all.set_icon("pause" if moving else "play")

    def _act(self, transfer: str, action: str) -> None:
        {
            "pause": self._session.pause,
            "resume": self._session.resume,
            "cancel": self._session.cancel,
        }[action](transfer)

    def _toggle_all(self) -> None:
        running = self._session.running_transfers()
        moving = [t for t in running if t.state is not TransferState.PAUSED]
        for transfer in moving or running:
            (self._session.pause if moving else self._session.resume)(transfer.id)

    def _reveal(self, transfer: Transfer) -> None:
        if not transfer.target.startswith("bitcloud:"):
            self.reveal_wanted.emit(transfer.target)


def spoken(transfer: Transfer) -> str:
    """Return a transfer in words for a screen reader."""
    return f"{verb_text(transfer)}, {state_text(transfer)}"


def describe(transfer: Transfer) -> str:
    """Return a sentence about a transfer that ended, for a notice."""
    title = isolated(transfer.title)
    if transfer.state is TransferState.FAILED:
        return f"“{title}”: {state_text(transfer)}"
    words = {
        TransferKind.PUBLISH: tr("“{title}” is on the grid."),
        TransferKind.FETCH: tr("“{title}” is saved."),
        TransferKind.CHECK: tr("“{title}” was checked."),
        TransferKind.REPAIR: tr("“{title}” was repaired."),
    }
    return words[transfer.kind].format(title=title)
