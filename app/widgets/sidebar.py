"""The sidebar: where to go, and the state of this computer's node."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.icons import draw_icon
from app.session import NodeState, Session
from app.sync_text import clock_text, is_clock_wrong
from app.text import count_text, part_text
from app.theme import MEDIUM, SEMIBOLD, Theme, font
from app.tokens import CAPTION_PX, HEADING_PX, SIDEBAR_WIDTH, TEXT_PX
from app.widgets.emblem import draw_logo
from app.widgets.label import Card, Label
from app.widgets.meter import Meter
from app.widgets.paint import draw_line_of_text, fill_rounded, outline_rounded
from app.widgets.ringed import RingedButton
from bitcloud_net.api import MembershipState


class SideItem(RingedButton):
    """One line of the sidebar: icon, name, and a count where something waits."""

    def __init__(self, theme: Theme, name: str, icon: str) -> None:
        super().__init__()
        self._theme = theme
        self._icon = icon
        self._count = 0
        self._name = name
        self.setText(name)
        self.setAccessibleName(name)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_count(self, count: int) -> None:
        """Show how many things wait; 0 shows nothing."""
        if count != self._count:
            self._count = count
            self.setAccessibleName(f"{self._name}, {count}" if count else self._name)
            self.update()

    def sizeHint(self) -> QSize:
        """All lines are equally high."""
        return QSize(188, 36)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the line."""
        tokens = self._theme.tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        chosen = self.isChecked()
        if chosen:
            fill_rounded(painter, box, 8, tokens.selection)
        elif self.underMouse():
            fill_rounded(painter, box, 8, tokens.hover)
        colour = tokens.on_selection if chosen else tokens.text
        place = QRectF(10, box.center().y() - 10, 20, 20)
        draw_icon(painter, self._icon, place, colour if chosen else tokens.second, filled=chosen)
        text = QRectF(40, 0, box.width() - 80, box.height())
        draw_line_of_text(
            painter, text, self.text(), font(TEXT_PX, SEMIBOLD if chosen else MEDIUM), colour
        )
        if self._count:
            self._paint_count(painter, box)
        if self.has_ring():
            outline_rounded(painter, box, 8, tokens.focus, width=1.5)

    def _paint_count(self, painter: QPainter, box: QRectF) -> None:
        used = font(CAPTION_PX, SEMIBOLD)
        painter.setFont(used)
        text = str(self._count) if self._count < 100 else "99+"
        width = max(22.0, painter.fontMetrics().horizontalAdvance(text) + 12.0)
        pill = QRectF(box.right() - width - 8, box.center().y() - 9, width, 18)
        fill_rounded(painter, pill, 9, self._theme.tokens.accent)
        draw_line_of_text(
            painter,
            pill,
            text,
            used,
            self._theme.tokens.on_accent,
            align=Qt.AlignmentFlag.AlignHCenter,
        )


class _Brand(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFixedHeight(44)
        self.setAccessibleName("Bitcloud")
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        draw_logo(painter, QRectF(0, 4, 30, 30))
        place = QRectF(40, 4, 120, 30)
        draw_line_of_text(
            painter, place, "Bitcloud", font(HEADING_PX, SEMIBOLD), self._theme.tokens.text
        )


class NodeCard(Card):
    """What this computer lends, and whether it is on the grid."""

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__(margin=12, spacing=8)
        self._theme = theme
        self._session = session
        self._title = Label(role="small")
        self._amount = Label(role="small")
        self._meter = Meter(theme, self.tr("Space used of what is lent"))
        self._dot = StateDot(theme)
        self._state = Label(role="small")
        self._clock = Label(role="warning")
        first = QHBoxLayout()
        first.addWidget(self._title)
        first.addStretch()
        first.addWidget(self._amount)
        second = QHBoxLayout()
        second.setSpacing(7)
        second.addWidget(self._dot)
        second.addWidget(self._state)
        second.addStretch()
        self.body.addLayout(first)
        self.body.addWidget(self._meter)
        self.body.addLayout(second)
        self.body.addWidget(self._clock)
        session.status_changed.connect(self.refresh)
        session.state_changed.connect(self.refresh)
        session.standing.membership_changed.connect(self.refresh)
        theme.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is true now."""
        status = self._session.status
        contribution = status.contribution if status else None
        lending = contribution is not None and contribution.on
        self._title.setText(self._title_text(lending=lending))
        self._amount.setVisible(lending)
        self._meter.setVisible(lending)
        if contribution is not None and lending:
            self._amount.setText(part_text(contribution.used_bytes, contribution.capacity_bytes))
            self._meter.set_value(contribution.used_bytes / max(1, contribution.capacity_bytes))
        health = status.sync if status else None
        self._clock.setVisible(is_clock_wrong(health))
        if health is not None:
            text = self.tr("Clock {how}").format(how=clock_text(health))
            self._clock.setText(text)
        self._show_state()

    def _title_text(self, *, lending: bool) -> str:
        member = self._session.standing.membership
        if not lending and member is not None and member.state is MembershipState.MINING:
            return self.tr("Earning an identity")
        return self.tr("Contributing") if lending else self.tr("Not contributing")

    def _show_state(self) -> None:
        state, status = self._session.state, self._session.status
        tokens = self._theme.tokens
        if state is NodeState.STARTING:
            text, colour = self.tr("Starting…"), tokens.warning
        elif state is NodeState.OFFLINE:
            text, colour = self.tr("Offline"), tokens.error
        else:
            online = status.online_nodes if status else 0
            nodes = count_text(online, "{count} storage node", "{count} storage nodes")
            text, colour = self.tr("Online · {nodes}").format(nodes=nodes), tokens.accent
        self._state.setText(text)
        self._dot.set_colour(colour)


class StateDot(QWidget):
    """A small round dot in a given colour; what it means is always written beside it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._colour = theme.tokens.caption
        self.setFixedSize(8, 8)

    def set_colour(self, colour: str) -> None:
        """Change the colour."""
        self._colour = colour
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the dot."""
        fill_rounded(QPainter(self), QRectF(self.rect()), 4, self._colour)


class Sidebar(QFrame):
    """Emits ``wanted(page)`` with the page's key."""

    wanted = Signal(str)

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("role", "side")
        self.setFixedWidth(SIDEBAR_WIDTH)
        self._items: dict[str, SideItem] = {}
        self._group = QButtonGroup(self)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(12, 11, 12, 12)
        self._layout.setSpacing(3)
        self._layout.addWidget(_Brand(theme))
        self._layout.addSpacing(6)
        self._add("files", self.tr("Files"), "folder")
        self._add("transfers", self.tr("Transfers"), "arrow_sync")
        self._add_caption(self.tr("MY NODE"))
        self._add("contribute", self.tr("Contribute"), "hard_drive")
        self._add("network", self.tr("Network"), "globe")
        self._add("database", self.tr("Database"), "database")
        self._add("test-grid", self.tr("Test grid"), "server")
        self._layout.addStretch()
        self._layout.addWidget(NodeCard(theme, session))
        self._layout.addSpacing(8)
        self._add("settings", self.tr("Settings"), "settings")
        self._items["test-grid"].hide()
        self.choose("files")

    def _add(self, key: str, name: str, icon: str) -> None:
        item = SideItem(self._theme, name, icon)
        item.clicked.connect(lambda: self.wanted.emit(key))
        self._group.addButton(item)
        self._items[key] = item
        self._layout.addWidget(item)

    def _add_caption(self, text: str) -> None:
        self._layout.addSpacing(12)
        caption = Label(text, role="caption")
        caption.setContentsMargins(10, 0, 0, 4)
        self._layout.addWidget(caption)

    def choose(self, key: str) -> None:
        """Mark the page that is shown."""
        self._items[key].setChecked(True)

    def set_count(self, key: str, count: int) -> None:
        """Show how many things wait on a page."""
        self._items[key].set_count(count)

    def set_visible(self, key: str, *, visible: bool) -> None:
        """Show or hide a page that does not always exist."""
        self._items[key].setVisible(visible)
