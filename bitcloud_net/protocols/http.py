"""HTTP/1.1 through h11 on a stream it is given: one connection, request after request.

One exchange, read downwards:

    the head of the next request arrives, within its deadlines, and is small and without a body
    the handler turns the request into an Answer        from here on the client is watched:
    the first bytes of its content are fetched          when it leaves, all of this is cancelled
    head and content go out as the content arrives
    the connection is used again, or closed

Nothing is sent before the first byte of content is there, so a source that fails by then becomes a
clear error page. When it fails later the connection is cut: the client sees fewer bytes than
Content-Length promised, never a complete-looking short file.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from http import HTTPStatus
from typing import TypeAlias

import h11
import trio

from bitcloud_net.core.errors import BitcloudError, Unavailable
from bitcloud_net.tasks import open_tasks
from bitcloud_net.wire.http_message import Answer, HttpRefusal, HttpRequest, Part
from bitcloud_net.wire.http_pages import error_answer, redact
from bitcloud_net.wire.http_rules import MAX_HEAD_BYTES, check_framing

Handler: TypeAlias = Callable[[HttpRequest], Awaitable[Answer]]
"""Answers one request. A ``BitcloudError`` becomes an error page. Cancel must be safe."""

HEAD_S = 10.0
"""Seconds from the first byte of a request to the end of its head; also from a new connection to
that first byte. nginx allows 60, but here the client is next door."""

IDLE_S = 30.0
"""Seconds that a connection stays open between requests."""

STALL_S = 3600.0
"""Seconds that a client may leave a piece of an answer untaken: a paused film. Till then its window
holds the source back; the listener cuts it sooner when others need its place."""

LINGER_S = 1.0
MAX_LINGER_BYTES = 256 * 1024
"""How long and how much is read before closing on a client that may still be sending: a system that
closes with bytes unread resets the connection, and the client would never see our answer."""

MAX_AHEAD_BYTES = MAX_HEAD_BYTES
"""What a client may send while it waits for an answer; browsers send nothing."""

TOO_MANY_CONNECTIONS = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 43\r\n"
    b"Retry-After: 5\r\nConnection: close\r\n\r\nToo many connections are open. Try again.\r\n"
)
"""What a connection gets that finds no place; sent by the listener without reading anything."""

RECEIVE_BYTES = 8 * 1024
_VERSIONS = frozenset({b"1.0", b"1.1"})
_JOIN_BYTES = 64 * 1024  # below this one more copy is cheaper than one more system call

_log = logging.getLogger(__name__)


async def serve_http(
    stream: trio.abc.HalfCloseableStream,
    handler: Handler,
    *,
    now_s: Callable[[], int],
    on_idle: Callable[[bool], None] = lambda _: None,
) -> None:
    """Answer the requests of one connection until it ends; the stream is closed then.

    ``now_s`` gives seconds since 1970 for the Date field. ``on_idle`` is told True when the
    connection begins to wait for a request, False when one begins. One piece of content is held at
    a time. Cancel: safe; the connection is cut and the source that is being read is closed.
    """
    connection = _Connection(stream, handler, now_s, on_idle)
    try:
        await connection.run()
    except (_Cut, trio.BrokenResourceError):
        _log.debug("a connection was cut")
    finally:
        await trio.aclose_forcefully(stream)


class _Cut(Exception):
    """The connection ends here: its client left or stalled, or the content failed in the middle."""


class _Connection:
    def __init__(
        self,
        stream: trio.abc.HalfCloseableStream,
        handler: Handler,
        now_s: Callable[[], int],
        on_idle: Callable[[bool], None],
    ) -> None:
        self._stream = stream
        self._handler = handler
        self._now_s = now_s
        self._on_idle = on_idle
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    async def run(self) -> None:
        patience_s = HEAD_S
        while await self._exchange(patience_s):
            self._h11.start_next_cycle()
            patience_s = IDLE_S
        if self._h11.our_state is h11.MUST_CLOSE:
            await self._linger()

    async def _exchange(self, patience_s: float) -> bool:
        """Serve one request; say whether the connection can take another one."""
        self._on_idle(True)
        try:
            request = await self._next_request(patience_s)
        except HttpRefusal as refusal:
            await self._send_answer(error_answer(refusal), closing=True)
            return False
        if request is None:
            return False
        await self._answer_watched(request)
        return self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE

    # ---------------------------------------------------------------- receiving

    async def _next_request(self, patience_s: float) -> HttpRequest | None:
        """Return the next request, or None when the client is done or silent.

        Raises:
            HttpRefusal: it is not HTTP/1, too large, has a body, or its head came too slowly.
        """
        event: h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED] = h11.NEED_DATA
        with trio.move_on_after(HEAD_S if self._has_begun else patience_s) as deadline:
            while (event := self._next_event()) is h11.NEED_DATA:
                data = await self._stream.receive_some(RECEIVE_BYTES)
                if not self._has_begun:
                    deadline.deadline = trio.current_time() + HEAD_S
                self._h11.receive_data(data)
        if deadline.cancelled_caught and self._has_begun:
            raise HttpRefusal(408, "The request took too long to arrive.")
        return self._accept(event) if isinstance(event, h11.Request) else None

    @property
    def _has_begun(self) -> bool:
        """Whether some of the next request is here already."""
        return bool(self._h11.trailing_data[0])

    def _accept(self, event: h11.Request) -> HttpRequest:
        self._on_idle(False)
        if event.http_version not in _VERSIONS:
            raise HttpRefusal(505, "This gateway speaks HTTP/1.1.")
        request = HttpRequest(
            method=event.method.decode("latin-1"),
            target=event.target.decode("latin-1"),
            headers=tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in event.headers),
        )
        check_framing(request)
        self._next_event()  # the end of a message without a body
        return request

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise HttpRefusal(error.error_status_hint, "This is not valid HTTP.") from error

    async def _watch_client(self) -> None:
        """Read ahead while an answer is made, only to notice that nobody wants it any more."""
        ahead_bytes = len(self._h11.trailing_data[0])
        while ahead_bytes <= MAX_AHEAD_BYTES:
            data = await self._stream.receive_some(RECEIVE_BYTES)
            if not data:
                break
            self._h11.receive_data(data)
            ahead_bytes += len(data)
        raise _Cut

    async def _linger(self) -> None:
        self._on_idle(True)
        with trio.move_on_after(LINGER_S):
            await self._stream.send_eof()
            left_bytes = MAX_LINGER_BYTES
            while left_bytes > 0 and (data := await self._stream.receive_some(RECEIVE_BYTES)):
                left_bytes -= len(data)

    # ---------------------------------------------------------------- answering

    async def _answer_watched(self, request: HttpRequest) -> None:
        async with open_tasks() as tasks:
            tasks.start_soon(self._watch_client)
            await self._answer(request)
            tasks.cancel_scope.cancel()

    async def _answer(self, request: HttpRequest) -> None:
        head_only = request.method == "HEAD"
        try:
            await self._send_answer(await self._handler(request), head_only=head_only)
        except BitcloudError as error:
            _log.info("request failed: %s (%s)", redact(error.message), error.code)
            if self._h11.our_state is not h11.SEND_RESPONSE:
                raise _Cut from error  # the head is out; only an end too early tells the truth now
            await self._send_answer(error_answer(error), head_only=head_only)

    async def _send_answer(
        self, answer: Answer, *, head_only: bool = False, closing: bool = False
    ) -> None:
        if isinstance(answer.body, tuple) and not head_only:
            for part in answer.body:
                await self._send_part(answer, part)
            await self._send(*self._data(answer.suffix), *self._end())
            return
        body = b"" if head_only or isinstance(answer.body, tuple) else answer.body
        await self._send(self._head(answer, closing=closing), *self._data(body), *self._end())

    async def _send_part(self, answer: Answer, part: Part) -> None:
        missing_bytes = part.length_bytes
        prefix = part.prefix
        async with part.open() as pieces, _closing(pieces):
            async for piece in pieces:
                if not piece:
                    continue
                head = self._head(answer) if self._h11.our_state is h11.SEND_RESPONSE else b""
                content = memoryview(piece)[:missing_bytes]
                missing_bytes -= len(content)
                await self._send(head, *self._data(prefix), *self._data(content))
                prefix = b""
                if not missing_bytes:
                    return
        raise Unavailable("The content ended before its time.", code="content-short")

    def _head(self, answer: Answer, *, closing: bool = False) -> bytes:
        fields = [("Date", formatdate(self._now_s(), usegmt=True)), *answer.headers]
        if answer.status != 304:
            fields.append(("Content-Length", str(answer.length_bytes)))
        if closing:
            fields.append(("Connection", "close"))
        reason = HTTPStatus(answer.status).phrase
        response = h11.Response(status_code=answer.status, headers=fields, reason=reason)
        return self._h11.send(response)

    def _data(self, content: bytes | memoryview) -> list[bytes]:
        if not content:
            return []
        # h11 counts the bytes against Content-Length and hands the same object back, uncopied.
        return self._h11.send_with_data_passthrough(h11.Data(data=content)) or []  # type: ignore[arg-type]

    def _end(self) -> list[bytes]:
        return self._h11.send_with_data_passthrough(h11.EndOfMessage()) or []

    async def _send(self, *pieces: bytes | memoryview) -> None:
        if sum(map(len, pieces)) <= _JOIN_BYTES:
            pieces = (b"".join(pieces),)
        with trio.move_on_after(STALL_S) as stalled:
            try:
                for piece in pieces:
                    await self._stream.send_all(piece)
            except trio.BrokenResourceError as error:
                raise _Cut from error  # a source that sees this pass must not take it for its own
        if stalled.cancelled_caught:
            raise _Cut


@asynccontextmanager
async def _closing(pieces: AsyncIterator[bytes]) -> AsyncIterator[None]:
    """Close a generator that may be left before its end; a collector would do it too late."""
    try:
        yield
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
