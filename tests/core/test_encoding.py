"""Canonical bytes: one value, one encoding, and nothing that a stranger could make us do."""

from __future__ import annotations

import unicodedata

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.encoding import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER, Value, decode, encode
from bitcloud_net.core.errors import Malformed
from tests.core.properties import quick

texts = st.text(max_size=20).map(lambda text: unicodedata.normalize("NFC", text))
integers = st.integers(MIN_INTEGER, MAX_INTEGER)
scalars = st.one_of(st.none(), st.booleans(), integers, st.binary(max_size=40), texts)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=12,
)


def refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, max_bytes=100_000)


@quick
@given(values)
def test_round_trip(value: Value) -> None:
    data = encode(value)
    assert decode(data, max_bytes=len(data)) == value
    assert encode(decode(memoryview(data), max_bytes=len(data))) == data
    with pytest.raises(Malformed):
        decode(data, max_bytes=len(data) - 1)
    refused(data + b"\0")


@quick
@given(st.binary(max_size=60))
def test_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        value = decode(data, max_bytes=60)
    except Malformed:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x18\x17",  # 23 in two bytes
        b"\x19\x00\x18",
        b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",  # beyond 64 bits
        b"\x3b\x80\x00\x00\x00\x00\x00\x00\x00",
        b"\xf9\x3c\x00",  # 1.0
        b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00",  # not a number
        b"\xf7",  # undefined
        b"\xe0",  # a simple value
        b"\x9f\x01\xff",  # indefinite lengths
        b"\x5f\x41a\xff",
        b"\x7f\x61a\xff",
        b"\xbf\x61a\x01\xff",
        b"\xa2\x61b\x01\x61a\x02",  # keys out of order
        b"\xa2\x61a\x01\x61a\x02",  # a key twice
        b"\xa1\x01\x02",  # a key that is no text
        b"\xa1\x41a\x02",
        b"\x63e\xcc\x81",  # text outside NFC
        b"\x61\xff",  # not UTF-8
        b"\x63\xed\xa0\x80",  # half a character
        b"\x9b\x00\x00\x00\x7f\xff\xff\xff\xff",  # lengths that lie
        b"\x5b\x00\x00\x00\x7f\xff\xff\xff\xff",
        b"\xbb\x00\x00\x00\x7f\xff\xff\xff\xff",
        b"\x81" * 99_999,
        b"\x81" * (MAX_DEPTH + 1) + b"\x01",
        b"\x01\x01",
    ],
)
def test_hostile_bytes(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize("body", [b"\x00", b"\x41a", b"\x61a", b"\x82\x01\x01", b"\x68(a*)*b{9"])
def test_no_tag_is_acted_upon(body: bytes) -> None:
    """Not one of the tags that cbor2 knows, and not one that it may learn."""
    for tag in (*range(300), 1004, 43000, 55799, 2**32):
        refused(cbor2.dumps(cbor2.CBORTag(tag, 0))[:-1] + body)


def test_deepest_value() -> None:
    value: Value = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert decode(encode(value), max_bytes=100) == value
    with pytest.raises(Malformed):
        encode([value])


@pytest.mark.parametrize(
    "value", [1.0, MAX_INTEGER + 1, MIN_INTEGER - 1, "e\u0301", {1: 2}, {b"": 1}]
)
def test_what_has_no_encoding(value: Value) -> None:
    with pytest.raises(Malformed):
        encode(value)
