"""Byte ranges of RFC 9110 section 14, bounded: which bytes of a file a request asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bitcloud_net.wire.http_message import HttpRefusal

MAX_RANGES = 8
"""Ranges in one request. Players ask for one, PDF readers for a few; hundreds are an attack
(Apache, CVE-2011-3192)."""

MAX_POSITION = 1 << 63
"""Largest number in a Range field; no file is longer."""

_UNIT = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(.*)", re.DOTALL)
_SPAN = re.compile(r"([0-9]{0,19})-([0-9]{0,19})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """Bytes from ``first`` up to, not including, ``end``; never empty."""

    first: int
    end: int

    @property
    def length_bytes(self) -> int:
        """How many bytes it spans."""
        return self.end - self.first

    def content_range(self, size_bytes: int) -> str:
        """Return the value of Content-Range for this part of a file of ``size_bytes``."""
        return f"bytes {self.first}-{self.end - 1}/{size_bytes}"


def parse_ranges(field: str | None, size_bytes: int) -> tuple[ByteRange, ...] | None:
    """Return the ranges that a Range field asks of a file, ascending, merged where they touch.

    None means the whole file: there is no field, its unit is not bytes, or the file is empty (some
    clients send ``bytes=0-`` with everything; Go's ``net/http`` answers 200 for the same reason).

    Raises:
        HttpRefusal: 416, malformed, more than ``MAX_RANGES``, a number above ``MAX_POSITION``, or
            all of it behind the end of the file.
    """
    if field is None:
        return None
    unit = _UNIT.fullmatch(field.strip(" \t"))
    if unit is not None and unit[1].lower() != "bytes":
        return None
    spans = unit[2].split(",", MAX_RANGES) if unit is not None else []
    if not 1 <= len(spans) <= MAX_RANGES:
        raise unsatisfiable(size_bytes)
    asked = [_parse_span(span.strip(" \t"), size_bytes) for span in spans]
    if not size_bytes:
        return None
    merged = _merge([found for found in asked if found is not None])
    if not merged:
        raise unsatisfiable(size_bytes)
    return merged


def unsatisfiable(size_bytes: int) -> HttpRefusal:
    """Return the refusal of a Range field, which tells the file's size."""
    headers = (("Content-Range", f"bytes */{size_bytes}"),)
    return HttpRefusal(416, "The file has no such range of bytes.", headers=headers)


def _parse_span(span: str, size_bytes: int) -> ByteRange | None:
    """Return the part of one span that exists; None where it is behind the end."""
    match = _SPAN.fullmatch(span)
    if match is None or span == "-":
        raise unsatisfiable(size_bytes)
    first, last = (int(text) if text else None for text in match.groups())
    if max(first or 0, last or 0) > MAX_POSITION:
        raise unsatisfiable(size_bytes)
    if first is None:
        first, last = max(0, size_bytes - (last or 0)), MAX_POSITION
    elif last is not None and last < first:
        raise unsatisfiable(size_bytes)
    end = size_bytes if last is None else min(size_bytes, last + 1)
    return ByteRange(first, end) if first < end else None


def _merge(ranges: list[ByteRange]) -> tuple[ByteRange, ...]:
    merged: list[ByteRange] = []
    for found in sorted(ranges):
        if merged and found.first <= merged[-1].end:
            merged[-1] = ByteRange(merged[-1].first, max(merged[-1].end, found.end))
        else:
            merged.append(found)
    return tuple(merged)
