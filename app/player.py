"""Hands films and music to a player of the system: a process of its own, so a bad file harms
nothing here.

Browsers are the fallback: they play what our gateway serves as well.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QProcess, QStandardPaths, QUrl
from PySide6.QtGui import QDesktopServices

PLAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # ytdl would send what it does not understand to another program.
    ("mpv", ("--force-window=yes", "--keep-open=yes", "--ytdl=no", "--really-quiet", "--")),
    ("vlc", ("--no-qt-privacy-ask", "--")),
    ("celluloid", ()),
    ("totem", ()),
    ("ffplay", ("-loglevel", "quiet", "-i")),
)
"""Players that stream with seeking over HTTP, best first, and what they are told before the
address."""


def player_command(
    url: QUrl, find: Callable[[str], str] = QStandardPaths.findExecutable
) -> tuple[str, list[str]] | None:
    """Return the program and arguments that play an address; None when no player is installed."""
    for name, arguments in PLAYERS:
        program = find(name)
        if program:
            return program, [*arguments, bytes(url.toEncoded().data()).decode("ascii")]
    return None


def play(url: QUrl) -> bool:
    """Play an address of our own gateway; False when nothing on this system can."""
    command = player_command(url)
    if command is not None and QProcess.startDetached(*command)[0]:
        return True
    return QDesktopServices.openUrl(url)
