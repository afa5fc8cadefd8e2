"""Frames: numbered messages on one long-lived stream.

::

    offset  size  field
    0       4     length of all that follows, big endian
    4       4     request id, big endian: an answer carries the id of its question
    8       1     type, defined by the protocol
    9       2     length of the head, big endian
    11      …     head: canonical CBOR, small
    …       …     payload: raw bytes, to the end of the frame

A payload is never copied to be sent (the prefix from ``pack_frame`` and the payload go out as two
pieces), and copied at most once when it arrives in several pieces.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import KIB, MAX_FRAME_BYTES

MAX_HEAD_BYTES = 64 * KIB - 1
"""What two bytes can count. The largest head, a Merkle path of 25 hashes, has about 1 KiB."""

MAX_WIRE_FRAME_BYTES = MAX_FRAME_BYTES + 64 * KIB
"""Largest value of the length field: a payload of ``MAX_FRAME_BYTES`` and the largest head."""

PREFIX_BYTES = 11
"""What comes before the head."""

_PREFIX = struct.Struct(">IIBH")
_UNCOUNTED_BYTES = 4  # the length field does not count itself
_SMALL_PIECE_BYTES = 4 * KIB  # smaller pieces are merged, so that one byte never costs an object


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message. ``payload`` is read-only and stays valid for as long as it is held."""

    request: int
    type: int
    head: bytes
    payload: memoryview


def pack_frame(request: int, type_: int, head: bytes, payload_length: int = 0) -> bytes:
    """Return everything of a frame but its payload, which the caller sends right after it.

    Raises:
        Malformed: a number does not fit its field, or the frame is larger than allowed.
    """
    length = PREFIX_BYTES - _UNCOUNTED_BYTES + len(head) + payload_length
    if length > MAX_WIRE_FRAME_BYTES:
        raise Malformed(f"frame of {length} bytes, at most {MAX_WIRE_FRAME_BYTES} are allowed")
    try:
        return _PREFIX.pack(length, request, type_, len(head)) + head
    except struct.error as error:
        raise Malformed(f"a field of the frame is out of range: {error}") from error


class FrameParser:
    """Turns the bytes of one stream into frames, however they are cut.

    Holds at most one unfinished frame: no more than ``max_frame_bytes`` and the piece in hand.
    After an error the stream has no meaning any more, and every further call raises it again.
    """

    __slots__ = ("_body", "_error", "_max_frame_bytes", "_prefix")

    def __init__(self, max_frame_bytes: int = MAX_WIRE_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._prefix = bytearray()
        self._body: _Body | None = None
        self._error: Malformed | None = None

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that ``data`` completes, in order.

        Payloads may be views into ``data``, so the caller leaves it unchanged.

        Raises:
            Malformed: a length that is too large, or too small for what it must hold. Frames
                before it in the same piece are lost with the stream.
        """
        if self._error is not None:
            raise self._error
        frames: list[Frame] = []
        rest = memoryview(data).toreadonly()
        try:
            while rest:
                rest = self._take_body(rest) if self._body else self._take_prefix(rest)
                if self._body and not self._body.missing:
                    frames.append(self._body.finish())
                    self._body = None
        except Malformed as error:
            self._error = error
            raise
        return frames

    @property
    def inside_frame(self) -> bool:
        """Whether the stream, if it ended now, would end in the middle of a frame."""
        return bool(self._prefix) or self._body is not None

    def _take_prefix(self, rest: memoryview) -> memoryview:
        take = PREFIX_BYTES - len(self._prefix)
        self._prefix += rest[:take]
        if len(self._prefix) == PREFIX_BYTES:
            self._body = self._start_body(self._prefix)
            self._prefix = bytearray()
        elif len(self._prefix) >= _UNCOUNTED_BYTES:
            self._check_length(int.from_bytes(self._prefix[:_UNCOUNTED_BYTES], "big"))
        return rest[take:]

    def _start_body(self, prefix: bytearray) -> _Body:
        length, request, type_, head_bytes = _PREFIX.unpack(prefix)
        self._check_length(length)
        body_bytes = length - (PREFIX_BYTES - _UNCOUNTED_BYTES)
        if head_bytes > body_bytes:
            raise Malformed(f"head of {head_bytes} bytes in a frame with room for {body_bytes}")
        return _Body(request, type_, head_bytes, body_bytes)

    def _check_length(self, length: int) -> None:
        if length > self._max_frame_bytes:
            raise Malformed(f"frame of {length} bytes, at most {self._max_frame_bytes} are allowed")
        if length < PREFIX_BYTES - _UNCOUNTED_BYTES:
            raise Malformed(f"frame of {length} bytes has no room for its prefix")

    def _take_body(self, rest: memoryview) -> memoryview:
        assert self._body is not None
        take = self._body.missing
        self._body.add(rest[:take])
        return rest[take:]


class _Body:
    """Head and payload of the frame that is arriving."""

    __slots__ = ("_head_bytes", "_pieces", "_request", "_type", "missing")

    def __init__(self, request: int, type_: int, head_bytes: int, missing: int) -> None:
        self._request = request
        self._type = type_
        self._head_bytes = head_bytes
        self._pieces: list[memoryview | bytearray] = []
        self.missing = missing

    def add(self, piece: memoryview) -> None:
        self.missing -= len(piece)
        if len(piece) >= _SMALL_PIECE_BYTES or not (self._pieces or self.missing):
            self._pieces.append(piece)
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += piece
        else:
            self._pieces.append(bytearray(piece))

    def finish(self) -> Frame:
        whole = self._whole()
        return Frame(
            request=self._request,
            type=self._type,
            head=bytes(whole[: self._head_bytes]),
            payload=whole[self._head_bytes :],
        )

    def _whole(self) -> memoryview:
        if len(self._pieces) == 1 and isinstance(self._pieces[0], memoryview):
            return self._pieces[0]
        return memoryview(b"".join(self._pieces))
