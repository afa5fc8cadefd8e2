"""Sealing: no nonce twice, no equal bytes between owners, nothing opens elsewhere."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.sealing import (
    SEAL_BYTES,
    FileKeys,
    open_box,
    open_segment,
    seal_box,
    seal_segment,
    segment_nonce,
)
from bitcloud_net.core.units import SEGMENT_BYTES
from tests.core.properties import codes, hashes, quick
from tests.core.shares import code_segments

KEYS = FileKeys.from_secret(bytes(32))
CODE = CodeParams(3, 10)


@quick
@given(hashes, st.binary(min_size=1, max_size=500), st.integers(0, 2**40), st.booleans(), codes)
def test_segment_round_trip(
    secret: bytes, plain: bytes, index: int, last: bool, params: CodeParams
) -> None:
    keys = FileKeys.from_secret(secret)
    sealed = seal_segment(keys, plain, index=index, last=last, params=params)
    assert len(sealed) == len(plain) + SEAL_BYTES
    assert open_segment(keys, sealed, index=index, last=last, params=params) == plain


def test_flip_of_any_bit_is_refused() -> None:
    sealed = seal_segment(KEYS, b"twenty-two plain bytes", index=0, last=True, params=CODE)
    for at in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(Malformed):
            open_segment(KEYS, bytes(changed), index=0, last=True, params=CODE)


@pytest.mark.parametrize("size", [0, SEGMENT_BYTES + 1])
def test_segment_size_has_bounds(size: int) -> None:
    with pytest.raises(Malformed):
        seal_segment(KEYS, bytes(size), index=0, last=True, params=CODE)


def test_full_segment() -> None:
    plain = random.Random(4).randbytes(SEGMENT_BYTES)
    sealed = seal_segment(KEYS, memoryview(plain), index=9, last=False, params=CODE)
    opened = open_segment(KEYS, bytearray(sealed), index=9, last=False, params=CODE)
    assert opened == plain


def test_no_nonce_is_used_for_two_plaintexts() -> None:
    """A file is edited again and again while its upload is retried under one secret (T-nonce)."""
    source = random.Random(5)
    content = bytearray(source.randbytes(3000))
    used: dict[bytes, tuple[int, bool, bytes]] = {}
    for _ in range(300):
        for index, start in enumerate(range(0, 3000, 1000)):
            plain, last = bytes(content[start : start + 1000]), index == 2
            sealed = seal_segment(KEYS, plain, index=index, last=last, params=CODE)
            assert used.setdefault(sealed[:24], (index, last, plain)) == (index, last, plain)
        content[source.randrange(3000)] ^= 1 << source.randrange(8)
    assert len(used) == 3 + 299


def test_nonce_tells_without_sealing_whether_a_segment_is_still_the_same() -> None:
    sealed = seal_segment(KEYS, b"same", index=3, last=True, params=CODE)
    assert segment_nonce(KEYS, b"same", index=3, last=True) == sealed[:24]
    assert segment_nonce(KEYS, b"sane", index=3, last=True) != sealed[:24]


def test_sealed_segment_has_bounds() -> None:
    for size in (0, 24, 40, SEGMENT_BYTES + SEAL_BYTES + 1):
        with pytest.raises(Malformed) as caught:
            open_segment(KEYS, bytes(size), index=0, last=True, params=CODE)
        assert caught.value.code == "bad-seal"


def test_place_and_end_are_part_of_the_nonce() -> None:
    nonces = {
        seal_segment(KEYS, b"same", index=index, last=last, params=CODE)[:24]
        for index in range(10)
        for last in (False, True)
    }
    assert len(nonces) == 20


def test_two_owners_of_one_file_store_no_equal_block() -> None:
    """T-no-global-dedup: nothing tells that two people have the same file."""
    content = random.Random(6).randbytes(50_000)
    seen: set[bytes] = set()
    count = 0
    for secret in (bytes(32), bytes(31) + b"\1"):
        keys = FileKeys.from_secret(secret)
        for segment in code_segments(content, CODE, secret):
            blocks = [bytes(block) for block in segment.blocks]
            things = [*blocks, *segment.block_roots, segment.segment_hash]
            things += [keys.salt, keys.commit, keys.upload_id]
            seen.update(things)
            count += len(things)
    assert len(seen) == count


@quick
@given(hashes, st.binary(max_size=300), st.from_regex(r"[ -~]{1,64}", fullmatch=True))
def test_box_round_trip(key: bytes, plain: bytes, label: str) -> None:
    box = seal_box(key, plain, label)
    assert len(box) == len(plain) + SEAL_BYTES
    assert open_box(key, box, label) == plain
    with pytest.raises(Malformed):
        open_box(key, box, label + "x" if len(label) < 64 else label[:-1])


@quick
@given(st.binary(max_size=200))
def test_random_bytes_do_not_open(data: bytes) -> None:
    with pytest.raises(Malformed):
        open_box(bytes(32), data, "name")
    with pytest.raises(Malformed):
        open_segment(KEYS, data, index=0, last=True, params=CODE)


@pytest.mark.parametrize("label", ["", "x" * 65])
def test_label_is_our_own_constant(label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        seal_box(bytes(32), b"", label)


def test_keys_do_not_show_themselves() -> None:
    shown = repr(KEYS)
    for secret in (KEYS.content, KEYS.header, KEYS.nonce, KEYS.commit):
        assert repr(secret)[2:-1] not in shown
