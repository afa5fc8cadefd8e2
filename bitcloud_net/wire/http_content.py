"""Answers that carry a file: whole, one range, several ranges, or not changed since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from bitcloud_net.wire.http_headers import Origin, entity_tag, file_headers, tag_matches
from bitcloud_net.wire.http_message import Answer, Header, HttpRefusal, HttpRequest, Part
from bitcloud_net.wire.http_range import ByteRange, parse_ranges

Opener: TypeAlias = Callable[[int, int], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens the bytes from an offset on, exactly so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileContent:
    """One file as it is served. ``open`` reads cheaply from any offset."""

    name: str
    size_bytes: int
    media_type: str | None  # as its publisher stored it; not trusted
    identity: str  # changes when the bytes change; may be a cap, never leaves this process
    origin: Origin
    open: Opener


def file_answer(
    request: HttpRequest, content: FileContent, *, secret: bytes, boundary: str
) -> Answer:
    """Return what a GET or HEAD of a file gets, conditions and ranges included.

    ``secret`` (32 bytes) hides the identity inside the ETag. ``boundary`` separates several ranges
    and must be unpredictable, so that no file can hold it on purpose.

    Raises:
        HttpRefusal: 412 or 416, as the conditions and ranges of the request ask.
        BadInput: the file's name holds control characters.
    """
    base = file_headers(content.name, content.media_type, content.origin)
    tag = entity_tag(secret, content.identity, base[0][1])
    headers = (*base, ("ETag", tag), ("Accept-Ranges", "bytes"))
    if _not_changed(request, tag):
        return Answer(status=304, headers=headers)
    ranges = _wanted_ranges(request, tag, content.size_bytes)
    if ranges is None:
        return _whole(content, headers)
    if len(ranges) == 1:
        return _one_range(content, headers, ranges[0])
    return _many_ranges(content, headers, ranges, boundary)


def _not_changed(request: HttpRequest, tag: str) -> bool:
    """Say whether the client has these bytes already (If-None-Match).

    Raises:
        HttpRefusal: 412, If-Match names other bytes.
    """
    wanted = request.header("if-match")
    if wanted is not None and not tag_matches(wanted, tag, weak=False):
        raise HttpRefusal(412, "The file is not the one that was asked for; it changed.")
    return tag_matches(request.header("if-none-match"), tag, weak=True)


def _wanted_ranges(request: HttpRequest, tag: str, size_bytes: int) -> tuple[ByteRange, ...] | None:
    if request.method != "GET":  # RFC 9110 section 14.2: ranges are defined for GET alone
        return None
    condition = request.header("if-range")
    if condition is not None and condition != tag:  # a date never matches: we send none
        return None
    return parse_ranges(request.header("range"), size_bytes)


def _whole(content: FileContent, headers: tuple[Header, ...]) -> Answer:
    if not content.size_bytes:
        return Answer(status=200, headers=headers)
    part = _part(content, ByteRange(0, content.size_bytes), b"")
    return Answer(status=200, headers=headers, body=(part,))


def _one_range(content: FileContent, headers: tuple[Header, ...], wanted: ByteRange) -> Answer:
    field = ("Content-Range", wanted.content_range(content.size_bytes))
    part = _part(content, wanted, b"")
    return Answer(status=206, headers=(*headers, field), body=(part,))


def _many_ranges(
    content: FileContent,
    headers: tuple[Header, ...],
    ranges: tuple[ByteRange, ...],
    boundary: str,
) -> Answer:
    (_, media_type), *others = headers
    parts = []
    for wanted in ranges:
        prefix = (
            f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\n"
            f"Content-Range: {wanted.content_range(content.size_bytes)}\r\n\r\n"
        )
        parts.append(_part(content, wanted, prefix.encode("ascii")))
    return Answer(
        status=206,
        headers=(("Content-Type", f"multipart/byteranges; boundary={boundary}"), *others),
        body=tuple(parts),
        suffix=f"\r\n--{boundary}--\r\n".encode("ascii"),
    )


def _part(content: FileContent, wanted: ByteRange, prefix: bytes) -> Part:
    opener = partial(content.open, wanted.first, wanted.length_bytes)
    return Part(prefix=prefix, length_bytes=wanted.length_bytes, open=opener)
