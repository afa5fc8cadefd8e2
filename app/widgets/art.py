"""Generic pictures for files without a preview: drawn in code, chosen by kind, varied by the name.

A film or picture gets a scene (hills, city or lake at some hour of the day), music a record, a
document a page, code a terminal. The same name always gives the same picture.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from random import Random

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QLinearGradient,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QPixmapCache,
    QRadialGradient,
)

from app.text import extension
from app.theme import SEMIBOLD, font
from app.widgets.paint import fill_rounded, rounded_path, triangle
from bitcloud_net.api import Entry

CORNER = 6.0


@dataclass(frozen=True, slots=True)
class _Hour:
    """The colours of an hour of the day: sky from top to horizon, sun, and hills from far to
    near."""

    sky: tuple[str, str, str]
    sun: str
    hills: tuple[str, str, str, str]


_HOURS = (
    _Hour(
        ("#1d2447", "#c8614f", "#ff9a5c"), "#fff1dc", ("#a15a45", "#6f4338", "#3d2c33", "#111a30")
    ),
    _Hour(
        ("#173247", "#2b7a62", "#5fc493"), "#eef7d8", ("#2f7a63", "#24605a", "#1a4448", "#0e2130")
    ),
    _Hour(
        ("#33115c", "#b8308f", "#ff8fa0"), "#fff0e0", ("#94277f", "#671f68", "#431852", "#210d3c")
    ),
    _Hour(
        ("#10222d", "#1f5f82", "#63b3d6"), "#f7f3e6", ("#256a8c", "#1c4d66", "#153848", "#0d1c24")
    ),
    _Hour(
        ("#42206f", "#b4557f", "#ff9c74"), "#fff1e2", ("#98486f", "#6d2f66", "#4a2260", "#2b1648")
    ),
    _Hour(
        ("#14585f", "#4f9d78", "#c9df9c"), "#f6f2da", ("#4d8f74", "#33705f", "#235456", "#123a44")
    ),
    _Hour(
        ("#34304e", "#7d7596", "#d9c9c4"), "#f7e7c0", ("#77708f", "#575272", "#3a3653", "#211f36")
    ),
    _Hour(
        ("#0b5a94", "#2fa9b5", "#8df0cf"), "#ffffff", ("#2aa79c", "#1f8590", "#17657b", "#0e4560")
    ),
    _Hour(
        ("#4a0f2b", "#c11f3f", "#ff8a6a"), "#fff0d8", ("#8f1c43", "#651338", "#420d2d", "#22081e")
    ),
    _Hour(
        ("#1f2d3f", "#4d6a80", "#d8cf8e"), "#f3dc8c", ("#4a6678", "#35505f", "#253b47", "#142429")
    ),
)


def draw_art(painter: QPainter, box: QRectF, entry: Entry) -> None:
    """Draw the picture of a file into ``box``, with a play sign for films and its real
    extension."""
    ratio = painter.device().devicePixelRatio()
    painter.drawPixmap(box.topLeft(), art(entry, round(box.width()), round(box.height()), ratio))


def is_drawn(entry: Entry, width: int, height: int, ratio: float) -> bool:
    """Whether the picture is in the cache, so that drawing it costs nothing."""
    return bool(QPixmapCache.find(_key(entry, width, height, ratio), QPixmap()))


def art(entry: Entry, width: int, height: int, ratio: float) -> QPixmap:
    """Return the picture of a file, 2 to 5 ms when it is drawn for the first time."""
    key = _key(entry, width, height, ratio)
    found = QPixmap()
    if QPixmapCache.find(key, found):
        return found
    pixmap = QPixmap(round(width * ratio), round(height * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    box = QRectF(0, 0, width, height)
    painter.setClipPath(rounded_path(box, CORNER))
    _DRAWERS.get(family(entry), _draw_page)(painter, box, _random(entry), entry)
    painter.end()
    QPixmapCache.insert(key, pixmap)
    return pixmap


def family(entry: Entry) -> str:
    """Return the sort of picture a file gets."""
    media_type = entry.media_type or ""
    first = media_type.partition("/")[0]
    if first in ("video", "image", "audio"):
        return first
    if any(word in media_type for word in ("zip", "tar", "compressed", "7z", "rar")):
        return "archive"
    if any(word in media_type for word in ("json", "script", "python", "x-c", "xml", "x-sh")):
        return "code"
    return "page"


def _key(entry: Entry, width: int, height: int, ratio: float) -> str:
    return f"art:{family(entry)}:{entry.name}:{width}x{height}@{ratio}"


def _random(entry: Entry) -> Random:
    seed = hashlib.blake2s(entry.name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return Random(seed)  # a picture, not a secret


def draw_play(painter: QPainter, centre: QPointF, radius: float) -> None:
    """Draw the round play sign."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(24, 20, 24, 150))
    painter.drawEllipse(centre, radius, radius)
    path = triangle(centre, radius * 0.76)
    painter.setPen(
        QPen(
            QColor("#ffffff"),
            radius * 0.14,
            Qt.PenStyle.SolidLine,
            Qt.PenCapStyle.RoundCap,
            Qt.PenJoinStyle.RoundJoin,
        )
    )
    painter.setBrush(QColor("#ffffff"))
    painter.drawPath(path)


def draw_badge(painter: QPainter, corner: QPointF, text: str) -> None:
    """Draw a small dark badge whose lower right corner is ``corner``."""
    if not text:
        return
    used = font(11, SEMIBOLD)
    painter.setFont(used)
    width = painter.fontMetrics().horizontalAdvance(text) + 10
    box = QRectF(corner.x() - width, corner.y() - 18, width, 18)
    fill_rounded(painter, box, 4, QColor(16, 16, 20, 190))
    painter.setPen(QColor("#ffffff"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


# Scenes


def _draw_scene(painter: QPainter, box: QRectF, random: Random, _entry: Entry) -> None:
    hour = random.choice(_HOURS)
    kind = random.choice(("hills", "hills", "hills", "city", "lake"))
    sun = QPointF(
        box.width() * random.choice((0.3, 0.7)) + random.uniform(-9, 9),
        box.height() * random.uniform(0.34, 0.55),
    )
    _draw_sky(painter, box, hour, sun)
    _draw_stars(painter, box, random)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(hour.sun))
    radius = box.height() * 0.075
    painter.drawEllipse(sun, radius, radius)
    {"hills": _draw_hills, "city": _draw_city, "lake": _draw_lake}[kind](painter, box, random, hour)


def _draw_sky(painter: QPainter, box: QRectF, hour: _Hour, sun: QPointF) -> None:
    sky = QLinearGradient(box.topLeft(), QPointF(box.left(), box.height() * 0.72))
    for place, colour in zip((0.0, 0.6, 1.0), hour.sky, strict=True):
        sky.setColorAt(place, QColor(colour))
    painter.fillRect(box, sky)
    glow = QRadialGradient(sun, box.height() * 0.75)
    warm = QColor(hour.sun)
    for place, alpha in ((0.0, 150), (0.35, 75), (1.0, 0)):
        warm.setAlpha(alpha)
        glow.setColorAt(place, warm)
    painter.fillRect(box, glow)


def _draw_stars(painter: QPainter, box: QRectF, random: Random) -> None:
    size = max(0.5, box.height() / 170)
    painter.setPen(Qt.PenStyle.NoPen)
    for _ in range(26):
        painter.setBrush(QColor(255, 255, 255, random.randint(50, 170)))
        place = QPointF(random.uniform(0, box.width()), random.uniform(0, box.height() * 0.42))
        painter.drawEllipse(place, size, size)


def _ridge(box: QRectF, random: Random, base: float, swing: float) -> QPainterPath:
    """Return a hill line across the box at ``base`` of its height, made of three waves."""
    waves = [
        (random.uniform(0.8, 2.6), random.uniform(0, math.tau), random.uniform(0.3, 1))
        for _ in range(3)
    ]
    path = QPainterPath(QPointF(0, box.height()))
    steps = 36
    for step in range(steps + 1):
        x = step / steps
        wave = sum(a * math.sin(f * math.tau * x + p) for f, p, a in waves) / 2
        path.lineTo(x * box.width(), box.height() * (base - swing * wave))
    path.lineTo(box.width(), box.height())
    path.closeSubpath()
    return path


def _draw_hills(painter: QPainter, box: QRectF, random: Random, hour: _Hour) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    for base, swing, colour in zip(
        (0.60, 0.72, 0.83, 0.94), (0.13, 0.09, 0.06, 0.04), hour.hills, strict=True
    ):
        painter.setBrush(QColor(colour))
        painter.drawPath(_ridge(box, random, base, swing))


def _draw_city(painter: QPainter, box: QRectF, random: Random, hour: _Hour) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    for layer, base in ((1, 0.52), (3, 0.64)):
        x = -random.uniform(0, 0.05)
        while x < 1:
            width, top = random.uniform(0.045, 0.10), base + random.uniform(-0.09, 0.12)
            house = QRectF(x * box.width(), top * box.height(), width * box.width(), box.height())
            painter.setBrush(QColor(hour.hills[layer]))
            painter.drawRect(house)
            if layer == 3:
                _draw_windows(painter, house, box, random)
            x += width + random.choice((0.0, 0.0, 0.012))


def _draw_windows(painter: QPainter, house: QRectF, box: QRectF, random: Random) -> None:
    step = box.height() * 0.07
    size = step * 0.32
    painter.setBrush(QColor(255, 233, 170, 190))
    y = house.top() + step * 0.7
    while y < box.height() - step * 0.4:
        x = house.left() + step * 0.5
        while x < house.right() - step * 0.5:
            if random.random() < 0.4:
                painter.drawRect(QRectF(x, y, size, size * 1.3))
            x += step * 0.8
        y += step


def _draw_lake(painter: QPainter, box: QRectF, random: Random, hour: _Hour) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    for base, swing, colour in zip((0.60, 0.72), (0.14, 0.08), hour.hills[:2], strict=True):
        painter.setBrush(QColor(colour))
        painter.drawPath(_ridge(box, random, base, swing))
    water = QRectF(0, box.height() * 0.8, box.width(), box.height() * 0.2)
    shine = QLinearGradient(water.topLeft(), water.bottomLeft())
    shine.setColorAt(0, QColor(hour.sky[2]))
    shine.setColorAt(1, QColor(hour.hills[1]))
    painter.fillRect(water, shine)
    for _ in range(12):
        y = random.uniform(water.top() + 2, water.bottom())
        width = random.uniform(0.03, 0.12) * box.width()
        x = random.uniform(0, box.width() - width)
        painter.fillRect(
            QRectF(x, y, width, max(0.8, box.height() * 0.008)), QColor(255, 255, 255, 80)
        )


# Other kinds

_TINTS = (
    ("#e7f0ff", "#3b6fd8"),
    ("#e6f5ea", "#2b8a4b"),
    ("#fff0e2", "#c8691c"),
    ("#f2ebff", "#7a4fd0"),
    ("#ffe9ee", "#c93b63"),
    ("#e4f5f6", "#1c8591"),
)


def _draw_music(painter: QPainter, box: QRectF, random: Random, _entry: Entry) -> None:
    hour = random.choice(_HOURS)
    ground = QLinearGradient(box.topLeft(), box.bottomRight())
    ground.setColorAt(0, QColor(hour.sky[0]))
    ground.setColorAt(0.55, QColor(hour.sky[1]))
    ground.setColorAt(1, QColor(hour.sky[2]))
    painter.fillRect(box, ground)
    painter.setPen(Qt.PenStyle.NoPen)
    bars = 27
    width = box.width() * 0.8 / bars
    phase, speed = random.uniform(0, 6), random.uniform(0.25, 0.5)
    for bar in range(bars):
        envelope = math.sin(math.pi * (bar + 1) / (bars + 1))
        swing = 0.5 + 0.5 * math.sin(phase + bar * speed) * random.uniform(0.5, 1)
        height = box.height() * (0.06 + 0.6 * envelope * swing)
        place = QRectF(
            box.width() * 0.1 + bar * width, (box.height() - height) / 2, width * 0.55, height
        )
        painter.setBrush(QColor(255, 255, 255, 215))
        painter.drawRoundedRect(place, width * 0.27, width * 0.27)


def _tinted(painter: QPainter, box: QRectF, random: Random) -> QColor:
    pale, strong = random.choice(_TINTS)
    painter.fillRect(box, QColor(pale))
    return QColor(strong)


def _paper(box: QRectF) -> QRectF:
    height = box.height() * 0.74
    width = height * 0.76
    return QRectF(box.center().x() - width / 2, box.center().y() - height / 2, width, height)


def _draw_page(painter: QPainter, box: QRectF, random: Random, entry: Entry) -> None:
    strong = _tinted(painter, box, random)
    page = _paper(box)
    _draw_sheet(painter, page)
    unit = page.height() / 12
    painter.fillRect(
        QRectF(page.left() + unit, page.top() + unit * 1.3, page.width() * 0.5, unit * 0.9), strong
    )
    grey = QColor(90, 100, 110, 90)
    for line in range(5):
        length = page.width() - 2 * unit
        length *= random.uniform(0.45, 0.7) if line == 4 else random.uniform(0.85, 1)
        place = QRectF(
            page.left() + unit, page.top() + unit * (3.6 + line * 1.15), length, unit * 0.4
        )
        painter.fillRect(place, grey)
    name = extension(entry.name)
    if name:
        painter.setFont(font(max(7, round(unit * 1.25)), SEMIBOLD))
        painter.setPen(strong)
        foot = QRectF(page.left(), page.bottom() - unit * 2.4, page.width(), unit * 2)
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, name)


def _draw_sheet(painter: QPainter, page: QRectF) -> None:
    fold = page.width() * 0.24
    sheet = QPainterPath(page.topLeft())
    sheet.lineTo(page.right() - fold, page.top())
    sheet.lineTo(page.right(), page.top() + fold)
    sheet.lineTo(page.bottomRight())
    sheet.lineTo(page.bottomLeft())
    sheet.closeSubpath()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(30, 40, 60, 28))
    painter.drawPath(sheet.translated(0, page.height() * 0.025))
    painter.setBrush(QColor("#ffffff"))
    painter.drawPath(sheet)
    corner = QPainterPath(QPointF(page.right() - fold, page.top()))
    corner.lineTo(page.right() - fold, page.top() + fold)
    corner.lineTo(page.right(), page.top() + fold)
    corner.closeSubpath()
    painter.setBrush(QColor("#d9e0e8"))
    painter.drawPath(corner)


def _draw_code(painter: QPainter, box: QRectF, random: Random, _entry: Entry) -> None:
    painter.fillRect(box, QColor("#1b2130"))
    unit = box.height() / 12
    painter.setPen(Qt.PenStyle.NoPen)
    for dot, colour in enumerate(("#ff6b61", "#f5bf4f", "#5fcf6d")):
        painter.setBrush(QColor(colour))
        painter.drawEllipse(QPointF(unit * (1.2 + dot * 1.1), unit * 1.1), unit * 0.32, unit * 0.32)
    colours = ("#7aa5ff", "#7fe0a6", "#f0b04c", "#c79bff", "#93a1b5")
    for line in range(7):
        x = unit * (1 + random.choice((0, 1, 1, 2)) * 1.4)
        for _word in range(random.randint(1, 4)):
            width = unit * random.uniform(1.2, 3.6)
            painter.setBrush(QColor(random.choice(colours)))
            painter.drawRoundedRect(QRectF(x, unit * (2.6 + line * 1.25), width, unit * 0.5), 1, 1)
            x += width + unit * 0.6


def _draw_archive(painter: QPainter, box: QRectF, random: Random, entry: Entry) -> None:
    strong = _tinted(painter, box, random)
    side = box.height() * 0.6
    crate = QRectF(box.center().x() - side / 2, box.center().y() - side / 2, side, side)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(strong))
    painter.drawRoundedRect(crate, side * 0.12, side * 0.12)
    painter.setBrush(QColor(255, 255, 255, 220))
    tooth = side / 12
    for step in range(7):
        x = crate.center().x() - (tooth if step % 2 else 0)
        painter.drawRect(QRectF(x, crate.top() + step * tooth, tooth, tooth))
    painter.drawRoundedRect(
        QRectF(
            crate.center().x() - tooth * 1.4, crate.top() + tooth * 7.4, tooth * 2.8, tooth * 2.8
        ),
        2,
        2,
    )


_DRAWERS = {
    "video": _draw_scene,
    "image": _draw_scene,
    "audio": _draw_music,
    "archive": _draw_archive,
    "code": _draw_code,
    "page": _draw_page,
}
