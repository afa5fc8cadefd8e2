"""The details pane: preview, what to do with a file, how safe it is, and the facts."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal, SignalInstance
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.bridge import Job
from app.error_text import explain
from app.models.entry_model import address_of
from app.session import Session, now_s
from app.text import ago_text, count_text, isolated, kind_text, size_text
from app.theme import Theme
from app.tokens import DETAILS_WIDTH
from app.widgets.art import art, draw_play, family
from app.widgets.button import Button, Look
from app.widgets.emblem import draw_emblem
from app.widgets.entry_delegates import Thumbnail, draw_cover
from app.widgets.icon_box import IconBox
from app.widgets.label import Card, ElidedLabel, Label
from app.widgets.meter import Meter
from bitcloud_net.api import Details, Entry, EntryKind, Health, HealthState

ASK_AFTER_MS = 250
"""Holders are asked when the cursor has rested this long, not for every file it passes."""


class Preview(QWidget):
    """The large picture of an entry."""

    clicked = Signal()

    def __init__(self, theme: Theme, thumbnail: Thumbnail) -> None:
        super().__init__()
        self._theme = theme
        self._thumbnail = thumbnail
        self._entry: Entry | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(144)

    def show_entry(self, entry: Entry) -> None:
        """Show the picture of this entry."""
        self._entry = entry
        opens = entry.kind is EntryKind.FILE
        self.setCursor(Qt.CursorShape.PointingHandCursor if opens else Qt.CursorShape.ArrowCursor)
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as the pane."""
        return QSize(256, 144)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw a thumbnail, a generic picture or an emblem."""
        if self._entry is None:
            return
        painter = QPainter(self)
        box = QRectF(self.rect())
        if self._entry.kind is not EntryKind.FILE:
            emblem = QRectF(0, 0, 130, 104)
            emblem.moveCenter(box.center())
            draw_emblem(painter, emblem, self._entry)
            return
        thumbnail = self._thumbnail(self._entry)
        if thumbnail is not None:
            draw_cover(painter, box, thumbnail)
        else:
            picture = art(self._entry, self.width(), self.height(), self.devicePixelRatioF())
            painter.drawPixmap(0, 0, picture)
        if family(self._entry) == "video":
            draw_play(painter, box.center(), 26)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """A click opens."""
        self.clicked.emit()


class HealthCard(Card):
    """How safe a file is, in a sentence and with figures."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(margin=14, spacing=8)
        self._theme = theme
        self._icon = IconBox(theme, "shield_checkmark")
        self._title = Label(role="heading")
        self._meter = Meter(theme, self.tr("Shares that answer"), height=8)
        self._figures = Label(role="small", wrap=True)
        self._rebuild = Label(role="small", wrap=True)
        self._spare = Label(role="small", wrap=True)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self._icon)
        head.addWidget(self._title)
        head.addStretch()
        self.body.addLayout(head)
        self.body.addWidget(self._meter)
        words = QVBoxLayout()
        words.setSpacing(2)
        for label in (self._figures, self._rebuild, self._spare):
            words.addWidget(label)
        self.body.addLayout(words)

    def show_health(self, health: Health | None, *, nodes: int | None = None) -> None:
        """Show this health; ``nodes`` is how many different nodes hold the shares, if known."""
        title, icon, colour = self._heading(health)
        self._icon.set_icon(icon, colour, filled=True)
        self._title.setText(title)
        inline = health is not None and health.total == 0
        for widget in (self._meter, self._rebuild, self._spare):
            widget.setVisible(health is not None and not inline)
        if health is None:
            self._figures.setText(self.tr("Its holders were not asked yet."))
            return
        if inline:
            self._figures.setText(
                self.tr("So small that it lives inside the shared database: every node has it.")
            )
            return
        self._meter.set_value(health.alive / health.total, colour)
        self._show_figures(health, nodes)
        bad = health.state is HealthState.UNREADABLE
        self._spare.set_role("error" if bad else "small")

    def show_problem(self, text: str) -> None:
        """Say why the holders could not be asked."""
        self._figures.setText(text)

    def _show_figures(self, health: Health, nodes: int | None) -> None:
        if nodes is None:
            shares = self.tr("{alive} of {total} shares answer.")
        else:
            shares = self.tr("{alive} of {total} shares on {nodes} nodes.")
        shares = shares.format(alive=health.alive, total=health.total, nodes=nodes)
        self._figures.setText(shares)
        self._rebuild.setText(
            self.tr("Any {needed} rebuild the file.").format(needed=health.needed)
        )
        if health.state is HealthState.UNREADABLE:
            missing = health.needed - health.alive
            self._spare.setText(
                self.tr("Switch on {count} more to read it.").format(count=max(1, missing))
            )
        elif health.may_fail:
            self._spare.setText(self.tr("{count} more may fail.").format(count=health.may_fail))
        else:
            self._spare.setText(self.tr("None more may fail."))

    def _heading(self, health: Health | None) -> tuple[str, str, str]:
        tokens = self._theme.tokens
        state = health.state if health else HealthState.UNKNOWN
        if health is not None and health.total == 0 and state is HealthState.HEALTHY:
            return self.tr("Safe on the grid"), "shield_checkmark", tokens.accent
        return {
            HealthState.HEALTHY: (self.tr("Safe on the grid"), "shield_checkmark", tokens.accent),
            HealthState.WEAKENED: (self.tr("Readable, but weakened"), "shield", tokens.warning),
            HealthState.REPAIRING: (self.tr("Repairing"), "wrench", tokens.warning),
            HealthState.UNREADABLE: (self.tr("Not readable now"), "shield_error", tokens.error),
            HealthState.UNKNOWN: (self.tr("Not checked yet"), "shield", tokens.caption),
        }[state]


class Facts(QWidget):
    """Pairs of name and value."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(7)
        self._grid.setColumnStretch(1, 1)
        self._rows: list[tuple[Label, ElidedLabel]] = []

    def show_facts(self, facts: list[tuple[str, str]]) -> None:
        """Show these pairs, leaving out the empty ones."""
        facts = [(name, value) for name, value in facts if value]
        while len(self._rows) < len(facts):
            self._add_row()
        for position, (name, value) in enumerate(self._rows):
            used = position < len(facts)
            name.setVisible(used)
            value.setVisible(used)
            if used:
                name.setText(facts[position][0])
                value.setText(facts[position][1])

    def _add_row(self) -> None:
        name, value = Label(role="small"), ElidedLabel(middle=True)
        value.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        row = len(self._rows)
        self._grid.addWidget(name, row, 0)
        self._grid.addWidget(value, row, 1)
        self._rows.append((name, value))


class DetailsPane(QFrame):
    """Shows one entry. Emits what the person wants done with it."""

    open_wanted = Signal(object)
    link_wanted = Signal(object)
    save_wanted = Signal(object)
    menu_wanted = Signal(object, object)  # Entry, QPoint

    def __init__(self, theme: Theme, session: Session, thumbnail: Thumbnail) -> None:
        super().__init__()
        self._session = session
        self.entry: Entry | None = None
        self._asked = ""
        self._details: Details | None = None
        self._job: Job[Details] | None = None
        self.setProperty("role", "pane")
        self.setFixedWidth(DETAILS_WIDTH)
        self._inner = QWidget()
        self._preview = Preview(theme, thumbnail)
        self._name = Label(role="heading", wrap=True)
        self._by = ElidedLabel(role="small")
        self._open = Button(theme, self.tr("Open"), icon="open", look=Look.PRIMARY, height=34)
        self._open.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._link = Button(theme, self.tr("Copy link"), icon="link", icon_only=True, height=34)
        self._save = Button(
            theme, self.tr("Save as"), icon="arrow_download", icon_only=True, height=34
        )
        self._more = Button(
            theme, self.tr("More"), icon="more_horizontal", icon_only=True, height=34
        )
        self._health = HealthCard(theme)
        self._facts = Facts()
        self._ask = QTimer(self, interval=ASK_AFTER_MS, singleShot=True)
        self._ask.timeout.connect(self._ask_holders)
        self._build()
        self._connect()
        theme.changed.connect(self._show_health_again)

    def _build(self) -> None:
        inner = self._inner
        column = QVBoxLayout(inner)
        column.setContentsMargins(18, 18, 18, 18)
        column.setSpacing(8)
        actions = QHBoxLayout()
        actions.setSpacing(6)
        for button in (self._open, self._link, self._save, self._more):
            actions.addWidget(button)
        column.addWidget(self._preview)
        column.addSpacing(4)
        column.addWidget(self._name)
        column.addWidget(self._by)
        column.addSpacing(2)
        column.addLayout(actions)
        column.addSpacing(4)
        column.addWidget(self._health)
        column.addSpacing(4)
        column.addWidget(self._facts)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName(self.tr("Details"))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 0, 0, 0)
        outer.addWidget(scroll)

    def _connect(self) -> None:
        self._preview.clicked.connect(lambda: self._emit(self.open_wanted))
        self._open.clicked.connect(lambda: self._emit(self.open_wanted))
        self._link.clicked.connect(lambda: self._emit(self.link_wanted))
        self._save.clicked.connect(lambda: self._emit(self.save_wanted))
        self._more.clicked.connect(self._emit_menu)

    def _emit(self, signal: SignalInstance) -> None:
        if self.entry is not None:
            signal.emit(self.entry)

    def _emit_menu(self) -> None:
        if self.entry is not None:
            place = self._more.mapToGlobal(self._more.rect().bottomLeft())
            self.menu_wanted.emit(self.entry, place)

    def show_entry(self, entry: Entry | None) -> None:
        """Show this entry at once, and ask its holders when the cursor rests."""
        same = self.entry is not None and entry is not None and entry.path == self.entry.path
        self.entry = entry
        if self._job is not None and not same:
            self._job.cancel()
        self._inner.setVisible(entry is not None)
        if entry is None:
            return
        is_file = entry.kind is EntryKind.FILE
        self._preview.show_entry(entry)
        self._name.setText(entry.name)
        self._by.setText(self._origin(entry))
        self._show_actions(entry)
        self._health.setVisible(is_file)
        self._health.show_health(entry.health, nodes=self._nodes_of(entry))
        self._facts.show_facts(self._facts_of(entry))
        if is_file and not (same and self._asked == entry.path):
            self._asked = entry.path
            self._ask.start()

    def _show_actions(self, entry: Entry) -> None:
        plays = family(entry) in ("video", "audio")
        is_file = entry.kind is EntryKind.FILE
        self._open.rename(self.tr("Play") if plays and is_file else self.tr("Open"))
        self._open.set_icon("play" if plays and is_file else "open", filled=plays and is_file)
        self._link.setVisible(is_file)
        self._save.setVisible(entry.kind in (EntryKind.FILE, EntryKind.FOLDER))

    def _origin(self, entry: Entry) -> str:
        names = entry.path.split("/")
        parts = []
        if len(names) > 2:
            parts.append(self.tr("Published by {name}").format(name=isolated(names[1])))
        elif entry.kind is EntryKind.PERSON:
            parts.append(self.tr("Person in {name}").format(name=isolated(names[0])))
        elif entry.kind is EntryKind.PUBLISHER:
            parts.append(self.tr("Publisher"))
        return "  ·  ".join(parts)

    def _facts_of(self, entry: Entry) -> list[tuple[str, str]]:
        is_file = entry.kind is EntryKind.FILE
        names = entry.path.split("/")
        items = ""
        if entry.items is not None:
            items = count_text(entry.items, "{count} item", "{count} items")
        conflict = self.tr("Signed two versions of one row") if entry.conflicting else ""
        return [
            (self.tr("Kind"), kind_text(entry.media_type, entry.name) if is_file else ""),
            (self.tr("Holds"), items),
            (self.tr("Size"), size_text(entry.size_bytes) if is_file or entry.size_bytes else ""),
            (self.tr("Modified"), ago_text(entry.modified_s, now_s())),
            (self.tr("Access"), self.tr("Public — anyone") if names[0] == "Public" else ""),
            (self.tr("Key"), entry.fingerprint or ""),
            (self.tr("Warning"), conflict),
            (self.tr("Address"), address_of(entry)),
        ]

    def ask_again(self) -> None:
        """Ask the holders again, because nodes went on or off."""
        if self.entry is not None and self.entry.kind is EntryKind.FILE:
            self._ask.start()

    def _ask_holders(self) -> None:
        entry = self.entry
        if entry is None or not self.isVisible():
            return

        def failed(error: BaseException) -> None:
            if self.entry is not None and self.entry.path == entry.path:
                self._health.show_health(None)
                self._health.show_problem(str(explain(error)))

        self._job = self._session.details(
            entry.path, owner=self, done=self.show_details, failed=failed
        )

    def show_details(self, details: Details) -> None:
        """Show what the holders said, if the person still looks at that file."""
        if self.entry is None or details.entry.path != self.entry.path:
            return
        self._details = details
        self.entry = replace(self.entry, health=details.health)
        self._health.show_health(details.health, nodes=self._nodes_of(self.entry))

    def _nodes_of(self, entry: Entry) -> int | None:
        """Return on how many nodes the shares are, when that is known for this health."""
        known = self._details
        if known is None or known.entry.path != entry.path or known.health != entry.health:
            return None
        return len({holder.node for holder in known.holders if holder.alive})

    def _show_health_again(self) -> None:
        if self.entry is not None:
            self._health.show_health(self.entry.health, nodes=self._nodes_of(self.entry))
