"""A stream of one connection, as the rest of Bitcloud sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.net.ending import Ending
from bitcloud_net.net.network import Piece

_MULTISTREAM = "/multistream/1.0.0"
_NOT_FOUND = "na"
_MAX_LINE_BYTES = 256
_NEGOTIATION_DEADLINE_S = 10.0  # libp2p's own figure, on both ends


class MuxerStream(Protocol):
    """What our muxers' streams offer besides libp2p's slower ``read`` and ``write``.

    All errors are ``Unavailable``. One task may send while another receives.
    """

    async def send(self, *pieces: Piece) -> None:
        """Send the pieces in order. Cancel: the stream is aborted, the connection is unharmed."""

    async def receive(self) -> bytes:
        """Return what has arrived, at most 1 MiB, or ``b""`` at the end. Cancel: safe.

        What arrived before the peer's end of stream is delivered even if the peer then resets.
        """

    async def close_write(self) -> None:
        """Send the end of our direction."""

    def abort(self) -> None:
        """Reset at once, without waiting; the notice to the peer follows by itself."""


class WrongAnswer(Unavailable):
    """The peer does not speak the protocol; a new connection would not change that."""

    default_code = "protocol-unknown"


class NoAnswer(Unavailable):
    """The peer is silent, so the connection is probably dead."""

    default_code = "node-unreachable"


class Libp2pStream:
    """``Stream`` over a muxer's stream."""

    __slots__ = ("_ahead", "_ending", "_muxed", "_peer")

    def __init__(self, muxed: MuxerStream, peer: NodeId, on_end: Callable[[], None]) -> None:
        """``on_end`` is called once, when both directions have ended here."""
        self._muxed = muxed
        self._peer = peer
        self._ending = Ending(on_end)
        self._ahead = b""  # came in the same piece as the answer of the negotiation

    @property
    def peer(self) -> NodeId:
        """The other end, proven by the handshake."""
        return self._peer

    async def send(self, *pieces: Piece) -> None:
        """See ``Stream.send``."""
        try:
            await self._muxed.send(*pieces)
        except BaseException:
            self.reset()
            raise

    async def receive(self) -> bytes:
        """See ``Stream.receive``."""
        if self._ahead:
            await trio.lowlevel.checkpoint()
            data, self._ahead = self._ahead, b""
            return data
        try:
            data = await self._muxed.receive()
        except Unavailable:
            self.reset()
            raise
        if not data:
            self._ending.reading()
        return data

    async def close_write(self) -> None:
        """See ``Stream.close_write``."""
        await self._muxed.close_write()
        self._ending.writing()

    def reset(self) -> None:
        """See ``Stream.reset``."""
        self._muxed.abort()
        self._ending.both()

    async def negotiate(self, protocol: str) -> None:
        """Agree on the protocol of a stream that we opened, in one round trip.

        Both lines of multistream-select go out together; a peer answers them one by one.

        Raises:
            WrongAnswer: the peer does not speak it.
            NoAnswer: nothing came within 10 s.
            Unavailable: the peer reset the stream, or the connection broke.
        """
        with trio.move_on_after(_NEGOTIATION_DEADLINE_S):
            await self.send(_line(_MULTISTREAM), _line(protocol))
            if await self._read_line() != _MULTISTREAM:
                raise WrongAnswer("the peer does not speak multistream-select")
            answer = await self._read_line()
            if answer != protocol:
                raise WrongAnswer(f"the peer does not speak {protocol}")
            return
        raise NoAnswer("no answer to a new stream")

    async def _read_line(self) -> str:
        data = self._ahead
        while True:
            length, used = _varint(data)
            if length is not None and len(data) >= used + length:
                break
            piece = await self._muxed.receive()
            if not piece:
                raise Unavailable("the peer ended a new stream", code="node-unreachable")
            data += piece
        self._ahead = data[used + length :]
        return data[used : used + length].rstrip(b"\n").decode("ascii", "replace")


def _line(text: str) -> bytes:
    body = text.encode("ascii") + b"\n"
    if len(body) < 0x80:
        return bytes([len(body)]) + body
    return bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body


def _varint(data: bytes) -> tuple[int | None, int]:
    """Return the length at the head of ``data`` and the bytes it takes, or None while too short."""
    if not data:
        return None, 0
    if data[0] < 0x80:
        return data[0], 1
    if len(data) < 2:
        return None, 0
    length = data[0] & 0x7F | data[1] << 7
    if length > _MAX_LINE_BYTES:
        raise WrongAnswer("the peer's answer to a new stream is too long")
    return length, 2
