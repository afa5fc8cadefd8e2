"""Calls to a test grid's supervisor: the control socket's ``test_grid`` and
``set_running_nodes``."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Final

from bitcloud_net.core.errors import BadInput, BitcloudError
from bitcloud_net.protocols.control_calls import error_plain, parse_call, plain
from bitcloud_net.testgrid.fleet import Fleet
from bitcloud_net.wire.control_frames import MAX_CALL_BYTES, ControlReader, Kind, pack_json

SETTLE_S: Final = 60.0
"""How long switching nodes may take before the caller is told that it did not work."""
RECEIVE_BYTES: Final = 64 * 1024


class Caller:
    """One connection and its one call. The connection belongs to the supervisor."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._reader = ControlReader(max_bytes=MAX_CALL_BYTES)
        self._closed = False
        self._deadline_s: float | None = None

    def receive(self) -> None:
        """Take in what arrived; there is something, or the end."""
        try:
            data = self.connection.recv(RECEIVE_BYTES)
        except OSError:
            data = b""
        self._closed = not data
        self._reader.feed(data)

    def answer_if_due(self, fleet: Fleet) -> bool:
        """Carry out the call once it is there, answer once it is done; return whether we are
        through."""
        if self._closed:
            return True
        try:
            if self._deadline_s is None and not self._begin(fleet):
                return False
            return self._finish(fleet)
        except BitcloudError as error:
            self._send(pack_json(Kind.ERROR, error_plain(error)))
            return True

    def _begin(self, fleet: Fleet) -> bool:
        frame = self._reader.next()
        if frame is None:
            return False
        name, _, arguments = parse_call(frame)
        if name not in ("test_grid", "set_running_nodes"):
            raise BadInput("a test grid has no such call", code="bad-call")
        if name == "set_running_nodes":
            fleet.set_running(arguments["count"])
            self._deadline_s = time.monotonic() + SETTLE_S
        else:
            self._deadline_s = time.monotonic()
        return True

    def _finish(self, fleet: Fleet) -> bool:
        assert self._deadline_s is not None
        late = time.monotonic() >= self._deadline_s
        if not fleet.settled and not late:
            return False
        self._send(pack_json(Kind.RESULT, plain(fleet.view())))
        return True

    def _send(self, data: bytes) -> None:
        with suppress(OSError):  # who left needs no answer
            self.connection.sendall(data)
