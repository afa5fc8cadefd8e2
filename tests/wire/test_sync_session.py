"""The sync protocol's messages: what is packed comes back, everything else is malformed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire import sync_session as wire

HASHES = st.binary(min_size=32, max_size=32)
RAWS = st.lists(st.binary(max_size=200), max_size=20).map(tuple)
STATES = st.lists(
    st.builds(
        wire.SetState,
        set=st.integers(0, 2**32 - 1),
        count=st.integers(0, 2**64 - 1),
        fingerprint=st.binary(min_size=16, max_size=16),
    ),
    max_size=20,
).map(tuple)
SETS = st.integers(0, 2**32 - 1)
PERIODS = st.integers(0, 2**40)
REQUESTS = st.one_of(
    st.builds(wire.Hello, now_s=PERIODS, states=STATES),
    st.builds(wire.Recon, set=SETS, message=st.binary(min_size=1, max_size=300)),
    st.builds(wire.Want, set=SETS, ids=st.lists(HASHES, max_size=20).map(tuple)),
    st.builds(wire.Rows, set=SETS, hops=st.integers(0, 8), raws=RAWS),
)
ANSWERS = st.one_of(
    st.builds(wire.HelloIs, now_s=PERIODS, states=STATES),
    st.builds(wire.ReconIs, message=st.binary(min_size=1, max_size=300)),
    st.builds(wire.RowsAre, considered=st.integers(0, 512), raws=RAWS),
    st.builds(wire.Took, accepted=st.integers(0, 512), refused=st.integers(0, 512)),
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
        (5, [], b""),
        (65, [1], b""),  # an answer is no request
        (1, [], b""),
        (1, [-1], b""),
        (1, [2**52], b""),
        (1, [1, 1], b""),
        (1, ["1"], b""),
        (1, [1], b"x" * 27),
        (1, [1], b"x" * 28 * (wire.MAX_SETS + 1)),
        (2, [1], b""),
        (2, [2**32], b"x"),
        (2, [1], b"x" * 65_537),
        (3, [1], b"x" * 31),
        (3, [1], b"x" * 32 * (wire.MAX_WANT + 1)),
        (4, [1, 0], b"\0"),
        (4, [1], b""),
        (4, [1, 9], b""),
        (4, [1, 0], b"\0\5abc"),
        (4, [1, 0], b"\0\0" * (wire.MAX_BATCH_ROWS + 1)),
    ],
)
def test_malformed_requests(kind: int, head: list[encoding.Value], payload: bytes) -> None:
    with pytest.raises(Malformed):
        wire.parse_request(kind, encoding.encode(head), payload)


@pytest.mark.parametrize(
    ("kind", "head", "payload"),
    [
        (1, [1], b""),  # a request is no answer
        (66, [], b""),
        (66, [1], b"x"),
        (67, [wire.MAX_WANT + 1], b""),
        (67, [], b""),
        (68, [1], b""),
        (68, [-1, 0], b""),
        (127, ["x" * 201, ""], b""),
        (127, [b"busy", ""], b""),
        (128, [], b""),
    ],
)
def test_malformed_answers(kind: int, head: list[encoding.Value], payload: bytes) -> None:
    with pytest.raises(Malformed):
        wire.parse_answer(kind, encoding.encode(head), payload)


@settings(max_examples=300)
@given(st.integers(0, 255), st.binary(max_size=40), st.binary(max_size=100))
def test_random_bytes_are_malformed_or_a_message(kind: int, head: bytes, payload: bytes) -> None:
    for parse in (wire.parse_request, wire.parse_answer):
        try:
            parse(kind, head, payload)
        except Malformed:
            continue


@given(st.lists(st.integers(0, 16_384), max_size=600))
def test_batches_keep_the_order_and_the_limits(sizes: list[int]) -> None:
    raws = [bytes(size) for size in sizes]
    batches = wire.batches(raws)
    assert [raw for batch in batches for raw in batch] == raws
    for batch in batches:
        assert 0 < len(batch) <= wire.MAX_BATCH_ROWS
        assert sum(map(len, batch)) <= wire.MAX_BATCH_BYTES
        packed = wire.pack(wire.Rows(set=1, raws=batch))[2]
        assert len(packed) < wire.MAX_FRAME_BYTES
