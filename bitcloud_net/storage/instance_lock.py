"""One program at a time in a directory of ours.

The operating system holds the lock for as long as the process lives, so a killed program leaves
nothing behind that somebody would have to clean up. The process id in the file is only there to be
read by people.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.storage.disk import FILE_MODE, REAL_DISK, disk_faults

LOCK_NAME = "lock"
_MAX_PID_TEXT_BYTES = 32
_WINDOWS_LOCKED_BYTE = 1 << 30
"""Far behind the text, since Windows keeps others from reading a locked byte."""


@contextlib.contextmanager
def instance_lock(directory: Path, *, code: str = "home-in-use") -> Iterator[None]:
    """Hold ``directory`` (made if missing) for this process until the block ends.

    Never waits. The lock does not pass to child processes.

    Raises:
        LocalFault: ``code`` when another program holds it, its process id in ``detail["pid"]``;
            otherwise the disk's own codes.
    """
    with disk_faults(f"Opening {directory}"):
        REAL_DISK.make_directory(directory)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        fd = os.open(directory / LOCK_NAME, flags, FILE_MODE)
    try:
        if not _take(fd):
            pid = _holder(fd)
            raise LocalFault(
                f"Another Bitcloud program (process {pid or 'unknown'}) uses {directory}. "
                "Stop it first, or choose another directory.",
                code=code,
                pid=pid,
            )
        with disk_faults(f"Opening {directory}"):
            os.truncate(fd, 0)
            os.write(fd, str(os.getpid()).encode())
        yield
    finally:
        os.close(fd)


def _holder(fd: int) -> int | None:
    with contextlib.suppress(OSError):
        text = os.read(fd, _MAX_PID_TEXT_BYTES)
        return int(text) if text.isdigit() else None
    return None


if sys.platform == "win32":
    import msvcrt

    def _take(fd: int) -> bool:
        os.lseek(fd, _WINDOWS_LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(fd, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _take(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
