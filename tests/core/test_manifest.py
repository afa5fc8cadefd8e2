"""Manifests: parsed once, every bound checked; a changed one is another file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import (
    MAGIC,
    MAX_MANIFEST_BYTES,
    FileHeader,
    Manifest,
    build_inline,
    build_manifest,
    content_id,
    open_header,
    open_inline,
    parse_manifest,
)
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.units import MAX_ROW_BYTES, SEGMENT_BYTES
from tests.core.properties import codes, hashes, quick

KEYS = FileKeys.from_secret(bytes(range(32)))
OTHER = FileKeys.from_secret(bytes(32))


def manifest_of(size: int, params: CodeParams, media_type: str | None = None) -> Manifest:
    return build_manifest(
        KEYS,
        params,
        FileHeader(size=size, content_hash=bytes(32), media_type=media_type),
        ciphertext_root=bytes(32),
        share_roots=[bytes([number]) * 32 for number in range(params.n)],
    )


media_types = st.none() | st.from_regex(r"[a-z]{1,20}/[a-z.+-]{1,40}", fullmatch=True)


@quick
@given(st.integers(0, 1 << 44), codes, media_types)
def test_round_trip(size: int, params: CodeParams, media_type: str | None) -> None:
    manifest = manifest_of(size, params, media_type)
    data = manifest.encode()
    assert parse_manifest(data) == manifest
    header = open_header(manifest, KEYS)
    assert (header.size, header.media_type) == (size, media_type)


@quick
@given(st.integers(5000, 1 << 40), codes)
def test_sizes_add_up(size: int, params: CodeParams) -> None:
    manifest = manifest_of(size, params)
    layout, last = manifest.layout, manifest.segment_count - 1
    assert last * SEGMENT_BYTES < manifest.padded_size <= (last + 1) * SEGMENT_BYTES
    assert layout.is_last(last)
    assert not layout.is_last(last - 1)
    assert manifest.share_bytes == layout.block_start(last) + manifest.block_bytes(last)
    assert manifest.k * manifest.block_bytes(last) >= manifest.sealed_bytes(last)
    assert layout.plain_bytes(last) == manifest.sealed_bytes(last) - 40
    for index in (-1, last + 1):
        for act in (layout.plain_bytes, layout.block_start):
            with pytest.raises(Malformed):
                act(index)


def test_largest_manifests_fit_a_row() -> None:
    wide = manifest_of(1 << 44, CodeParams(128, 128), "x" * 127).encode()
    inline = build_inline(KEYS, bytes(4096), "x" * 127).encode()
    for data in (wide, inline):
        assert len(data) <= MAX_MANIFEST_BYTES <= MAX_ROW_BYTES // 2
        parse_manifest(data)


@quick
@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    for raw in (data, MAGIC + data, memoryview(data)):
        with pytest.raises(Malformed):
            parse_manifest(raw)


@pytest.mark.parametrize("inline", [False, True])
def test_every_changed_bit_is_found(inline: bool) -> None:
    """By the parser, or by the content id and, with the key, by the seal."""
    good = build_inline(KEYS, b"x") if inline else manifest_of(9000, CodeParams(2, 3))
    data = good.encode()
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            parsed = parse_manifest(changed)
        except Malformed:
            continue
        assert parsed.encode() == changed
        assert content_id(bytes(changed)) != content_id(data)


def test_header_opens_with_the_committed_keys_only() -> None:
    manifest = manifest_of(9000, CodeParams(2, 3))
    with pytest.raises(Malformed) as caught:
        open_header(manifest, OTHER)
    assert caught.value.code == "wrong-key"


@quick
@given(st.binary(max_size=4096))
def test_inline_round_trip(content: bytes) -> None:
    manifest = build_inline(KEYS, content)
    assert parse_manifest(manifest.encode()) == manifest
    header, opened = open_inline(manifest, KEYS)
    assert (opened, header.size) == (content, len(content))


def test_inline_content_must_be_what_the_header_says() -> None:
    one, two = build_inline(KEYS, b"one"), build_inline(KEYS, b"two")
    long = build_inline(KEYS, bytes(600) + b"x")
    for other in (two, long):
        mixed = type(one)(
            salt=one.salt,
            commitment=one.commitment,
            sealed_header=one.sealed_header,
            sealed_content=other.sealed_content,
        )
        with pytest.raises(Malformed):
            open_inline(mixed, KEYS)


def test_what_no_reader_accepts_is_never_built() -> None:
    with pytest.raises(BadInput):
        build_inline(KEYS, bytes(4097))
    with pytest.raises(BadInput):
        manifest_of(-1, CodeParams(2, 3))
    for media_type in ("", "x" * 128, "text\n", "текст"):
        with pytest.raises(Malformed):
            manifest_of(9000, CodeParams(2, 3), media_type)
    with pytest.raises(Malformed):
        build_manifest(
            KEYS,
            CodeParams(2, 3),
            FileHeader(size=9000, content_hash=bytes(32)),
            ciphertext_root=bytes(32),
            share_roots=[bytes(32)] * 2,
        )


@quick
@given(hashes)
def test_content_id_is_not_the_plain_hash(data: bytes) -> None:
    assert content_id(data) != content_id(data + b"\0")
