"""The nodes of a grid as dots: on or off, and how much each stores."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.icons import draw_icon
from app.text import size_text, tr
from app.theme import MEDIUM, Theme, font
from app.tokens import CAPTION_PX
from app.widgets.paint import draw_line_of_text, fill_rounded
from bitcloud_net.api import TestGridNode

CELL_WIDTH, CELL_HEIGHT = 96, 88


class NodeMap(QWidget):
    """Each node has its number, a sign and words; colour is never the only difference."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._nodes: tuple[TestGridNode, ...] = ()
        self._banned: frozenset[str] = frozenset()
        self.setMinimumHeight(CELL_HEIGHT)
        theme.changed.connect(self.update)

    def show_nodes(self, nodes: Sequence[TestGridNode], banned: Collection[str] = ()) -> None:
        """Show these nodes; ``banned`` names those that others refuse."""
        self._nodes = tuple(nodes)
        self._banned = frozenset(banned)
        running = sum(node.running for node in nodes)
        self.setAccessibleName(tr("{on} of {all} nodes on").format(on=running, all=len(nodes)))
        self._fit()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take as many lines as the nodes need."""
        super().resizeEvent(event)
        self._fit()

    def _columns(self) -> int:
        return max(1, min(5, self.width() // CELL_WIDTH))

    def _fit(self) -> None:
        lines = math.ceil(len(self._nodes) / self._columns())
        self.setFixedHeight(max(CELL_HEIGHT, lines * CELL_HEIGHT))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the nodes."""
        painter = QPainter(self)
        columns = self._columns()
        width = self.width() / columns
        for position, node in enumerate(self._nodes):
            row, column = divmod(position, columns)
            self._paint_node(
                painter, QRectF(column * width, row * CELL_HEIGHT, width, CELL_HEIGHT), node
            )

    def _paint_node(self, painter: QPainter, cell: QRectF, node: TestGridNode) -> None:
        tokens = self._theme.tokens
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        dot = QRectF(0, 0, 42, 42)
        dot.moveCenter(cell.center())
        dot.moveTop(cell.top() + 4)
        if node.running:
            halo = dot.adjusted(-4, -4, 4, 4)
            fill_rounded(painter, halo, halo.width() / 2, tokens.selection)
            fill_rounded(painter, dot, dot.width() / 2, tokens.accent)
        else:
            painter.setPen(QPen(QColor(tokens.caption), 1.5, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(dot)
        icon = "server" if node.running else "plug_disconnected"
        colour = tokens.on_accent if node.running else tokens.caption
        draw_icon(painter, icon, dot.adjusted(11, 11, -11, -11), colour)
        align = Qt.AlignmentFlag.AlignHCenter
        name = QRectF(cell.left(), dot.bottom() + 6, cell.width(), 15)
        number = tr("Node {number}").format(number=node.index + 1)
        draw_line_of_text(painter, name, number, font(CAPTION_PX, MEDIUM), tokens.text, align=align)
        words = size_text(node.used_bytes) if node.running else tr("off")
        colour = tokens.second
        if node.node in self._banned:
            words, colour = tr("banned"), tokens.error
            badge = QRectF(dot.right() - 12, dot.top() - 5, 20, 20)
            fill_rounded(painter, badge.adjusted(-1, -1, 1, 1), 11, tokens.card)
            draw_icon(painter, "prohibited", badge, tokens.error, filled=True)
        second = QRectF(cell.left(), dot.bottom() + 20, cell.width(), 15)
        draw_line_of_text(painter, second, words, font(CAPTION_PX), colour, align=align)
