"""What a field of a body may hold. Said once, as the annotation of the field::

    class UserBody(Body):
        nickname: Annotated[str, Text(64)]

From it come the strict parser, the form that travels, the form in JSON, the column of SQL and the
table in the nodepool's README. Text comes from strangers: it is bounded, in NFC (the encoding sees
to that), without control characters, and still only ever shown as plain text.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache
from types import MappingProxyType
from typing import Any, Final, get_type_hints

from bitcloud_net.core.encoding import MAX_INTEGER, Value
from bitcloud_net.core.errors import Malformed

MAX_AMOUNT_BYTES: Final = 16
"""Amounts of money go up to 2^128 - 1: the smallest unit of some coins is 10^-18, so 64 bits end at
nine of them."""

_CODE: Final = re.compile(r"[a-z][a-z0-9.:-]*", re.ASCII)
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # controls, surrogates, line and paragraph separators


class Body:
    """What a row says. Subclasses are frozen dataclasses whose fields are annotated with a
    ``Field``.
    """

    __slots__ = ()


class Field(ABC):
    """What one field may hold."""

    __slots__ = ()

    @abstractmethod
    def parse(self, name: str, item: object) -> Any:
        """Return the checked value of what came from outside.

        Raises:
            Malformed: ``bad-body``; the message names the field.
        """

    @abstractmethod
    def about(self) -> str:
        """Return what it may hold in a few words, for documents."""

    def plain(self, value: Any) -> Value:
        """Return the value as it travels."""
        return value  # type: ignore[no-any-return]

    def from_json(self, item: object) -> object:
        """Return as it travels what somebody wrote in JSON; ``parse`` has the last word.

        Raises:
            ValueError: bytes that are not in hexadecimal.
        """
        return item


@dataclass(frozen=True, slots=True)
class Integer(Field):
    """A whole number."""

    most: int = MAX_INTEGER
    least: int = 0

    def parse(self, name: str, item: object) -> int:
        """Return the number."""
        if type(item) is not int or not self.least <= item <= self.most:
            raise bad_body(f"{name} is a number from {self.least} to {self.most}")
        return item

    def about(self) -> str:
        """Return its bounds."""
        return f"{_number(self.least)} ... {_number(self.most)}"


@dataclass(frozen=True, slots=True)
class Choice(Field):
    """One of some numbers that have names."""

    of: type[IntEnum]

    def parse(self, name: str, item: object) -> IntEnum:
        """Return the name."""
        if type(item) is not int or item not in set(self.of):
            raise bad_body(f"{name} is one of {self.about()}")
        return self.of(item)

    def plain(self, value: IntEnum) -> int:
        """Return the number."""
        return int(value)

    def about(self) -> str:
        """Return all of them."""
        return ", ".join(f"{item.name.lower().replace('_', ' ')} {item.value}" for item in self.of)


@dataclass(frozen=True, slots=True)
class Bits(Field):
    """Any of some bits that have names."""

    of: type[IntFlag]

    def parse(self, name: str, item: object) -> IntFlag:
        """Return the bits."""
        if type(item) is not int or not 0 <= item <= self._all:
            raise bad_body(f"{name} is a number from 0 to {self._all}")
        return self.of(item)

    def plain(self, value: IntFlag) -> int:
        """Return the number."""
        return int(value)

    def about(self) -> str:
        """Return all of them."""
        return "bits: " + ", ".join(
            f"{item.name.lower().replace('_', ' ')} {item.value}" for item in self.of if item.name
        )

    @property
    def _all(self) -> int:
        return sum(item.value for item in self.of)


@dataclass(frozen=True, slots=True)
class Flag(Field):
    """Yes or no."""

    def parse(self, name: str, item: object) -> bool:
        """Return it."""
        if type(item) is not bool:
            raise bad_body(f"{name} is true or false")
        return item

    def about(self) -> str:
        """Return its two values."""
        return "true, false"


@dataclass(frozen=True, slots=True)
class Amount(Field):
    """An amount of money, in the coin's smallest unit: travels as the shortest bytes, the highest
    first; 0 has none.
    """

    def parse(self, name: str, item: object) -> int:
        """Return the number of units."""
        if not isinstance(item, bytes) or len(item) > MAX_AMOUNT_BYTES or item[:1] == b"\0":
            raise bad_body(f"{name} is an amount of at most {MAX_AMOUNT_BYTES} bytes, the shortest")
        return int.from_bytes(item, "big")

    def plain(self, value: int) -> bytes:
        """Return the bytes; what does not fit becomes what ``parse`` refuses."""
        if value < 0:
            return b"\0"
        return value.to_bytes((value.bit_length() + 7) // 8, "big")

    def from_json(self, item: object) -> object:
        """Take a whole number."""
        return self.plain(item) if type(item) is int else None

    def about(self) -> str:
        """Return its bounds."""
        return "amount"


@dataclass(frozen=True, slots=True)
class Text(Field):
    """One line of text. Its length is in characters."""

    most: int

    def parse(self, name: str, item: object) -> str:
        """Return the text."""
        if not isinstance(item, str) or len(item) > self.most:
            raise bad_body(f"{name} has at most {self.most} characters")
        if any(unicodedata.category(char) in _UNPRINTABLE for char in item):
            raise bad_body(f"{name} has control characters")
        return item

    def about(self) -> str:
        """Return its bound."""
        return f"text, {self.most:,}"


@dataclass(frozen=True, slots=True)
class Code(Field):
    """A short name that programs compare: lower-case letters, digits and ``-.:`` after a letter."""

    most: int

    def parse(self, name: str, item: object) -> str:
        """Return the name."""
        if not isinstance(item, str) or len(item) > self.most or not _CODE.fullmatch(item):
            raise bad_body(f"{name} is a code of at most {self.most} characters, such as bitcoin")
        return item

    def about(self) -> str:
        """Return its bound."""
        return f"code, {self.most:,}"


class _Octets(Field):
    """Bytes of any kind: hexadecimal in JSON."""

    __slots__ = ()

    def from_json(self, item: object) -> object:
        """Take hexadecimal."""
        return bytes.fromhex(item) if isinstance(item, str) else item


@dataclass(frozen=True, slots=True, init=False)
class Bytes(_Octets):
    """Bytes of one of some lengths: keys and ids."""

    lengths: tuple[int, ...]

    def __init__(self, *lengths: int) -> None:
        object.__setattr__(self, "lengths", lengths)

    def parse(self, name: str, item: object) -> bytes:
        """Return the bytes."""
        if not isinstance(item, bytes) or len(item) not in self.lengths:
            raise bad_body(f"{name} has {' or '.join(map(str, self.lengths))} bytes")
        return item

    def about(self) -> str:
        """Return its lengths."""
        return " or ".join("empty" if length == 0 else str(length) for length in self.lengths)


@dataclass(frozen=True, slots=True)
class Blob(_Octets):
    """Bytes whose form is another's matter: sealed ones, a manifest."""

    most: int
    least: int = 0

    def parse(self, name: str, item: object) -> bytes:
        """Return the bytes."""
        if not isinstance(item, bytes) or not self.least <= len(item) <= self.most:
            raise bad_body(f"{name} has {self.least} to {self.most} bytes")
        return item

    def about(self) -> str:
        """Return its bounds."""
        return f"{self.least} ... {self.most:,} bytes"


@dataclass(frozen=True, slots=True)
class Many(Field):
    """A list; a set where ``distinct``: sorted, and nothing twice."""

    of: Field
    most: int
    distinct: bool = False

    def parse(self, name: str, item: object) -> tuple[Any, ...]:
        """Return the items."""
        if not isinstance(item, list) or len(item) > self.most:
            raise bad_body(f"{name} has at most {self.most} items")
        items = tuple(self.of.parse(name, one) for one in item)
        if self.distinct and list(items) != sorted(set(items)):
            raise bad_body(f"{name} is sorted, with nothing twice")
        return items

    def plain(self, value: tuple[Any, ...]) -> list[Value]:
        """Return the items as they travel."""
        return [self.of.plain(one) for one in value]

    def from_json(self, item: object) -> object:
        """Take a list."""
        return [self.of.from_json(one) for one in item] if isinstance(item, list) else item

    def about(self) -> str:
        """Return what it holds."""
        return f"{'set' if self.distinct else 'list'} of at most {self.most}: {self.of.about()}"


@dataclass(frozen=True, slots=True)
class Record(Field):
    """Fields of its own, which travel as a map."""

    of: type[Body]

    def parse(self, name: str, item: object) -> Any:
        """Return the record."""
        return parse_fields(self.of, name, item)

    def plain(self, value: Body) -> dict[str, Value]:
        """Return the map."""
        return plain_fields(value)

    def from_json(self, item: object) -> object:
        """Take an object."""
        return fields_from_json(self.of, item)

    def about(self) -> str:
        """Return its fields."""
        fields = (f"{name} ({spec.about()})" for name, spec in fields_of(self.of).items())
        return "{" + ", ".join(fields) + "}"


def parse_fields(body: type[Body], name: str, value: object) -> Any:
    """Return the checked body in a map that came from outside; ``name`` is what it is called.

    Raises:
        Malformed: ``bad-body``; the message names the field.
    """
    specs = fields_of(body)
    if not isinstance(value, dict) or value.keys() != specs.keys():
        raise bad_body(f"{name} has the fields {', '.join(specs)}")
    return body(**{key: spec.parse(key, value[key]) for key, spec in specs.items()})


def plain_fields(body: Body) -> dict[str, Value]:
    """Return the map that travels."""
    return {name: spec.plain(getattr(body, name)) for name, spec in fields_of(type(body)).items()}


def fields_from_json(body: type[Body], item: object) -> object:
    """Return as it travels what somebody wrote in JSON. Fields that do not exist stay: parsing
    refuses them.

    Raises:
        ValueError: bytes that are not in hexadecimal.
    """
    if not isinstance(item, dict):
        return item
    specs = fields_of(body)
    return {key: specs[key].from_json(one) if key in specs else one for key, one in item.items()}


def fields_of(body: type[Body]) -> Mapping[str, Field]:
    """Return the fields of a body by name, in the order in which they were written.

    Raises:
        TypeError: a field without an annotation; a mistake of ours.
    """
    hashable: Any = body  # mypy looks for the hash of an instance
    return _fields_of(hashable)


@cache
def _fields_of(body: Any) -> Mapping[str, Field]:
    found = {}
    for name, hint in get_type_hints(body, include_extras=True).items():
        specs = [item for item in getattr(hint, "__metadata__", ()) if isinstance(item, Field)]
        if len(specs) != 1:
            raise TypeError(f"{body.__name__}.{name} needs one Field")
        found[name] = specs[0]
    return MappingProxyType(found)


def bad_body(message: str) -> Malformed:
    """Return the error that refuses a body; the message names the field."""
    return Malformed(message, code="bad-body")


def _number(value: int) -> str:
    """Return a bound as people write it: 2^53, 4,096."""
    for base in (value, value + 1):
        if base >= 1 << 20 and base & (base - 1) == 0:
            return f"2^{base.bit_length() - 1}{'' if base == value else ' - 1'}"
    return f"{value:,}"
