"""The messages of reading single rows: what is packed comes back, everything else is malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire import row_read as wire

TABLES = st.integers(0, 2**32 - 1)
KEYS = st.binary(min_size=32, max_size=wire.MAX_KEY_BYTES)
PARTS = st.binary(max_size=wire.MAX_KEY_BYTES)
RAWS = st.lists(st.binary(max_size=200), min_size=1, max_size=20).map(tuple)
REQUESTS = st.one_of(
    st.builds(wire.Read, table=TABLES, key=KEYS),
    st.builds(wire.List, table=TABLES, prefix=PARTS, after=PARTS),
    st.builds(wire.Find, table=TABLES, suffix=st.binary(min_size=1, max_size=96), after=PARTS),
)
ANSWERS = st.one_of(
    st.builds(wire.RowIs, keeps=st.booleans(), raw=st.binary(max_size=500)),
    st.builds(wire.PageIs, keeps=st.booleans(), more=st.booleans(), raws=RAWS),
    st.builds(wire.PageIs, keeps=st.booleans(), more=st.just(False), raws=st.just(())),
    st.builds(wire.RefusedIs, error_code=st.just("busy"), text=st.just("come again")),
)


@given(REQUESTS)
def test_a_request_comes_back(request: wire.Request) -> None:
    assert wire.parse_request(*wire.pack(request)) == request


@given(ANSWERS)
def test_an_answer_comes_back(answer: wire.Answer) -> None:
    assert wire.parse_answer(*wire.pack(answer)) == answer


@pytest.mark.parametrize(
    ("kind", "head", "payload"),
    [
        (0, [], b""),
        (4, [1, bytes(32)], b""),
        (65, [1], b""),  # an answer is no request
        (1, [1], b""),
        (1, [1, bytes(31)], b""),
        (1, [1, bytes(129)], b""),
        (1, [1, "text"], b""),
        (1, [2**32, bytes(32)], b""),
        (1, [-1, bytes(32)], b""),
        (1, [1, bytes(32), b""], b""),
        (1, [1, bytes(32)], b"x"),
        (2, [1, b""], b""),
        (2, [1, b"", bytes(129)], b""),
        (3, [5, b"", b""], b""),
    ],
)
def test_bad_requests(kind: int, head: list[encoding.Value], payload: bytes) -> None:
    with pytest.raises(Malformed):
        wire.parse_request(kind, encoding.encode(head), payload)


@pytest.mark.parametrize(
    ("kind", "head", "payload"),
    [
        (1, [1, bytes(32)], b""),  # a request is no answer
        (65, [2], b""),
        (65, [True], b""),
        (65, [1], bytes(16 * 1024 + 1)),
        (65, [1, 1], b""),
        (66, [1, 1], b""),  # more, and nothing to go on from
        (66, [1, 0], b"\0"),
        (66, [1, 0], b"\0\5abcd"),
        (66, [1, 0], b"\0\0" * 513),
        (127, ["x" * 201, ""], b""),
    ],
)
def test_bad_answers(kind: int, head: list[encoding.Value], payload: bytes) -> None:
    with pytest.raises(Malformed):
        wire.parse_answer(kind, encoding.encode(head), payload)


@given(st.integers(0, 255), st.binary(max_size=300), st.binary(max_size=300))
def test_noise_is_malformed_and_nothing_else(kind: int, head: bytes, payload: bytes) -> None:
    for parse in (wire.parse_request, wire.parse_answer):
        try:
            parse(kind, head, payload)
        except Malformed:
            continue
