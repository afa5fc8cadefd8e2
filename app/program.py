"""Builds the program: application, theme, bridge, session, window. The only place that does."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEventLoop, QLocale, QObject, QRectF, Qt, QTimer
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QApplication

from app.bridge import Bridge, OpenClient
from app.dialogs.welcome import CreateHome
from app.preferences import Preferences
from app.session import NodeState, Session
from app.single_instance import SingleInstance
from app.theme import Theme, load_fonts
from app.widgets.emblem import draw_logo
from app.window import Window

SIGNAL_TICK_MS = 250
"""How soon a signal from outside is noticed."""

SELFTEST_MS = 60_000
"""The self-test gives up after this long."""


def application() -> QApplication:
    """Return the Qt application, made ready: style, fonts, icon."""
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(["bitcloud"])
    QCoreApplication.setApplicationName("Bitcloud")
    QApplication.setStyle("Fusion")
    QApplication.setDesktopFileName("bitcloud")
    if (
        QLocale().language() is QLocale.Language.C
    ):  # no language set: figures as in our English texts
        QLocale.setDefault(QLocale(QLocale.Language.English))
    load_fonts()
    app.setWindowIcon(app_icon())
    return app


def app_icon() -> QIcon:
    """Return the program's icon, drawn at the sizes that desktops use."""
    result = QIcon()
    for side in (16, 24, 32, 48, 64, 128, 256):
        pixmap = QPixmap(side, side)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        draw_logo(painter, QRectF(0, 0, side, side))
        painter.end()
        result.addPixmap(pixmap)
    return result


class Program(QObject):
    """Everything this process holds. ``run`` returns when the window was closed and the node
    stopped."""

    def __init__(
        self,
        *,
        home: Path | None,
        open_client: OpenClient,
        create_home: CreateHome | None = None,
    ) -> None:
        self._app = application()
        super().__init__()
        self.stuck = False  # whether the node's thread did not end in time
        self._home = home
        self._preferences = Preferences(home)
        self._instance = SingleInstance(home, self)
        self.theme = Theme(self._preferences, self)
        self.theme.apply()
        self.bridge = Bridge(open_client, self)
        self.session = Session(self.bridge, self)
        self.window = Window(
            self.theme, self.session, self._preferences, home=home, create_home=create_home
        )
        self.bridge.passphrase_wanted.connect(self.window.first_start.ask_passphrase)
        self.window.first_start.passphrase_given.connect(self.bridge.give_passphrase)
        self._instance.called.connect(self._on_called)

    def run(self, link: str = "") -> int:
        """Show the window, start the node after its first paint, and wait until it is closed."""
        if self._instance.hand_over(link):
            return 0
        self._instance.listen()
        self.window.show()
        # The timer fires when the first paint is through: importing the node's libraries takes
        # longer.
        QTimer.singleShot(0, self.session.start)
        if link:
            self.session.state_changed.connect(lambda: self._open_once_ready(link))
        self._quit_on_signals()
        code = self._app.exec()
        self.stuck = not self.session.stop()
        self._instance.close()
        return 1 if self.stuck else code

    def _quit_on_signals(self) -> None:
        """Close as asked by Ctrl-C or the system; Python sees a signal only when it runs."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._app.quit())
        ticks = QTimer(self, interval=SIGNAL_TICK_MS)
        ticks.timeout.connect(lambda: None)
        ticks.start()

    def selftest(self) -> int:
        """Open the window and the node, wait until it answers, close; 0 when all went well."""
        self.window.show()
        loop = QEventLoop()

        def look() -> None:
            if self.session.state is NodeState.OFFLINE:
                loop.exit(1)
            elif self.session.status is not None:
                loop.exit(0)

        self.session.state_changed.connect(look)
        self.session.status_changed.connect(look)
        QTimer.singleShot(SELFTEST_MS, loop, lambda: loop.exit(1))
        QTimer.singleShot(0, self.session.start)
        code = loop.exec()
        stopped = self.session.stop()
        if self.session.failure is not None:
            sys.stderr.write(f"the node did not open: {self.session.failure}\n")
        return code if stopped else 1

    def _on_called(self, link: str) -> None:
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()
        if link.startswith("bitcloud:"):
            self.window.open_link(link)

    def _open_once_ready(self, link: str) -> None:
        if self.session.state is NodeState.READY and link.startswith("bitcloud:"):
            self.window.open_link(link)
