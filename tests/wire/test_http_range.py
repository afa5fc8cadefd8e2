"""Ranges against a naive model, and the bombs (T-range)."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.wire.http_message import HttpRefusal
from bitcloud_net.wire.http_range import MAX_RANGES, ByteRange, parse_ranges

SPACES = st.sampled_from(["", " ", "\t", "  "])
SMALL = st.integers(0, 40)
SPANS = st.lists(
    st.tuples(st.none() | SMALL, st.none() | SMALL).filter(lambda span: span != (None, None)),
    min_size=1,
    max_size=10,
)


def bytes_asked(spans: list[tuple[int | None, int | None]], size: int) -> set[int] | None:
    """The naive model: which bytes are asked for; None for what must be refused."""
    found: set[int] = set()
    for first, last in spans:
        if first is None:
            assert last is not None
            found |= set(range(size)[-last:] if last else [])
        elif last is None:
            found |= set(range(first, size))
        elif last < first:
            return None
        else:
            found |= set(range(first, last + 1)) & set(range(size))
    return found if len(spans) <= MAX_RANGES else None


@given(spans=SPANS, size=st.integers(1, 40), data=st.data())
def test_ranges_are_those_of_the_naive_model(
    spans: list[tuple[int | None, int | None]], size: int, data: st.DataObject
) -> None:
    texts = [f"{'' if a is None else a}-{'' if b is None else b}" for a, b in spans]
    padded = [data.draw(SPACES) + text + data.draw(SPACES) for text in texts]
    expected = bytes_asked(spans, size)
    field = f"bytes={','.join(padded)}"
    if not expected:
        with pytest.raises(HttpRefusal) as refused:
            parse_ranges(field, size)
        assert refused.value.status == 416
        assert refused.value.headers == (("Content-Range", f"bytes */{size}"),)
        return
    ranges = parse_ranges(field, size)
    assert ranges is not None
    assert {at for found in ranges for at in range(found.first, found.end)} == expected
    # ascending, apart, never empty: merged as far as can be
    assert all(found.first < found.end for found in ranges)
    assert all(a.end < b.first for a, b in itertools.pairwise(ranges))


@given(field=st.text(), size=st.integers(0, 100))
def test_garbage_is_refused_or_ignored(field: str, size: int) -> None:
    with suppress(HttpRefusal):
        ranges = parse_ranges(field, size)
        assert ranges is None or all(0 <= r.first < r.end <= size for r in ranges)


@pytest.mark.parametrize(
    "field",
    [
        *["bytes=", "bytes", "bytes 0-1", "bytes=-", "bytes=--1", "bytes=1", "bytes=a-b", "=0-1"],
        *["bytes=0-1,", "bytes=,0-1", "bytes=0-1,,2-3", "bytes=5-4", "bytes=0 -1", "bytes=+0-1"],
        *[
            "bytes=0-1;2-3",
            "bytes=0x0-1",
            "bytes=\u0660-\u0669",
            "bytes=-0",
            "bytes=100-",
            "bytes=0-\n1",
        ],
        "bytes=" + ",".join(f"{n}-{n}" for n in range(9)),
        "bytes=" + "0-," * 1000 + "0-",
        "bytes=9223372036854775809-",
        "bytes=0-9223372036854775809",
        "bytes=-9223372036854775809",
        "bytes=-1,99999999999999999999-",
        "bytes=0-" + "9" * 10_000,
    ],
)
def test_bombs_and_malformed_ranges_are_416(field: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        parse_ranges(field, 100)
    assert refused.value.status == 416


def test_largest_numbers_are_cut_to_the_file() -> None:
    assert parse_ranges("bytes=0-9223372036854775807", 100) == (ByteRange(0, 100),)
    assert parse_ranges("bytes=0-9223372036854775808", 100) == (ByteRange(0, 100),)
    assert parse_ranges("bytes=-9223372036854775808", 100) == (ByteRange(0, 100),)


def test_what_lies_behind_the_end_is_dropped_while_anything_is_left() -> None:
    assert parse_ranges("bytes=90-200, 300-", 100) == (ByteRange(90, 100),)


def test_other_units_and_empty_files_give_the_whole_file() -> None:
    assert parse_ranges(None, 100) is None
    assert parse_ranges("pages=1-2", 100) is None
    assert parse_ranges("bytes=0-", 0) is None
    assert parse_ranges("Bytes=0-", 100) == (ByteRange(0, 100),)


def test_content_range_counts_the_last_byte_in() -> None:
    assert ByteRange(0, 10).content_range(100) == "bytes 0-9/100"
