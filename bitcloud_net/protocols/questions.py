"""Questions and answers on a stream: one at a time, each answer with the number of its question.

What the messages are is the protocol's matter, which hands in how they are packed and parsed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import trio

from bitcloud_net.core.errors import BadMessage, Malformed, Refused, Unavailable
from bitcloud_net.net.network import Stream
from bitcloud_net.wire.fields import Buffer
from bitcloud_net.wire.frames import Frame, FrameParser, pack_frame

SILENCE_S: Final = 10.0
"""A side that says nothing for so long, while it is its turn, has ended the stream."""
FRAME_S: Final = 30.0
"""How long one message may take to arrive once it has begun. Whoever sends slower holds a place
that others need."""

_Q = TypeVar("_Q")
_R = TypeVar("_R")
_A = TypeVar("_A")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec(Generic[_Q, _R]):
    """How one protocol's messages travel. ``refusal`` returns the error that an answer stands for,
    if it is a refusal.
    """

    max_frame_bytes: int
    pack: Callable[[_Q | _R], tuple[int, bytes, bytes]]
    parse_request: Callable[[int, Buffer, Buffer], _Q]
    parse_answer: Callable[[int, Buffer, Buffer], _R]
    refusal: Callable[[_R], Refused | None]


class Caller(Generic[_Q, _R]):
    """Asks one question at a time on a stream, which stays open and belongs to the caller."""

    def __init__(self, stream: Stream, codec: Codec[_Q, _R]) -> None:
        self._stream = stream
        self._codec = codec
        self._frames = Frames(stream, codec.max_frame_bytes)
        self._number = 0

    async def ask(self, request: _Q, kind: type[_A]) -> _A:
        """Send a request and return its answer, which must be of this kind.

        Cancel: safe, but ends the use of the stream.

        Raises:
            Refused: the other side said no; the code is its own.
            PeerFault: it broke the protocol.
            Unavailable: the stream ended, or it was silent for ten seconds.
        """
        self._number += 1
        await send(self._stream, self._number, self._codec.pack(request))
        frame = await self._frames.next(SILENCE_S)
        if frame is None:
            raise Unavailable("the stream ended", code="stream-ended")
        try:
            reply = self._codec.parse_answer(frame.type, frame.head, frame.payload)
        except Malformed as error:
            raise BadMessage(error.message, peer=self._stream.peer) from error
        if (refused := self._codec.refusal(reply)) is not None:
            raise refused
        if frame.request != self._number or not isinstance(reply, kind):
            raise BadMessage("an answer to another question", peer=self._stream.peer)
        return reply


class Frames:
    """The frames of one stream, one by one."""

    def __init__(self, stream: Stream, max_frame_bytes: int) -> None:
        self._stream = stream
        self._parser = FrameParser(max_frame_bytes)
        self._ready: deque[Frame] = deque()

    async def next(self, patience_s: float) -> Frame | None:
        """Return the next frame; None at the end of the stream.

        Raises:
            PeerFault: no frames.
            Unavailable: nothing came in time.
        """
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


async def send(stream: Stream, number: int, packed: tuple[int, bytes, bytes]) -> None:
    """Send one message with the number of its question.

    Raises:
        Unavailable: the stream broke, or the other side took nothing for ten seconds.
    """
    kind, head, payload = packed
    with trio.move_on_after(SILENCE_S) as scope:
        await stream.send(pack_frame(number, kind, head, len(payload)), payload)
    if scope.cancelled_caught:
        raise Unavailable("the other side took nothing for too long", code="peer-silent")
