"""The first exchange on a connection: who is there, of which network (``/bitcloud/hello/1``).

Protocol names alone do not keep two networks apart, and an identity says nothing about roles. One
frame (``wire.frames``) goes each way; its head is the list below, its payload is empty. A later
version may add values at the end, which an older one passes over.

::

    [version, network id, agent, [address, …], [role, …]]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import KIB
from bitcloud_net.wire.frames import PREFIX_BYTES, Frame, FrameParser, pack_frame

PROTOCOL: Final = "/bitcloud/hello/1"
VERSION: Final = 1
"""The version of all protocols together that this program speaks best."""

NETWORK_ID_BYTES: Final = 32
MAX_AGENT_CHARS: Final = 64
MAX_ADDRESSES: Final = 16
MAX_ADDRESS_CHARS: Final = 256
MAX_ROLES: Final = 16
MAX_ROLE_CHARS: Final = 32
MAX_GREETING_BYTES: Final = 8 * KIB
"""All of the above at their longest, in letters of one byte, and some room for later versions."""

_GREETING: Final = 1  # type of the only message
_MAX_VERSION: Final = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a node says of itself. Nothing of it is proven but by the peer's own word."""

    network_id: bytes
    version: int = VERSION
    agent: str
    addresses: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


def pack(greeting: Greeting) -> bytes:
    """Return the frame of a greeting.

    Raises:
        Malformed: a value is larger than a peer accepts.
    """
    head = encoding.encode(
        [
            greeting.version,
            greeting.network_id,
            greeting.agent,
            list(greeting.addresses),
            list(greeting.roles),
        ]
    )
    _parse_head(head)
    return pack_frame(0, _GREETING, head)


class GreetingReader:
    """Takes the bytes of a stream until they are a greeting; more than one frame is refused."""

    def __init__(self) -> None:
        self._frames = FrameParser(max_frame_bytes=PREFIX_BYTES + MAX_GREETING_BYTES)

    def feed(self, data: bytes) -> Greeting | None:
        """Return the greeting when it is whole.

        Raises:
            Malformed: it is not one.
        """
        frames = self._frames.feed(data)
        if not frames:
            return None
        if len(frames) > 1 or self._frames.inside_frame:
            raise Malformed("more than a greeting")
        return parse(frames[0])


def parse(frame: Frame) -> Greeting:
    """Return the greeting in a frame.

    Raises:
        Malformed: it is something else, or has values out of bounds.
    """
    if frame.type != _GREETING or frame.request or frame.payload:
        raise Malformed("not a greeting")
    return _parse_head(frame.head)


def _parse_head(head: bytes) -> Greeting:
    values = encoding.decode(head, max_bytes=MAX_GREETING_BYTES)
    if not isinstance(values, list) or len(values) < 5:
        raise Malformed("a greeting is a list of at least five values")
    version, network_id, agent, addresses, roles, *_ = values
    if type(version) is not int or not 1 <= version <= _MAX_VERSION:
        raise Malformed("a greeting without a version")
    if not isinstance(network_id, bytes) or len(network_id) != NETWORK_ID_BYTES:
        raise Malformed("a greeting without a network id")
    return Greeting(
        network_id=network_id,
        version=version,
        agent=_text(agent, MAX_AGENT_CHARS),
        addresses=_texts(addresses, MAX_ADDRESSES, MAX_ADDRESS_CHARS),
        roles=_texts(roles, MAX_ROLES, MAX_ROLE_CHARS),
    )


def _texts(value: object, most: int, most_chars: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > most:
        raise Malformed(f"not a list of at most {most} texts")
    return tuple(_text(item, most_chars) for item in value)


def _text(value: object, most_chars: int) -> str:
    if not isinstance(value, str) or len(value) > most_chars or not value.isprintable():
        raise Malformed(f"not a printable text of at most {most_chars} characters")
    return value
