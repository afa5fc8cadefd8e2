"""What a person chose for this window: theme, size, view. One small file, read once, written on
change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths


class Scheme(StrEnum):
    """Which colours the window uses."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class ViewMode(StrEnum):
    """How the files page shows a folder."""

    COLUMNS = "columns"
    TILES = "tiles"
    LIST = "list"


class Order(StrEnum):
    """How files are sorted."""

    NEWEST = "newest"
    NAME = "name"
    LARGEST = "largest"
    KIND = "kind"


class Preferences:
    """Typed access to the stored choices. Anything unreadable or unknown falls back to its
    default."""

    def __init__(self, home: Path | None) -> None:
        folder = home or Path(
            QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericConfigLocation),
            "bitcloud",
        )
        self._settings = QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)

    @property
    def scheme(self) -> Scheme:
        """Light, dark, or as the system has it."""
        return Scheme(self._choice("scheme", Scheme.SYSTEM, [*Scheme]))

    @scheme.setter
    def scheme(self, scheme: Scheme) -> None:
        self._settings.setValue("scheme", scheme.value)

    @property
    def view(self) -> ViewMode:
        """The view that the files page opens with."""
        return ViewMode(self._choice("view", ViewMode.COLUMNS, [*ViewMode]))

    @view.setter
    def view(self, view: ViewMode) -> None:
        self._settings.setValue("view", view.value)

    @property
    def order(self) -> Order:
        """The order of files."""
        return Order(self._choice("order", Order.NEWEST, [*Order]))

    @order.setter
    def order(self, order: Order) -> None:
        self._settings.setValue("order", order.value)

    @property
    def geometry(self) -> QByteArray:
        """Where the window was; empty at first."""
        value = self._settings.value("geometry")
        return value if isinstance(value, QByteArray) else QByteArray()

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._settings.setValue("geometry", geometry)

    @property
    def statements(self) -> tuple[str, ...]:
        """The statements of the console that are remembered, newest first."""
        try:
            value = json.loads(str(self._settings.value("statements", "[]")))
        except ValueError:
            return ()
        if not isinstance(value, list):
            return ()
        return tuple(text for text in value if isinstance(text, str))

    @statements.setter
    def statements(self, statements: Sequence[str]) -> None:
        self._settings.setValue("statements", json.dumps(statements))

    def _choice(
        self, key: str, default: str, allowed: list[Scheme] | list[ViewMode] | list[Order]
    ) -> str:
        value = self._settings.value(key, default)
        return value if isinstance(value, str) and value in allowed else default
