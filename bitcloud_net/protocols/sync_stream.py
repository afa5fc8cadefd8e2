"""Frames of the sync protocol on a stream: one question at a time, each with its answer."""

from __future__ import annotations

from collections import deque
from typing import Final, TypeVar

import trio

from bitcloud_net.core.errors import BadMessage, Malformed, Refused, Unavailable
from bitcloud_net.net.network import Stream
from bitcloud_net.wire import sync_session as wire
from bitcloud_net.wire.frames import Frame, FrameParser, pack_frame

SILENCE_S: Final = 10.0
"""A side that says nothing for so long, while it is its turn, has ended the session."""
FRAME_S: Final = 30.0
"""How long one message may take to arrive once it has begun: the largest at 10 kB/s. Whoever sends
slower holds a place that others need."""

_A = TypeVar("_A")


class Caller:
    """Asks one question at a time on a stream, which stays open and belongs to the caller."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._frames = Frames(stream)
        self._number = 0

    async def ask(self, request: wire.Request, kind: type[_A]) -> _A:
        """Send a request and return its answer.

        Cancel: safe, but ends the use of the stream.

        Raises:
            Refused: the other side said no; the code is its own.
            PeerFault: it broke the protocol.
            Unavailable: the stream ended, or it was silent for ten seconds.
        """
        self._number += 1
        await send(self._stream, self._number, request)
        frame = await self._frames.next(SILENCE_S)
        if frame is None:
            raise Unavailable("the sync stream ended", code="stream-ended")
        try:
            reply = wire.parse_answer(frame.type, frame.head, frame.payload)
        except Malformed as error:
            raise BadMessage(error.message, peer=self._stream.peer) from error
        if isinstance(reply, wire.RefusedIs):
            raise Refused(reply.text, code=reply.error_code)
        if frame.request != self._number or not isinstance(reply, kind):
            raise BadMessage("an answer to another question", peer=self._stream.peer)
        return reply


class Frames:
    """The frames of one stream, one by one."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._parser = FrameParser(wire.MAX_FRAME_BYTES)
        self._ready: deque[Frame] = deque()

    async def next(self, patience_s: float) -> Frame | None:
        """Return the next frame; None at the end of the stream."""
        late = trio.current_time() + FRAME_S
        while not self._ready:
            deadline = trio.current_time() + patience_s
            if self._parser.inside_frame:
                deadline = min(deadline, late)
            data = await self._receive(deadline)
            if not data:
                return None
            try:
                self._ready.extend(self._parser.feed(data))
            except Malformed as error:
                raise BadMessage(error.message, peer=self._stream.peer) from error
        return self._ready.popleft()

    async def _receive(self, deadline: float) -> bytes:
        with trio.move_on_at(deadline):
            return await self._stream.receive()
        raise Unavailable("the other side was silent for too long", code="peer-silent")


async def send(stream: Stream, number: int, message: wire.Request | wire.Answer) -> None:
    """Send one message.

    Raises:
        Unavailable: the stream broke, or the other side took nothing for ten seconds.
    """
    kind, head, payload = wire.pack(message)
    with trio.move_on_after(SILENCE_S) as scope:
        await stream.send(pack_frame(number, kind, head, len(payload)), payload)
    if scope.cancelled_caught:
        raise Unavailable("the other side took nothing for too long", code="peer-silent")
