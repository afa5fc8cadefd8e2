"""A person's own file as a stream of bytes that cannot change under the reader's hands.

A file is identified when it is chosen, and again whenever it is read: device, inode, size and time
of the last change. Whoever publishes gets the bytes of that very file or an error, never a mixture.
Symbolic links are not followed; only plain files are read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.units import KIB
from bitcloud_net.storage.positioned import read_all_at

READ_AT_ONCE_BYTES = 128 * KIB
"""Files up to this size are read while they are opened: one trip to the disk instead of three."""

_NS_PER_S = 1_000_000_000
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe must not make us wait for a writer
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """What tells a file from any other, and from itself after a change."""

    device: int
    inode: int
    size: int  # bytes
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """Return the identity in a ``stat`` result."""
        return cls(
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            modified_ns=status.st_mtime_ns,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """One file that was chosen to be published. ``parts`` are the names it gets, its own last."""

    path: Path
    parts: tuple[str, ...]
    identity: FileIdentity

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self.identity.size

    @property
    def modified_s(self) -> int:
        """When it was last changed, in seconds since 1970."""
        return self.identity.modified_ns // _NS_PER_S


class SourceFile:
    """An open file. Made by ``open_source``; one task reads at a time."""

    def __init__(self, planned: PlannedFile, fd: int, small: bytes | None) -> None:
        self._planned = planned
        self._fd = fd
        self._small = small

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self._planned.size

    async def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``. Cancel: safe.

        Raises:
            BadInput: ``file-changed``; ``unreadable``.
        """
        if self._small is None:
            return await trio.to_thread.run_sync(self._read, offset, length)
        if offset + length > len(self._small):
            raise _changed(self._planned.path)
        return self._small[offset : offset + length]

    def _read(self, offset: int, length: int) -> bytes:
        return _read_exactly(self._planned, self._fd, offset, length)


@asynccontextmanager
async def open_source(planned: PlannedFile) -> AsyncIterator[SourceFile]:
    """Open the file that was chosen, for as long as the block lasts.

    Raises:
        BadInput: ``missing``, ``symlink``, ``not-a-file``, ``unreadable``, ``file-changed``.
    """
    fd, small = await trio.to_thread.run_sync(_open, planned)
    try:
        yield SourceFile(planned, fd, small)
    finally:
        os.close(fd)


def identify(path: Path) -> FileIdentity:
    """Return the identity of a plain file that may be read. Blocks for a moment.

    Raises:
        BadInput: ``missing``, ``symlink``, ``not-a-file``, ``unreadable``.
    """
    try:
        status = os.lstat(path)
    except OSError as error:
        raise unusable(path, error) from error
    if stat.S_ISLNK(status.st_mode):
        raise BadInput(f"{path} is a symbolic link; these are not published.", code="symlink")
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"{path} is neither a file nor a folder.", code="not-a-file")
    if not os.access(path, os.R_OK):
        raise unusable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return FileIdentity.of(status)


def unusable(path: Path, error: OSError) -> BadInput:
    """Return what tells a person why a file or folder cannot be read."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return BadInput(f"There is no {path}.", code="missing")
    if error.errno == errno.ELOOP:
        return BadInput(f"{path} is a symbolic link; these are not published.", code="symlink")
    reason = error.strerror or type(error).__name__
    return BadInput(f"{path} cannot be read: {reason}.", code="unreadable")


def _open(planned: PlannedFile) -> tuple[int, bytes | None]:
    identify(planned.path)
    try:
        fd = os.open(planned.path, _FLAGS)
    except OSError as error:
        raise unusable(planned.path, error) from error
    try:
        if FileIdentity.of(os.fstat(fd)) != planned.identity:
            raise _changed(planned.path)
        if planned.size > READ_AT_ONCE_BYTES:
            return fd, None
        return fd, _read_exactly(planned, fd, 0, planned.size)
    except BaseException:
        os.close(fd)
        raise


def _read_exactly(planned: PlannedFile, fd: int, offset: int, length: int) -> bytes:
    try:
        data = read_all_at(fd, offset, length)
        same = FileIdentity.of(os.fstat(fd)) == planned.identity
    except OSError as error:
        raise unusable(planned.path, error) from error
    if len(data) != length or not same:
        raise _changed(planned.path)
    return data


def _changed(path: Path) -> BadInput:
    return BadInput(
        f"{path} was changed while it was read. Publish it again when it is at rest.",
        code="file-changed",
    )
