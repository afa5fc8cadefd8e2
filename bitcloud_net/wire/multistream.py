"""multistream-select, as far as one side needs it that has a single wish.

Each side sends lines: a length (varint), the text, a line feed. The dialling side names
multistream-select and its wish at once; who agrees sends the very same bytes back, who does not
says ``na`` (https://github.com/multiformats/multistream-select). So the answer is known byte by
byte, and costs one round trip instead of two.
"""

from __future__ import annotations

from bitcloud_net.core.errors import Malformed, Refused

MULTISTREAM = "/multistream/1.0.0"

MAX_LINE_BYTES = 127
"""So that one byte holds the length: the longest name we ask for has 24."""


def opening(protocol: str) -> bytes:
    """Return what to send: both lines at once.

    Raises:
        Malformed: the name is too long, or not ASCII.
    """
    return _line(MULTISTREAM) + _line(protocol)


class Agreement:
    """Awaits the answer to an ``opening``."""

    __slots__ = ("_left",)

    def __init__(self, protocol: str) -> None:
        self._left = opening(protocol)

    @property
    def reached(self) -> bool:
        """Whether the peer has agreed."""
        return not self._left

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the peer in and return those that do not belong to the answer.

        Raises:
            Refused: the peer speaks something else (code ``protocol-unknown``).
        """
        size = min(len(data), len(self._left))
        if data[:size] != self._left[:size]:
            raise Refused("the peer does not speak this protocol", code="protocol-unknown")
        self._left = self._left[size:]
        return data[size:]


def _line(text: str) -> bytes:
    try:
        body = text.encode("ascii") + b"\n"
    except UnicodeEncodeError as error:
        raise Malformed("the name of a protocol is not ASCII") from error
    if len(body) > MAX_LINE_BYTES:
        raise Malformed("the name of a protocol is too long")
    return bytes([len(body)]) + body
