"""A whole share on the disk: written once, and checked by whoever opens it.

The bytes are those of ``core.files.share``. ``ShareFile`` trusts nothing that it reads: opening
checks header, proofs and manifest against the content id in the name; reading hashes each block
again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bitcloud_net.core.errors import LocalFault, Malformed, Refused
from bitcloud_net.core.files.manifest import Manifest, content_id, parse_manifest
from bitcloud_net.core.files.merkle import Tree, block_root
from bitcloud_net.core.files.share import (
    FOOTER_BYTES,
    HEADER_BYTES,
    ShareFooter,
    ShareHeader,
    ShareTrailer,
    check_block_roots,
    check_segment_hashes,
)
from bitcloud_net.core.units import HASH_BYTES, KIB
from bitcloud_net.storage.disk import Data, Disk, OpenFile
from bitcloud_net.storage.store_layout import ShareName

_TAIL_BYTES = 64 * KIB
"""Read first when a share is opened: all of a small share, or the trailer of a 700 MiB file."""
_DAMAGE = frozenset(
    {errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EBADMSG}
)
"""Errors that are about the file; any other may pass without anything done to it."""
_ENTRY_BYTES = 4 * (HASH_BYTES + 65)
"""Memory per segment of an open share: two trees of twice as many hashes as bytes objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredShare:
    """A share that is durable. ``share_bytes`` counts its blocks, as the storage receipt does."""

    cid: bytes
    share_no: int
    share_root: bytes
    share_bytes: int

    @property
    def name(self) -> ShareName:
        """Its name in the store."""
        return ShareName(self.cid, self.share_no)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlock:
    """One block as read from the disk, checked against its root, with both Merkle paths."""

    data: bytes
    block_root: bytes
    block_path: tuple[bytes, ...]  # from the block root to the share root
    segment_path: tuple[bytes, ...]  # from the segment hash to the ciphertext root


def damaged(name: ShareName, why: str) -> LocalFault:
    """Return the fault that names a share whose bytes are not what was stored."""
    return LocalFault(
        f"Share {name.share_no} of {name.cid.hex()[:12]} is damaged on this disk ({why}). "
        "It can be repaired from the other nodes; check the disk when this happens again.",
        code="share-damaged",
        cid=name.cid,
        share_no=name.share_no,
    )


@contextmanager
def _naming_damage(name: ShareName) -> Iterator[None]:
    """Turn what says that the file is damaged into the fault that names the share."""
    try:
        yield
    except Malformed as error:
        raise damaged(name, error.message) from error
    except OSError as error:
        if error.errno in _DAMAGE:
            raise damaged(name, error.strerror or "unreadable") from error
        raise


def described_share(share_no: int, data: bytes, manifest: Manifest) -> StoredShare:
    """Return what is known of share ``share_no`` from its file's manifest."""
    return StoredShare(
        cid=content_id(data),
        share_no=share_no,
        share_root=manifest.share_roots[share_no],
        share_bytes=manifest.share_bytes,
    )


def coded_manifest(header: ShareHeader, data: bytes) -> Manifest:
    """Return the manifest in ``data`` if ``header`` can be that of one of its shares.

    Raises:
        Malformed: it cannot.
    """
    manifest = parse_manifest(data)
    if not isinstance(manifest, Manifest):
        raise Malformed("an inline file has no shares")
    if (manifest.params, manifest.padded_size) != (header.params, header.padded_size):
        raise Malformed("header and manifest of a share differ")
    return manifest


def compose_trailer(
    header: ShareHeader,
    manifest: Manifest,
    data: bytes,
    block_roots: Sequence[bytes],
    segment_hashes: Sequence[bytes],
) -> bytes:
    """Return the trailer of a share whose blocks have these roots.

    Raises:
        Malformed: the manifest describes other blocks or segments.
    """
    check_block_roots(manifest, header.share_no, block_roots)
    check_segment_hashes(manifest, segment_hashes)
    trailer = ShareTrailer(
        block_roots=tuple(block_roots), segment_hashes=tuple(segment_hashes), manifest=data
    )
    return trailer.build()


def compose_share(
    header: ShareHeader, data: bytes, blocks: Sequence[Data], segment_hashes: Sequence[bytes]
) -> tuple[StoredShare, bytes]:
    """Return a whole small share: what it is, and its file's bytes. Hashes every block.

    Raises:
        Malformed: header, manifest, blocks and segment hashes do not fit each other.
    """
    manifest = coded_manifest(header, data)
    lengths = [manifest.block_bytes(index) for index in range(manifest.segment_count)]
    if [len(block) for block in blocks] != lengths:
        raise Malformed("blocks of a wrong number or length")
    roots = [
        block_root(manifest.salt, header.share_no, index, block)
        for index, block in enumerate(blocks)
    ]
    trailer = compose_trailer(header, manifest, data, roots, segment_hashes)
    return (
        described_share(header.share_no, data, manifest),
        b"".join((header.pack(), *blocks, trailer)),
    )


class ShareFile:
    """An open share. Safe to read from several threads at once. Owned by whoever opened it."""

    def __init__(self, name: ShareName, file: OpenFile) -> None:
        self.name = name
        self._file = file
        with _naming_damage(name):
            self._load()

    @classmethod
    def open(cls, disk: Disk, path: Path, name: ShareName) -> ShareFile:
        """Open the share at ``path`` and check all of it but its blocks.

        Raises:
            LocalFault: ``share-damaged``, also when the file is gone or the medium failed.
            OSError: it cannot be said, for example because too many files are open.
        """
        with _naming_damage(name):
            file = disk.open(path)
        try:
            return cls(name, file)
        except BaseException:
            file.close()
            raise

    @property
    def memory_bytes(self) -> int:
        """About how much memory the open share takes."""
        return self.segment_count * _ENTRY_BYTES + 4 * KIB

    @property
    def segment_count(self) -> int:
        """How many segments, and so blocks."""
        return self._layout.segment_count

    @property
    def stored(self) -> StoredShare:
        """What the share is."""
        return described_share(self.name.share_no, self.manifest_data, self.manifest)

    def read(self, segment_no: int) -> StoredBlock:
        """Return one block, hashed again.

        Raises:
            Refused: ``no-such-segment``.
            LocalFault: ``share-damaged``.
            OSError: as for ``open``.
        """
        layout, share_no = self._layout, self.name.share_no
        if not 0 <= segment_no < layout.segment_count:
            raise Refused(f"The share has no segment {segment_no}.", code="no-such-segment")
        offset = HEADER_BYTES + layout.block_start(segment_no)
        with _naming_damage(self.name):
            data = self._file.read_at(offset, layout.block_bytes(segment_no))
        if block_root(self.manifest.salt, share_no, segment_no, data) != self._roots[segment_no]:
            raise damaged(self.name, f"block {segment_no}")
        return StoredBlock(
            data=data,
            block_root=self._roots[segment_no],
            block_path=self._share_tree.path(segment_no),
            segment_path=self._segment_tree.path(segment_no),
        )

    def close(self) -> None:
        """Close the file. Safe any number of times."""
        self._file.close()

    def _load(self) -> None:
        size = self._file.size()
        tail_offset = max(0, size - _TAIL_BYTES)
        tail = self._file.read_at(tail_offset, _TAIL_BYTES)
        trailer_bytes = ShareFooter.parse(tail[-FOOTER_BYTES:]).trailer_bytes
        if trailer_bytes > size:
            raise Malformed("the file is too short")
        if trailer_bytes > len(tail):
            tail = self._file.read_at(size - trailer_bytes, trailer_bytes)
        trailer = ShareTrailer.parse(tail[-trailer_bytes:])
        head = tail if tail_offset == 0 else self._file.read_at(0, HEADER_BYTES)
        header = ShareHeader.parse(head[:HEADER_BYTES])
        self.manifest = coded_manifest(header, trailer.manifest)
        self.header, self.manifest_data, self.file_bytes = header, trailer.manifest, size
        self._layout = header.layout
        self._roots = trailer.block_roots
        if ShareName(content_id(trailer.manifest), header.share_no) != self.name:
            raise Malformed("the file holds another share than its name says")
        check_block_roots(self.manifest, header.share_no, trailer.block_roots)
        check_segment_hashes(self.manifest, trailer.segment_hashes)
        if header.trailer_offset + trailer_bytes != size:
            raise Malformed("the file has a wrong length")
        self._share_tree = Tree(trailer.block_roots)
        self._segment_tree = Tree(trailer.segment_hashes)
