"""How entries are drawn: as a row of a column, a large tile, or a line of the list.

The delegates are in Python and ask the model for one role: ``data()`` per role costs twice as much.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.icons import draw_icon
from app.models.entry_model import ENTRY_ROLE
from app.session import now_s
from app.text import ago_text, count_text, extension, kind_text, shown, size_text, tr
from app.theme import MEDIUM, SEMIBOLD, Theme, font
from app.tokens import CAPTION_PX, SMALL_PX, TEXT_PX, Tokens
from app.widgets.art import art, draw_badge, draw_play, family, is_drawn
from app.widgets.emblem import draw_emblem
from app.widgets.paint import (
    draw_line_of_text,
    fill_rounded,
    outline_rounded,
    rounded_path,
    wrapped,
)
from bitcloud_net.api import Entry, EntryKind, Health, HealthState

Index = QModelIndex | QPersistentModelIndex
Thumbnail = Callable[[Entry], QPixmap | None]

TILE_WIDTH = 172
ROW_HEIGHT = 46
COLUMN_ROW_HEIGHT = 58
DRAWINGS_PER_PAINT = 8
"""Pictures drawn for the first time in one paint (1 ms each); the others follow a moment later."""


def health_text(health: Health | None) -> str:
    """Return a file's health in one word."""
    words = {
        HealthState.HEALTHY: tr("healthy"),
        HealthState.WEAKENED: tr("weakened"),
        HealthState.REPAIRING: tr("repairing"),
        HealthState.UNREADABLE: tr("unreadable now"),
        HealthState.UNKNOWN: tr("not checked"),
    }
    return words[health.state] if health else tr("not checked")


def health_colour(health: Health | None, tokens: Tokens) -> str:
    """Return the colour of a file's health dot."""
    colours = {
        HealthState.HEALTHY: tokens.accent,
        HealthState.WEAKENED: tokens.warning,
        HealthState.REPAIRING: tokens.warning,
        HealthState.UNREADABLE: tokens.error,
    }
    return colours.get(health.state, tokens.caption) if health else tokens.caption


class EntryDelegate(QStyledItemDelegate):
    """What the three delegates share."""

    def __init__(self, theme: Theme, view: QListView) -> None:
        super().__init__(view)
        self._theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one entry."""
        entry = index.data(ENTRY_ROLE)
        if not isinstance(entry, Entry):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.draw(painter, option, entry)
        painter.restore()

    def draw(self, painter: QPainter, option: QStyleOptionViewItem, entry: Entry) -> None:
        """Draw one entry; overridden."""

    def _ground(self, painter: QPainter, option: QStyleOptionViewItem, box: QRectF) -> bool:
        """Draw what lies behind an entry and return whether it is selected."""
        tokens = self._theme.tokens
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected:
            fill_rounded(painter, box, 10, tokens.selection)
            if option.state & QStyle.StateFlag.State_Active and self._view_has_focus():
                outline_rounded(painter, box, 10, tokens.accent, width=1.5)
        elif option.state & QStyle.StateFlag.State_MouseOver:
            fill_rounded(painter, box, 10, tokens.hover)
        elif option.state & QStyle.StateFlag.State_HasFocus and self._view_has_focus():
            outline_rounded(painter, box, 10, tokens.line, width=1.5)
        return selected

    def _view_has_focus(self) -> bool:
        view = self.parent()
        return isinstance(view, QListView) and view.hasFocus()


class ColumnDelegate(EntryDelegate):
    """A row of a Miller column: emblem, name, chevron."""

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """All rows are equally high."""
        return QSize(120, COLUMN_ROW_HEIGHT)

    def draw(self, painter: QPainter, option: QStyleOptionViewItem, entry: Entry) -> None:
        """Draw one entry."""
        tokens = self._theme.tokens
        box = QRectF(option.rect).adjusted(4, 1, -4, -1)
        selected = self._ground(painter, option, box)
        emblem = QRectF(box.left() + 8, box.center().y() - 15, 38, 30)
        draw_emblem(painter, emblem, entry)
        colour = tokens.on_selection if selected else tokens.text
        text = QRectF(
            emblem.right() + 9, box.top(), box.right() - emblem.right() - 31, box.height()
        )
        draw_line_of_text(
            painter, text, entry.name, font(TEXT_PX, SEMIBOLD if selected else MEDIUM), colour
        )
        chevron = QRectF(box.right() - 21, box.center().y() - 8, 16, 16)
        draw_icon(painter, "chevron_right", chevron, colour if selected else tokens.caption)


class TileDelegate(EntryDelegate):
    """A large tile: picture or emblem, name in two lines, size and health."""

    def __init__(self, theme: Theme, view: QListView, thumbnail: Thumbnail) -> None:
        super().__init__(theme, view)
        self._thumbnail = thumbnail
        self.drawings_left = DRAWINGS_PER_PAINT

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """All tiles fill the view's grid."""
        view = self.parent()
        return view.gridSize() if isinstance(view, QListView) else QSize(TILE_WIDTH, TILE_WIDTH)

    def draw(self, painter: QPainter, option: QStyleOptionViewItem, entry: Entry) -> None:
        """Draw one entry."""
        tokens = self._theme.tokens
        box = QRectF(option.rect).adjusted(4, 3, -4, -5)
        selected = self._ground(painter, option, box)
        inner = box.adjusted(8, 8, -8, -6)
        picture = QRectF(inner.left(), inner.top(), inner.width(), round(inner.width() * 9 / 16))
        if entry.kind is EntryKind.FILE:
            self._draw_picture(painter, picture, entry)
        else:
            height = picture.height() * 0.82
            emblem = QRectF(0, 0, height * 1.25, height)
            emblem.moveCenter(picture.center())
            draw_emblem(painter, emblem, entry)
        colour = tokens.on_selection if selected else tokens.text
        used = font(TEXT_PX, MEDIUM)
        y = picture.bottom() + 7
        for line in wrapped(entry.name, used, inner.width(), 2):
            draw_line_of_text(
                painter, QRectF(inner.left(), y, inner.width(), 18), line, used, colour
            )
            y += 18
        self._draw_facts(painter, QRectF(inner.left(), y + 2, inner.width(), 16), entry)

    def _draw_picture(self, painter: QPainter, box: QRectF, entry: Entry) -> None:
        thumbnail = self._thumbnail(entry)
        ratio = painter.device().devicePixelRatio()
        size = round(box.width()), round(box.height())
        if thumbnail is not None:
            draw_cover(painter, box, thumbnail)
        elif is_drawn(entry, *size, ratio) or self.drawings_left > 0:
            self.drawings_left -= not is_drawn(entry, *size, ratio)
            painter.drawPixmap(box.topLeft(), art(entry, *size, ratio))
        else:
            fill_rounded(painter, box, 6, self._theme.tokens.track)
            return
        if family(entry) == "video":
            draw_play(painter, box.center(), min(18.0, box.height() * 0.2))
        if family(entry) in ("video", "audio", "image"):
            corner = box.bottomRight()
            corner.setX(corner.x() - 6)
            corner.setY(corner.y() - 6)
            draw_badge(painter, corner, extension(entry.name))

    def _draw_facts(self, painter: QPainter, box: QRectF, entry: Entry) -> None:
        tokens = self._theme.tokens
        used = font(CAPTION_PX)
        if entry.kind is not EntryKind.FILE:
            draw_line_of_text(painter, box, items_text(entry), used, tokens.second)
            return
        if entry.health is None:  # its holders were not asked yet: no dot that says nothing
            age = ago_text(entry.modified_s, now_s())
            facts = f"{size_text(entry.size_bytes)}  ·  {age}"
            draw_line_of_text(painter, box, facts, used, tokens.second)
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(health_brush(entry, tokens))
        painter.drawEllipse(QRectF(box.left(), box.center().y() - 3.5, 7, 7))
        facts = f"{size_text(entry.size_bytes)}  ·  {health_text(entry.health)}"
        draw_line_of_text(painter, box.adjusted(12, 0, 0, 0), facts, used, tokens.second)


class RowDelegate(EntryDelegate):
    """A line of the list: small picture, name, kind, size, age, health."""

    COLUMNS = (("Kind", 130), ("Size", 84), ("Modified", 110), ("Health", 110))

    def __init__(self, theme: Theme, view: QListView, thumbnail: Thumbnail) -> None:
        super().__init__(theme, view)
        self._thumbnail = thumbnail

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        """All rows are equally high."""
        return QSize(200, ROW_HEIGHT)

    def draw(self, painter: QPainter, option: QStyleOptionViewItem, entry: Entry) -> None:
        """Draw one entry."""
        tokens = self._theme.tokens
        box = QRectF(option.rect).adjusted(4, 1, -4, -1)
        selected = self._ground(painter, option, box)
        picture = QRectF(box.left() + 8, box.center().y() - 14, 50, 28)
        if entry.kind is EntryKind.FILE:
            self._draw_picture(painter, picture, entry)
        else:
            draw_emblem(painter, QRectF(picture.center().x() - 17, picture.top(), 35, 28), entry)
        right = self._draw_facts(painter, box, entry)
        name = QRectF(picture.right() + 12, box.top(), right - picture.right() - 24, box.height())
        colour = tokens.on_selection if selected else tokens.text
        draw_line_of_text(painter, name, entry.name, font(TEXT_PX, MEDIUM), colour)

    def _draw_picture(self, painter: QPainter, box: QRectF, entry: Entry) -> None:
        thumbnail = self._thumbnail(entry)
        if thumbnail is not None:
            draw_cover(painter, box, thumbnail)
        else:
            ratio = painter.device().devicePixelRatio()
            painter.drawPixmap(
                box.topLeft(), art(entry, round(box.width()), round(box.height()), ratio)
            )

    def _draw_facts(self, painter: QPainter, box: QRectF, entry: Entry) -> float:
        """Draw the columns that fit, from the right, and return where they begin."""
        tokens = self._theme.tokens
        is_file = entry.kind is EntryKind.FILE
        texts = {
            "Kind": kind_text(entry.media_type, entry.name) if is_file else items_text(entry),
            "Size": size_text(entry.size_bytes),
            "Modified": ago_text(entry.modified_s, now_s()),
            "Health": health_text(entry.health) if is_file and entry.health else "",
        }
        right = box.right() - 8
        for title, width in columns_that_fit(box.width()):
            place = QRectF(right - width, box.top(), width - 8, box.height())
            if title == "Health" and is_file and entry.health:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(health_brush(entry, tokens))
                painter.drawEllipse(QRectF(place.left(), place.center().y() - 3.5, 7, 7))
                place.setLeft(place.left() + 13)
            draw_line_of_text(painter, place, texts[title], font(SMALL_PX), tokens.second)
            right -= width
        return right


def columns_that_fit(width: float) -> list[tuple[str, int]]:
    """Return the list's columns, right to left, that leave at least 220 px for the name."""
    room = width - 220
    fitting = []
    for title, column in reversed(RowDelegate.COLUMNS):
        if room < column:
            break
        fitting.append((title, column))
        room -= column
    return fitting


def health_brush(entry: Entry, tokens: Tokens) -> QColor:
    """Return the health dot's colour of a file."""
    return QColor(health_colour(entry.health, tokens))


def items_text(entry: Entry) -> str:
    """Return how much is in a folder."""
    if entry.items is None:
        return ""
    items = count_text(entry.items, "{count} item", "{count} items")
    return f"{items}  ·  {size_text(entry.size_bytes)}" if entry.size_bytes else items


def spoken(entry: Entry) -> str:
    """Return an entry in words for a screen reader."""
    if entry.kind is not EntryKind.FILE:
        return f"{shown(entry.name)}, {items_text(entry)}".rstrip(", ")
    kind = kind_text(entry.media_type, entry.name)
    words = [shown(entry.name), kind, size_text(entry.size_bytes)]
    return ", ".join([*words, health_text(entry.health)] if entry.health else words)


def draw_cover(painter: QPainter, box: QRectF, pixmap: QPixmap) -> None:
    """Draw a picture so that it fills the box, cut evenly, with soft corners."""
    width, height = pixmap.width(), pixmap.height()
    if not width or not height:
        return
    scale = max(box.width() / width, box.height() / height)
    source = QRectF(0, 0, box.width() / scale, box.height() / scale)
    source.moveCenter(QRectF(pixmap.rect()).center())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setClipPath(rounded_path(box, 6))
    painter.drawPixmap(box, pixmap, source)
    painter.restore()
