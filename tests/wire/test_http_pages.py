"""Pages of our own: reasons as plain text, folders as HTML without script."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import (
    BadInput,
    BadProof,
    BitcloudError,
    LocalFault,
    Malformed,
    Refused,
    Unavailable,
)
from bitcloud_net.wire.http_message import HttpRefusal
from bitcloud_net.wire.http_pages import (
    MAX_LISTED,
    MAX_REASON_CHARACTERS,
    PAGE_CSP,
    Line,
    error_answer,
    landing_answer,
    listing_answer,
    redact,
)

CANARY = "bitcloud:1:fr:canarycanarycanary234567:abcd"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadInput("x"), 404),
        (Refused("x"), 403),
        (Unavailable("x"), 503),
        (BadProof("x", peer=None), 502),
        (Malformed("x"), 502),
        (LocalFault("x"), 500),
        (HttpRefusal(421, "x"), 421),
    ],
)
def test_blame_decides_the_status(error: BitcloudError, status: int) -> None:
    found = error_answer(error)
    headers = dict(found.headers)
    assert found.status == status
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert ("Retry-After" in headers) == (status == 503)


def test_reason_is_one_short_line_without_caps() -> None:
    found = error_answer(Unavailable(f"cannot read {CANARY}\r\nX: y\x1b[31m" + "z" * 10_000))
    assert isinstance(found.body, bytes)
    text = found.body.decode()
    assert "canary" not in text
    assert text.count("\n") == 2
    assert "\x1b" not in text
    assert len(text) < MAX_REASON_CHARACTERS + 100


@pytest.mark.parametrize("around", ["{}", "<{}>", "x={};", "{},{}", "path/{}/x"])
def test_caps_are_redacted_wherever_they_stand(around: str) -> None:
    assert "canary" not in redact(around.replace("{}", CANARY))


def test_landing_page_runs_no_script() -> None:
    headers = dict(landing_answer(b"<p>hello</p>").headers)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "script" not in headers["Content-Security-Policy"]


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: bytes) -> Reader:
    reader = Reader()
    reader.feed(page.decode())
    reader.close()
    return reader


def listing(title: str, *lines: Line, base: str = "/x/") -> bytes:
    found = listing_answer(title, base, lines)
    assert dict(found.headers)["Content-Security-Policy"] == PAGE_CSP
    assert isinstance(found.body, bytes)
    return found.body


def test_folders_come_first_and_lead_on() -> None:
    lines = [Line(name="b.txt", is_folder=False, size_bytes=1234), Line(name="Z", is_folder=True)]
    reader = read(listing("Mary", *lines))
    assert reader.links == ["/x/Z/", "/x/b.txt"]
    assert "1.2 kB" in reader.text


def test_an_empty_folder_says_so() -> None:
    assert "This folder is empty." in read(listing("Mary")).text


@pytest.mark.parametrize(
    "name",
    [
        *["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</title><script>"],
        *["a&lt;b", "javascript:alert(1)", "'onclick='x", "</style><script>", "<!--"],
    ],
)
def test_markup_in_names_is_text(name: str) -> None:
    reader = read(listing(name, Line(name=name.replace("/", "_"), is_folder=False)))
    allowed = {"html", "meta", "title", "style", "h1", "bdi", "table", "tr", "td", "a"}
    assert set(reader.tags) <= allowed
    assert all(link.startswith("/x/") for link in reader.links)


def test_text_that_reorders_is_written_out() -> None:
    page = listing("x", Line(name="gnp.\u202eexe", is_folder=False)).decode()
    assert "\u202e" not in page
    assert "202e" in page


def test_names_without_an_address_are_left_out() -> None:
    assert read(listing("x", Line(name="..", is_folder=True))).links == []


def test_very_long_folders_are_cut() -> None:
    lines = [Line(name=str(n), is_folder=False) for n in range(MAX_LISTED + 5)]
    reader = read(listing("x", *lines))
    assert len(reader.links) == MAX_LISTED
    assert "… and 5 more" in reader.text


@given(st.text(), st.lists(st.text()), st.integers(0, 1 << 70))
def test_any_names_make_a_page(title: str, names: list[str], size: int) -> None:
    lines = [Line(name=name, is_folder=False, size_bytes=size) for name in names]
    assert set(read(listing(title, *lines)).tags) & {"script", "img", "iframe"} == set()
