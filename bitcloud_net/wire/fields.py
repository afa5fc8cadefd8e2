"""The values of a message's head, taken one by one, each checked for type and bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias, TypeVar

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import HASH_BYTES

Buffer: TypeAlias = bytes | bytearray | memoryview

MAX_HEAD_BYTES: Final = 0xFFFF
"""A frame's head has a 16-bit length."""

_T = TypeVar("_T")


class Fields:
    """Reads a head: a canonical CBOR list. Every method raises ``Malformed`` when it does not
    fit.
    """

    def __init__(self, head: Buffer) -> None:
        values = encoding.decode(bytes(head), max_bytes=MAX_HEAD_BYTES)
        if not isinstance(values, list):
            raise Malformed("a head is a list")
        self._values: Sequence[object] = values
        self._next = 0

    def _take(self, kind: type[_T]) -> _T:
        if self._next >= len(self._values):
            raise Malformed("a head with too few values")
        value = self._values[self._next]
        self._next += 1
        if type(value) is not kind:
            raise Malformed("a head with a value of a wrong type")
        return value

    def end(self) -> None:
        """Check that nothing is left over."""
        if self._next != len(self._values):
            raise Malformed("a head with too many values")

    def raw(self, length: int) -> bytes:
        """Take a byte string of exactly ``length`` bytes."""
        value = self._take(bytes)
        if len(value) != length:
            raise Malformed(f"a value of {len(value)} bytes instead of {length}")
        return value

    def blob(self, most: int) -> bytes:
        """Take a byte string of at most ``most`` bytes."""
        value = self._take(bytes)
        if len(value) > most:
            raise Malformed("a byte string that is too long")
        return value

    def hash(self) -> bytes:
        """Take one 32-byte hash."""
        return self.raw(HASH_BYTES)

    def integer(self, most: int) -> int:
        """Take a number from 0 to ``most``."""
        return _bounded(self._take(int), most)

    def text(self, most: int) -> str:
        """Take a text of at most ``most`` characters."""
        value = self._take(str)
        if len(value) > most:
            raise Malformed("a text that is too long")
        return value

    def hashes(self, most: int) -> tuple[bytes, ...]:
        """Take a list of at most ``most`` hashes."""
        values = self._take(list)
        if len(values) > most:
            raise Malformed(f"more than {most} hashes")
        if not all(type(value) is bytes and len(value) == HASH_BYTES for value in values):
            raise Malformed("not a list of hashes")
        return tuple(values)

    def number_lists(self, lists: int, length: int, most: int) -> tuple[tuple[int, ...], ...]:
        """Take at most ``lists`` lists, each of at most ``length`` numbers from 0 to ``most``."""
        values = self._take(list)
        if len(values) > lists:
            raise Malformed(f"more than {lists} lists")
        return tuple(_numbers(value, length, most) for value in values)


def _bounded(value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise Malformed(f"a number outside 0 … {most}")
    return value


def _numbers(value: object, length: int, most: int) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > length:
        raise Malformed("not a short list of numbers")
    if not all(type(number) is int for number in value):
        raise Malformed("not a list of numbers")
    return tuple(_bounded(number, most) for number in value)
