"""One file all the way: caps, segments, shares, manifest, and back from any k shares."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from blake3 import blake3

from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.caps import ReadCap, parse_cap
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.erasure import get_coder
from bitcloud_net.core.files.manifest import (
    FileHeader,
    build_inline,
    build_manifest,
    content_id,
    open_header,
    open_inline,
    parse_manifest,
)
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.files.segment import decode_and_open
from bitcloud_net.core.files.share import HEADER_BYTES, ShareHeader, ShareTrailer, check_trailer
from tests.core.shares import SECRET, store


def test_file_comes_back_from_any_three_of_ten_shares() -> None:
    params = CodeParams(3, 10)
    content = random.Random(1).randbytes(70_000)
    stored = store(content, params)
    cap = parse_cap(stored.cap.text)
    assert isinstance(cap, ReadCap)
    keys = FileKeys.from_secret(cap.secret)
    for chosen in combinations(range(10), 3):
        assert _read([stored.shares[number] for number in chosen], cap, keys) == content


def test_file_of_several_segments() -> None:
    params = CodeParams(2, 5)
    content = random.Random(2).randbytes(2 * 1024 * 1024 + 12_345)
    stored = store(content, params)
    shares = [stored.shares[4], stored.shares[1]]
    assert _read(shares, stored.cap, FileKeys.from_secret(SECRET)) == content


def _read(shares: list[bytes], cap: ReadCap, keys: FileKeys) -> bytes:
    """Read a file from whole share files, as a program with the cap alone would."""
    headers = [ShareHeader.parse(share[:HEADER_BYTES]) for share in shares]
    trailers = [
        ShareTrailer.parse(share[header.trailer_offset :])
        for header, share in zip(headers, shares, strict=True)
    ]
    manifests = {check_trailer(h, t) for h, t in zip(headers, trailers, strict=True)}
    assert len(manifests) == 1
    manifest = manifests.pop()
    assert content_id(manifest.encode()) == cap.cid
    header = open_header(manifest, keys)
    coder = get_coder(manifest.k, manifest.n)
    plain = bytearray()
    for index in range(manifest.segment_count):
        size = manifest.block_bytes(index)
        blocks, roots = {}, {}
        for head, trailer, share in zip(headers, trailers, shares, strict=True):
            start = head.block_offset(index)
            blocks[head.share_no] = share[start : start + size]
            roots[head.share_no] = trailer.block_roots[index]
        plain += decode_and_open(
            keys,
            coder,
            blocks,
            index=index,
            last=manifest.layout.is_last(index),
            sealed_bytes=manifest.sealed_bytes(index),
            segment_hash=trailers[0].segment_hashes[index],
            block_roots=roots,
        )
    content = bytes(plain[: header.size])
    assert blake3(content).digest() == header.content_hash
    assert not any(plain[header.size :])
    return content


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 4096])
def test_inline_file_round_trip(size: int) -> None:
    keys = FileKeys.from_secret(SECRET)
    content = random.Random(size).randbytes(size)
    manifest = build_inline(keys, content, "text/plain")
    again = parse_manifest(manifest.encode())
    assert again == manifest
    header, opened = open_inline(manifest, keys)
    assert opened == content
    assert header == FileHeader(
        size=size, content_hash=blake3(content).digest(), media_type="text/plain"
    )


def test_manifest_round_trip() -> None:
    keys = FileKeys.from_secret(SECRET)
    header = FileHeader(size=5000, content_hash=bytes(32))
    roots = [bytes([number]) * 32 for number in range(10)]
    manifest = build_manifest(
        keys, CodeParams(3, 10), header, ciphertext_root=merkle.root(roots), share_roots=roots
    )
    assert parse_manifest(manifest.encode()) == manifest
    assert open_header(manifest, keys) == header
