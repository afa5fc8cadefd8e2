"""What a request of a file gets: whole, ranges, conditions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from bitcloud_net.wire.http_content import FileContent, file_answer
from bitcloud_net.wire.http_headers import Origin
from bitcloud_net.wire.http_message import Answer, HttpRefusal, HttpRequest

SECRET = b"s" * 32
Opened = AbstractAsyncContextManager[AsyncIterator[bytes]]


def never(offset: int, length: int) -> Opened:
    raise AssertionError(f"opened {length} bytes at {offset}")


def answer(size: int = 1000, method: str = "GET", **fields: str) -> Answer:
    content = FileContent(
        name="a.webm",
        size_bytes=size,
        media_type=None,
        identity="one",
        origin=Origin.NAME,
        open=never,
    )
    headers = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    request = HttpRequest(method=method, target="/a.webm", headers=headers)
    return file_answer(request, content, secret=SECRET, boundary="BOUNDARY")


def field(found: Answer, name: str) -> str | None:
    return dict(found.headers).get(name)


TAG = field(answer(), "ETag") or ""


def test_whole_file() -> None:
    found = answer()
    assert (found.status, found.length_bytes) == (200, 1000)
    assert field(found, "Accept-Ranges") == "bytes"


def test_empty_file_opens_nothing() -> None:
    found = answer(size=0, range="bytes=0-")
    assert (found.status, found.body) == (200, b"")


def test_one_range() -> None:
    found = answer(range="bytes=10-19")
    assert (found.status, found.length_bytes) == (206, 10)
    assert field(found, "Content-Range") == "bytes 10-19/1000"
    assert field(found, "Content-Type") == "video/webm"


def test_touching_ranges_are_one() -> None:
    found = answer(range="bytes=20-29, 10-19")
    assert field(found, "Content-Range") == "bytes 10-29/1000"


def test_ranges_apart_are_parts_whose_length_is_known() -> None:
    found = answer(range="bytes=0-0, -1")
    assert found.status == 206
    assert field(found, "Content-Type") == "multipart/byteranges; boundary=BOUNDARY"
    assert field(found, "Content-Range") is None
    head = "\r\n--BOUNDARY\r\nContent-Type: video/webm\r\nContent-Range: bytes {}/1000\r\n\r\n"
    whole = head.format("0-0") + "x" + head.format("999-999") + "x" + "\r\n--BOUNDARY--\r\n"
    assert found.length_bytes == len(whole)


def test_head_has_no_ranges() -> None:
    found = answer(method="HEAD", range="bytes=0-9")
    assert (found.status, found.length_bytes) == (200, 1000)


@pytest.mark.parametrize(
    ("condition", "status"),
    [(TAG, 206), (f"W/{TAG}", 200), ('"other"', 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)],
)
def test_if_range_needs_the_same_bytes(condition: str, status: int) -> None:
    assert answer(range="bytes=0-9", if_range=condition).status == status


def test_failed_if_range_overlooks_even_a_bad_range() -> None:
    assert answer(range="bytes=5000-", if_range='"other"').status == 200


def test_known_bytes_are_not_sent_again() -> None:
    found = answer(if_none_match=f'"x", W/{TAG}', range="bytes=0-9")
    assert (found.status, found.body) == (304, b"")
    assert field(found, "ETag") == TAG


def test_if_match_of_other_bytes_fails() -> None:
    assert answer(if_match=TAG).status == 200
    with pytest.raises(HttpRefusal) as refused:
        answer(if_match='"other"')
    assert refused.value.status == 412
