"""The look: fonts, palette and one style sheet, made from the tokens, following the system."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from app.icons import RESOURCES
from app.preferences import Preferences, Scheme
from app.tokens import DARK, LIGHT, TEXT_PX, Tokens

FAMILY = "Inter"
MEDIUM = QFont.Weight.Medium
SEMIBOLD = QFont.Weight.DemiBold
_WEIGHTS = ("400Regular", "500Medium", "600SemiBold", "700Bold")


def load_fonts() -> None:
    """Make Inter known to Qt; needs the application to exist. Takes some 10 ms."""
    for weight in _WEIGHTS:
        QFontDatabase.addApplicationFont(str(RESOURCES / "fonts" / f"Inter_{weight}.ttf"))


def font(size_px: int = TEXT_PX, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Return our font at a size in logical pixels."""
    result = QFont(FAMILY)
    result.setPixelSize(size_px)
    result.setWeight(weight)
    return result


def code_family() -> str:
    """Return the name of the system's font of equal widths."""
    return QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()


class Theme(QObject):
    """The colours in use. ``changed`` is emitted after palette and style sheet were replaced."""

    changed = Signal()

    def __init__(self, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._tokens = LIGHT
        QGuiApplication.styleHints().colorSchemeChanged.connect(self.apply)

    @property
    def tokens(self) -> Tokens:
        """The colours of the scheme in use."""
        return self._tokens

    @property
    def scheme(self) -> Scheme:
        """What the person chose."""
        return self._preferences.scheme

    def choose(self, scheme: Scheme) -> None:
        """Change the scheme and remember it."""
        self._preferences.scheme = scheme
        self.apply()

    def apply(self) -> None:
        """Bring the whole program into the chosen colours."""
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            return
        self._tokens = DARK if self._wants_dark() else LIGHT
        sheet = style_sheet(self._tokens)
        if app.styleSheet() != sheet:  # setting it visits every widget: some 100 ms
            app.setPalette(_palette(self._tokens))
            app.setStyleSheet(sheet)
        self.changed.emit()

    def _wants_dark(self) -> bool:
        if self.scheme is Scheme.SYSTEM:
            return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return self.scheme is Scheme.DARK


def _palette(tokens: Tokens) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: tokens.ground,
        QPalette.ColorRole.Base: tokens.ground,
        QPalette.ColorRole.AlternateBase: tokens.side,
        QPalette.ColorRole.Button: tokens.card,
        QPalette.ColorRole.WindowText: tokens.text,
        QPalette.ColorRole.Text: tokens.text,
        QPalette.ColorRole.ButtonText: tokens.text,
        QPalette.ColorRole.ToolTipBase: tokens.overlay,
        QPalette.ColorRole.ToolTipText: tokens.on_overlay,
        QPalette.ColorRole.PlaceholderText: tokens.caption,
        QPalette.ColorRole.Highlight: tokens.accent,
        QPalette.ColorRole.HighlightedText: tokens.on_accent,
        QPalette.ColorRole.Accent: tokens.accent,
        QPalette.ColorRole.Link: tokens.accent,
        QPalette.ColorRole.Mid: tokens.line,
        QPalette.ColorRole.Light: tokens.card,
        QPalette.ColorRole.Dark: tokens.line,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (
        QPalette.ColorRole.Text,
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.ButtonText,
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(tokens.caption))
    return palette


def style_sheet(tokens: Tokens) -> str:
    """Return the style of Qt's own widgets; ours paint themselves."""
    return _SHEET.format(
        **{name: getattr(tokens, name) for name in Tokens.__dataclass_fields__},
        family=FAMILY,
        code_family=code_family(),
    )


_SHEET = """
* {{ font-family: "{family}"; font-size: 13px; }}
QLabel {{ background: transparent; color: {text}; }}
QLabel[role="title"] {{ font-size: 22px; font-weight: 600; }}
QLabel[role="figure"] {{ font-size: 26px; font-weight: 600; }}
QLabel[role="heading"] {{ font-size: 15px; font-weight: 600; }}
QLabel[role="strong"] {{ font-weight: 600; }}
QLabel[role="second"] {{ color: {second}; }}
QLabel[role="small"] {{ color: {second}; font-size: 12px; }}
QLabel[role="caption"] {{ color: {caption}; font-size: 11px; font-weight: 600;
  letter-spacing: 0.6px; }}
QLabel[role="warning"] {{ color: {warning}; }}
QLabel[role="error"] {{ color: {error}; }}
QFrame[role="card"] {{ background: {card}; border: 1px solid {line}; border-radius: 12px; }}
QFrame[role="side"] {{ background: {side}; border: none; border-right: 1px solid {line}; }}
QFrame[role="toolbar"] {{ background: {ground}; border: none; border-bottom: 1px solid {line}; }}
QFrame[role="shelf"] {{ background: {side}; border: none; border-top: 1px solid {line}; }}
QFrame[role="pane"] {{ background: {ground}; border: none; border-left: 1px solid {line}; }}
QFrame[role="rule"] {{ background: {line}; border: none; max-height: 1px; min-height: 1px; }}
QLineEdit {{ background: {field}; border: 1px solid {line}; border-radius: 8px; padding: 0 10px;
  min-height: 32px; color: {text}; selection-background-color: {accent}; selection-color:
  {on_accent}; }}
QLineEdit:focus {{ border: 2px solid {accent}; padding: 0 9px; background: {ground}; }}
QLineEdit[role="search"] {{ padding-left: 34px; }}
QLineEdit[role="search"]:focus {{ padding-left: 33px; }}
QPlainTextEdit {{ background: {ground}; border: 1px solid {line}; border-radius: 10px;
  padding: 10px;
  color: {text}; selection-background-color: {accent}; selection-color: {on_accent}; }}
QPlainTextEdit[role="code"] {{ font-family: "{code_family}"; }}
QPlainTextEdit[role="note"] {{ background: {field}; color: {second}; font-size: 12px;
  padding: 6px 8px; }}
QPlainTextEdit:focus {{ border: 2px solid {accent}; padding: 9px; }}
QTableView {{ background: {card}; border: 1px solid {line}; border-radius: 10px; gridline-color:
  {line}; color: {text}; outline: none; }}
QHeaderView {{ background: {side}; border: none; }}
QHeaderView::section {{ background: {side}; color: {second}; border: none; border-bottom: 1px solid
  {line}; border-right: 1px solid {line}; padding: 5px 20px 5px 10px; font-size: 12px;
  font-weight: 600; }}
QHeaderView::section:vertical {{ color: {caption}; font-size: 11px; font-weight: 400;
  padding: 0 8px; }}
QTableCornerButton::section {{ background: {side}; border: none; border-bottom: 1px solid {line};
  border-right: 1px solid {line}; }}
QTreeView {{ background: {ground}; border: none; outline: none; }}
QTreeView::branch {{ background: transparent; border-image: none; image: none; }}
QComboBox {{ background: {field}; border: 1px solid {line}; border-radius: 8px; padding: 0 10px;
  min-height: 32px; color: {text}; }}
QComboBox:focus {{ border: 2px solid {accent}; padding: 0 9px; }}
QComboBox::drop-down {{ border: none; width: 28px; }}
QComboBox::down-arrow {{ image: none; }}
QComboBox QAbstractItemView {{ background: {card}; border: 1px solid {line}; color: {text};
  selection-background-color: {selection}; selection-color: {on_selection}; }}
QListView, QScrollArea {{ background: {ground}; border: none; outline: none; }}
QScrollArea > QWidget > QWidget {{ background: {ground}; }}
QAbstractScrollArea::corner {{ background: transparent; border: none; }}
QScrollBar:vertical {{ background: transparent; width: 12px; margin: 2px; }}
QScrollBar::handle:vertical {{ background: {line}; border-radius: 4px; min-height: 36px; }}
QScrollBar::handle:vertical:hover {{ background: {caption}; }}
QScrollBar:horizontal {{ background: transparent; height: 12px; margin: 2px; }}
QScrollBar::handle:horizontal {{ background: {line}; border-radius: 4px; min-width: 36px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QMenu {{ background: {card}; border: 1px solid {line}; border-radius: 8px; padding: 5px; }}
QMenu::item {{ padding: 7px 26px 7px 10px; border-radius: 5px; color: {text}; }}
QMenu::item:selected {{ background: {selection}; color: {on_selection}; }}
QMenu::item:disabled {{ color: {caption}; }}
QMenu::icon {{ padding-left: 8px; }}
QMenu::separator {{ height: 1px; background: {line}; margin: 5px 8px; }}
QToolTip {{ background: {overlay}; color: {on_overlay}; border: none; padding: 5px 8px;
  font-size: 12px; }}
QSlider {{ min-height: 24px; }}
QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {track}; }}
QSlider::sub-page:horizontal {{ height: 4px; border-radius: 2px; background: {accent}; }}
QSlider::handle:horizontal {{ width: 18px; height: 18px; margin: -9px 0; border-radius: 11px;
  background: {accent}; border: 2px solid {ground}; }}
QSlider::handle:horizontal:focus {{ border: 2px solid {focus}; }}
QSlider::sub-page:horizontal:disabled {{ background: {caption}; }}
QSlider::handle:horizontal:disabled {{ background: {caption}; }}
QDialog {{ background: {ground}; }}
QSplitter::handle {{ background: transparent; }}
"""
