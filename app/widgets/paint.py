"""Small painting helpers that the widgets share."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from app.text import shown

ELIDE = Qt.TextElideMode.ElideRight


def fill_rounded(painter: QPainter, box: QRectF, radius: float, colour: str | QColor) -> None:
    """Fill a rounded box without an outline."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawRoundedRect(box, radius, radius)


def outline_rounded(
    painter: QPainter, box: QRectF, radius: float, colour: str, *, width: float = 1
) -> None:
    """Draw the outline of a rounded box, inside its edges."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(colour), width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    half = width / 2
    painter.drawRoundedRect(box.adjusted(half, half, -half, -half), radius, radius)


def rounded_path(box: QRectF, radius: float) -> QPainterPath:
    """Return a rounded box as a path, for clipping."""
    path = QPainterPath()
    path.addRoundedRect(box, radius, radius)
    return path


def draw_line_of_text(
    painter: QPainter,
    box: QRectF,
    text: str,
    used_font: QFont,
    colour: str | QColor,
    *,
    align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
    elide: Qt.TextElideMode = ELIDE,
) -> None:
    """Draw one line, cut with an ellipsis where it does not fit. Foreign text is made safe here."""
    painter.setFont(used_font)
    painter.setPen(QColor(colour))
    line = QFontMetricsF(used_font).elidedText(shown(text), elide, box.width())
    place = int(align | Qt.AlignmentFlag.AlignVCenter)
    if line.isascii():
        painter.drawText(box, place, line)
        return
    painter.save()  # marks can be piled up on a letter: they must not reach what stands above
    painter.setClipRect(box.adjusted(-3, -3, 3, 3), Qt.ClipOperation.IntersectClip)
    painter.drawText(box, place, line)
    painter.restore()


def wrapped(text: str, used_font: QFont, width: float, lines: int) -> list[str]:
    """Return foreign text in at most ``lines`` lines, broken at words where possible."""
    metrics = QFontMetricsF(used_font)
    rest, result = shown(text), list[str]()
    while rest and len(result) < lines - 1:
        head = _fitting(rest, metrics, width)
        if head == len(rest):
            break
        result.append(rest[:head].rstrip())
        rest = rest[head:].lstrip()
    if rest:
        result.append(metrics.elidedText(rest, ELIDE, width))
    return result


def _fitting(text: str, metrics: QFontMetricsF, width: float) -> int:
    """Return how many characters fit on a line, ending at a space or hyphen when there is one."""
    if metrics.horizontalAdvance(text) <= width:
        return len(text)
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if metrics.horizontalAdvance(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    for end in range(low, low // 3, -1):
        if text[end - 1] in " -_" or text[end : end + 1] == " ":
            return end
    return low


def triangle(centre: QPointF, size: float) -> QPainterPath:
    """Return a play sign with softened corners."""
    path = QPainterPath()
    path.moveTo(centre + QPointF(-size * 0.36, -size * 0.5))
    path.lineTo(centre + QPointF(size * 0.56, 0))
    path.lineTo(centre + QPointF(-size * 0.36, size * 0.5))
    path.closeSubpath()
    return path
