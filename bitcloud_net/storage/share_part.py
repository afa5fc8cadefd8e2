"""A share on its way in: blocks in order, and a journal that says which of them are held.

The part is the front of the share's file: header, then blocks. The journal is

    "BCSJ" version(1) 0(3) salt(32) check(16) | record | record | …
    record = block root(32) | segment hash(32) | durable blocks(8) | check(16)

A check covers the record and its place, so a torn or stale record is not believed. ``durable
blocks`` counts the blocks that were synced before the record was written; a restart believes those
and hashes only the blocks behind them.
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.files.merkle import block_root
from bitcloud_net.core.files.share import HEADER_BYTES, ShareHeader
from bitcloud_net.core.units import HASH_BYTES, MIB
from bitcloud_net.storage.disk import Data, Disk, OpenFile
from bitcloud_net.storage.share_file import (
    StoredShare,
    coded_manifest,
    compose_trailer,
    described_share,
)
from bitcloud_net.storage.store_layout import JOURNAL

SYNC_BYTES = 32 * MIB
"""Block bytes between two syncs: bounds dirty memory, and what a restart must hash again."""

_MAGIC = b"BCSJ\x01\0\0\0"
_CHECK_BYTES = 16
_HEAD_BYTES = len(_MAGIC) + HASH_BYTES + _CHECK_BYTES
_RECORD = struct.Struct(">32s32sQ16s")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenShare:
    """A whole share in a temporary file, not durable yet. ``file`` is open and owned by this."""

    stored: StoredShare
    upload_id: bytes
    file: OpenFile
    file_bytes: int
    path: Path
    journal: Path | None = None

    def discard(self, disk: Disk) -> None:
        """Close and remove the files."""
        self.file.close()
        disk.unlink(self.path)
        if self.journal:
            disk.unlink(self.journal)


class SharePart:
    """One share on its way in. Not thread-safe: one call at a time. Owns its two open files."""

    def __init__(
        self, path: Path, header: ShareHeader, salt: bytes, file: OpenFile, journal: OpenFile
    ) -> None:
        self.path = path
        self.header = header
        self.salt = salt
        self.held = 0
        """Leading blocks that are written."""
        self._layout = header.layout
        self._file = file
        self._journal = journal
        self._durable = 0
        self._unsynced_bytes = 0

    @classmethod
    def create(cls, disk: Disk, path: Path, header: ShareHeader, salt: bytes) -> SharePart:
        """Make a new part; a leftover of the same name is removed.

        Raises:
            OSError: the disk would not take it; nothing is left.
        """
        remove_part(disk, path)
        # Else a crash could bring back an old journal, to vouch for blocks that are not there.
        disk.sync_directory(path.parent)
        opened: list[OpenFile] = []
        try:
            for name, data in ((path, header.pack()), (_journal_of(path), _journal_head(salt))):
                opened.append(disk.create(name))
                opened[-1].write_at(0, data)
        except OSError:
            for file in opened:
                file.close()
            with contextlib.suppress(OSError):
                remove_part(disk, path)
            raise
        return cls(path, header, salt, *opened)

    @classmethod
    def resume(cls, disk: Disk, path: Path) -> SharePart:
        """Open a part that was left, and find out which of its blocks are held.

        Raises:
            Malformed: header or journal are damaged; the part is of no use.
            OSError: the disk could not be read.
        """
        file = disk.open(path, writable=True)
        try:
            journal = disk.open(_journal_of(path), writable=True)
        except FileNotFoundError as error:
            file.close()
            raise Malformed("the journal is missing") from error
        except OSError:
            file.close()
            raise
        try:
            header = ShareHeader.parse(file.read_at(0, HEADER_BYTES))
            part = cls(path, header, _salt(journal), file, journal)
            part._recount()
        except (Malformed, OSError):
            file.close()
            journal.close()
            raise
        return part

    def append(self, segment_no: int, block: Data, segment_hash: bytes) -> None:
        """Hash and write the next block. After an ``OSError`` the same block may come again.

        Raises:
            BadInput: ``out-of-order`` or ``wrong-length``.
            UnsureSync: a sync failed; the part must be discarded.
            OSError: the disk would not take it.
        """
        if segment_no != self.held:
            raise BadInput(
                f"Block {segment_no} came where block {self.held} was due.",
                code="out-of-order",
                held=self.held,
            )
        if self.held == self._layout.segment_count:
            raise BadInput("The share has all its blocks already.", code="out-of-order")
        if len(block) != self._layout.block_bytes(segment_no) or len(segment_hash) != HASH_BYTES:
            raise BadInput("A block or hash of a wrong length.", code="wrong-length")
        root = block_root(self.salt, self.header.share_no, segment_no, block)
        self._file.write_at(HEADER_BYTES + self._layout.block_start(segment_no), block)
        self._write_record(segment_no, root, segment_hash)
        self.held += 1
        self._unsynced_bytes += len(block)
        if self._unsynced_bytes >= SYNC_BYTES:
            self._sync()

    def complete(self, data: bytes) -> WrittenShare:
        """Write the trailer for the manifest ``data``; the files pass to what is returned.

        Raises:
            BadInput: ``incomplete``: blocks are missing.
            Malformed: the manifest describes another share.
            OSError: the disk would not take it; the part is as it was.
        """
        count = self._layout.segment_count
        if self.held != count:
            raise BadInput(
                f"The share has {self.held} of {count} blocks.", code="incomplete", held=self.held
            )
        manifest = coded_manifest(self.header, data)
        if manifest.salt != self.salt:
            raise Malformed("the manifest has another salt than the upload")
        records = [self._read_record(index) for index in range(count)]
        trailer = compose_trailer(
            self.header,
            manifest,
            data,
            [record[0] for record in records],
            [record[1] for record in records],
        )
        size = self.header.trailer_offset + len(trailer)
        self._file.write_at(self.header.trailer_offset, trailer)
        self._file.truncate(size)  # an earlier attempt may have been longer
        self._journal.close()
        return WrittenShare(
            stored=described_share(self.header.share_no, data, manifest),
            upload_id=self.header.upload_id,
            file=self._file,
            file_bytes=size,
            path=self.path,
            journal=_journal_of(self.path),
        )

    def close(self) -> None:
        """Close the files; ``resume`` can open them again."""
        self._file.close()
        self._journal.close()

    def _recount(self) -> None:
        """Count the held blocks: those known to be durable, then those that hash right."""
        records: list[tuple[bytes, bytes, int]] = []
        with contextlib.suppress(Malformed):
            while len(records) < self._layout.segment_count:
                records.append(self._read_record(len(records)))
        self._durable = max((record[2] for record in records), default=0)
        for index, (root, _, _) in enumerate(records):
            if index >= self._durable and self._root_on_disk(index) != root:
                return
            self.held = index + 1

    def _root_on_disk(self, index: int) -> bytes:
        offset = HEADER_BYTES + self._layout.block_start(index)
        block = self._file.read_at(offset, self._layout.block_bytes(index))
        return block_root(self.salt, self.header.share_no, index, block)

    def _sync(self) -> None:
        try:
            self._file.sync()
        except OSError as error:
            raise UnsureSync from error
        self._durable, self._unsynced_bytes = self.held, 0

    def _write_record(self, index: int, root: bytes, segment_hash: bytes) -> None:
        record = _RECORD.pack(root, segment_hash, self._durable, bytes(_CHECK_BYTES))
        covered = record[:-_CHECK_BYTES]
        self._journal.write_at(_record_offset(index), covered + self._check(index, covered))

    def _read_record(self, index: int) -> tuple[bytes, bytes, int]:
        record = self._journal.read_at(_record_offset(index), _RECORD.size)
        if self._check(index, record[:-_CHECK_BYTES]) != record[-_CHECK_BYTES:]:
            raise Malformed("a journal record is missing or damaged")
        root, segment_hash, durable, _ = _RECORD.unpack(record)
        return root, segment_hash, durable

    def _check(self, index: int, covered: bytes) -> bytes:
        return _digest(self.salt + index.to_bytes(8, "big") + covered)


class UnsureSync(Exception):
    """A sync failed, so nothing is known of what was written since the last one."""


def remove_part(disk: Disk, path: Path) -> None:
    """Remove a part and its journal; what is not there is no error."""
    disk.unlink(path)
    disk.unlink(_journal_of(path))


def _journal_of(path: Path) -> Path:
    return path.with_suffix(JOURNAL)


def _journal_head(salt: bytes) -> bytes:
    return _MAGIC + salt + _digest(_MAGIC + salt)


def _salt(journal: OpenFile) -> bytes:
    head = journal.read_at(0, _HEAD_BYTES)
    salt = head[len(_MAGIC) : -_CHECK_BYTES]
    if len(salt) != HASH_BYTES or _journal_head(salt) != head:
        raise Malformed("the journal's head is damaged")
    return salt


def _record_offset(index: int) -> int:
    return _HEAD_BYTES + index * _RECORD.size


def _digest(data: bytes) -> bytes:
    return blake3(data, derive_key_context="bitcloud v1 part journal").digest()[:_CHECK_BYTES]
