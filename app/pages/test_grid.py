"""The test grid page: switch real storage nodes off, and see which files stay readable."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSlider, QVBoxLayout, QWidget

from app.ban_text import running
from app.bridge import Job
from app.session import Session, now_s
from app.text import count_text, size_text, tr
from app.theme import MEDIUM, SEMIBOLD, Theme, font
from app.tokens import CAPTION_PX, SMALL_PX, TEXT_PX
from app.widgets.button import Button
from app.widgets.entry_delegates import health_colour
from app.widgets.label import Card, Label
from app.widgets.node_map import NodeMap
from app.widgets.paint import draw_line_of_text, fill_rounded
from bitcloud_net.api import Details, Entry, Promise, TestGrid

CHECKED_FILES = 6
"""How many files are asked after each change; asking one costs a message to each of its holders."""

APPLY_AFTER_MS = 250
ASK_AFTER_MS = 500


def seventy_percent_left(nodes: int) -> int:
    """Return how many nodes are on when 70 % (rounded down, as the promise does) are off."""
    return nodes - 7 * nodes // 10


def promise_text(promise: Promise | None, nodes: int) -> str:
    """Return what the grid's size means for a file published now, from computed figures."""
    if promise is None:
        return tr("There is no storage node, so nothing can be kept.")
    text = tr(
        "A file published now becomes {shares} shares on {nodes} nodes; any {needed} rebuild it, "
        "so {may_fail} may fail."
    ).format(shares=promise.shares, nodes=nodes, needed=promise.needed, may_fail=promise.may_fail)
    if promise.survival_70 >= 1:
        return f"{text} " + tr("It stays readable when 70 % of the nodes switch off.")
    chance = f"{promise.survival_70 * 100:.4f}"
    return f"{text} " + tr(
        "When 70 % of the nodes switch off, it stays readable with a chance of {chance} %."
    ).format(chance=chance)


class MarkedSlider(QWidget):
    """A slider over the number of running nodes with a mark where 70 % are off."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Storage nodes switched on"))
        self.slider.setPageStep(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 34)
        column.addWidget(self.slider)
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the ticks and the mark."""
        top = self.slider.maximum()
        if top <= 0:
            return
        tokens = self._theme.tokens
        painter = QPainter(self)
        used = font(CAPTION_PX)
        left, width = 11.0, self.width() - 22.0
        every = max(1, round(top / 20))
        for value in range(0, top + 1, every):
            x = left + width * value / top
            place = QRectF(x - 14, self.slider.geometry().bottom() + 1, 28, 14)
            align = Qt.AlignmentFlag.AlignHCenter
            draw_line_of_text(painter, place, str(value), used, tokens.caption, align=align)
        mark = left + width * seventy_percent_left(top) / top
        text = self.tr("70 % off")
        box = QRectF(mark - 30, self.height() - 19.0, 60, 18)
        fill_rounded(painter, box, 9, tokens.selection)
        draw_line_of_text(
            painter,
            box,
            text,
            font(CAPTION_PX, SEMIBOLD),
            tokens.on_selection,
            align=Qt.AlignmentFlag.AlignHCenter,
        )


class FileStates(QWidget):
    """A line for each file that was asked: its name, and whether it can be read now."""

    LINE = 30

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._files: list[tuple[Entry, Details | None]] = []
        theme.changed.connect(self.update)

    def show_files(self, files: list[tuple[Entry, Details | None]]) -> None:
        """Show these files; None while the answer is on its way."""
        self._files = files
        self.setFixedHeight(self.LINE * len(files))
        self.setAccessibleName(", ".join(f"{e.name}: {self._words(d)}" for e, d in files))
        self.update()

    def is_shown(self) -> bool:
        """Whether there is any file to follow."""
        return bool(self._files)

    def _words(self, details: Details | None) -> str:
        if details is None:
            return self.tr("asking…")
        health = details.health
        if not health.total:
            return self.tr("readable, it lives in the database")
        readable = health.alive >= health.needed
        return self.tr("{state}: {alive} of {total} shares answer, {needed} are needed").format(
            state=self.tr("readable") if readable else self.tr("not readable"),
            alive=health.alive,
            total=health.total,
            needed=health.needed,
        )

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the lines."""
        tokens = self._theme.tokens
        painter = QPainter(self)
        for line, (entry, details) in enumerate(self._files):
            top = float(line * self.LINE)
            colour = health_colour(details.health if details else None, tokens)
            fill_rounded(painter, QRectF(2, top + 11, 8, 8), 4, colour)
            half = self.width() * 0.46
            name = QRectF(20, top, half - 28, self.LINE)
            draw_line_of_text(painter, name, entry.name, font(TEXT_PX, MEDIUM), tokens.text)
            words = QRectF(half, top, self.width() - half, self.LINE)
            draw_line_of_text(painter, words, self._words(details), font(SMALL_PX), tokens.second)


class TestGridPage(QWidget):
    """Shows the local test grid and switches its nodes through the session."""

    __test__ = False

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__()
        self._session = session
        self._marked = MarkedSlider(theme)
        self._slider = self._marked.slider
        self._on = Label(role="figure")
        self._off = Label(role="second")
        self._promise = Label(role="second", wrap=True)
        self._map = NodeMap(theme)
        self._states = FileStates(theme)
        self._files_note = Label(role="second", wrap=True)
        self._seventy = Button(theme, self.tr("Switch 70 % off"), icon="plug_disconnected")
        self._all = Button(theme, self.tr("Switch all on"), icon="plug_connected")
        self._apply_later = QTimer(self, interval=APPLY_AFTER_MS, singleShot=True)
        self._apply_later.timeout.connect(self._apply)
        self._ask_later = QTimer(self, interval=ASK_AFTER_MS, singleShot=True)
        self._ask_later.timeout.connect(self._ask_files)
        self._jobs: list[Job[Details]] = []
        self._build()
        self._slider.valueChanged.connect(self._on_slider)
        self._seventy.clicked.connect(
            lambda: self._slider.setValue(seventy_percent_left(self._count()))
        )
        self._all.clicked.connect(lambda: self._slider.setValue(self._count()))
        session.test_grid_changed.connect(self.refresh)
        session.standing.bans_changed.connect(self.refresh)
        session.listing_changed.connect(self._on_listing)
        session.status_changed.connect(self._show_promise)
        self.refresh()

    def _build(self) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(28, 22, 28, 22)
        column.setSpacing(16)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(Label(self.tr("Test grid"), role="title"))
        words.addWidget(
            Label(
                self.tr(
                    "Real storage nodes on this computer. Switch them off and watch your files "
                    "stay."
                ),
                role="second",
            )
        )
        column.addLayout(words)
        column.addWidget(self._switch_card())
        lower = QHBoxLayout()
        lower.setSpacing(16)
        lower.addWidget(self._card(self.tr("Nodes"), self._map), 1)
        files = self._card(self.tr("Your files now"), self._files_note, self._states)
        lower.addWidget(files, 1)
        column.addLayout(lower)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName(self.tr("Test grid"))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    def _switch_card(self) -> Card:
        card = Card(margin=22, spacing=14)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self._on)
        head.addWidget(self._off, 1, Qt.AlignmentFlag.AlignBottom)
        head.addWidget(self._seventy)
        head.addWidget(self._all)
        card.body.addLayout(head)
        card.body.addWidget(self._marked)
        card.body.addWidget(self._promise)
        return card

    def _card(self, title: str, *widgets: QWidget) -> Card:
        card = Card(margin=20, spacing=12)
        card.body.addWidget(Label(title, role="heading"))
        for widget in widgets:
            card.body.addWidget(widget)
        card.body.addStretch()
        return card

    def _count(self) -> int:
        grid = self._session.test_grid
        return len(grid.nodes) if grid else 0

    def showEvent(self, event: QShowEvent) -> None:
        """Ask the files when the page is opened."""
        super().showEvent(event)
        self._on_listing()
        self._ask_later.start()

    def refresh(self) -> None:
        """Show what is true now; the slider stays while the person drags it."""
        grid = self._session.test_grid or TestGrid(nodes=())
        self._slider.setRange(0, len(grid.nodes))
        if not (self._slider.isSliderDown() or self._apply_later.isActive()):
            self._slider.blockSignals(True)
            self._slider.setValue(grid.running)
            self._slider.blockSignals(False)
        self._marked.update()
        self._map.show_nodes(grid.nodes, running(self._session.standing.bans, now_s()))
        self._show_counts(grid)
        self._show_promise()
        self._ask_later.start()

    def _show_counts(self, grid: TestGrid) -> None:
        self._on.setText(self.tr("{on} of {all} on").format(on=grid.running, all=len(grid.nodes)))
        used = sum(node.used_bytes for node in grid.nodes)
        off = len(grid.nodes) - grid.running
        share = round(100 * off / max(1, len(grid.nodes)))
        self._off.setText(
            self.tr("{share} % off  ·  {used} stored").format(share=share, used=size_text(used))
        )

    def _show_promise(self) -> None:
        status = self._session.status
        promise = status.promise if status else None
        self._promise.setText(promise_text(promise, len(status.nodes) if status else 0))

    def _on_slider(self) -> None:
        wanted = self._slider.value()
        self._on.setText(self.tr("{on} of {all} on").format(on=wanted, all=self._count()))
        self._apply_later.start()

    def _apply(self) -> None:
        if self._slider.isSliderDown():
            self._apply_later.start()  # wait until the person lets go
        else:
            self._session.set_running_nodes(self._slider.value())

    # Files

    def _on_listing(self) -> None:
        """Look for files to follow, where the person has not opened a folder with any yet."""
        if self.isVisible() and not self._states.is_shown():
            self._session.look_further()
            self._ask_later.start()

    def _ask_files(self) -> None:
        if not self.isVisible():
            return
        for job in self._jobs:
            job.cancel()
        files = self._session.known_files()[:CHECKED_FILES]
        answers: dict[str, Details | None] = {entry.path: None for entry in files}
        self._show_answers(files, answers)

        def done(details: Details) -> None:
            answers[details.entry.path] = details
            self._show_answers(files, answers)

        self._jobs = [self._ask(entry, done) for entry in files]

    def _ask(self, entry: Entry, done: Callable[[Details], None]) -> Job[Details]:
        return self._session.details(entry.path, owner=self, done=done, failed=lambda _error: None)

    def _show_answers(self, files: tuple[Entry, ...], answers: dict[str, Details | None]) -> None:
        self._states.show_files([(entry, answers.get(entry.path)) for entry in files])
        known = [answer for answer in answers.values() if answer is not None]
        readable = [d for d in known if d.health.alive >= d.health.needed]
        if not files:
            self._files_note.setText(
                self.tr("Publish something, or open a folder, to follow its files here.")
            )
        elif len(known) < len(files):
            self._files_note.setText(self.tr("Asking the holders…"))
        else:
            self._files_note.setText(
                self.tr("{readable} of {files} can be read with these nodes.").format(
                    readable=len(readable),
                    files=count_text(len(files), "{count} file", "{count} files"),
                )
            )
