"""One window with a scripted node for each test; a warning of Qt fails the test."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

sys.path.insert(0, str(Path(__file__).parent))

from desk import Desk
from fake_client import FakeClient, opener

from app.bridge import Bridge, OpenClient
from app.preferences import Preferences
from app.program import application
from app.session import NodeState, Session
from app.theme import Theme
from app.window import Window

HARMLESS_WARNINGS = (
    "propagateSizeHints",  # the offscreen platform has no window manager
    "This plugin does not support",
    "libpng",  # what the decoder says about hostile pictures, in tests of hostile pictures
    "QImageIOHandler",
    "Application asked to unregister",
)


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    """Our application, with its fonts and style, for pytest-qt."""
    return application()


@pytest.fixture(autouse=True)
def _no_qt_warnings(qtlog) -> Iterator[None]:  # type: ignore[no-untyped-def]
    yield
    bad = [
        record.message
        for record in qtlog.records
        if record.type.name != "QtDebugMsg"
        and not any(text in record.message for text in HARMLESS_WARNINGS)
    ]
    assert not bad


@pytest.fixture
def client() -> FakeClient:
    """The scripted node."""
    return FakeClient()


@pytest.fixture
def make_desk(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> Iterator[Callable[[FakeClient, OpenClient], Desk]]:
    """Return a function that opens a window on a scripted node; closed after the test."""
    desks: list[Desk] = []

    def make(client: FakeClient, open_client: OpenClient) -> Desk:
        home = tmp_path / f"home{len(desks)}"
        preferences = Preferences(home)
        theme = Theme(preferences)
        theme.apply()
        bridge = Bridge(open_client)
        session = Session(bridge)
        urls: list[QUrl] = []

        def open_url(url: QUrl) -> bool:
            urls.append(url)
            return True

        window = Window(
            theme, session, preferences, home=home, open_url=open_url, play_url=open_url
        )
        qtbot.addWidget(window, before_close_func=lambda w: setattr(w, "may_close", True))
        desk = Desk(window, session, bridge, theme, client, urls)
        desks.append(desk)
        window.show()
        session.start()
        return desk

    yield make
    for desk in desks:
        assert desk.session.stop()


@pytest.fixture
def desk(make_desk, client: FakeClient, qtbot: QtBot) -> Desk:  # type: ignore[no-untyped-def]
    """A window whose node answers, in the person's own folder."""
    found: Desk = make_desk(client, opener(client))
    qtbot.waitUntil(lambda: found.session.status is not None)
    qtbot.waitUntil(lambda: found.window.files.area.model.rowCount() > 0)
    assert found.session.state is NodeState.READY
    return found
