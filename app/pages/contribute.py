"""The contribute page: lend disk space, and see what this computer holds for others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QScrollArea, QSlider, QVBoxLayout, QWidget

from app.disk_space import DiskSpace, disk_space
from app.session import NodeState, Session
from app.text import count_text, round_size_text, size_text, speed_text
from app.theme import Theme
from app.widgets.ban_card import BanCard
from app.widgets.button import Button
from app.widgets.chart import TrafficChart
from app.widgets.figure import Figure
from app.widgets.icon_box import IconBox
from app.widgets.join_card import JoinCard
from app.widgets.label import Card, ElidedLabel, Label
from app.widgets.legend import Legend
from app.widgets.meter import Ring, StackedBar
from app.widgets.switch import Switch
from bitcloud_net.api import Contribution, MembershipState

GB = 1000**3
DEFAULT_BYTES = 10 * GB
"""What the slider offers at first: visible, and harmless on any disk of today."""

RESERVE_BYTES = GB
"""Always left free on the disk (security design 3.7: at least 1 GiB or 2 %)."""

_ON_THE_WAY = (MembershipState.MINING, MembershipState.PAUSED)
STEPS = 1000
APPLY_AFTER_MS = 600


def rounded_bytes(size_bytes: int) -> int:
    """Return an amount as a person would say it: whole gigabytes, or tenths of one below ten."""
    step = GB if size_bytes >= 10 * GB else GB // 10
    return max(step, size_bytes // step * step)


class SpaceCard(Card):
    """How much is lent, used and free; the slider and the folder. Emits ``changed``."""

    changed = Signal()
    folder_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__(margin=20, spacing=8)
        self._theme = theme
        self._limit_bytes = 100 * GB
        self._amount_bytes = DEFAULT_BYTES
        self._ring = Ring(theme, self.tr("Space in use"))
        self._bar = StackedBar(theme, self.tr("Disk"))
        self._legend = Legend(theme)
        self._amount = Label(role="heading")
        self._folder = ElidedLabel(role="small", middle=True)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, STEPS)
        self.slider.setAccessibleName(self.tr("Space to lend"))
        self.slider.valueChanged.connect(self._on_slider)
        self._choose = Button(theme, self.tr("Choose folder…"), icon="folder", height=32)
        self._choose.clicked.connect(self.folder_wanted)
        self._build()

    def _build(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(8)
        words.addWidget(Label(self.tr("Space for Bitcloud"), role="heading"))
        hint = self.tr("Drag to change. Bitcloud never touches the space you keep for yourself.")
        words.addWidget(Label(hint, role="small", wrap=True))
        words.addWidget(self._bar)
        words.addWidget(self._legend)
        amount = QHBoxLayout()
        amount.setSpacing(14)
        amount.addWidget(self.slider, 1)
        amount.addWidget(self._amount)
        words.addLayout(amount)
        folder = QHBoxLayout()
        folder.addWidget(self._folder, 1)
        folder.addWidget(self._choose)
        words.addLayout(folder)
        row = QHBoxLayout()
        row.setSpacing(30)
        row.addWidget(self._ring)
        row.addLayout(words, 1)
        self.body.addLayout(row)

    @property
    def amount_bytes(self) -> int:
        """How much is to be lent."""
        return self._amount_bytes

    def show_space(self, contribution: Contribution, folder: str, *, editing: bool) -> None:
        """Show what is true; the slider stays while the person is ``editing`` it."""
        free = contribution.disk_free_bytes
        self._limit_bytes = max(GB, free + contribution.used_bytes - RESERVE_BYTES)
        if not (editing or self.slider.isSliderDown()):
            wanted = contribution.capacity_bytes or min(DEFAULT_BYTES, self._limit_bytes)
            self._set_amount(wanted)
        self._folder.setText(folder)
        used, offered = contribution.used_bytes, self.amount_bytes
        self._ring.set_value(
            used / max(1, offered) if contribution.on else 0,
            round_size_text(used),
            self.tr("of {amount} in use").format(amount=round_size_text(offered)),
        )
        self._show_bar(contribution, offered)

    def _set_amount(self, amount_bytes: int) -> None:
        self._amount_bytes = amount_bytes
        self.slider.blockSignals(True)
        self.slider.setValue(max(1, min(STEPS, round(STEPS * amount_bytes / self._limit_bytes))))
        self.slider.blockSignals(False)
        self._amount.setText(round_size_text(amount_bytes))

    def _show_bar(self, contribution: Contribution, offered: int) -> None:
        tokens = self._theme.tokens
        total = max(1, contribution.disk_total_bytes)
        used = contribution.used_bytes
        own = max(0, total - contribution.disk_free_bytes - used)
        rest = max(0, offered - used)
        left = max(0, contribution.disk_free_bytes - rest)
        parts = (
            (self.tr("Your files"), own, tokens.blue),
            (self.tr("Used"), used, tokens.accent),
            (self.tr("Offered"), rest, tokens.offered),
        )
        self._bar.set_parts([(size / total, colour) for _name, size, colour in parts])
        free = (self.tr("Free"), left, tokens.track)
        self._legend.set_items(
            [(f"{name} {round_size_text(size)}", colour) for name, size, colour in (*parts, free)]
        )

    def _on_slider(self) -> None:
        self._amount_bytes = rounded_bytes(self._limit_bytes * self.slider.value() // STEPS)
        self._amount.setText(round_size_text(self.amount_bytes))
        self.changed.emit()


class ContributePage(QWidget):
    """Lends space through the session; emits ``folder_wanted`` to have the person choose a
    folder."""

    folder_wanted = Signal()

    def __init__(self, theme: Theme, session: Session, default_folder: Path) -> None:
        super().__init__()
        self._session = session
        self._folder = default_folder
        self._disk = DiskSpace()
        self._measured: Path | None = None
        self._switch = Switch(theme, self.tr("Contribute storage"))
        self._state = Label(role="heading")
        self.ban = BanCard(theme, session)
        self.join = JoinCard(theme, session)
        self._space = SpaceCard(theme)
        self._held = Figure(theme, "database", self.tr("Held for others"))
        self._taken = Figure(theme, "arrow_circle_down", self.tr("Taken in"))
        self._served = Figure(theme, "arrow_circle_up", self.tr("Handed out"))
        self._nodes = Figure(theme, "people", self.tr("Storage nodes"))
        self._chart = TrafficChart(theme, session)
        self._apply_later = QTimer(self, interval=APPLY_AFTER_MS, singleShot=True)
        self._apply_later.timeout.connect(self._apply)
        self._build(theme)
        self._switch.clicked.connect(self._apply)
        self._space.changed.connect(self._on_amount)
        self._space.folder_wanted.connect(self.folder_wanted)
        self.join.wanted.connect(self._on_join_wanted)
        session.status_changed.connect(self.refresh)
        session.standing.membership_changed.connect(self.refresh)
        theme.changed.connect(self.refresh)
        self.refresh()

    def _build(self, theme: Theme) -> None:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(28, 20, 28, 18)
        column.setSpacing(14)
        column.addLayout(self._head())
        column.addWidget(self.ban)
        column.addWidget(self.join)
        column.addWidget(self._space)
        self._figures = QGridLayout()
        self._figures.setSpacing(14)
        column.addLayout(self._figures)
        self._arrange_figures(4)
        lower = QHBoxLayout()
        lower.setSpacing(16)
        lower.addWidget(self._traffic_card(), 3)
        lower.addWidget(self._promise_card(theme), 2)
        column.addLayout(lower, 1)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName(self.tr("Contribute"))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the figures in two lines where one is too narrow."""
        super().resizeEvent(event)
        self._arrange_figures(4 if self.width() > 900 else 2)

    def _arrange_figures(self, columns: int) -> None:
        cards = (self._held, self._taken, self._served, self._nodes)
        for position, card in enumerate(cards):
            self._figures.addWidget(card, *divmod(position, columns))
        for column in range(4):
            self._figures.setColumnStretch(column, 1 if column < columns else 0)

    def _head(self) -> QHBoxLayout:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(Label(self.tr("Contribute"), role="title"))
        words.addWidget(
            Label(
                self.tr("Lend spare disk space to the grid. You can stop at any time."),
                role="second",
            )
        )
        head = QHBoxLayout()
        head.setSpacing(14)
        head.addLayout(words, 1)
        head.addWidget(self._state)
        head.addWidget(self._switch)
        return head

    def _traffic_card(self) -> Card:
        card = Card(margin=18, spacing=12)
        card.body.addWidget(Label(self.tr("Traffic of this computer"), role="heading"))
        card.body.addWidget(self._chart, 1)
        return card

    def _promise_card(self, theme: Theme) -> Card:
        card = Card(margin=18, spacing=10)
        card.body.addWidget(Label(self.tr("What is kept here"), role="heading"))
        for icon, title, text in (
            (
                "shield_checkmark",
                self.tr("Sealed shares"),
                self.tr("Nobody, you included, can read them here."),
            ),
            (
                "database",
                self.tr("Plain files in one folder"),
                self.tr("Bitcloud writes nowhere else."),
            ),
            (
                "top_speed",
                self.tr("Never more than you said"),
                self.tr("And never the last of the disk."),
            ),
            ("arrow_sync", self.tr("Free to go"), self.tr("Others rebuild what you held.")),
        ):
            row = QHBoxLayout()
            row.setSpacing(12)
            row.addWidget(IconBox(theme, icon, quiet=True), 0, Qt.AlignmentFlag.AlignTop)
            words = QVBoxLayout()
            words.setSpacing(1)
            words.addWidget(Label(title, wrap=True))
            words.addWidget(Label(text, role="small", wrap=True))
            row.addLayout(words, 1)
            card.body.addLayout(row)
        card.body.addStretch()
        return card

    def set_folder(self, folder: Path) -> None:
        """Use another folder from now on."""
        self._folder = folder
        if self._switch.isChecked():
            self._apply()
        self.refresh()

    def _on_amount(self) -> None:
        if self._switch.isChecked():
            self._apply_later.start()

    def _apply(self) -> None:
        folder = self._folder if self._switch.isChecked() else None
        self._session.contribute(folder, self._space.amount_bytes)

    def refresh(self) -> None:
        """Show what is true now."""
        status = self._session.status
        contribution = status.contribution if status else Contribution(on=False)
        self._switch.setEnabled(status is not None)
        joining = self._joining(contribution)
        if not self._apply_later.isActive():
            self._switch.setChecked(contribution.on or joining is not None)
        self._state.setText(self._state_text(contribution, joining))
        if contribution.folder:
            self._folder = Path(contribution.folder)
        if not contribution.disk_total_bytes:
            contribution = self._with_disk(contribution)
        self._space.show_space(
            contribution, str(self._folder), editing=self._apply_later.isActive()
        )
        self._show_figures(contribution)

    def _joining(self, contribution: Contribution) -> MembershipState | None:
        """Return how the search stands that lending waits for, or None where it does not."""
        member = self._session.standing.membership
        waits = not contribution.on and contribution.folder is not None
        return (
            member.state if waits and member is not None and member.state in _ON_THE_WAY else None
        )

    def _state_text(self, contribution: Contribution, joining: MembershipState | None) -> str:
        if contribution.on:
            return self.tr("Banned for now") if contribution.banned else self.tr("Contributing")
        if joining is None:
            return self.tr("Off")
        mining = joining is MembershipState.MINING
        return self.tr("Joining…") if mining else self.tr("Paused")

    def _on_join_wanted(self) -> None:
        member = self._session.standing.membership
        if member is not None and member.state is MembershipState.MINING:
            self._session.standing.pause_join()
        else:
            self._session.contribute(self._folder, self._space.amount_bytes)

    def _with_disk(self, contribution: Contribution) -> Contribution:
        """Fill in the disk's figures, which the node does not measure while it keeps nothing."""
        folder = self._folder
        if self._measured != folder and self._session.state is NodeState.READY:
            self._measured = folder
            self._session.compute(lambda: disk_space(folder), owner=self, done=self._on_disk)
        return replace(
            contribution,
            disk_free_bytes=self._disk.free_bytes,
            disk_total_bytes=self._disk.total_bytes,
        )

    def _on_disk(self, found: DiskSpace) -> None:
        self._disk = found
        self.refresh()

    def _show_figures(self, contribution: Contribution) -> None:
        status = self._session.status
        shares = count_text(contribution.shares, "{count} share", "{count} shares")
        self._held.show_figure(shares, size_text(contribution.used_bytes))
        self._taken.show_figure(size_text(contribution.received_bytes), self.tr("since the start"))
        self._served.show_figure(size_text(contribution.served_bytes), self.tr("since the start"))
        online = status.online_nodes if status else 0
        rate = speed_text(status.send_per_s if status else 0)
        self._nodes.show_figure(
            self.tr("{count} online").format(count=online),
            self.tr("sending {rate} now").format(rate=rate),
        )
