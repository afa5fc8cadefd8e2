"""The sync protocol's messages: what is packed comes back, everything else is malformed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.mandates import MAX_MANDATES, Mandate
from bitcloud_net.core.nodepool.shards import LIGHT, MAX_DEPTH
from bitcloud_net.wire import sync_session as wire

HASHES = st.binary(min_size=32, max_size=32)
RAWS = st.lists(st.binary(max_size=200), max_size=20).map(tuple)
NUMBERS = st.integers(0, 2**32 - 1)
DEPTHS = st.integers(0, MAX_DEPTH) | st.just(LIGHT)
MANDATES = st.lists(
    st.builds(
        Mandate,
        key=st.binary(min_size=32, max_size=32),
        signature=st.binary(min_size=64, max_size=64),
    ),
    max_size=MAX_MANDATES,
).map(tuple)
DEPTHS_OF_SETS = st.lists(
    st.builds(wire.SetDepth, set=NUMBERS, depth=DEPTHS), max_size=20, unique_by=lambda s: s.set
).map(tuple)
GLANCES = st.lists(
    st.builds(
        wire.Glance,
        key=st.binary(min_size=32, max_size=128),
        short_id=st.binary(min_size=8, max_size=8) | st.just(b""),
    ),
    max_size=20,
).map(tuple)
STATES = st.lists(
    st.builds(
        wire.SetState,
        set=NUMBERS,
        depth=DEPTHS,
        count=st.integers(0, 2**64 - 1),
        fingerprint=st.binary(min_size=16, max_size=16),
    ),
    max_size=20,
    unique_by=lambda state: state.set,
).map(tuple)
SEEN = RAWS.flatmap(
    lambda raws: st.binary(max_size=20).map(
        lambda marks: wire.Seen(
            marks=bytes(mark % wire.Mark.OTHER for mark in marks) + b"\3" * len(raws), raws=raws
        )
    )
)
SETS = st.integers(0, 2**32 - 1)
PERIODS = st.integers(0, 2**40)
REQUESTS = st.one_of(
    st.builds(wire.Hello, now_s=PERIODS, mandates=MANDATES, sets=DEPTHS_OF_SETS),
    st.builds(wire.Look, set=SETS, glances=GLANCES),
    st.builds(wire.Some, set=SETS, start=NUMBERS, count=st.integers(0, wire.MAX_SOME)),
    st.builds(wire.Recon, set=SETS, message=st.binary(min_size=1, max_size=300)),
    st.builds(wire.Want, set=SETS, ids=st.lists(HASHES, max_size=20).map(tuple)),
    st.builds(wire.Rows, set=SETS, hops=st.integers(0, 8), raws=RAWS),
)
ANSWERS = st.one_of(
    st.builds(wire.HelloIs, now_s=PERIODS, mandates=MANDATES, states=STATES),
    SEEN,
    st.builds(wire.ReconIs, message=st.binary(min_size=1, max_size=300)),
    st.builds(wire.RowsAre, considered=st.integers(0, 512), raws=RAWS),
    st.builds(wire.Took, taken=st.integers(0, 512), refused=st.integers(0, 512)),
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
        (5, [1], b"\x20\0" + b"x" * 31),  # a key that ends too early
        (5, [1], b"\x1f\0" + b"x" * 31),  # one that is too short
        (5, [1], b"\x81\0" + b"x" * 129),
        (5, [1], b"\x20\7" + b"x" * 39),
        (5, [1], (b"\x20\0" + b"x" * 32) * (wire.MAX_LOOK + 1)),
        (6, [1, 0, wire.MAX_SOME + 1], b""),
        (6, [1, 2**32, 1], b""),
        (6, [1, 0, 1], b"x"),
        (7, [1], b""),
        (65, [1, 0], b""),  # an answer is no request
        (1, [], b""),
        (1, [1], b""),
        (1, [-1, 0], b""),
        (1, [2**52, 0], b""),
        (1, [1, 0, 1], b""),
        (1, ["1", 0], b""),
        (1, [1, 0], b"x" * 4),
        (1, [1, 0], b"\0\0\0\1\x21"),  # a depth that there is not
        (1, [1, 0], b"\0\0\0\1\0" * 2),  # a set named twice
        (1, [1, 0], b"".join(n.to_bytes(4, "big") + b"\0" for n in range(wire.MAX_SETS + 1))),
        (1, [1, 1], b"x" * 95),
        (1, [1, MAX_MANDATES + 1], b"x" * 96 * (MAX_MANDATES + 1)),
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
        (1, [1, 0], b""),  # a request is no answer
        (65, [1, 0], b"x" * 28),
        (65, [1, 0], b"\0\0\0\1\x21" + b"x" * 24),
        (65, [1, 0], (b"\0\0\0\1\0" + b"x" * 24) * 2),
        (68, [1, 0], b"x"),
        (69, [b"\4"], b""),
        (69, [b"\3"], b""),
        (69, [b"\0"], b"\0\1x"),
        (69, [b"\0" * (wire.MAX_LOOK + 1)], b""),
        (127, ["busy", ""], b"x"),
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
