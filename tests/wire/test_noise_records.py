from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire.noise_records import (
    LAST_NONCE,
    MAX_PLAINTEXT_BYTES,
    RecordOpener,
    RecordSealer,
)

KEY = bytes(range(32))

pieces_of_data = st.lists(st.binary(max_size=300), min_size=1, max_size=6)


@given(
    messages=st.lists(pieces_of_data, max_size=6), cuts=st.lists(st.integers(1, 400), max_size=60)
)
def test_what_is_sealed_opens_however_the_bytes_are_cut(messages, cuts):
    sealer, opener = RecordSealer(KEY), RecordOpener(KEY)
    wire = b"".join(sealer.seal(pieces) for pieces in messages)
    opened, at = [], 0
    for size in [*cuts, len(wire)]:
        opened += opener.open(wire[at : at + size])
        at += size
    assert b"".join(opened) == b"".join(b"".join(pieces) for pieces in messages)


@pytest.mark.parametrize("step", [1, 2, 3, 17, 65_537, 65_538, 262_144])
def test_large_data_fills_whole_records_and_opens_at_every_step(step):
    total = 2 * MAX_PLAINTEXT_BYTES + 1 if step < 17 else 5 * MAX_PLAINTEXT_BYTES + 9
    plain = (b"0123456789abcdef" * (total // 16 + 1))[:total]
    wire = RecordSealer(KEY).seal([plain[:100], memoryview(plain)[100:]])
    opener, opened = RecordOpener(KEY), []
    for at in range(0, len(wire), step):
        opened += opener.open(wire[at : at + step])
    assert b"".join(opened) == plain
    assert {len(part) for part in opened[:-1]} == {MAX_PLAINTEXT_BYTES}


def test_an_empty_record_is_a_record():
    opener = RecordOpener(KEY)
    sealer = RecordSealer(KEY)
    assert sealer.seal([b""]) == b""
    one = sealer.seal([b"x"])
    assert opener.open(one + sealer.seal([b"y"])) == [b"x", b"y"]


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_flipped_bit_ends_the_connection(position, bit):
    wire = RecordSealer(KEY).seal([b"a" * 50]) + RecordSealer(KEY, first_nonce=1).seal([b"b"])
    position %= len(wire)
    wire[position] ^= 1 << bit
    opener = RecordOpener(KEY)
    try:
        opened = opener.open(wire)
    except Malformed:
        with pytest.raises(Malformed):
            opener.open(b"")
    else:  # a longer length field: the record is still awaited
        assert opened in ([], [b"a" * 50])


def test_records_out_of_order_or_twice_are_refused():
    sealer = RecordSealer(KEY)
    first, second = sealer.seal([b"1"]), sealer.seal([b"2"])
    with pytest.raises(Malformed):
        RecordOpener(KEY).open(second)
    with pytest.raises(Malformed):
        RecordOpener(KEY).open(first + first)


def test_the_connection_ends_before_a_nonce_repeats():
    sealer = RecordSealer(KEY, first_nonce=LAST_NONCE)
    opener = RecordOpener(KEY, first_nonce=LAST_NONCE)
    assert opener.open(sealer.seal([b"last"])) == [b"last"]
    with pytest.raises(Malformed) as caught:
        sealer.seal([b"one more"])
    assert caught.value.code == "nonces-used-up"
    with pytest.raises(Malformed) as caught:
        opener.open(b"\x00\x11" + bytes(17))
    assert caught.value.code == "nonces-used-up"


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_random_bytes_give_malformed_and_nothing_else(parts):
    opener = RecordOpener(KEY)
    for part in parts:
        try:
            assert opener.open(part) == []
        except Malformed:
            break
