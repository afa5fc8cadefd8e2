"""A whole segment in one call, and who is to blame when something is wrong."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.erasure import get_coder
from bitcloud_net.core.files.sealing import SEAL_BYTES, FileKeys
from bitcloud_net.core.files.segment import (
    CodedSegment,
    check_block,
    decode_and_open,
    decode_sealed,
    seal_and_code,
)
from tests.core.shares import SECRET, store

KEYS = FileKeys.from_secret(SECRET)
CODER = get_coder(3, 10)
PLAIN = random.Random(1).randbytes(20_000)
CODED = seal_and_code(KEYS, CODER, PLAIN, index=4, last=False)


def opened(coded: CodedSegment, numbers: tuple[int, ...], **wrong: Any) -> bytes:
    args: dict[str, Any] = {
        "index": 4,
        "last": False,
        "sealed_bytes": len(PLAIN) + SEAL_BYTES,
        "segment_hash": coded.segment_hash,
        "block_roots": dict(enumerate(coded.block_roots)),
    }
    blocks = {number: coded.blocks[number] for number in numbers}
    return decode_and_open(KEYS, CODER, blocks, **(args | wrong))


def test_round_trip() -> None:
    for numbers in ((0, 1, 2), (7, 8, 9), (0, 9, 4)):
        assert opened(CODED, numbers) == PLAIN
        assert opened(CODED, numbers, block_roots=None) == PLAIN


def test_sealing_again_gives_the_same_blocks() -> None:
    """What lets an upload be resumed: nothing is sent twice because it came out differently."""
    again = seal_and_code(KEYS, CODER, bytearray(PLAIN), index=4, last=False)
    assert [bytes(block) for block in again.blocks] == [bytes(block) for block in CODED.blocks]
    assert again.block_roots == CODED.block_roots


def test_flipped_byte_is_found_and_its_share_named() -> None:
    """T-byz-flip: 1,000 flips, the right share blamed each time, no wrong byte out."""
    source = random.Random(2)
    for _ in range(1000):
        number = source.randrange(10)
        block = bytearray(CODED.blocks[number])
        block[source.randrange(len(block))] ^= 1 << source.randrange(8)
        with pytest.raises(Malformed) as caught:
            check_block(KEYS.salt, number, 4, block, CODED.block_roots[number])
        assert (caught.value.code, caught.value.detail["share"]) == ("corrupt-block", number)


def test_one_wrong_block_among_good_ones() -> None:
    wrong = bytearray(CODED.blocks[5])
    wrong[0] ^= 1
    blocks = [memoryview(wrong) if n == 5 else block for n, block in enumerate(CODED.blocks)]
    coded = dataclasses.replace(CODED, blocks=tuple(blocks))
    with pytest.raises(Malformed) as caught:
        opened(coded, (0, 5, 9))
    assert caught.value.detail["share"] == 5


def test_blocks_of_other_places_are_found() -> None:
    """T-byz-swap: a valid block of another share, segment or file."""
    other_file = seal_and_code(FileKeys.from_secret(bytes(32)), CODER, PLAIN, index=4, last=False)
    other_place = seal_and_code(KEYS, CODER, PLAIN, index=5, last=False)
    root = CODED.block_roots[0]
    for block in (CODED.blocks[1], other_file.blocks[0], other_place.blocks[0]):
        with pytest.raises(Malformed):
            check_block(KEYS.salt, 0, 4, block, root)


def test_uploader_who_stores_two_files_behind_one_cap_is_found() -> None:
    """T-inconsistent-shares: every block has a right root, but sets decode to different bytes.

    The reader names the uploader, not a node: all blocks are the ones that the manifest fixes.
    """
    content = random.Random(3).randbytes(60_000)
    honest = store(content, CodeParams(3, 10))
    keys = FileKeys.from_secret(SECRET)
    one = seal_and_code(keys, CODER, content.ljust(65_536, b"\0"), index=0, last=True)
    two = seal_and_code(keys, CODER, content[::-1].ljust(65_536, b"\0"), index=0, last=True)
    blocks = one.blocks[:5] + two.blocks[5:]
    roots = tuple(merkle.block_root(keys.salt, n, 0, block) for n, block in enumerate(blocks))
    trap = CodedSegment(blocks=blocks, block_roots=roots, segment_hash=one.segment_hash)
    stored = store(content, CodeParams(3, 10), segments=[trap])
    assert stored.manifest.ciphertext_root == honest.manifest.ciphertext_root
    assert stored.cap.cid != honest.cap.cid
    for numbers, fine in (((0, 1, 2), True), ((7, 8, 9), False), ((1, 4, 6), False)):
        args: dict[str, Any] = {
            "index": 0,
            "sealed_bytes": 65_536 + SEAL_BYTES,
            "segment_hash": one.segment_hash,
        }
        chosen = {number: blocks[number] for number in numbers}
        if fine:
            decode_sealed(keys.salt, CODER, chosen, block_roots=dict(enumerate(roots)), **args)
            continue
        with pytest.raises(Malformed) as caught:
            decode_sealed(keys.salt, CODER, chosen, block_roots=dict(enumerate(roots)), **args)
        assert caught.value.code == "inconsistent-shares"


def test_wrong_hash_place_or_end() -> None:
    for wrong, code in (
        ({"segment_hash": bytes(32)}, "inconsistent-shares"),
        ({"last": True}, "bad-seal"),
        ({"index": 5}, "corrupt-block"),
    ):
        with pytest.raises(Malformed) as caught:
            opened(CODED, (0, 1, 2), **wrong)
        assert caught.value.code == code
