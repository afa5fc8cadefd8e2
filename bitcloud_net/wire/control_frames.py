"""Frames of the control socket: how a command line talks to a running node on the same machine.

::

    offset  size  field
    0       4     length of the body, big endian
    4       1     kind (``Kind``)
    5       …     body: JSON in UTF-8, or raw bytes for ``DATA``

One connection carries one call: the program sends ``CALL``, the node answers ``RESULT`` or
``ERROR``. Calls that stream answer ``READY``, then ``DATA`` or ``NEWS`` any number of times, then
``END`` or ``ERROR``. Closing the connection cancels the call. The call carries ``CONTROL_VERSION``;
a node of another version refuses.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import MIB

CONTROL_VERSION: Final = 1

MAX_CALL_BYTES: Final = MIB
"""Largest call: a few thousand paths to publish."""
MAX_ANSWER_BYTES: Final = 64 * MIB
"""Largest answer: the listing of a folder with some 100,000 entries."""
DATA_BYTES: Final = 256 * 1024
"""Raw bytes in one ``DATA`` frame at most; a reader never has to hold more than this."""

_HEAD = struct.Struct(">IB")


class Kind(IntEnum):
    """What a frame is."""

    CALL = 1
    RESULT = 2
    ERROR = 3
    READY = 4
    DATA = 5
    NEWS = 6
    END = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFrame:
    """One frame. ``body`` is JSON text or, for ``DATA``, raw bytes."""

    kind: Kind
    body: bytes

    def json(self) -> Any:
        """Return the body's value.

        Raises:
            Malformed: the body is not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Malformed("a control message is not JSON") from error


def pack(kind: Kind, body: bytes = b"") -> bytes:
    """Return a frame's bytes.

    Raises:
        Malformed: the body is larger than any reader accepts.
    """
    if len(body) > MAX_ANSWER_BYTES:
        raise Malformed(f"a control message of {len(body)} bytes is too large", code="too-large")
    return _HEAD.pack(len(body), kind) + body


def pack_json(kind: Kind, value: object) -> bytes:
    """Return the bytes of a frame that carries ``value`` as JSON."""
    return pack(kind, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape"))


class ControlReader:
    """Bytes in, frames out. ``max_bytes`` bounds one body, and so what this object holds."""

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in what was received."""
        self._buffer += data

    def next(self) -> ControlFrame | None:
        """Return the next whole frame, or None until more was fed.

        Raises:
            Malformed: an unknown kind or a body beyond the bound.
        """
        if len(self._buffer) < _HEAD.size:
            return None
        length, number = _HEAD.unpack_from(self._buffer)
        if length > self._max_bytes:
            raise Malformed(f"a control message of {length} bytes, at most {self._max_bytes}")
        if number not in Kind.__members__.values():
            raise Malformed(f"unknown kind {number} of control message")
        end = _HEAD.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEAD.size : end])
        del self._buffer[:end]
        return ControlFrame(kind=Kind(number), body=body)
