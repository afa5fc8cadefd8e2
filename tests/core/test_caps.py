"""Caps: one spelling each, and nothing else is one."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.files.caps import MAX_CAP_CHARS, ReadCap, VerifyCap, parse_cap
from tests.core.properties import hashes, quick


@quick
@given(hashes, hashes)
def test_round_trip(cid: bytes, secret: bytes) -> None:
    cap = ReadCap(cid, secret)
    assert parse_cap(cap.text) == cap
    assert parse_cap(cap.diminish().text) == VerifyCap(cid)
    assert ReadCap.from_body(cap.body) == cap
    assert len(cap.text) <= MAX_CAP_CHARS


@quick
@given(st.data())
def test_one_wrong_character_is_always_found(data: st.DataObject) -> None:
    text = ReadCap(bytes(range(32)), bytes(32)).text
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(string.ascii_letters + string.digits + ":= ="))
    if other != text[at]:
        with pytest.raises(BadInput):
            parse_cap(text[:at] + other + text[at + 1 :])


@quick
@given(st.text() | st.from_regex(r"bitcloud:1:f[vr]:[a-z2-7=]{0,110}:[a-z2-7]{4}", fullmatch=True))
def test_other_text_is_refused_with_one_clear_sentence(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_cap(text)
    assert caught.value.code in ("cap-damaged", "cap-unknown")
    assert "\n" not in str(caught.value)


def test_secret_is_not_shown() -> None:
    cap = ReadCap(bytes(32), b"\xaa" * 32)
    for shown in (repr(cap), str(cap), repr([cap])):
        assert "aaaa" not in shown
        assert "\\xaa" not in shown


@pytest.mark.parametrize("length", [0, 31, 33])
def test_wrong_lengths(length: int) -> None:
    for make in (VerifyCap, lambda data: ReadCap(bytes(32), data), ReadCap.from_body):
        with pytest.raises(Malformed):
            make(bytes(length))
