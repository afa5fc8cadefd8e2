"""Shares: a file of bytes that tells by itself whether it is whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import build_inline, content_id
from bitcloud_net.core.files.padding import padded_size
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.files.segment import check_block
from bitcloud_net.core.files.share import (
    FOOTER_BYTES,
    HEADER_BYTES,
    ShareFooter,
    ShareHeader,
    ShareTrailer,
    check_block_roots,
    check_trailer,
)
from tests.core.properties import codes, hashes, quick
from tests.core.shares import SECRET, store

STORED = store(bytes(range(256)) * 20, CodeParams(3, 4))
SHARE = STORED.shares[2]


def check_share(data: bytes, cid: bytes) -> None:
    """Check every byte of a share, as a storage node does when it reads it."""
    header = ShareHeader.parse(data[:HEADER_BYTES])
    footer = ShareFooter.parse(data[-FOOTER_BYTES:])
    if len(data) != header.trailer_offset + footer.trailer_bytes:
        raise Malformed("wrong length")
    trailer = ShareTrailer.parse(data[header.trailer_offset :])
    manifest = check_trailer(header, trailer)
    if content_id(trailer.manifest) != cid:
        raise Malformed("another file")
    for index in range(manifest.segment_count):
        start = header.block_offset(index)
        block = data[start : start + manifest.block_bytes(index)]
        check_block(manifest.salt, header.share_no, index, block, trailer.block_roots[index])


@quick
@given(codes, st.integers(0, 1 << 44), st.binary(min_size=16, max_size=16), st.data())
def test_header_round_trip(
    params: CodeParams, size: int, upload_id: bytes, data: st.DataObject
) -> None:
    header = ShareHeader(
        share_no=data.draw(st.integers(0, params.n - 1)),
        params=params,
        padded_size=padded_size(size),
        upload_id=upload_id,
    )
    raw = header.pack()
    assert len(raw) == HEADER_BYTES
    assert ShareHeader.parse(raw) == header
    assert header.block_offset(0) == HEADER_BYTES
    assert header.trailer_offset == HEADER_BYTES + header.layout.share_bytes


@quick
@given(st.lists(st.tuples(hashes, hashes), min_size=1, max_size=20), st.binary(min_size=1))
def test_trailer_round_trip(pairs: list[tuple[bytes, bytes]], manifest: bytes) -> None:
    roots, segments = zip(*pairs, strict=True)
    trailer = ShareTrailer(block_roots=roots, segment_hashes=segments, manifest=manifest)
    data = trailer.build()
    assert ShareTrailer.parse(data) == trailer
    assert ShareFooter.parse(data[-FOOTER_BYTES:]).trailer_bytes == len(data)


def test_whole_share_is_accepted() -> None:
    for share in STORED.shares:
        check_share(share, STORED.cap.cid)


def test_every_changed_byte_is_found() -> None:
    """T-byz-flip for one share: header, block, proofs, manifest, footer."""
    for at in range(len(SHARE)):
        changed = bytearray(SHARE)
        changed[at] ^= 1 << at % 8
        with pytest.raises(Malformed):
            check_share(bytes(changed), STORED.cap.cid)


def test_every_cut_is_found() -> None:
    for length in range(0, len(SHARE), 7):
        with pytest.raises(Malformed):
            check_share(SHARE[:length], STORED.cap.cid)
        with pytest.raises(Malformed):
            check_share(SHARE[length + 1 :], STORED.cap.cid)


def test_valid_share_of_another_file_is_found() -> None:
    """T-byz-swap."""
    other = store(bytes(5120), CodeParams(3, 4), secret=bytes(32))
    check_share(other.shares[2], other.cap.cid)
    with pytest.raises(Malformed):
        check_share(other.shares[2], STORED.cap.cid)
    with pytest.raises(Malformed):
        check_block_roots(other.manifest, 2, ShareTrailer.parse(_trailer(SHARE)).block_roots)


@quick
@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    for parse in (ShareHeader.parse, ShareFooter.parse, ShareTrailer.parse):
        for raw in (data, data.ljust(HEADER_BYTES, b"\0"), data.rjust(FOOTER_BYTES, b"\0")):
            with pytest.raises(Malformed):
                parse(raw)


def test_header_fields_have_bounds() -> None:
    for number, upload_id, size in ((4, bytes(16), 8192), (0, bytes(15), 8192), (0, bytes(16), 1)):
        header = ShareHeader(
            share_no=number, params=CodeParams(3, 4), padded_size=size, upload_id=upload_id
        )
        with pytest.raises(Malformed):
            header.pack()


@pytest.mark.parametrize(
    ("roots", "segments", "manifest"),
    [
        ([], [], b"m"),
        ([bytes(32)], [], b"m"),
        ([bytes(31)], [bytes(32)], b"m"),
        ([bytes(32)], [bytes(32)], b""),
        ([bytes(32)], [bytes(32)], bytes(9000)),
    ],
)
def test_trailer_fields_have_bounds(
    roots: list[bytes], segments: list[bytes], manifest: bytes
) -> None:
    trailer = ShareTrailer(
        block_roots=tuple(roots), segment_hashes=tuple(segments), manifest=manifest
    )
    with pytest.raises(Malformed):
        trailer.build()


def test_header_manifest_and_proofs_must_fit() -> None:
    header = ShareHeader.parse(SHARE[:HEADER_BYTES])
    trailer = ShareTrailer.parse(_trailer(SHARE))
    inline = build_inline(FileKeys.from_secret(SECRET), b"x").encode()
    wrong_code = store(bytes(5120), CodeParams(2, 4)).manifest.encode()
    for manifest in (inline, wrong_code):
        with pytest.raises(Malformed):
            check_trailer(
                header,
                ShareTrailer(
                    block_roots=trailer.block_roots,
                    segment_hashes=trailer.segment_hashes,
                    manifest=manifest,
                ),
            )
    for number in (-1, 4):
        with pytest.raises(Malformed):
            check_block_roots(STORED.manifest, number, trailer.block_roots)
    with pytest.raises(Malformed):
        check_block_roots(STORED.manifest, 2, trailer.block_roots * 2)


def _trailer(share: bytes) -> bytes:
    return share[ShareHeader.parse(share[:HEADER_BYTES]).trailer_offset :]
