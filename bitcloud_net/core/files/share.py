"""The byte layout of a share: a file that any reader with the manifest can check alone.

    header (64) | block 0 | block 1 | … | trailer
    trailer = block roots (32 each) | segment hashes (32 each) | manifest | footer (48)

The header can be written before the first block and the trailer after the last, so a share is
written in one pass. The footer stands at the very end: whoever finds the file can read it
backwards.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from blake3 import blake3

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.layout import Layout
from bitcloud_net.core.files.manifest import MAX_MANIFEST_BYTES, Manifest, parse_manifest
from bitcloud_net.core.files.sealing import ALGORITHM, UPLOAD_ID_BYTES
from bitcloud_net.core.files.xchacha import Buffer
from bitcloud_net.core.units import HASH_BYTES, MAX_SEGMENTS

HEADER_BYTES: Final = 64
FOOTER_BYTES: Final = 48

_VERSION: Final = 1
_HEADER: Final = struct.Struct(">4sBBBBB7xQ16s24s")
_FOOTER: Final = struct.Struct(">4sB3xII32s")
_HEADER_MAGIC, _FOOTER_MAGIC = b"BCSH", b"BCST"
_CHECK_BYTES: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareHeader:
    """The first 64 bytes of a share: what is known when an upload starts."""

    share_no: int
    params: CodeParams
    padded_size: int
    upload_id: bytes

    @property
    def layout(self) -> Layout:
        """Sizes and places of the file that this is a share of."""
        return Layout(padded_size=self.padded_size, params=self.params)

    def block_offset(self, index: int) -> int:
        """Return where block ``index`` starts in the share's file.

        Raises:
            Malformed: there is no such segment.
        """
        return HEADER_BYTES + self.layout.block_start(index)

    @property
    def trailer_offset(self) -> int:
        """Where the trailer starts in the share's file."""
        return HEADER_BYTES + self.layout.share_bytes

    def pack(self) -> bytes:
        """Return the 64 bytes.

        Raises:
            Malformed: a field is out of range.
        """
        if not 0 <= self.share_no < self.params.n or len(self.upload_id) != UPLOAD_ID_BYTES:
            raise Malformed("share number or upload id out of range")
        _ = self.layout  # refuses a padded size that padding never gives
        raw = _HEADER.pack(
            _HEADER_MAGIC,
            _VERSION,
            ALGORITHM,
            self.share_no,
            self.params.k,
            self.params.n,
            self.padded_size,
            self.upload_id,
            bytes(_CHECK_BYTES),
        )
        return raw[:-_CHECK_BYTES] + _header_check(raw)

    @classmethod
    def parse(cls, data: Buffer) -> ShareHeader:
        """Return the header whose 64 bytes are ``data``.

        Raises:
            Malformed: it is not one, damaged, or of an unknown version (``unknown-version``).
        """
        raw = bytes(data)
        if len(raw) != HEADER_BYTES:
            raise Malformed(f"a share header has {HEADER_BYTES} bytes")
        magic, version, algorithm, share_no, k, n, size, upload_id, _ = _HEADER.unpack(raw)
        _check_version(magic, _HEADER_MAGIC, version, algorithm)
        header = cls(
            share_no=share_no, params=CodeParams(k, n), padded_size=size, upload_id=upload_id
        )
        if header.pack() != raw:  # the check, the unused bytes, the ranges
            raise Malformed("the share header is damaged")
        return header


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareFooter:
    """The last 48 bytes of a share: how long the trailer is, and its hash."""

    segment_count: int
    manifest_bytes: int
    trailer_hash: bytes

    @property
    def trailer_bytes(self) -> int:
        """Bytes of the whole trailer, this footer included."""
        return self.segment_count * 2 * HASH_BYTES + self.manifest_bytes + FOOTER_BYTES

    @classmethod
    def parse(cls, data: Buffer) -> ShareFooter:
        """Return the footer whose 48 bytes are ``data``.

        Raises:
            Malformed: it is not one, its lengths are out of bounds, or of an unknown version.
        """
        raw = bytes(data)
        if len(raw) != FOOTER_BYTES:
            raise Malformed(f"a share footer has {FOOTER_BYTES} bytes")
        magic, version, count, manifest_bytes, digest = _FOOTER.unpack(raw)
        _check_version(magic, _FOOTER_MAGIC, version, ALGORITHM)
        if not (1 <= count <= MAX_SEGMENTS and 1 <= manifest_bytes <= MAX_MANIFEST_BYTES):
            raise Malformed("lengths in a share footer are out of bounds")
        if raw[5:8] != bytes(3):
            raise Malformed("unused bytes of a share footer are not zero")
        return cls(segment_count=count, manifest_bytes=manifest_bytes, trailer_hash=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareTrailer:
    """Everything behind the blocks: proofs and manifest."""

    block_roots: tuple[bytes, ...]
    segment_hashes: tuple[bytes, ...]
    manifest: bytes

    def build(self) -> bytes:
        """Return the trailer's bytes, footer included.

        Raises:
            Malformed: the two lists differ in length, are empty, or something is out of bounds.
        """
        if len(self.block_roots) != len(self.segment_hashes):
            raise Malformed("a trailer has one root and one hash for each segment")
        body = b"".join(self.block_roots) + b"".join(self.segment_hashes) + self.manifest
        head = _FOOTER.pack(
            _FOOTER_MAGIC, _VERSION, len(self.block_roots), len(self.manifest), bytes(HASH_BYTES)
        )[:-HASH_BYTES]
        data = body + head + _trailer_hash(body + head)
        if ShareFooter.parse(data[-FOOTER_BYTES:]).trailer_bytes != len(data):
            raise Malformed("a root or hash in a trailer has a wrong length")
        return data

    @classmethod
    def parse(cls, data: Buffer) -> ShareTrailer:
        """Return the trailer whose bytes are ``data``, complete and undamaged.

        Whether it fits the file is checked by ``check_trailer``.

        Raises:
            Malformed: it is not one, or damaged.
        """
        raw = bytes(data)
        footer = ShareFooter.parse(raw[-FOOTER_BYTES:])
        if footer.trailer_bytes != len(raw):
            raise Malformed("a share trailer of a wrong length")
        if _trailer_hash(raw[:-HASH_BYTES]) != footer.trailer_hash:
            raise Malformed("the share trailer is damaged")
        middle = footer.segment_count * HASH_BYTES
        return cls(
            block_roots=_split(raw[:middle]),
            segment_hashes=_split(raw[middle : 2 * middle]),
            manifest=raw[2 * middle : -FOOTER_BYTES],
        )


def check_trailer(header: ShareHeader, trailer: ShareTrailer) -> Manifest:
    """Return the manifest inside ``trailer`` when header, proofs and manifest fit each other.

    The caller compares the manifest's content id with the one it wants.

    Raises:
        Malformed: they do not.
    """
    manifest = parse_manifest(trailer.manifest)
    if not isinstance(manifest, Manifest):
        raise Malformed("an inline file has no shares")
    if (manifest.params, manifest.padded_size) != (header.params, header.padded_size):
        raise Malformed("header and manifest of a share differ")
    check_block_roots(manifest, header.share_no, trailer.block_roots)
    check_segment_hashes(manifest, trailer.segment_hashes)
    return manifest


def check_block_roots(manifest: Manifest, share_no: int, block_roots: Sequence[bytes]) -> None:
    """Return when ``block_roots`` are those of share ``share_no``.

    Raises:
        Malformed: ``bad-proof``.
    """
    if not 0 <= share_no < manifest.n:
        raise Malformed(f"there is no share {share_no}", code="bad-proof")
    _check_root(manifest, block_roots, manifest.share_roots[share_no])


def check_segment_hashes(manifest: Manifest, segment_hashes: Sequence[bytes]) -> None:
    """Return when ``segment_hashes`` are those of the file's sealed segments.

    Raises:
        Malformed: ``bad-proof``.
    """
    _check_root(manifest, segment_hashes, manifest.ciphertext_root)


def _check_root(manifest: Manifest, hashes: Sequence[bytes], root: bytes) -> None:
    whole = all(len(item) == HASH_BYTES for item in hashes)
    if not whole or len(hashes) != manifest.segment_count or merkle.root(hashes) != root:
        raise Malformed("hashes do not lead to the manifest's root", code="bad-proof")


def _check_version(magic: bytes, expected: bytes, version: int, algorithm: int) -> None:
    if magic != expected:
        raise Malformed("not a share")
    if (version, algorithm) != (_VERSION, ALGORITHM):
        raise Malformed("a share of an unknown version", code="unknown-version")


def _header_check(raw: bytes) -> bytes:
    fixed = raw[:-_CHECK_BYTES]
    return blake3(fixed, derive_key_context="bitcloud v1 share header").digest()[:_CHECK_BYTES]


def _trailer_hash(covered: bytes) -> bytes:
    return blake3(covered, derive_key_context="bitcloud v1 share trailer").digest()


def _split(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))
