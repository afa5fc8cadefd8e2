"""A window under test with everything around it."""

from __future__ import annotations

from dataclasses import dataclass

from fake_client import FakeClient
from PySide6.QtCore import QUrl

from app.bridge import Bridge
from app.session import Session
from app.theme import Theme
from app.window import Window


@dataclass
class Desk:
    """A window with everything around it."""

    window: Window
    session: Session
    bridge: Bridge
    theme: Theme
    client: FakeClient
    opened_urls: list[QUrl]
