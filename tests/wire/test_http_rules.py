"""Framing, methods and where a request comes from (T-no-mutation, T-fetch-metadata)."""

from __future__ import annotations

import itertools

import pytest

from bitcloud_net.wire.http_message import HttpRefusal, HttpRequest
from bitcloud_net.wire.http_rules import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    check_framing,
    check_method,
    check_origin,
)

OWN = "http://localhost:8080"


def request(method: str = "GET", target: str = "/", **fields: str) -> HttpRequest:
    headers = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    return HttpRequest(method=method, target=target, headers=headers)


def status_of(check: object, *arguments: object) -> int:
    assert callable(check)
    try:
        check(*arguments)
    except HttpRefusal as refusal:
        return refusal.status
    return 200


def test_ordinary_requests_pass() -> None:
    check_framing(request(host="localhost:8080", content_length="0"))
    check_framing(request(host="localhost:8080", content_length="000"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((("content-length", "1"),), 413),
        ((("content-length", "10"), ("host", "x")), 413),
        ((("transfer-encoding", "chunked"),), 400),
        ((("transfer-encoding", "identity"),), 400),
        ((("transfer-encoding", "chunked"), ("content-length", "5")), 400),
        ((("content-length", "0"), ("content-length", "5")), 400),
        ((("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")), 400),
        ((("a", "b"),) * (MAX_FIELDS + 1), 431),
        ((("a", "b" * MAX_HEAD_BYTES),), 431),
    ],
)
def test_bodies_and_large_heads_are_refused(
    headers: tuple[tuple[str, str], ...], status: int
) -> None:
    assert (
        status_of(check_framing, HttpRequest(method="GET", target="/", headers=headers)) == status
    )


def test_long_target_counts_as_head() -> None:
    assert status_of(check_framing, request(target="/" + "a" * MAX_HEAD_BYTES)) == 431


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_allowed(method: str) -> None:
    check_method(request(method))


@pytest.mark.parametrize(
    "method",
    [
        *["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "PROPFIND", "MKCOL"],
        *["get", "Get", "GETX", "LOCK", "PURGE", "M-SEARCH", "PRI", "QUERY"],
    ],
)
def test_every_other_method_is_refused_with_what_is_allowed(method: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        check_method(request(method))
    assert refused.value.status == 405
    assert refused.value.headers == (("Allow", "GET, HEAD"),)


@pytest.mark.parametrize("target", ["*", "http://localhost:8080/", "localhost:8080", "a", ""])
def test_we_are_no_proxy(target: str) -> None:
    assert status_of(check_method, request(target=target)) == 400


SITES = ["same-origin", "none", "same-site", "cross-site", "", "SAME-ORIGIN", "none, none", "x"]
MODES = ["navigate", "no-cors", "cors", "same-origin", "websocket", ""]
DESTINATIONS = ["document", "empty", "iframe", "image", "video", "script", "object", "embed", ""]


@pytest.mark.parametrize(
    ("site", "mode", "destination"), list(itertools.product(SITES, MODES, DESTINATIONS))
)
def test_other_pages_may_only_lead_here(site: str, mode: str, destination: str) -> None:
    asked = request(sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest=destination)
    own = site in {"same-origin", "none"}
    followed_link = (mode, destination) == ("navigate", "document")
    assert status_of(check_origin, asked, OWN) == (200 if own or followed_link else 403)


def test_incomplete_fetch_metadata_is_refused() -> None:
    assert status_of(check_origin, request(sec_fetch_site="cross-site"), OWN) == 403
    alone = request(sec_fetch_site="cross-site", sec_fetch_mode="navigate")
    assert status_of(check_origin, alone, OWN) == 403


def test_programs_without_fetch_metadata_are_served() -> None:
    check_origin(request(host="localhost:8080"), OWN)


@pytest.mark.parametrize(
    ("origin", "status"),
    [(OWN, 200), ("null", 403), ("https://evil.example", 403), ("http://localhost", 403)],
)
def test_older_browsers_are_judged_by_origin(origin: str, status: int) -> None:
    assert status_of(check_origin, request(origin=origin), OWN) == status


def test_repeated_fetch_metadata_is_refused() -> None:
    headers = (("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site"))
    assert (
        status_of(check_origin, HttpRequest(method="GET", target="/", headers=headers), OWN) == 400
    )
