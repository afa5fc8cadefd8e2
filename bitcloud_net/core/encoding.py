"""Canonical bytes: what is hashed, signed and sent.

The format is CBOR (RFC 8949) in its deterministic form (section 4.2.1), cut down to what Bitcloud
needs: integers, byte strings, text in NFC, arrays, maps with text keys, booleans and null. There
are no floats, no tags, no indefinite lengths; one value has exactly one encoding, so equal bytes
and equal values mean the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, Never, TypeAlias

import cbor2

from bitcloud_net.core.errors import Malformed

Value: TypeAlias = "bool | int | bytes | str | Sequence[Value] | Mapping[str, Value] | None"

MIN_INTEGER = -(2**63)
"""Smallest integer: what SQLite and every other language's 64-bit integer can hold."""
MAX_INTEGER = 2**63 - 1
"""Largest integer, for the same reason."""
MAX_DEPTH = 16
"""Deepest nesting of arrays and maps. Our deepest object, a row with a contract, has 6."""


def _refuse_tag(*_: object) -> Never:
    raise Malformed("tags are not allowed")


_NO_TAGS: Final = dict.fromkeys(
    (*range(6), 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799),
    _refuse_tag,
)
"""Every tag that cbor2 would act upon: it compiles regular expressions, parses mail, raises numbers
to powers, none of which a stranger may ask for. Other tags are refused by their type."""


def encode(value: Value) -> bytes:
    """Return the one canonical encoding of ``value``.

    Raises:
        Malformed: the value has a float, an integer beyond 64 bits, text outside NFC, a map key
            that is not text, or is nested deeper than ``MAX_DEPTH``.
    """
    _check(value, MAX_DEPTH)
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes | memoryview, *, max_bytes: int) -> Value:
    """Return the value whose canonical encoding is ``data``.

    Raises:
        Malformed: longer than ``max_bytes``, not CBOR, or not the canonical encoding of its value.
    """
    if len(data) > max_bytes:
        raise Malformed(f"object of {len(data)} bytes, at most {max_bytes} are allowed")
    raw = bytes(data)
    try:
        value = cbor2.loads(
            raw,
            semantic_decoders=_NO_TAGS,
            max_depth=MAX_DEPTH + 1,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
        _check(value, MAX_DEPTH)
        again = cbor2.dumps(value, canonical=True)
    except Malformed:
        raise
    except Exception as error:
        raise Malformed("bytes are not well-formed CBOR") from error
    if again != raw:
        raise Malformed("bytes are not in canonical form")
    return value  # type: ignore[no-any-return]


def _check(value: object, depth: int) -> None:
    if depth < 0:
        raise Malformed(f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, list | tuple):
        for item in value:
            _check(item, depth - 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Malformed("map key is not text")
            _check_text(key)
            _check(item, depth - 1)
    else:
        _check_atom(value)


def _check_atom(value: object) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):  # a bool is one too
        if not MIN_INTEGER <= value <= MAX_INTEGER:
            raise Malformed("integer beyond 64 bits")
    elif value is not None and not isinstance(value, bytes):
        raise Malformed(f"type {type(value).__name__} has no canonical encoding")


def _check_text(text: str) -> None:
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        raise Malformed("text is not in NFC")
