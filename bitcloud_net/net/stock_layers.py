"""py-libp2p's own Noise and Yamux, with the traps of version 0.8.1 closed.

What is put right here: a cancelled call never leaves half a frame behind, a reader that pauses
holds the writer back instead of killing it, a peer that ignores its window loses the connection,
and so does one that opens streams without end.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

import trio
from libp2p.abc import ISecureConn
from libp2p.crypto.keys import KeyPair
from libp2p.crypto.x25519 import create_new_key_pair
from libp2p.io.exceptions import IOException
from libp2p.network.connection.exceptions import RawConnError
from libp2p.peer.id import ID
from libp2p.security.noise.transport import Transport
from libp2p.stream_muxer.exceptions import MuxedStreamError
from libp2p.stream_muxer.yamux.yamux import (
    FLAG_RST,
    GO_AWAY_NORMAL,
    TYPE_DATA,
    TYPE_WINDOW_UPDATE,
    YAMUX_HEADER_FORMAT,
    Yamux,
    YamuxStream,
)

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.net.libp2p_swarm import Layers
from bitcloud_net.net.limits import NetLimits
from bitcloud_net.net.network import Piece

MAX_DATA_FRAME_BYTES = 256 * KIB
"""Largest data frame accepted, checked on its header. Known implementations send 64 KiB."""

_PIECE_BYTES = 65_507  # with the frame's 12 bytes exactly one full Noise record
_MAX_RECEIVE_BYTES = MIB

ReportFault = Callable[[str], None]


class PatientStream(YamuxStream):
    """A stream whose writer waits as long as it must; also a ``MuxerStream``."""

    conn: PatientYamux
    reset_by_us = False
    _send_window: int
    _recv_window: int
    _closed: bool
    _window_open: trio.Event

    # The base class keeps these in plain attributes, set by its read loop: as properties they tell.
    @property
    def send_window(self) -> int:
        """Bytes that the peer allows us to send."""
        return self._send_window

    @send_window.setter
    def send_window(self, value: int) -> None:
        self._send_window = value
        if value > 0:
            self._window_open.set()

    @property
    def recv_window(self) -> int:
        """Bytes that the peer may still send."""
        return self._recv_window

    @recv_window.setter
    def recv_window(self, value: int) -> None:
        self._recv_window = value
        if value < 0:
            self.conn.fault("sent more than its window")

    @property
    def closed(self) -> bool:
        """Whether both directions have ended, or the peer has reset the stream."""
        return self._closed

    @closed.setter
    def closed(self, value: bool) -> None:
        self._closed = value
        if value:
            self._window_open.set()

    def adopt(self) -> None:
        """Turn the counters that the base class has set into ours."""
        fields = self.__dict__
        self._window_open = trio.Event()
        self._recv_window = fields.pop("recv_window")
        self.send_window = fields.pop("send_window")
        self.closed = fields.pop("closed")

    async def send(self, *pieces: Piece) -> None:
        """See ``MuxerStream.send``."""
        for chunk in _cut(pieces, _PIECE_BYTES):
            rest = chunk
            while rest:
                rest = rest[await self._send_some(rest) :]

    async def _send_some(self, data: memoryview) -> int:
        while self._send_window <= 0 and not self._write_ended:
            self._window_open = trio.Event()
            await self._window_open.wait()
        if self._write_ended:
            raise Unavailable("the stream is closed", code="stream-closed")
        count = min(self._send_window, len(data))
        self.send_window = self._send_window - count
        header = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_DATA, 0, self.stream_id, count)
        try:
            await self.conn.write_whole(b"".join((header, data[:count])))
        except (IOException, RawConnError, OSError) as error:
            raise Unavailable("the connection broke", code="stream-closed") from error
        return count

    @property
    def _write_ended(self) -> bool:
        return self.send_closed or self.closed or self.conn.event_shutting_down.is_set()

    async def receive(self) -> bytes:
        """See ``MuxerStream.receive``."""
        await trio.lowlevel.checkpoint()
        while not (data := self._take()):
            if self.conn.event_shutting_down.is_set():
                raise Unavailable("the connection broke", code="stream-closed")
            if self.recv_closed and not self.reset_by_us:
                return b""
            if self.reset_received or self.closed:
                raise Unavailable("the stream was reset", code="stream-closed")
            await self._wait_for_news()
        with trio.CancelScope(shield=True):  # the bytes are ours now: a cancel would lose them
            await self._allow_more(len(data))
        return data

    async def _wait_for_news(self) -> None:
        event = self.conn.stream_events[self.stream_id]
        if event.is_set():
            event = self.conn.stream_events[self.stream_id] = trio.Event()
        await event.wait()

    def _take(self) -> bytes:
        buffer = self.conn.stream_buffers.get(self.stream_id)
        if not buffer:
            return b""
        data = bytes(memoryview(buffer)[:_MAX_RECEIVE_BYTES])
        del buffer[: len(data)]
        return data

    async def _allow_more(self, count: int) -> None:
        if self.closed and self.stream_id in self.conn.streams:
            await self.conn._finalize_stream(self, fully_closed=True)
        if self.recv_closed or self.closed:
            return
        try:
            await self._auto_tune_and_send_window_update(bytes_read=count)
        except (IOException, RawConnError, OSError):
            return  # the next call says that the connection broke

    async def close_write(self) -> None:
        """See ``MuxerStream.close_write``."""
        if self._write_ended:
            return
        with trio.CancelScope(shield=True):
            try:
                await self.close()
            except (IOException, RawConnError, OSError) as error:
                raise Unavailable("the connection broke", code="stream-closed") from error

    def abort(self) -> None:
        """See ``MuxerStream.abort``."""
        if not (self.send_closed and self.recv_closed):
            self.reset_by_us = True
            self.conn.say_reset(self.stream_id)
        self.closed = self.send_closed = self.recv_closed = True
        self.conn.forget(self)


class _Streams(dict[int, YamuxStream]):
    """The muxer's table of streams: what enters it becomes ours, and the peer's are counted."""

    def __init__(self, muxer: PatientYamux, max_inbound: int) -> None:
        super().__init__()
        self._muxer = muxer
        self._max_inbound = max_inbound

    def __setitem__(self, stream_id: int, stream: YamuxStream) -> None:
        stream.__class__ = PatientStream
        assert isinstance(stream, PatientStream)
        stream.adopt()
        super().__setitem__(stream_id, stream)
        if not stream.is_initiator:
            inbound = sum(not each.is_initiator for each in self.values())
            if inbound > self._max_inbound:
                self._muxer.fault("opened too many streams")


class PatientYamux(Yamux):
    """Yamux with whole frames, bounded buffers and no impatience."""

    def __init__(
        self,
        secured_conn: ISecureConn,
        peer_id: ID,
        *,
        max_inbound_streams: int,
        report: ReportFault,
    ) -> None:
        """``report`` hears once why this end gave up on the peer."""
        super().__init__(secured_conn, peer_id, is_initiator=secured_conn.is_initiator)
        self.streams = _Streams(self, max_inbound_streams)
        self._report = report

    def fault(self, reason: str) -> None:
        """End the connection, because the peer broke the protocol."""
        if not self.event_shutting_down.is_set():
            self.event_shutting_down.set()
            self._report(reason)
        raise MuxedStreamError(reason)  # out of the base class's read loop

    async def write_whole(self, data: bytes) -> None:
        """Write one frame, whole or not at all. Cancel: only before it begins."""
        async with self._write_lock:
            with trio.CancelScope(shield=True):
                await self.secured_conn.write(data)

    async def _write_frame(self, data: bytes) -> None:
        with trio.CancelScope(shield=True):
            await self.write_whole(data)

    async def _read_data_body(self, length: int) -> bytes:
        if length > MAX_DATA_FRAME_BYTES:
            self.fault("sent a frame that is too large")
        return await super()._read_data_body(length)

    async def handle_incoming(self) -> None:
        """Read until the end; then wake everybody who waits for this connection."""
        try:
            await super().handle_incoming()
        finally:
            self.event_shutting_down.set()
            with trio.CancelScope(shield=True):
                await self._cleanup_on_error()

    async def close(self, error_code: int = GO_AWAY_NORMAL) -> None:
        """Say goodbye and end all streams."""
        with trio.CancelScope(shield=True):
            await super().close(error_code)

    def say_reset(self, stream_id: int) -> None:
        """Tell the peer, in the background, that a stream is reset."""
        if self._nursery is None or self.event_shutting_down.is_set():
            return
        frame = struct.pack(YAMUX_HEADER_FORMAT, 0, TYPE_WINDOW_UPDATE, FLAG_RST, stream_id, 0)
        self._nursery.start_soon(self._write_quietly, frame)

    def forget(self, stream: PatientStream) -> None:
        """Drop what is kept of a stream that is reset here, and wake its reader."""
        event = self.stream_events.get(stream.stream_id)
        self.stream_buffers.pop(stream.stream_id, None)
        self._finalize_stream_locked(stream, fully_closed=True)
        if event is not None:
            event.set()

    async def _write_quietly(self, frame: bytes) -> None:
        try:
            await self.write_whole(frame)
        except (IOException, RawConnError, OSError):
            return  # the read loop notices too


def _cut(pieces: Iterable[Piece], size: int) -> Iterator[memoryview]:
    """Yield the bytes of all pieces in chunks of ``size``; a chunk inside one piece is a view."""
    partial = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        if partial:
            take = size - len(partial)
            partial += view[:take]
            view = view[take:]
            if len(partial) < size:
                continue
            yield memoryview(partial)
            partial = bytearray()
        whole = len(view) - len(view) % size
        for start in range(0, whole, size):
            yield view[start : start + size]
        partial += view[whole:]
    if partial:
        yield memoryview(partial)


def stock_layers() -> Layers:
    """Return py-libp2p's Noise and the Yamux of this module."""

    def noise(pair: KeyPair) -> Transport:
        return Transport(pair, noise_privkey=create_new_key_pair().private_key)

    def yamux(
        conn: ISecureConn, peer_id: ID, limits: NetLimits, report: Callable[[str], None]
    ) -> PatientYamux:
        # A peer's count of its open streams runs ahead of ours: politely refused ones come first.
        most = 4 * limits.max_streams_per_peer
        return PatientYamux(conn, peer_id, max_inbound_streams=most, report=report)

    return Layers(noise=noise, yamux=yamux)
