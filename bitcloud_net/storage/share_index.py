"""The index of the share store: what is held, found without touching the share files.

It holds nothing that the share files do not say themselves, so it is never migrated and never
repaired: a damaged index, or one of another version, is removed and filled again from the files.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.storage.sqlite_file import (
    connect,
    is_whole,
    make_schema,
    marks,
    remove,
    transaction,
)
from bitcloud_net.storage.store_layout import ShareName, UploadName

_APPLICATION_ID = 0x42435349  # "BCSI"
_VERSION = 1
_SCHEMA = """
CREATE TABLE share (
  cid BLOB NOT NULL,
  share_no INTEGER NOT NULL,
  upload_id BLOB NOT NULL,
  file_bytes INTEGER NOT NULL,
  damaged INTEGER NOT NULL,
  checked_s INTEGER NOT NULL,
  PRIMARY KEY (cid, share_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX share_by_upload ON share (upload_id, share_no);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedShare:
    """One line of the index. ``checked_s`` is when every block was last read, 0 for never."""

    name: ShareName
    upload_id: bytes
    file_bytes: int
    damaged: bool = False
    checked_s: int = 0


class ShareIndex:
    """The index. Every method is quick and may be called from any thread.

    Lookups use a connection of their own and so never wait for a write.

    Raises:
        LocalFault: ``index-failed`` from every method, when SQLite cannot do its work.
    """

    def __init__(self, path: Path) -> None:
        """Open the index at ``path``; a missing, damaged or foreign one is made anew, empty."""
        with _faults():
            sound = _is_sound(path)
            if not sound:
                remove(path)
            # NORMAL may lose the newest lines with the power; the files are the truth.
            self._writer = connect(path, "NORMAL")
            if not sound:
                make_schema(self._writer, _SCHEMA, _APPLICATION_ID, _VERSION)
            self._reader = connect(path, "NORMAL")
        self._write_lock, self._read_lock = threading.Lock(), threading.Lock()

    def close(self) -> None:
        """Close the index."""
        self._reader.close()
        self._writer.close()

    def add(self, shares: Sequence[IndexedShare]) -> list[int | None]:
        """Write shares in one transaction; return for each the size of the file it replaces."""
        replaced = []
        with self._write() as database:
            for share in shares:
                replaced.append(self._file_bytes(database, share.name))
                database.execute(
                    "INSERT OR REPLACE INTO share VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        *share.name,
                        share.upload_id,
                        share.file_bytes,
                        share.damaged,
                        share.checked_s,
                    ),
                )
        return replaced

    def remove(self, names: Iterable[ShareName]) -> list[int]:
        """Forget shares; return the sizes of the files of those that were there."""
        sizes = []
        with self._write() as database:
            for name in names:
                size = self._file_bytes(database, name)
                if size is not None:
                    sizes.append(size)
                    database.execute("DELETE FROM share WHERE cid = ? AND share_no = ?", name)
        return sizes

    def mark(self, name: ShareName, *, damaged: bool, checked_s: int | None = None) -> None:
        """Note whether a share is damaged, and when it was checked."""
        with self._write() as database:
            database.execute(
                "UPDATE share SET damaged = ?, checked_s = coalesce(?, checked_s)"
                " WHERE cid = ? AND share_no = ?",
                (damaged, checked_s, *name),
            )

    def knows(self, name: ShareName) -> bool:
        """Return whether a share is held, damaged or not."""
        return bool(self._read("SELECT 1 FROM share WHERE cid = ? AND share_no = ?", *name))

    def holds(self, name: ShareName) -> bool:
        """Return whether a share is held undamaged."""
        return bool(
            self._read("SELECT 1 FROM share WHERE cid = ? AND share_no = ? AND NOT damaged", *name)
        )

    def holds_upload(self, name: UploadName) -> bool:
        """Return whether an upload became a share that is held undamaged."""
        query = "SELECT 1 FROM share WHERE upload_id = ? AND share_no = ? AND NOT damaged"
        return bool(self._read(query, *name))

    def shares_of(self, cid: bytes, *, damaged: bool = False) -> tuple[int, ...]:
        """Return the undamaged (or else the damaged) shares held of a file, ascending."""
        query = "SELECT share_no FROM share WHERE cid = ? AND damaged = ? ORDER BY share_no"
        return tuple(row[0] for row in self._read(query, cid, damaged))

    def totals(self) -> tuple[int, int]:
        """Return how many shares there are, and the bytes of their files."""
        [(count, file_bytes)] = self._read("SELECT count(*), total(file_bytes) FROM share")
        return count, int(file_bytes)

    def names_between(self, low: bytes, high: bytes | None) -> set[ShareName]:
        """Return the names of all shares whose cid is at least ``low`` and below ``high``."""
        query = "SELECT cid, share_no FROM share WHERE cid >= ? AND (?2 IS NULL OR cid < ?2)"
        return {ShareName(*row) for row in self._read(query, low, high)}

    def after(self, name: ShareName | None, limit: int) -> list[ShareName]:
        """Return up to ``limit`` names in order, those behind ``name``."""
        query = (
            "SELECT cid, share_no FROM share WHERE (cid, share_no) > (?, ?)"
            " ORDER BY cid, share_no LIMIT ?"
        )
        return [ShareName(*row) for row in self._read(query, *(name or (b"", -1)), limit)]

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock, _faults(), transaction(self._writer):
            yield self._writer

    def _read(self, query: str, *values: object) -> list[Any]:
        with self._read_lock, _faults():
            return self._reader.execute(query, values).fetchall()

    @staticmethod
    def _file_bytes(database: sqlite3.Connection, name: ShareName) -> int | None:
        query = "SELECT file_bytes FROM share WHERE cid = ? AND share_no = ?"
        row = database.execute(query, name).fetchone()
        return row[0] if row else None


def _is_sound(path: Path) -> bool:
    """Return whether there is an index that can be used as it is."""
    if not path.exists():
        return False
    try:
        with contextlib.closing(connect(path, "NORMAL")) as database:
            return marks(database) == (_APPLICATION_ID, _VERSION) and is_whole(database)
    except sqlite3.DatabaseError:
        return False


@contextlib.contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LocalFault(
            f"The index of the share store failed: {error}. Start again: it is rebuilt from the "
            "shares when it is damaged.",
            code="index-failed",
        ) from error
