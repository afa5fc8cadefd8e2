"""The one seam through which everything durable is written and read.

``RealDisk`` is the operating system's. ``bitcloud_net.testing.faulty_disk`` keeps the same contract
in memory and loses, tears and reorders what was not synced, so that a test can stop the machine at
every single operation. Methods raise ``OSError`` as the system does; ``disk_faults`` turns it into
the ``LocalFault`` that a person can act on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.storage.positioned import read_all_at, write_all_at

Data: TypeAlias = bytes | bytearray | memoryview

DIRECTORY_MODE = 0o700
"""Directories of ours are for their owner alone (security.md 3.5)."""
FILE_MODE = 0o600
"""So are files, whatever the umask says."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class OpenFile(Protocol):
    """A file by position. Any number of threads may use it at once, until one closes it."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``; fewer only at the end of the file."""

    def write_at(self, offset: int, data: Data) -> None:
        """Write all of ``data`` at ``offset``. An error leaves any part of it written."""

    def truncate(self, size: int) -> None:
        """Make the file ``size`` bytes long."""

    def sync(self) -> None:
        """Return when every byte written before is on the medium.

        After an error nothing is known of the bytes written since the last success: the system may
        have forgotten them and will not say so again. Discard the file; never sync it again.
        """

    def size(self) -> int:
        """Return the file's length in bytes."""

    def close(self) -> None:
        """Close the file. Safe any number of times."""


class Disk(Protocol):
    """Files and directories by path, with the durability that a crash leaves."""

    def make_directory(self, path: Path) -> None:
        """Make a private directory and those above it; one that exists is left as it is."""

    def create(self, path: Path) -> OpenFile:
        """Make a new private file for reading and writing.

        Raises:
            FileExistsError: something has that name already, be it a dangling symbolic link.
        """

    def open(self, path: Path, *, writable: bool = False) -> OpenFile:
        """Open a file, never through a symbolic link in its last part."""

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file, at once replacing what had the name; ``sync_directory`` makes it last."""

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""

    def sync_directory(self, path: Path) -> None:
        """Return when the names in a directory are on the medium."""

    def names(self, path: Path) -> list[str]:
        """Return the names in a directory, in no order."""

    def modified_s(self, path: Path) -> int:
        """Return when a file was last written, in seconds since 1970."""

    def free_bytes(self, path: Path) -> int:
        """Return how many bytes this user may still write to the file system of ``path``."""

    def total_bytes(self, path: Path) -> int:
        """Return the size of the file system of ``path`` in bytes."""


class RealFile:
    """A file descriptor. Owned by whoever opened it."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read_at(self, offset: int, size: int) -> bytes:
        """See ``OpenFile``."""
        return read_all_at(self._fd, offset, size)

    def write_at(self, offset: int, data: Data) -> None:
        """See ``OpenFile``."""
        write_all_at(self._fd, offset, data)

    def truncate(self, size: int) -> None:
        """See ``OpenFile``."""
        os.truncate(self._fd, size)

    def sync(self) -> None:
        """See ``OpenFile``."""
        _sync(self._fd)

    def size(self) -> int:
        """See ``OpenFile``."""
        return os.fstat(self._fd).st_size

    def close(self) -> None:
        """See ``OpenFile``."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class RealDisk:
    """The operating system's file systems."""

    def make_directory(self, path: Path) -> None:
        """See ``Disk``."""
        if not path.parent.exists():
            self.make_directory(path.parent)
        path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)

    def create(self, path: Path) -> RealFile:
        """See ``Disk``."""
        return RealFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, FILE_MODE))

    def open(self, path: Path, *, writable: bool = False) -> RealFile:
        """See ``Disk``."""
        return RealFile(os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | _FLAGS))

    def rename(self, source: Path, target: Path) -> None:
        """See ``Disk``."""
        os.replace(source, target)

    def unlink(self, path: Path) -> None:
        """See ``Disk``."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    def sync_directory(self, path: Path) -> None:
        """See ``Disk``. Windows keeps names in its journal and has no such call."""
        if sys.platform != "win32":
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def names(self, path: Path) -> list[str]:
        """See ``Disk``."""
        return os.listdir(path)

    def modified_s(self, path: Path) -> int:
        """See ``Disk``."""
        return int(os.stat(path, follow_symlinks=False).st_mtime)

    def free_bytes(self, path: Path) -> int:
        """See ``Disk``."""
        return shutil.disk_usage(path).free

    def total_bytes(self, path: Path) -> int:
        """See ``Disk``."""
        return shutil.disk_usage(path).total


REAL_DISK = RealDisk()
"""The default everywhere; it has no state."""

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def _sync(fd: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # Plain fsync leaves the bytes in the drive's cache there (man 2 fsync).
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    elif sys.platform == "win32":
        os.fsync(fd)
    else:
        os.fdatasync(fd)


@contextlib.contextmanager
def disk_faults(doing: str) -> Iterator[None]:
    """Turn an ``OSError`` inside the block into a ``LocalFault``; ``doing`` says what was tried.

    Raises:
        LocalFault: ``disk-full``, ``disk-forbidden`` or ``disk-failed``.
    """
    try:
        yield
    except OSError as error:
        raise fault_of(error, doing) from error


def fault_of(error: OSError, doing: str) -> LocalFault:
    """Return the fault that tells a person what ``error`` means while ``doing`` something."""
    if error.errno in _FULL:
        return LocalFault(f"{doing}: the disk is full. Make space and try again.", code="disk-full")
    if error.errno in _FORBIDDEN:
        return LocalFault(
            f"{doing}: the disk or folder is not writable for this user. Check its permissions.",
            code="disk-forbidden",
        )
    reason = error.strerror or type(error).__name__
    return LocalFault(f"{doing}: the disk reported “{reason}”.", code="disk-failed")


def replace_file(disk: Disk, path: Path, data: Data) -> None:
    """Make ``data`` the whole content of ``path``, durably: it is the old or the new, never half.

    A temporary file ``<name>.new`` beside it may be left by a crash; the next call replaces it.
    """
    temporary = path.with_name(path.name + ".new")
    disk.unlink(temporary)
    file = disk.create(temporary)
    try:
        file.write_at(0, data)
        file.sync()
    except BaseException:
        file.close()
        with contextlib.suppress(OSError):
            disk.unlink(temporary)
        raise
    file.close()
    disk.rename(temporary, path)
    disk.sync_directory(path.parent)
