"""What every answer says to a browser (T-csp, T-active-content, T-crlf)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import BadInput
from bitcloud_net.wire.http_headers import (
    ACTIVE_FILE_CSP,
    FILE_CSP,
    SITE_CSP,
    Origin,
    common_headers,
    disposition,
    entity_tag,
    file_headers,
    tag_matches,
)
from bitcloud_net.wire.http_media import BYTES, PLAIN_TEXT, is_active, is_shown, media_type_of

ACTIVE = [
    *[("page.html", None), ("PAGE.HTM", None), ("a.xhtml", None), ("a.svg", None), ("a.xml", None)],
    *[("a.pdf", None), ("a.js", None), ("a.css", None), ("a.wasm", None), ("a.rss", None)],
    *[("film.mp4", "text/html"), ("a", "image/svg+xml"), ("a.txt", "text/XML; charset=x")],
    *[("a.png", "application/xhtml+xml"), ("a.bin", " Text/HTML "), ("a", "application/pdf")],
]
INERT = [("a.mp4", "video/mp4"), ("a.webm", "video/webm"), ("a.jpg", "image/jpeg")]
INERT += [("a.txt", PLAIN_TEXT), ("a.py", PLAIN_TEXT), ("a.mp3", "audio/mpeg")]


def fields(name: str, stored: str | None, origin: Origin) -> dict[str, str]:
    headers = file_headers(name, stored, origin)
    assert len({key.lower() for key, _ in headers}) == len(headers)
    return dict(headers)


@pytest.mark.parametrize("csp", [SITE_CSP, FILE_CSP, ACTIVE_FILE_CSP])
def test_every_answer_keeps_other_origins_out(csp: str) -> None:
    headers = dict(common_headers(csp))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == csp
    assert "frame-ancestors 'self'" in csp
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert "set-cookie" not in {name.lower() for name in headers}


def test_site_policy_is_the_one_of_the_security_design() -> None:
    assert SITE_CSP == (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    )


@pytest.mark.parametrize(("name", "stored"), ACTIVE)
def test_active_types_are_saved_and_sandboxed(name: str, stored: str | None) -> None:
    by_name = fields(name, stored, Origin.NAME)
    assert is_active(by_name["Content-Type"])
    for headers in (by_name, fields(name, stored, Origin.PORT)):
        assert headers["Content-Disposition"].startswith("attachment;")
        assert headers["Content-Security-Policy"].startswith("sandbox;")


@pytest.mark.parametrize(("name", "stored"), ACTIVE)
def test_nothing_active_leaves_a_port_as_such(name: str, stored: str | None) -> None:
    assert fields(name, stored, Origin.PORT)["Content-Type"] == BYTES


@pytest.mark.parametrize(("name", "stored"), ACTIVE)
def test_sites_run_within_their_policy(name: str, stored: str | None) -> None:
    headers = fields(name, stored, Origin.SITE)
    assert is_active(headers["Content-Type"])
    assert headers["Content-Disposition"].startswith("inline;")
    assert headers["Content-Security-Policy"] == SITE_CSP


@pytest.mark.parametrize(("name", "media_type"), INERT)
@pytest.mark.parametrize("origin", [Origin.NAME, Origin.PORT])
def test_films_pictures_and_text_are_shown(name: str, media_type: str, origin: Origin) -> None:
    headers = fields(name, None, origin)
    assert headers["Content-Type"] == media_type
    assert headers["Content-Disposition"].startswith("inline;")
    assert headers["Content-Security-Policy"] == FILE_CSP


@pytest.mark.parametrize("origin", [Origin.NAME, Origin.PORT])
def test_what_is_not_on_the_list_is_bytes_to_save(origin: Origin) -> None:
    for name, stored in [("a.exe", None), ("a", "x/y"), ("a.", "multipart/mixed"), ("mp4", "\r\n")]:
        headers = fields(name, stored, origin)
        assert headers["Content-Type"] == BYTES
        assert headers["Content-Disposition"].startswith("attachment;")


def test_stored_type_goes_before_the_name() -> None:
    assert media_type_of("a.bin", "video/webm") == "video/webm"
    assert media_type_of("a.webm", "unknown/thing") == "video/webm"
    assert media_type_of("a.mp3", "audio/mp3") == "audio/mpeg"
    assert not is_shown(media_type_of("a.zip", None))


@given(st.text(), st.text() | st.none())
def test_any_name_gives_safe_fields_or_none_at_all(name: str, stored: str | None) -> None:
    for origin in Origin:
        try:
            headers = file_headers(name, stored, origin)
        except BadInput:
            continue
        for key, value in headers:
            assert (key + value).isascii()
            assert (key + value).isprintable()


@pytest.mark.parametrize(
    "name", ["a\r\nSet-Cookie: x=1", "a\nb", "a\0b", "\x7f", "\x1b[31m", "a\x85b", "\ud800"]
)
def test_control_characters_in_names_are_refused(name: str) -> None:
    with pytest.raises(BadInput):
        disposition(name, shown=True)


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("Dawn.webm", "Dawn.webm"),
        ('a"; filename="b.exe', "a%22%3B%20filename%3D%22b.exe"),
        ("naïve ü.txt", "na%C3%AFve%20%C3%BC.txt"),
        ("50%.txt", "50%25.txt"),
        ("it's (1)*.txt", "it%27s%20%281%29%2A.txt"),
        ("\u202egpj.exe", "%E2%80%AEgpj.exe"),
    ],
)
def test_names_travel_in_rfc_8187_only(name: str, encoded: str) -> None:
    assert disposition(name, shown=False) == f"attachment; filename*=UTF-8''{encoded}"


def test_entity_tag_changes_with_content_and_hides_it() -> None:
    key, other = b"k" * 32, b"o" * 32
    tag = entity_tag(key, "bitcloud:1:fv:canary", "video/mp4")
    assert tag == entity_tag(key, "bitcloud:1:fv:canary", "video/mp4")
    assert tag != entity_tag(key, "bitcloud:1:fv:canarz", "video/mp4")
    assert tag != entity_tag(other, "bitcloud:1:fv:canary", "video/mp4")
    assert "canary" not in tag
    assert tag[0] == tag[-1] == '"'


def test_tags_match_strongly_or_weakly() -> None:
    assert not tag_matches(None, '"a"', weak=True)
    assert tag_matches("*", '"a"', weak=False)
    assert tag_matches('"b", "a"', '"a"', weak=False)
    assert tag_matches('W/"a"', '"a"', weak=True)
    assert not tag_matches('W/"a"', '"a"', weak=False)
    assert not tag_matches('"ab"', '"a"', weak=True)
