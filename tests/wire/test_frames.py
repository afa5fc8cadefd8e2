"""Frames survive every cut, and hostile bytes give ``Malformed`` and nothing else."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.wire.frames import (
    MAX_HEAD_BYTES,
    MAX_WIRE_FRAME_BYTES,
    PREFIX_BYTES,
    Frame,
    FrameParser,
    pack_frame,
)

MESSAGES = st.tuples(
    st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(max_size=40), st.binary(max_size=9000)
)


def packed(request: int, type_: int, head: bytes, payload: bytes) -> bytes:
    return pack_frame(request, type_, head, len(payload)) + payload


def told(frames: list[Frame]) -> list[tuple[int, int, bytes, bytes]]:
    return [(f.request, f.type, f.head, bytes(f.payload)) for f in frames]


def test_the_layout_is_the_documented_one() -> None:
    assert packed(0x01020304, 5, b"hd", b"pay").hex() == "0000000c" + "01020304" + "05" + "0002" + (
        b"hdpay".hex()
    )


@given(st.lists(MESSAGES, max_size=5), st.data())
def test_any_cut_gives_the_same_frames(
    messages: list[tuple[int, int, bytes, bytes]], data: st.DataObject
) -> None:
    wire = b"".join(packed(*message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    parser = FrameParser()
    frames: list[Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        frames += parser.feed(wire[start:end])
    assert told(frames) == messages
    assert not parser.inside_frame


@given(st.lists(MESSAGES, max_size=2))
def test_byte_by_byte(messages: list[tuple[int, int, bytes, bytes]]) -> None:
    wire = b"".join(packed(*message) for message in messages)
    parser = FrameParser()
    frames = [frame for byte in wire for frame in parser.feed(bytes([byte]))]
    assert told(frames) == messages


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_random_bytes_give_frames_or_malformed(pieces: list[bytes]) -> None:
    parser = FrameParser(max_frame_bytes=200)
    try:
        for piece in pieces:
            for frame in parser.feed(piece):
                assert len(frame.head) + len(frame.payload) <= 200
    except Malformed:
        with pytest.raises(Malformed):
            parser.feed(b"more")


@pytest.mark.parametrize(
    "wire",
    [
        (0).to_bytes(4, "big"),
        (6).to_bytes(4, "big"),
        (MAX_WIRE_FRAME_BYTES + 1).to_bytes(4, "big"),
        b"\xff\xff\xff\xff",
        bytes.fromhex("00000008" + "00000000" + "00" + "0002" + "aa"),
    ],
    ids=["empty", "shorter-than-its-prefix", "one-too-large", "largest", "head-beyond-the-frame"],
)
def test_t_frame_limits_a_bad_length_is_refused_at_once(wire: bytes) -> None:
    with pytest.raises(Malformed):
        FrameParser().feed(wire)


def test_the_largest_frame_passes() -> None:
    head = bytes(MAX_HEAD_BYTES)
    payload = bytes(MAX_WIRE_FRAME_BYTES - 7 - len(head))
    (frame,) = FrameParser().feed(packed(1, 2, head, payload))
    assert len(frame.payload) == len(payload)
    with pytest.raises(Malformed):
        pack_frame(1, 2, head, len(payload) + 1)


@pytest.mark.parametrize(
    ("request_id", "type_", "head"),
    [(2**32, 0, b""), (-1, 0, b""), (0, 256, b""), (0, 0, bytes(64 * KIB))],
)
def test_numbers_beyond_their_fields_are_refused(request_id: int, type_: int, head: bytes) -> None:
    with pytest.raises(Malformed):
        pack_frame(request_id, type_, head)


def test_the_end_inside_a_frame_can_be_told() -> None:
    parser = FrameParser()
    wire = packed(1, 1, b"head", b"payload")
    parser.feed(wire[: PREFIX_BYTES - 1])
    assert parser.inside_frame
    parser.feed(wire[PREFIX_BYTES - 1 : -1])
    assert parser.inside_frame
    parser.feed(wire[-1:])
    assert not parser.inside_frame


def test_a_whole_payload_is_not_copied() -> None:
    wire = packed(1, 1, b"", bytes(MIB))
    (frame,) = FrameParser().feed(wire)
    assert frame.payload.obj is wire


def test_memory_is_bounded_by_what_arrived() -> None:
    prefix = pack_frame(1, 1, b"", MIB)
    parsers = [FrameParser() for _ in range(20)]
    tracemalloc.start()
    try:
        for parser in parsers:
            parser.feed(prefix)
            for _ in range(2000):
                parser.feed(b"x")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 20 * 8 * KIB
