from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire.yamux_frames import FrameParser, Header, pack_header

frames = st.lists(
    st.one_of(
        st.tuples(
            st.just(0), st.integers(0, 15), st.integers(1, 2**32 - 1), st.binary(max_size=80)
        ),
        st.tuples(st.just(1), st.integers(0, 15), st.integers(1, 2**32 - 1), st.none()),
        st.tuples(st.integers(2, 3), st.integers(0, 15), st.just(0), st.none()),
    ),
    max_size=8,
)


def test_the_header_is_as_the_specification_draws_it():
    assert pack_header(1, 2, 3, 4).hex() == "000100020000000300000004"


@given(frames=frames, cuts=st.lists(st.integers(1, 30), max_size=60))
def test_frames_come_out_however_the_bytes_are_cut(frames, cuts):
    wire = b"".join(
        pack_header(type_, flags, stream_id, 7 if body is None else len(body)) + (body or b"")
        for type_, flags, stream_id, body in frames
    )
    parser, items, at = FrameParser(), [], 0
    for size in [*cuts, len(wire)]:
        items += parser.feed(wire[at : at + size])
        at += size
    got = []
    for item in items:
        if isinstance(item, Header):
            got.append((item.type, item.flags, item.stream_id, None if item.type else b""))
        else:
            assert len(item) > 0
            *rest, body = got[-1]
            got[-1] = (*rest, body + bytes(item))
    assert got == frames


def test_a_long_payload_is_passed_on_as_it_comes_and_never_gathered():
    parser = FrameParser()
    parser.feed(pack_header(0, 0, 1, 2**32 - 1))
    for _ in range(100):
        assert parser.feed(b"x" * 1000) == [b"x" * 1000]


@pytest.mark.parametrize(
    "header",
    [
        "010000000000000100000000",  # version 1
        "000400000000000100000000",  # type 4
        "000000100000000100000000",  # flag 16
        "000000000000000000000000",  # DATA for stream 0
        "000100000000000000000000",  # WINDOW_UPDATE for stream 0
        "000200010000000100000000",  # PING for stream 1
        "000300000000000100000000",  # GO_AWAY for stream 1
    ],
)
def test_what_is_no_frame_is_refused(header):
    with pytest.raises(Malformed):
        FrameParser().feed(bytes.fromhex(header))


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_random_bytes_give_malformed_and_nothing_else(parts):
    parser = FrameParser()
    for part in parts:
        try:
            parser.feed(part)
        except Malformed:
            break
