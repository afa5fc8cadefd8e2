"""A stream of our Yamux: ``MuxerStream`` for Bitcloud, ``IMuxedStream`` for libp2p."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

import trio
from libp2p.abc import IMuxedStream
from libp2p.stream_muxer.exceptions import MuxedStreamEOF, MuxedStreamReset

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.net.network import Piece
from bitcloud_net.wire.yamux_stream import MAY_SEND, MuxStream, StreamState

if TYPE_CHECKING:
    from bitcloud_net.net.yamux_muxer import YamuxMuxer

MAX_RECEIVE_BYTES = MIB
"""Handed over at once at most: the contract of ``Stream.receive``."""

SMALL_BYTES = 16 * KIB
"""What is sent in pieces of up to this is copied and need not wait for the socket, so that many
small messages share one record and one system call."""

MAX_WAITING_BYTES = 64 * KIB
"""Copied bytes of one stream that wait; beyond it every sender waits."""


class YamuxStream(IMuxedStream):
    """One task may send while another receives; cancelling harms this stream alone."""

    muxed_conn: YamuxMuxer

    def __init__(self, muxer: YamuxMuxer, stream: MuxStream) -> None:
        self.muxed_conn = muxer
        self._session = muxer.session
        self._stream = stream
        self._aborted = False
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()
        stream.handle = self

    @property
    def stream_id(self) -> int:
        """Its number on the wire."""
        return self._stream.id

    def wake(self) -> None:
        """Let those who wait look again; the muxer calls it when something changed."""
        stream = self._stream
        over = stream.state is StreamState.RESET
        if over or stream.readable_bytes or stream.peer_ended:
            self._readers.unpark_all()
        if over or not stream.queued_bytes or stream.state not in MAY_SEND:
            self._writers.unpark_all()

    # For Bitcloud: MuxerStream

    async def send(self, *pieces: Piece) -> None:
        """See ``MuxerStream.send``."""
        await trio.lowlevel.checkpoint_if_cancelled()
        size = sum(map(len, pieces))
        if size <= SMALL_BYTES and self._stream.queued_bytes + size <= MAX_WAITING_BYTES:
            self._session.queue(self._stream, b"".join(pieces))
            self.muxed_conn.work()
            return
        self._session.queue(self._stream, *pieces)
        self.muxed_conn.work()
        await self._until_sent()

    async def _until_sent(self) -> None:
        sent = False
        try:
            while self._stream.queued_bytes:
                await self._writers.park()
            sent = self._stream.state in MAY_SEND
        finally:
            if not sent:
                self.abort()
        if not sent:
            raise Unavailable("the stream was reset", code="stream-closed")

    async def receive(self) -> bytes:
        """See ``MuxerStream.receive``."""
        return await self._receive(MAX_RECEIVE_BYTES)

    async def _receive(self, max_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint_if_cancelled()
        stream = self._stream
        while not stream.readable_bytes:
            if stream.at_end:
                return b""
            if self._aborted or stream.state is StreamState.RESET:
                raise Unavailable("the stream was reset", code="stream-closed")
            await self._readers.park()
        data = self._session.take(stream, max_bytes, trio.current_time())
        self.muxed_conn.work()
        return data

    async def close_write(self) -> None:
        """End our direction, after all that waits is sent. Cancel: it is ended all the same."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._session.end(self._stream)
        self.muxed_conn.work()
        while self._stream.state in MAY_SEND:
            await self._writers.park()

    def abort(self) -> None:
        """See ``MuxerStream.abort``."""
        self._aborted = True
        self._session.abandon(self._stream, trio.current_time())
        self.muxed_conn.work()
        self._readers.unpark_all()
        self._writers.unpark_all()

    # For libp2p's own protocols: IMuxedStream

    async def read(self, n: int | None = None) -> bytes:
        """Return 1 to ``n`` bytes.

        Raises:
            MuxedStreamEOF: at the end.
            MuxedStreamReset: the stream was reset.
        """
        try:
            data = await self._receive(MAX_RECEIVE_BYTES if n is None or n < 0 else n)
        except Unavailable as error:
            raise MuxedStreamReset(str(error)) from error
        if not data and n != 0:
            raise MuxedStreamEOF("end of stream")
        return data

    async def write(self, data: bytes) -> None:
        """Send ``data``.

        Raises:
            MuxedStreamReset: the stream was reset, or was ended here.
        """
        try:
            await self.send(data)
        except Unavailable as error:
            raise MuxedStreamReset(str(error)) from error

    async def close(self) -> None:
        """End our direction and leave: the peer has a minute to end its own."""
        self._session.end(self._stream)
        self._stream.left_at = trio.current_time()
        self.muxed_conn.work()
        await trio.lowlevel.checkpoint()

    async def reset(self) -> None:
        """Reset the stream."""
        self.abort()
        await trio.lowlevel.checkpoint()

    def set_deadline(self, ttl: int) -> None:
        """Not offered: callers use trio's cancel scopes."""
        raise NotImplementedError

    def get_remote_address(self) -> tuple[str, int] | None:
        """Where the other end is, if that is known."""
        return self.muxed_conn.get_remote_address()

    async def __aenter__(self) -> YamuxStream:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()
