"""The settings page: how the window looks, who I am, and the addresses of this node."""

from __future__ import annotations

import sys

import PySide6
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.preferences import Scheme
from app.session import Session
from app.text import count_text
from app.theme import Theme
from app.widgets.button import Button
from app.widgets.label import Card, ElidedLabel, Label


class SettingsPage(QWidget):
    """Emits ``copy_wanted(text)`` for a value that is to be copied."""

    copy_wanted = Signal(str)

    def __init__(self, theme: Theme, session: Session, home: str) -> None:
        super().__init__()
        self._theme = theme
        self._session = session
        self._values: dict[str, ElidedLabel] = {}
        self._schemes: dict[Scheme, Button] = {}
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(28, 22, 28, 22)
        column.setSpacing(16)
        column.addWidget(Label(self.tr("Settings"), role="title"))
        column.addWidget(self._look_card())
        column.addWidget(self._me_card())
        column.addWidget(self._node_card())
        column.addWidget(self._about_card(home))
        column.addStretch()
        inner.setMaximumWidth(860)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setAccessibleName(self.tr("Settings"))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        session.status_changed.connect(self.refresh)
        theme.changed.connect(self._show_scheme)
        self.refresh()
        self._show_scheme()

    def _card(self, title: str, hint: str = "") -> Card:
        card = Card(margin=20, spacing=10)
        card.body.addWidget(Label(title, role="heading"))
        if hint:
            card.body.addWidget(Label(hint, role="second", wrap=True))
        return card

    def _look_card(self) -> Card:
        card = self._card(self.tr("Look"), self.tr("System follows the colours of your desktop."))
        row = QHBoxLayout()
        group = QButtonGroup(self)
        for scheme, name, icon in (
            (Scheme.SYSTEM, self.tr("System"), "desktop_tower"),
            (Scheme.LIGHT, self.tr("Light"), "weather_sunny"),
            (Scheme.DARK, self.tr("Dark"), "weather_moon"),
        ):
            button = Button(self._theme, name, icon=icon)
            button.setCheckable(True)
            button.clicked.connect(lambda _checked, s=scheme: self._theme.choose(s))
            group.addButton(button)
            row.addWidget(button)
            self._schemes[scheme] = button
        row.addStretch()
        card.body.addLayout(row)
        return card

    def _me_card(self) -> Card:
        hint = self.tr(
            "Your identity is made from 24 recovery words. Who has them is you: keep them on "
            "paper. "
            "“bitcloud init” shows them once, when the home is made; with them it can be made "
            "again."
        )
        card = self._card(self.tr("You"), hint)
        self._add_values(
            card, (("person", self.tr("Name")), ("fingerprint", self.tr("Key fingerprint")))
        )
        return card

    def _node_card(self) -> Card:
        hint = self.tr("The gateway serves files to players and browsers on this computer only.")
        card = self._card(self.tr("This node"), hint)
        self._add_values(
            card,
            (
                ("gateway", self.tr("Gateway")),
                ("node", self.tr("Node id")),
                ("addresses", self.tr("Addresses")),
                ("network", self.tr("Network")),
                ("rows", self.tr("Nodepool")),
            ),
        )
        return card

    def _about_card(self, home: str) -> Card:
        card = self._card(self.tr("About"))
        self._add_values(
            card,
            (
                ("version", "Bitcloud"),
                ("qt", "Qt"),
                ("python", "Python"),
                ("home", self.tr("Home")),
            ),
        )
        self._values["qt"].setText(f"PySide6 {PySide6.__version__}")
        self._values["python"].setText(sys.version.split()[0])
        self._values["home"].setText(home)
        return card

    def _add_values(self, card: Card, names: tuple[tuple[str, str], ...]) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnMinimumWidth(0, 120)
        grid.setColumnStretch(1, 1)
        for row, (key, name) in enumerate(names):
            value = ElidedLabel("—", middle=True)
            self._values[key] = value
            grid.addWidget(Label(name, role="second"), row, 0)
            grid.addWidget(value, row, 1)
            copy_name = self.tr("Copy {name}").format(name=name)
            button = Button(self._theme, copy_name, icon="copy", icon_only=True, height=28)
            button.clicked.connect(lambda _checked=False, v=value: self.copy_wanted.emit(v.text()))
            grid.addWidget(button, row, 2)
        card.body.addLayout(grid)

    def _show_scheme(self) -> None:
        self._schemes[self._theme.scheme].setChecked(True)

    def refresh(self) -> None:
        """Show what is true now."""
        status = self._session.status
        if status is None:
            return
        texts = {
            "person": status.person,
            "fingerprint": status.fingerprint,
            "gateway": status.gateway or self.tr("starts with the first file you open"),
            "node": status.node,
            "addresses": ", ".join(status.addresses) or "—",
            "network": status.network,
            "rows": count_text(status.rows, "{count} signed row", "{count} signed rows"),
            "version": status.version,
        }
        for key, text in texts.items():
            if self._values[key].text() != text:
                self._values[key].setText(text)
