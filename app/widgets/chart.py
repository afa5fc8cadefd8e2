"""A live chart of what this node sends and receives."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.session import Session
from app.text import round_size_text, tr
from app.theme import Theme, font
from app.tokens import CAPTION_PX
from app.widgets.paint import draw_line_of_text

SHOWN_SAMPLES = 120
"""Two minutes of one sample a second."""

FLOOR_PER_S = 100_000
"""The scale never goes below 100 kB/s, so that a few bytes do not look like a storm."""


def scale_top(values: Sequence[int]) -> int:
    """Return a round figure at or above the highest value."""
    top = max([*values, FLOOR_PER_S])
    unit = int("1" + "0" * (len(str(top)) - 1))
    return next(unit * step for step in (1, 2, 3, 4, 6, 8, 10) if unit * step >= top)


class TrafficChart(QWidget):
    """Sent (filled) and received (line) over the last two minutes."""

    def __init__(self, theme: Theme, session: Session) -> None:
        super().__init__()
        self._theme = theme
        self._session = session
        self.setMinimumHeight(130)
        self.setAccessibleName(self.tr("Traffic of the last two minutes"))
        session.status_changed.connect(self.update)
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw scale, areas and names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tokens = self._theme.tokens
        samples = list(self._session.traffic)[-SHOWN_SAMPLES:]
        sent = [sample.sent_per_s for sample in samples]
        received = [sample.received_per_s for sample in samples]
        top = scale_top(sent + received)
        plot = QRectF(self.rect()).adjusted(66, 8, -8, -26)
        self._paint_scale(painter, plot, top)
        self._paint_curve(painter, plot, received, top, tokens.blue, filled=False)
        self._paint_curve(painter, plot, sent, top, tokens.accent, filled=True)
        foot = QRectF(plot.left(), plot.bottom() + 6, plot.width(), 18)
        used = font(CAPTION_PX)
        draw_line_of_text(painter, foot, tr("2 minutes ago"), used, tokens.caption)
        align = Qt.AlignmentFlag.AlignRight
        draw_line_of_text(painter, foot, tr("now"), used, tokens.caption, align=align)
        self._paint_names(painter, foot)

    def _paint_scale(self, painter: QPainter, plot: QRectF, top: int) -> None:
        tokens = self._theme.tokens
        for step in range(5):
            y = plot.bottom() - plot.height() * step / 4
            painter.setPen(QPen(QColor(tokens.line), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            place = QRectF(0, y - 8, plot.left() - 10, 16)
            text = f"{round_size_text(top * step // 4)}/s" if step else "0"
            align = Qt.AlignmentFlag.AlignRight
            draw_line_of_text(painter, place, text, font(CAPTION_PX), tokens.caption, align=align)

    def _paint_curve(
        self,
        painter: QPainter,
        plot: QRectF,
        values: list[int],
        top: int,
        colour: str,
        *,
        filled: bool,
    ) -> None:
        if len(values) < 2:
            return
        step = plot.width() / (SHOWN_SAMPLES - 1)
        start = plot.right() - step * (len(values) - 1)
        points = [
            QPointF(start + i * step, plot.bottom() - plot.height() * value / top)
            for i, value in enumerate(values)
        ]
        path = QPainterPath(points[0])
        for point in points[1:]:
            path.lineTo(point)
        if filled:
            area = QPainterPath(path)
            area.lineTo(plot.right(), plot.bottom())
            area.lineTo(points[0].x(), plot.bottom())
            shade = QLinearGradient(plot.topLeft(), plot.bottomLeft())
            for place, alpha in ((0.0, 110), (1.0, 8)):
                tint = QColor(colour)
                tint.setAlpha(alpha)
                shade.setColorAt(place, tint)
            painter.fillPath(area, shade)
        painter.setPen(
            QPen(
                QColor(colour),
                2,
                Qt.PenStyle.SolidLine,
                Qt.PenCapStyle.RoundCap,
                Qt.PenJoinStyle.RoundJoin,
            )
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(path)

    def _paint_names(self, painter: QPainter, foot: QRectF) -> None:
        tokens = self._theme.tokens
        left = foot.center().x() - 80
        for text, colour in ((tr("sent"), tokens.accent), (tr("received"), tokens.blue)):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour))
            painter.drawEllipse(QRectF(left, foot.center().y() - 4, 8, 8))
            place = QRectF(left + 13, foot.top(), 70, foot.height())
            draw_line_of_text(painter, place, text, font(CAPTION_PX), tokens.second)
            left += 70
