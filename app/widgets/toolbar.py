"""The toolbar: back, forward, up, breadcrumb, search, view, publish, and who I am."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QWidget,
)

from app.icons import draw_icon
from app.preferences import ViewMode
from app.text import shown
from app.theme import MEDIUM, SEMIBOLD, Theme, font
from app.tokens import TEXT_PX, TOOLBAR_HEIGHT
from app.widgets.button import Button, Look
from app.widgets.paint import draw_line_of_text, fill_rounded, outline_rounded
from app.widgets.ringed import RingedButton

MAX_SEARCH_CHARACTERS = 2048
"""The longest link we accept (security design 3.5); names are far shorter."""


class Breadcrumb(QWidget):
    """The way to the open folder; each name but the last leads back to it."""

    wanted = Signal(int)  # how many names of the path to keep

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._names: list[str] = []
        self._boxes: list[tuple[QRectF, int]] = []
        self._hovered = -1
        self._first = 0
        self.setMouseTracking(True)
        self.setFixedHeight(36)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(80)
        theme.changed.connect(self.update)

    def set_names(self, names: list[str], *, first: int = 0) -> None:
        """Show these names; ``first`` is how many path names stand before the first of them."""
        self._names, self._first = [shown(name) for name in names], first
        self.setAccessibleName(" / ".join(self._names))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw as many names as fit, from the right."""
        painter = QPainter(self)
        tokens = self._theme.tokens
        left = 0.0
        self._boxes = []
        names = self._fitting()
        start = len(self._names) - len(names)
        for position, name in enumerate(names):
            last = position == len(names) - 1
            used = font(TEXT_PX, SEMIBOLD if last else MEDIUM)
            width = min(QFontMetrics(used).horizontalAdvance(name) + 2.0, self.width() - left)
            box = QRectF(left, 0, width, self.height())
            hot = self._hovered == position and not last
            colour = tokens.text if last or hot else tokens.second
            draw_line_of_text(painter, box, name, used, colour, elide=Qt.TextElideMode.ElideMiddle)
            self._boxes.append((box, start + position + 1))
            left += width + 9
            if not last:
                draw_icon(painter, "chevron_right", QRectF(left, 11, 14, 14), tokens.caption)
                left += 23

    def _fitting(self) -> list[str]:
        room, fitting = float(self.width()), list[str]()
        metrics = QFontMetrics(font(TEXT_PX, SEMIBOLD))
        for name in reversed(self._names):
            room -= metrics.horizontalAdvance(name) + 34
            if fitting and room < 0:
                break
            fitting.insert(0, name)
        return fitting

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up the name under the pointer."""
        found = [i for i, (box, _) in enumerate(self._boxes) if box.contains(event.position())]
        hovered = found[0] if found else -1
        if hovered != self._hovered:
            self._hovered = hovered
            clickable = 0 <= hovered < len(self._boxes) - 1
            self.setCursor(
                Qt.CursorShape.PointingHandCursor if clickable else Qt.CursorShape.ArrowCursor
            )
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Go to the name that was clicked."""
        for box, length in self._boxes[:-1]:
            if box.contains(event.position()):
                self.wanted.emit(self._first + length)


class _ViewButton(RingedButton):
    def __init__(self, theme: Theme, name: str, icon: str) -> None:
        super().__init__()
        self._theme, self._icon = theme, icon
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setFixedSize(34, 30)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.changed.connect(self.update)

    def paintEvent(self, _event: QPaintEvent) -> None:
        tokens = self._theme.tokens
        painter = QPainter(self)
        box = QRectF(self.rect())
        if self.isChecked():
            fill_rounded(painter, box, 6, tokens.selection)
        elif self.underMouse():
            fill_rounded(painter, box, 6, tokens.hover)
        colour = tokens.on_selection if self.isChecked() else tokens.second
        draw_icon(painter, self._icon, QRectF(8, 6, 18, 18), colour, filled=self.isChecked())
        if self.has_ring():
            outline_rounded(painter, box, 6, tokens.focus, width=1.5)


class ViewSwitch(QWidget):
    """Columns, tiles or list."""

    wanted = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._buttons: dict[ViewMode, _ViewButton] = {}
        group = QButtonGroup(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3, 3, 3, 3)
        layout.setSpacing(1)
        for mode, name, icon in (
            (ViewMode.COLUMNS, self.tr("Columns"), "column_triple"),
            (ViewMode.TILES, self.tr("Tiles"), "grid"),
            (ViewMode.LIST, self.tr("List"), "text_bullet_list_square"),
        ):
            button = _ViewButton(theme, name, icon)
            button.clicked.connect(lambda _checked, m=mode: self.wanted.emit(m))
            group.addButton(button)
            layout.addWidget(button)
            self._buttons[mode] = button
        self.setFixedHeight(36)
        theme.changed.connect(self.update)

    def choose(self, mode: ViewMode) -> None:
        """Mark the view in use."""
        self._buttons[mode].setChecked(True)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the frame around the three."""
        painter = QPainter(self)
        box = QRectF(self.rect())
        fill_rounded(painter, box, 8, self._theme.tokens.field)
        outline_rounded(painter, box, 8, self._theme.tokens.line)


class SearchField(QLineEdit):
    """Searches names, and opens pasted ``bitcloud:`` links."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("role", "search")
        self.setAccessibleName(self.tr("Search files, or paste a link"))
        self.setPlaceholderText(self.tr("Search everywhere   Ctrl+K"))
        self.setMaxLength(MAX_SEARCH_CHARACTERS)
        self.setClearButtonEnabled(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(150)
        self.setMaximumWidth(270)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the field and its lens."""
        super().paintEvent(event)
        place = QRectF(11, self.height() / 2 - 9, 18, 18)
        draw_icon(QPainter(self), "search", place, self._theme.tokens.caption)


class Avatar(RingedButton):
    """The first letter of my name; opens what there is to know about me."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setAccessibleName(self.tr("Me"))
        self.setToolTip(self.tr("Me"))
        self.setFixedSize(34, 34)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_person(self, name: str) -> None:
        """Show whose window this is."""
        self.setText(shown(name)[:1].upper())
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the round letter."""
        painter = QPainter(self)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        fill_rounded(painter, box, 16, QColor("#e8a33d"))
        align = Qt.AlignmentFlag.AlignHCenter
        draw_line_of_text(painter, box, self.text(), font(14, SEMIBOLD), "#3a2500", align=align)
        if self.has_ring():
            outline_rounded(painter, box, 16, self._theme.tokens.focus, width=2)

    def sizeHint(self) -> QSize:
        """A fixed size."""
        return QSize(34, 34)

    def menu_place(self) -> QPoint:
        """Return where a menu should open."""
        return self.mapToGlobal(QPoint(0, self.height() + 4))


class Toolbar(QFrame):
    """Puts the parts in a row; pages and window connect to them."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("role", "toolbar")
        self.setFixedHeight(TOOLBAR_HEIGHT)
        self.back = self._nav(theme, self.tr("Back"), "arrow_left")
        self.forward = self._nav(theme, self.tr("Forward"), "arrow_right")
        self.up = self._nav(theme, self.tr("Up"), "arrow_up")
        self.breadcrumb = Breadcrumb(theme)
        self.search = SearchField(theme)
        self.views = ViewSwitch(theme)
        self.publish = Button(theme, self.tr("Publish"), icon="arrow_upload", look=Look.PRIMARY)
        self.avatar = Avatar(theme)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 0, 16, 0)
        layout.setSpacing(3)
        for button in (self.back, self.forward, self.up):
            layout.addWidget(button)
        layout.addSpacing(14)
        layout.addWidget(self.breadcrumb, 1)
        layout.addWidget(self.search, 1)
        layout.addSpacing(8)
        layout.addWidget(self.views)
        layout.addSpacing(8)
        layout.addWidget(self.publish)
        layout.addSpacing(6)
        layout.addWidget(self.avatar)

    def _nav(self, theme: Theme, name: str, icon: str) -> Button:
        return Button(theme, name, icon=icon, look=Look.GHOST, icon_only=True)
