"""Manifests: the public description of one stored file, and the sealed header inside.

A manifest fixes every byte of every share without saying anything about the content: code, padded
size, the root of the sealed segments, the root of each share. Its hash is the file's content id.
What the file is (true size, hash, media type) is sealed in the header. A file of at most 4 KiB has
no shares: its manifest holds its sealed bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from blake3 import blake3

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.layout import Layout
from bitcloud_net.core.files.padding import inline_padded_size
from bitcloud_net.core.files.sealing import ALGORITHM, SEAL_BYTES, FileKeys, open_box, seal_box
from bitcloud_net.core.files.xchacha import Buffer
from bitcloud_net.core.units import HASH_BYTES, INLINE_BYTES, KIB

MAGIC: Final = b"BCMF"
MAX_MANIFEST_BYTES: Final = 8 * KIB
"""Largest manifest: 128 share roots and a header, or 4 KiB inline, with room; half a row."""
MAX_HEADER_BYTES: Final = 512
MAX_MEDIA_TYPE_CHARS: Final = 127
"""Longest media type, RFC 6838's limit for type plus subtype."""

_VERSION: Final = 1
_CODED, _INLINE = 0, 1
_HEADER_LABEL: Final = "header"
_INLINE_LABEL: Final = "inline"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHeader:
    """What only a reader learns: true size in bytes, BLAKE3-256 of the content, media type."""

    size: int
    content_hash: bytes
    media_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Description of a coded file. ``share_roots`` has one root per share, in share order."""

    params: CodeParams
    padded_size: int
    ciphertext_root: bytes
    share_roots: tuple[bytes, ...]
    salt: bytes
    commitment: bytes
    sealed_header: bytes

    @property
    def k(self) -> int:
        """How many shares are enough."""
        return self.params.k

    @property
    def n(self) -> int:
        """How many shares there are."""
        return self.params.n

    @property
    def layout(self) -> Layout:
        """All sizes and places that follow from padded size and code."""
        return Layout(padded_size=self.padded_size, params=self.params)

    @property
    def segment_count(self) -> int:
        """How many segments; see ``Layout``."""
        return self.layout.segment_count

    @property
    def share_bytes(self) -> int:
        """Bytes of all blocks of one share; see ``Layout``."""
        return self.layout.share_bytes

    def sealed_bytes(self, index: int) -> int:
        """Return the bytes of sealed segment ``index``; see ``Layout``."""
        return self.layout.sealed_bytes(index)

    def block_bytes(self, index: int) -> int:
        """Return the bytes of each block of segment ``index``; see ``Layout``."""
        return self.layout.block_bytes(index)

    def encode(self) -> bytes:
        """Return the manifest's bytes, whose hash is the content id."""
        return _encode(
            _CODED,
            self.k,
            self.n,
            self.padded_size,
            self.ciphertext_root,
            list(self.share_roots),
            self.salt,
            self.commitment,
            self.sealed_header,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineManifest:
    """Description of a small file, and the file itself, sealed."""

    salt: bytes
    commitment: bytes
    sealed_header: bytes
    sealed_content: bytes

    def encode(self) -> bytes:
        """Return the manifest's bytes, whose hash is the content id."""
        return _encode(_INLINE, self.salt, self.commitment, self.sealed_header, self.sealed_content)


AnyManifest: TypeAlias = Manifest | InlineManifest


def content_id(data: bytes) -> bytes:
    """Return the content id (cid) of a manifest's bytes."""
    return blake3(data, derive_key_context="bitcloud v1 manifest").digest()


def build_manifest(
    keys: FileKeys,
    params: CodeParams,
    header: FileHeader,
    *,
    ciphertext_root: bytes,
    share_roots: Sequence[bytes],
) -> Manifest:
    """Return the manifest of a coded file whose segments have all been sealed.

    Raises:
        Malformed: a root is missing or of a wrong length, or the media type is not one.
        BadInput: the size is out of range.
    """
    layout = Layout.for_file(header.size, params)
    return _checked(
        Manifest(
            params=params,
            padded_size=layout.padded_size,
            ciphertext_root=ciphertext_root,
            share_roots=tuple(share_roots),
            salt=keys.salt,
            commitment=keys.commit,
            sealed_header=_seal_header(keys, header),
        )
    )


def build_inline(keys: FileKeys, content: bytes, media_type: str | None = None) -> InlineManifest:
    """Return the manifest of a file of at most ``INLINE_BYTES`` bytes.

    Raises:
        BadInput: it is larger.
        Malformed: the media type is not one.
    """
    padded = content.ljust(inline_padded_size(len(content)), b"\0")
    header = FileHeader(
        size=len(content), content_hash=blake3(content).digest(), media_type=media_type
    )
    return InlineManifest(
        salt=keys.salt,
        commitment=keys.commit,
        sealed_header=_seal_header(keys, header),
        sealed_content=seal_box(keys.content, padded, _INLINE_LABEL),
    )


def parse_manifest(data: Buffer) -> AnyManifest:
    """Return the manifest whose bytes are ``data``, every bound checked.

    Raises:
        Malformed: it is not one, or of a version this program does not know (``unknown-version``).
    """
    raw = bytes(data)
    if raw[: len(MAGIC)] != MAGIC:
        raise Malformed("not a manifest")
    value = encoding.decode(raw[len(MAGIC) :], max_bytes=MAX_MANIFEST_BYTES - len(MAGIC))
    match value:
        case [int(version), int(algorithm), *_] if (version, algorithm) != (_VERSION, ALGORITHM):
            raise Malformed("a manifest of an unknown version", code="unknown-version")
        case [_, _, int(kind), *fields] if kind == _CODED:
            return _parse_coded(fields)
        case [_, _, int(kind), *fields] if kind == _INLINE:
            return _parse_inline(fields)
    raise Malformed("a manifest has a version, an algorithm and a known kind")


def open_header(manifest: AnyManifest, keys: FileKeys) -> FileHeader:
    """Return the header sealed in ``manifest``; the key commitment is checked before it is opened.

    Raises:
        Malformed: ``wrong-key``: the manifest is not committed to these keys; ``bad-seal``; or a
            header that does not fit the manifest.
    """
    if not hmac.compare_digest(manifest.commitment, keys.commit) or manifest.salt != keys.salt:
        raise Malformed("the manifest belongs to another secret", code="wrong-key")
    header = _parse_header(open_box(keys.header, manifest.sealed_header, _HEADER_LABEL))
    if isinstance(manifest, Manifest):
        fits = Layout.for_file(header.size, manifest.params).padded_size == manifest.padded_size
    else:
        fits = header.size <= INLINE_BYTES
    if not fits:
        raise Malformed("the header's size does not fit the manifest")
    return header


def open_inline(manifest: InlineManifest, keys: FileKeys) -> tuple[FileHeader, bytes]:
    """Return header and content of an inline file, checked against each other.

    Raises:
        Malformed: as ``open_header``, or the content is not what the header says.
    """
    header = open_header(manifest, keys)
    padded = open_box(keys.content, manifest.sealed_content, _INLINE_LABEL)
    content = padded[: header.size]
    if len(padded) != inline_padded_size(header.size) or any(padded[header.size :]):
        raise Malformed("inline content of a wrong size")
    if blake3(content).digest() != header.content_hash:
        raise Malformed("inline content does not match its hash")
    return header, content


def _encode(kind: int, *fields: encoding.Value) -> bytes:
    return MAGIC + encoding.encode([_VERSION, ALGORITHM, kind, *fields])


def _parse_coded(fields: Sequence[object]) -> Manifest:
    match fields:
        case [
            int(k),
            int(n),
            int(size),
            bytes(ciphertext_root),
            list(roots),
            bytes(salt),
            bytes(commitment),
            bytes(sealed_header),
        ]:
            return _checked(
                Manifest(
                    params=CodeParams(k, n),
                    padded_size=size,
                    ciphertext_root=ciphertext_root,
                    share_roots=tuple(_hash(item) for item in roots),
                    salt=salt,
                    commitment=commitment,
                    sealed_header=sealed_header,
                )
            )
    raise Malformed("a coded manifest has eight fields of fixed types")


def _parse_inline(fields: Sequence[object]) -> InlineManifest:
    match fields:
        case [bytes(salt), bytes(commitment), bytes(header), bytes(content)]:
            _check_common(salt, commitment, header)
            size = len(content) - SEAL_BYTES
            if not 0 < size <= INLINE_BYTES or inline_padded_size(size) != size:
                raise Malformed("inline content of a wrong size")
            return InlineManifest(
                salt=salt, commitment=commitment, sealed_header=header, sealed_content=content
            )
    raise Malformed("an inline manifest has four byte strings")


def _checked(manifest: Manifest) -> Manifest:
    _ = manifest.layout  # refuses a padded size that padding never gives
    _hash(manifest.ciphertext_root)
    if len(manifest.share_roots) != manifest.n:
        raise Malformed("a manifest has one root for each share")
    for item in manifest.share_roots:
        _hash(item)
    _check_common(manifest.salt, manifest.commitment, manifest.sealed_header)
    return manifest


def _check_common(salt: bytes, commitment: bytes, sealed_header: bytes) -> None:
    _hash(salt)
    _hash(commitment)
    if not SEAL_BYTES < len(sealed_header) <= MAX_HEADER_BYTES:
        raise Malformed("sealed header of a wrong size")


def _hash(item: object) -> bytes:
    if not isinstance(item, bytes) or len(item) != HASH_BYTES:
        raise Malformed(f"a root, salt or commitment has {HASH_BYTES} bytes")
    return item


def _seal_header(keys: FileKeys, header: FileHeader) -> bytes:
    plain: dict[str, encoding.Value] = {"hash": header.content_hash, "size": header.size}
    if header.media_type is not None:
        plain["type"] = header.media_type
    raw = encoding.encode(plain)
    _parse_header(raw)  # what no reader would accept is never written
    return seal_box(keys.header, raw, _HEADER_LABEL)


def _parse_header(raw: bytes) -> FileHeader:
    match encoding.decode(raw, max_bytes=MAX_HEADER_BYTES - SEAL_BYTES):
        case {"hash": bytes(content_hash), "size": int(size), **rest} if set(rest) <= {"type"}:
            media_type = rest.get("type")
            if size < 0 or isinstance(size, bool) or len(content_hash) != HASH_BYTES:
                raise Malformed("a file header has a size and a hash")
            if media_type is not None:
                media_type = _media_type(media_type)
            return FileHeader(size=size, content_hash=content_hash, media_type=media_type)
    raise Malformed("a file header has a size, a hash and perhaps a type")


def _media_type(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_MEDIA_TYPE_CHARS:
        raise Malformed("a media type has 1 to 127 characters")
    if not (value.isascii() and value.isprintable()):
        raise Malformed("a media type is printable ASCII")
    return value
