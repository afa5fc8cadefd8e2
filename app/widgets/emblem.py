"""The folder emblem: our face. Green with a white sign, *Public* blue with a globe; drawn in
code."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPixmap

from app.icons import draw_icon
from app.models.listing import is_public
from bitcloud_net.api import Entry, EntryKind, FolderContent

_GREEN = ("#3b8a2e", "#8bd06b", "#52ab3e")
_BLUE = ("#2a66b5", "#7cc0f7", "#3787dd")
_CONTENT_SIGNS = {
    FolderContent.VIDEO: "video",
    FolderContent.MUSIC: "music_note_2",
    FolderContent.PICTURES: "image",
    FolderContent.DOCUMENTS: "document",
    FolderContent.MIXED: "text_bullet_list",
}


def sign_of(entry: Entry) -> str:
    """Return the name of the white sign on an entry's folder; ``""`` for a bare one."""
    if is_public(entry):
        return "globe"
    if entry.kind is EntryKind.PUBLISHER:
        return "share_android"
    if entry.kind is EntryKind.PERSON:
        return "person"
    content = entry.content or FolderContent.EMPTY
    if content is FolderContent.EMPTY and entry.items:
        content = FolderContent.MIXED  # only folders in it
    return _CONTENT_SIGNS.get(content, "")


def draw_emblem(painter: QPainter, box: QRectF, entry: Entry) -> None:
    """Draw the folder of a publisher, person or folder into ``box`` (5 : 4 looks best)."""
    ratio = painter.device().devicePixelRatio()
    pixmap = _emblem(
        sign_of(entry), is_public(entry), round(box.width()), round(box.height()), ratio
    )
    painter.drawPixmap(box.toRect(), pixmap)


@lru_cache(maxsize=128)
def _emblem(sign: str, blue: bool, width: int, height: int, ratio: float) -> QPixmap:  # noqa: FBT001
    pixmap = QPixmap(round(width * ratio), round(height * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint_folder(painter, QRectF(0, 0, width, height), _BLUE if blue else _GREEN)
    if sign:
        size = height * 0.46
        place = QRectF(width / 2 - size / 2, height * 0.64 - size / 2, size, size)
        draw_icon(painter, sign, place, "#ffffff", filled=True)
    painter.end()
    return pixmap


def _paint_folder(painter: QPainter, box: QRectF, colours: tuple[str, str, str]) -> None:
    back, top, bottom = colours
    w, h = box.width(), box.height()
    radius = h * 0.12
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(back))
    tab = QPainterPath()
    tab.addRoundedRect(QRectF(0, 0, w * 0.46, h * 0.5), radius, radius)
    tab.addRoundedRect(QRectF(0, h * 0.13, w, h * 0.6), radius, radius)
    tab.setFillRule(Qt.FillRule.WindingFill)
    painter.drawPath(tab)
    painter.setBrush(QColor(255, 255, 255, 235))
    painter.drawRoundedRect(
        QRectF(w * 0.05, h * 0.20, w * 0.9, h * 0.4), radius * 0.6, radius * 0.6
    )
    front = QLinearGradient(QPointF(0, h * 0.28), QPointF(0, h))
    front.setColorAt(0, QColor(top))
    front.setColorAt(1, QColor(bottom))
    painter.setBrush(front)
    painter.drawRoundedRect(QRectF(0, h * 0.28, w, h * 0.72), radius, radius)
    painter.setBrush(QColor(255, 255, 255, 60))
    painter.drawRoundedRect(QRectF(w * 0.02, h * 0.29, w * 0.96, max(1.0, h * 0.035)), 1, 1)


def draw_logo(painter: QPainter, box: QRectF) -> None:
    """Draw the program's sign: a white cloud on a green rounded square."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    ground = QLinearGradient(box.topLeft(), box.bottomLeft())
    ground.setColorAt(0, QColor("#57c06f"))
    ground.setColorAt(1, QColor("#1f8f4a"))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(box, box.width() * 0.24, box.width() * 0.24)
    painter.fillPath(
        cloud(
            box.adjusted(
                box.width() * 0.2, box.height() * 0.28, -box.width() * 0.2, -box.height() * 0.3
            )
        ),
        QColor("#ffffff"),
    )


def cloud(box: QRectF) -> QPainterPath:
    """Return our cloud, filling ``box``."""
    w, h = box.width(), box.height()
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    path.addRoundedRect(QRectF(box.left(), box.top() + h * 0.48, w, h * 0.52), h * 0.26, h * 0.26)
    path.addEllipse(QRectF(box.left() + w * 0.22, box.top(), w * 0.48, h * 0.9))
    path.addEllipse(QRectF(box.left() + w * 0.52, box.top() + h * 0.28, w * 0.36, h * 0.64))
    path.addEllipse(QRectF(box.left() + w * 0.06, box.top() + h * 0.40, w * 0.34, h * 0.58))
    return path
