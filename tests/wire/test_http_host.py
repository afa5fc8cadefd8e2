"""Host names: the few that are ours, and at least sixty that are not (T-host)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.wire.http_host import (
    LABEL_CHARACTERS,
    SEED_BYTES,
    authority,
    check_host,
    check_token,
    label_from,
    label_of_host,
)
from bitcloud_net.wire.http_labels import LabelBook
from bitcloud_net.wire.http_message import HttpRefusal

PORT = 8080
LABEL = label_from(bytes(range(32)))

LANDING = ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"]

FOREIGN = [
    # rebinding: names of other people that lead here
    *["evil.example:8080", "evil.example", "localhost.evil.example:8080", "rebind.it:8080"],
    *["127.0.0.1.nip.io:8080", f"{LABEL}.evil.example:8080", f"{LABEL}.localhost.evil:8080"],
    # almost localhost
    *["localhost", "localhost:", "localhost:80", "localhost:8081", "localhost:08080"],
    *["localhost.:8080", ".localhost:8080", "localhost.localdomain:8080", "localhost4:8080"],
    *["LOCALHOST:8080", "Localhost:8080", "local host:8080", " localhost:8080", "localhost:8080 "],
    *["localhost:8080:8080", "localhost:8080/", "localhost:8080#", "localhost:8080?x"],
    *["localhost,localhost:8080", "localhost:8080, evil.example", "user@localhost:8080"],
    *["user:pass@localhost:8080", "localhost:+8080", "localhost:8080\t", "localhost:8080\x00"],
    *["http://localhost:8080", "localhost\\:8080", "localhost%3A8080", "loc\u0430lhost:8080"],
    # almost loopback
    *["127.0.0.1", "127.0.0.1:80", "127.0.0.1:8081", "127.1:8080", "127.0.0.2:8080"],
    *["127.000.000.001:8080", "0x7f000001:8080", "2130706433:8080", "017700000001:8080"],
    *["0.0.0.0:8080", "0:8080", "127.0.0.1.:8080", "[::]:8080", "[::ffff:127.0.0.1]:8080"],
    *["[0:0:0:0:0:0:0:1]:8080", "::1:8080", "[::1]", "[::1%25lo]:8080", "192.168.1.2:8080"],
    # almost a label
    *[f"{LABEL}.localhost", f"{LABEL}.localhost:8081", f"{LABEL}.localhost.:8080"],
    *[f"{LABEL[:-1]}.localhost:8080", f"{LABEL}a.localhost:8080", f"{LABEL}:8080"],
    *[
        f"{LABEL.upper()}.localhost:8080",
        f"x.{LABEL}.localhost:8080",
        f"-{LABEL[1:]}.localhost:8080",
    ],
    *[
        f"{LABEL[:-1]}1.localhost:8080",
        f"{LABEL[:-1]}\u00e9.localhost:8080",
        f"{LABEL}.127.0.0.1:8080",
    ],
    # nothing at all
    *["", ":", ":8080", "*", "*:8080", "null", "-"],
]


def test_there_are_sixty_variants() -> None:
    assert len(set(FOREIGN)) >= 60


@pytest.mark.parametrize("host", LANDING)
def test_landing_page_is_for_localhost_and_addresses(host: str) -> None:
    assert label_of_host(host, PORT) is None


def test_label_is_read_from_its_host() -> None:
    assert label_of_host(f"{LABEL}.localhost:8080", PORT) == LABEL


@pytest.mark.parametrize("host", FOREIGN)
def test_every_other_host_is_misdirected(host: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        label_of_host(host, PORT)
    assert refused.value.status == 421


def test_missing_host_is_a_bad_request() -> None:
    with pytest.raises(HttpRefusal) as on_main:
        label_of_host(None, PORT)
    with pytest.raises(HttpRefusal) as on_site:
        check_host(None, "127.0.0.1:1")
    assert on_main.value.status == on_site.value.status == 400


def test_port_80_is_left_out_as_browsers_do() -> None:
    assert authority("localhost", 80) == "localhost"
    assert label_of_host("localhost", 80) is None
    assert label_of_host(f"{LABEL}.localhost", 80) == LABEL
    with pytest.raises(HttpRefusal):
        label_of_host("localhost:80", 80)


@pytest.mark.parametrize("host", [*LANDING, *FOREIGN])
def test_port_of_one_target_knows_one_host(host: str) -> None:
    if host == "127.0.0.1:8080":
        check_host(host, "127.0.0.1:8080")
        return
    with pytest.raises(HttpRefusal) as refused:
        check_host(host, "127.0.0.1:8080")
    assert refused.value.status == 421


@given(st.text())
def test_only_our_spellings_pass(host: str) -> None:
    with suppress(HttpRefusal):
        label = label_of_host(host, PORT)
        assert host in LANDING or host == f"{label}.localhost:8080"


@given(st.binary(min_size=SEED_BYTES, max_size=SEED_BYTES))
def test_labels_are_one_dns_label_each(seed: bytes) -> None:
    label = label_from(seed)
    assert len(label) == LABEL_CHARACTERS
    assert label_of_host(f"{label}.localhost:8080", PORT) == label


def test_wrong_token_looks_like_nothing_there() -> None:
    check_token(LABEL, LABEL)
    for wrong in ("", LABEL[:-1], f"{LABEL}a", LABEL.upper(), "\u00e9"):
        with pytest.raises(HttpRefusal) as refused:
            check_token(wrong, LABEL)
        assert refused.value.status == 404


def test_label_stays_with_its_target_and_is_never_given_twice() -> None:
    seeds = iter(range(100))
    book = LabelBook(limit=2, random_bytes=lambda size: bytes([next(seeds)]) * size)
    first, second = book.label_for("a"), book.label_for("b")
    assert book.label_for("a") == first
    third = book.label_for("c")  # forgets b, which was used longest ago
    assert len(book) == 2
    assert book.target_of(first) == "a"
    assert book.target_of(second) is None
    assert book.target_of(third) == "c"
    assert book.label_for("b") not in {first, second, third}


def test_a_label_that_is_looked_up_counts_as_used() -> None:
    seeds = iter(range(100))
    book = LabelBook(limit=2, random_bytes=lambda size: bytes([next(seeds)]) * size)
    first, second = book.label_for("a"), book.label_for("b")
    assert book.target_of(first) == "a"
    book.label_for("c")
    assert book.target_of(first) == "a"
    assert book.target_of(second) is None
