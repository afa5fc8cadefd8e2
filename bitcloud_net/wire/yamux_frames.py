"""Yamux frames: twelve bytes of header, and behind a DATA header its payload.

::

    offset  size  field
    0       1     version, 0
    1       1     type: 0 DATA, 1 WINDOW_UPDATE, 2 PING, 3 GO_AWAY
    2       2     flags: 1 SYN, 2 ACK, 4 FIN, 8 RST
    4       4     stream id; 0 for PING and GO_AWAY
    8       4     length: of the payload, or the window's increment, the ping's value, the reason

All big endian (https://github.com/hashicorp/yamux/blob/master/spec.md). The parser never gathers
a whole payload: it passes on what has come, so a frame may be as long as its stream's window
without costing memory, and js-libp2p does send frames that long.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from bitcloud_net.core.errors import Malformed

HEADER_BYTES = 12


DATA, WINDOW_UPDATE, PING, GO_AWAY = range(4)
"""The types. Plain integers, because every frame that comes in is compared with them."""

SYN, ACK, FIN, RST = 1, 2, 4, 8
"""The flags, added up in the header."""


class GoAwayReason(IntEnum):
    """Why a connection ends; the length field of GO_AWAY."""

    NORMAL = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2


class Header(NamedTuple):
    """A parsed header; a NamedTuple because there is one for every frame that comes in."""

    type: int
    flags: int
    stream_id: int
    length: int


Item: TypeAlias = Header | memoryview

_HEADER = struct.Struct(">BBHII")
_KNOWN_FLAGS = SYN | ACK | FIN | RST
_ABOUT_A_STREAM = (True, True, False, False)


def pack_header(type_: int, flags: int, stream_id: int, length: int) -> bytes:
    """Return the twelve bytes of a header. The arguments are ours, so they are not checked."""
    return _HEADER.pack(0, type_, flags, stream_id, length)


class FrameParser:
    """Turns the bytes of one connection into headers and pieces of payload, however they are cut.

    Behind the header of a DATA frame come its payload's pieces, each of at least one byte, until
    ``length`` bytes are there. Holds less than one header between calls.
    """

    __slots__ = ("_head", "_missing")

    def __init__(self) -> None:
        self._head = bytearray()
        self._missing = 0

    def feed(self, data: bytes) -> list[Item]:
        """Return what ``data`` holds, in order. The views point into ``data``.

        Raises:
            Malformed: not Yamux. The connection has no meaning any more.
        """
        view = memoryview(data)
        items: list[Item] = []
        at, end = 0, len(view)
        while at < end:
            if self._missing:
                size = min(self._missing, end - at)
                items.append(view[at : at + size])
                self._missing -= size
                at += size
            elif self._head or end - at < HEADER_BYTES:
                size = min(HEADER_BYTES - len(self._head), end - at)
                self._head += view[at : at + size]
                at += size
                if len(self._head) == HEADER_BYTES:
                    items.append(self._header(self._head, 0))
                    self._head.clear()
            else:
                items.append(self._header(view, at))
                at += HEADER_BYTES
        return items

    def _header(self, data: bytearray | memoryview, at: int) -> Header:
        version, type_, flags, stream_id, length = _HEADER.unpack_from(data, at)
        if version != 0 or type_ > GO_AWAY or flags > _KNOWN_FLAGS:
            raise Malformed(f"not a frame: version {version}, type {type_}, flags {flags}")
        if (stream_id != 0) is not _ABOUT_A_STREAM[type_]:
            raise Malformed(f"frame of type {type_} for stream {stream_id}")
        if type_ == DATA:
            self._missing = length
        return Header(type_, flags, stream_id, length)
