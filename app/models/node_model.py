"""The storage nodes for Qt's views: banned ones first, then those that are on, by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.ban_text import ban_text
from app.text import as_tooltip, moment_text, part_text, shown, tr
from bitcloud_net.api import BanView, NodeView

_DIGITS = re.compile(r"\d{1,12}", re.ASCII)
NODE_ROLE = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """One storage node, and the ban that holds for it."""

    node: NodeView
    ban: BanView | None = None
    own: bool = False

    @property
    def name(self) -> str:
        """What the node calls itself, else the beginning of its id."""
        return shown(self.node.name) or self.node.node[:12]

    @property
    def room(self) -> str:
        """How much it lends, and how much of it is in use."""
        if not self.node.capacity_bytes:
            return ""
        return part_text(self.node.used_bytes, self.node.capacity_bytes)

    def state(self, now_s: int) -> str:
        """Whether it is on, or banned and until when."""
        if self.ban is not None:
            return tr("banned until {when}").format(when=moment_text(self.ban.until_s, now_s))
        return tr("on") if self.node.online else tr("off")

    def spoken(self, now_s: int) -> str:
        """All of it, for a screen reader."""
        why = f", {ban_text(self.ban).sentence}" if self.ban is not None else ""
        return f"{self.name}, {self.state(now_s)}{why}, {self.room}"


def node_lines(
    nodes: Iterable[NodeView], bans: Mapping[str, BanView], own: str
) -> tuple[NodeLine, ...]:
    """Return a line for each node, in the order of showing; a banned one may have lost its row."""
    known = {node.node: node for node in nodes}
    for ban in bans.values():
        known.setdefault(ban.node, NodeView(node=ban.node, name=ban.name, online=False))
    lines = (
        NodeLine(node=node, ban=bans.get(ident), own=ident == own) for ident, node in known.items()
    )
    return tuple(sorted(lines, key=_place))


def _place(line: NodeLine) -> tuple[bool, bool, str, str]:
    counted = _DIGITS.sub(lambda number: number[0].zfill(12), line.name.casefold())
    return line.ban is None, not line.node.online, counted, line.node.node


class NodeModel(QAbstractListModel):
    """Lines change in place while the same nodes are there in the same order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: tuple[NodeLine, ...] = ()
        self._now_s = 0

    def show_lines(self, lines: tuple[NodeLine, ...], now_s: int) -> None:
        """Show these lines."""
        self._now_s = now_s
        if lines == self._lines:
            return
        same = [line.node.node for line in lines] == [line.node.node for line in self._lines]
        if same and lines:
            self._lines = lines
            self.dataChanged.emit(self.index(0), self.index(len(lines) - 1))
            return
        self.beginResetModel()
        self._lines = lines
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """How many nodes there are."""
        return 0 if parent is not None and parent.isValid() else len(self._lines)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the line, or its words."""
        if not index.isValid():
            return None
        line = self._lines[index.row()]
        if role == NODE_ROLE:
            return line
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return line.spoken(self._now_s)
        if role == Qt.ItemDataRole.ToolTipRole:
            why = ban_text(line.ban).sentence if line.ban is not None else ""
            return as_tooltip(f"{line.node.node} {why}".strip())
        return None
