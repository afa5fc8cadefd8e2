"""The control socket of a running node: other programs of the same user call its ``Client``.

The socket lies in a folder that only its owner can enter, and the other end must be the same user.
One connection carries one call (``wire.control_frames``); what comes in is bounded and checked
before anything happens, and closing the connection cancels the call.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from bitcloud_net.core.errors import BadInput, BitcloudError, Malformed, Refused
from bitcloud_net.protocols.control_calls import (
    Call,
    error_plain,
    parse_call,
    plain,
)
from bitcloud_net.protocols.control_socket import hold_socket
from bitcloud_net.wire.control_frames import (
    DATA_BYTES,
    MAX_CALL_BYTES,
    ControlReader,
    Kind,
    pack,
    pack_json,
)

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # mypy reads trio by that package's stubs

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 64
"""Calls at the same time: far more than one person's programs need, and little enough memory."""
CALL_DEADLINE_S: Final = 10
"""A program on this machine sends its whole call at once."""

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: SO_PEERCRED of unix(7)


class ControlServer:
    """Serves ``client`` (anything that keeps the ``Client`` contract) on the socket ``path``.

    A service: ``run`` owns the socket and removes it at the end.
    """

    def __init__(self, client: Any, path: Path) -> None:
        self._client = client
        self._path = path
        self._limit = trio.CapacityLimiter(MAX_CONNECTIONS)

    async def run(self, *, task_status: TaskStatus[Path] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Cancel: safe; calls under way are cancelled.

        Raises:
            LocalFault: another node of this home runs (``already-running``), or the folder is not
            ours.
        """
        if sys.platform == "win32":  # a named pipe will take the socket's place there
            task_status.started(self._path)
            await trio.sleep_forever()
        with hold_socket(self._path) as held:
            listener = trio.SocketListener(trio.socket.from_stdlib_socket(held.listening))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, self._serve, [listener])
                task_status.started(self._path)

    async def _serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await self._answer(stream)
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                log.debug("a program left before its answer")

    async def _answer(self, stream: trio.SocketStream) -> None:
        try:
            self._limit.acquire_nowait()
        except trio.WouldBlock:
            busy = Refused("the node answers too many programs at once", code="busy")
            await stream.send_all(pack_json(Kind.ERROR, error_plain(busy)))
            return
        try:
            _same_user(stream)
            name, call, arguments = await _receive_call(stream)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when_closed, stream, nursery.cancel_scope)
                await self._carry_out(stream, name, call, arguments)
                nursery.cancel_scope.cancel()
        except* BitcloudError as group:
            await stream.send_all(pack_json(Kind.ERROR, error_plain(_first(group))))
        finally:
            self._limit.release()

    async def _carry_out(
        self, stream: trio.SocketStream, name: str, call: Call, arguments: dict[str, Any]
    ) -> None:
        method = getattr(self._client, name)
        if not call.streams:
            result = await method(**arguments)
            await stream.send_all(pack_json(Kind.RESULT, plain(result)))
            return
        async with method(**arguments) as items:
            await stream.send_all(pack(Kind.READY))
            send = _send_bytes if name == "read" else _send_news
            await send(stream, items)
        await stream.send_all(pack(Kind.END))


async def _receive_call(stream: trio.SocketStream) -> tuple[str, Call, dict[str, Any]]:
    reader = ControlReader(max_bytes=MAX_CALL_BYTES)
    try:
        with trio.fail_after(CALL_DEADLINE_S):
            while (frame := reader.next()) is None:
                data = await stream.receive_some()
                if not data:
                    raise trio.BrokenResourceError
                reader.feed(data)
    except Malformed as error:
        raise BadInput(error.message, code="bad-call") from error
    except trio.TooSlowError as error:
        raise BadInput("no whole call arrived in time", code="bad-call") from error
    return parse_call(frame)


async def _cancel_when_closed(stream: trio.SocketStream, scope: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError):
        await stream.receive_some(1)  # a program sends nothing after its call: this is its end
    scope.cancel()


async def _send_bytes(stream: trio.SocketStream, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), DATA_BYTES):
            await stream.send_all(pack(Kind.DATA, bytes(view[start : start + DATA_BYTES])))


async def _send_news(stream: trio.SocketStream, news: AsyncIterator[object]) -> None:
    async for item in news:
        value = {"news": type(item).__name__, "value": plain(item)}
        await stream.send_all(pack_json(Kind.NEWS, value))


def _same_user(stream: trio.SocketStream) -> None:
    """The folder keeps others out already; where the system tells who called, ask it as well."""
    if not hasattr(socket, "SO_PEERCRED"):
        return
    raw = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    if uid not in (os.getuid(), 0):
        raise Refused("this node belongs to another user", code="not-permitted")


def _first(group: BaseExceptionGroup[BitcloudError]) -> BitcloudError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, BitcloudError)
    return error
