"""The upload of one large file, as it is remembered across a crash.

A job belongs to one file in one state (device, inode, size, time of change) and one target. It
holds the file's secret, so the shares that nodes have taken stay of use, and it is gone when the
upload is done. Roots of segments are written in batches: a crash costs sealing a few segments
again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.sealing import open_box, seal_box
from bitcloud_net.core.files.segment import SegmentRoots
from bitcloud_net.core.keys import KEY_BYTES, NodeId
from bitcloud_net.core.units import HASH_BYTES
from bitcloud_net.storage.local_file import PlannedFile

BATCH_SEGMENTS = 16
"""Segments whose roots are written together: some 16 MiB of the file."""

JOB_SCHEMA = """
CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  path BLOB NOT NULL,
  target TEXT NOT NULL,
  identity TEXT NOT NULL,
  sealed_secret BLOB NOT NULL,
  k INTEGER,
  n INTEGER,
  holders BLOB,
  touched_s INTEGER NOT NULL,
  UNIQUE (path, target)
) STRICT;
CREATE TABLE segment (
  job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  nonce BLOB NOT NULL,
  hash BLOB NOT NULL,
  block_roots BLOB NOT NULL,
  PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE receipt (
  job INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  share_no INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (job, share_no)
) STRICT, WITHOUT ROWID
"""

_LABEL = "upload job"
_NO_HOLDER = bytes(KEY_BYTES)
_T = TypeVar("_T")


class Writer(Protocol):
    """Runs a function in one transaction of the log."""

    async def __call__(self, act: Callable[[sqlite3.Connection], _T], /) -> _T: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """A job as it was found in the log."""

    number: int
    secret: bytes
    params: CodeParams | None
    holders: tuple[NodeId, ...]
    roots: tuple[SegmentRoots, ...]
    stored: frozenset[int]


class UploadJob:
    """One job. Made by ``TransferLog.job``; used by one upload at a time.

    Cancel: safe for every method. Errors: those of ``TransferLog``.
    """

    def __init__(self, state: JobState, write: Writer) -> None:
        self.secret = state.secret
        """The file's secret, 32 bytes."""
        self.params = state.params
        """The code, once it is chosen."""
        self.holders = state.holders
        """The nodes in share order, once they are chosen; ``b""`` where there is none."""
        self.roots = state.roots
        """Roots of the leading segments from an earlier run."""
        self.stored = state.stored
        """Shares with a receipt from an earlier run."""
        self._number = state.number
        self._write = write
        self._waiting: list[tuple[int, SegmentRoots]] = []

    async def place(self, params: CodeParams, holders: tuple[NodeId, ...]) -> None:
        """Remember code and holders, durably."""
        self.params, self.holders = params, holders
        packed = b"".join(holder or _NO_HOLDER for holder in holders)
        values = (params.k, params.n, packed, self._number)
        await self._write(
            lambda database: database.execute(
                "UPDATE job SET k = ?, n = ?, holders = ? WHERE id = ?", values
            )
        )

    async def segment_done(self, index: int, roots: SegmentRoots) -> None:
        """Remember the roots of one segment; they are written with the next batch."""
        self._waiting.append((index, roots))
        if len(self._waiting) >= BATCH_SEGMENTS:
            await self._write(self._write_segments)

    async def share_done(self, receipt: StorageReceipt) -> None:
        """Remember a receipt, durably, and the roots that wait."""
        values = (self._number, receipt.share_no, receipt.encode())

        def write(database: sqlite3.Connection) -> None:
            self._write_segments(database)
            database.execute("INSERT OR REPLACE INTO receipt VALUES (?, ?, ?)", values)

        await self._write(write)

    async def done(self) -> None:
        """Forget the job: the file is published, or given up."""
        await self._write(
            lambda database: database.execute("DELETE FROM job WHERE id = ?", [self._number])
        )

    def _write_segments(self, database: sqlite3.Connection) -> None:
        waiting, self._waiting = self._waiting, []
        database.executemany(
            "INSERT OR REPLACE INTO segment VALUES (?, ?, ?, ?, ?)",
            [
                (
                    self._number,
                    index,
                    roots.nonce,
                    roots.segment_hash,
                    b"".join(roots.block_roots),
                )
                for index, roots in waiting
            ],
        )


def find_job(
    file: PlannedFile,
    target: str,
    key: bytes,
    secret: bytes,
    now_s: int,
    database: sqlite3.Connection,
) -> JobState:
    """Return the job of ``file`` and ``target``, made with ``secret`` if there is none."""
    place = (os.fsencode(file.path), target)
    row = database.execute(
        "SELECT id, identity, sealed_secret, k, n, holders FROM job WHERE (path, target) = (?, ?)",
        place,
    ).fetchone()
    identity = _identity(file)
    if row and row[1] == identity and (old := _opened(key, row[2])):
        database.execute("UPDATE job SET touched_s = ? WHERE id = ?", (now_s, row[0]))
        return _load(database, row[0], old, row[3:])
    database.execute("DELETE FROM job WHERE (path, target) = (?, ?)", place)
    cursor = database.execute(
        "INSERT INTO job (path, target, identity, sealed_secret, touched_s) VALUES (?, ?, ?, ?, ?)",
        (*place, identity, seal_box(key, secret, _LABEL), now_s),
    )
    number = cursor.lastrowid
    assert number is not None
    return JobState(
        number=number, secret=secret, params=None, holders=(), roots=(), stored=frozenset()
    )


def _load(
    database: sqlite3.Connection,
    number: int,
    secret: bytes,
    placed: tuple[int | None, int | None, bytes | None],
) -> JobState:
    k, n, holders = placed
    receipts = database.execute("SELECT share_no FROM receipt WHERE job = ?", [number]).fetchall()
    return JobState(
        number=number,
        secret=secret,
        params=CodeParams(k, n) if k and n else None,
        holders=tuple(_holder(item) for item in _cut(holders or b"", KEY_BYTES)),
        roots=_leading_roots(database, number),
        stored=frozenset(share_no for (share_no,) in receipts),
    )


def _leading_roots(database: sqlite3.Connection, number: int) -> tuple[SegmentRoots, ...]:
    query = "SELECT number, nonce, hash, block_roots FROM segment WHERE job = ? ORDER BY number"
    found: list[SegmentRoots] = []
    for index, nonce, segment_hash, block_roots in database.execute(query, [number]):
        if index != len(found):
            break
        found.append(
            SegmentRoots(
                nonce=nonce, segment_hash=segment_hash, block_roots=_cut(block_roots, HASH_BYTES)
            )
        )
    return tuple(found)


def _identity(file: PlannedFile) -> str:
    identity = file.identity
    numbers = (identity.device, identity.inode, identity.size, identity.modified_ns)
    return ":".join(map(str, numbers))  # as text: an inode may have more than 63 bits


def _opened(key: bytes, sealed: bytes) -> bytes | None:
    try:
        return open_box(key, sealed, _LABEL)
    except Malformed:
        return None  # another vault's, or damaged: the file is sent anew


def _holder(data: bytes) -> NodeId:
    return NodeId(b"" if data == _NO_HOLDER else data)


def _cut(data: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(data[at : at + size] for at in range(0, len(data), size))
