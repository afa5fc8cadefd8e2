"""Makes whole share files in memory, the way an upload does."""

from __future__ import annotations

from dataclasses import dataclass

from blake3 import blake3

from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.caps import ReadCap
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.erasure import get_coder
from bitcloud_net.core.files.layout import Layout
from bitcloud_net.core.files.manifest import FileHeader, Manifest, build_manifest, content_id
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.files.segment import CodedSegment, seal_and_code
from bitcloud_net.core.files.share import ShareHeader, ShareTrailer
from bitcloud_net.core.units import SEGMENT_BYTES

SECRET = bytes(range(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One stored file: its cap, its manifest and its share files."""

    cap: ReadCap
    manifest: Manifest
    shares: list[bytes]


def code_segments(content: bytes, params: CodeParams, secret: bytes = SECRET) -> list[CodedSegment]:
    """Pad, seal and code a file."""
    layout = Layout.for_file(len(content), params)
    keys, coder = FileKeys.from_secret(secret), get_coder(params.k, params.n)
    padded = content.ljust(layout.padded_size, b"\0")
    return [
        seal_and_code(
            keys,
            coder,
            padded[index * SEGMENT_BYTES : (index + 1) * SEGMENT_BYTES],
            index=index,
            last=layout.is_last(index),
        )
        for index in range(layout.segment_count)
    ]


def store(
    content: bytes,
    params: CodeParams,
    *,
    secret: bytes = SECRET,
    segments: list[CodedSegment] | None = None,
    media_type: str | None = None,
) -> Stored:
    """Make manifest and shares of ``content``; ``segments`` lets a test lie about the blocks."""
    segments = code_segments(content, params, secret) if segments is None else segments
    keys = FileKeys.from_secret(secret)
    manifest = build_manifest(
        keys,
        params,
        FileHeader(size=len(content), content_hash=blake3(content).digest(), media_type=media_type),
        ciphertext_root=merkle.root([segment.segment_hash for segment in segments]),
        share_roots=[
            merkle.root([segment.block_roots[number] for segment in segments])
            for number in range(params.n)
        ],
    )
    data = manifest.encode()
    shares = [_share_file(number, manifest, data, keys, segments) for number in range(params.n)]
    return Stored(cap=ReadCap(content_id(data), secret), manifest=manifest, shares=shares)


def _share_file(
    number: int, manifest: Manifest, data: bytes, keys: FileKeys, segments: list[CodedSegment]
) -> bytes:
    header = ShareHeader(
        share_no=number,
        params=manifest.params,
        padded_size=manifest.padded_size,
        upload_id=keys.upload_id,
    )
    trailer = ShareTrailer(
        block_roots=tuple(segment.block_roots[number] for segment in segments),
        segment_hashes=tuple(segment.segment_hash for segment in segments),
        manifest=data,
    )
    blocks = b"".join(segment.blocks[number] for segment in segments)
    return header.pack() + blocks + trailer.build()
