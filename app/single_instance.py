"""One window for each home: a second start hands its arguments to the first and leaves."""

from __future__ import annotations

import getpass
import hashlib
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

ANSWER_MS = 500
MAX_CALLERS = 16
"""Starts that may be handing over at once."""
MAX_MESSAGE_BYTES = 4096
"""A ``bitcloud:`` link is at most 2 KiB."""


def server_name(home: Path | None) -> str:
    """Return the name under which the window of this home and person listens."""
    key = f"{getpass.getuser()}:{home.resolve() if home else ''}"
    return "bitcloud-" + hashlib.blake2s(key.encode(), digest_size=8).hexdigest()


class SingleInstance(QObject):
    """Emits ``called(link)`` when another start was handed over; the link may be empty."""

    called = Signal(str)

    def __init__(self, home: Path | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = server_name(home)
        self._sockets: list[QLocalSocket] = []
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)

    def hand_over(self, link: str) -> bool:
        """Tell a running window about this start; False when there is none."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(ANSWER_MS):
            return False
        socket.write(link.encode()[:MAX_MESSAGE_BYTES] + b"\n")
        socket.waitForBytesWritten(ANSWER_MS)
        socket.disconnectFromServer()
        if socket.state() is not QLocalSocket.LocalSocketState.UnconnectedState:
            socket.waitForDisconnected(ANSWER_MS)
        return True

    def listen(self) -> bool:
        """Become the window of this home; a name left by a crash is taken over."""
        QLocalServer.removeServer(self._name)
        return self._server.listen(self._name)

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def _on_connection(self) -> None:
        socket = self._server.nextPendingConnection()
        socket.setParent(self)
        socket.readyRead.connect(self._read_all)
        self._sockets.append(socket)
        self._read_all()

    def _read_all(self) -> None:
        for socket in [*self._sockets]:
            if socket.canReadLine():
                self._read(socket)
            elif socket.bytesAvailable() > MAX_MESSAGE_BYTES or len(self._sockets) > MAX_CALLERS:
                self._forget(socket)

    def _read(self, socket: QLocalSocket) -> None:
        line = bytes(socket.readLine(MAX_MESSAGE_BYTES).data()).decode("utf-8", errors="replace")
        self._forget(socket)
        self.called.emit(line.strip())

    def _forget(self, socket: QLocalSocket) -> None:
        self._sockets.remove(socket)
        socket.abort()
        socket.deleteLater()
