"""Reading and writing a file descriptor at a position, on every system."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import threading

    _seek_lock = threading.Lock()  # Windows has one position per descriptor; threads share it

    def read_at(fd: int, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``; a single read may give fewer."""
        with _seek_lock:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.read(fd, size)

    def write_at(fd: int, offset: int, data: bytes | bytearray | memoryview) -> int:
        """Write at ``offset`` and return how many bytes a single write took."""
        with _seek_lock:
            os.lseek(fd, offset, os.SEEK_SET)
            return os.write(fd, data)

else:

    def read_at(fd: int, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``; a single read may give fewer."""
        return os.pread(fd, size, offset)

    def write_at(fd: int, offset: int, data: bytes | bytearray | memoryview) -> int:
        """Write at ``offset`` and return how many bytes a single write took."""
        return os.pwrite(fd, data, offset)


def read_all_at(fd: int, offset: int, size: int) -> bytes:
    """Return ``size`` bytes from ``offset``, fewer only where the file ends."""
    data = read_at(fd, offset, size)
    if len(data) in (0, size):
        return data
    parts, missing = [data], size - len(data)
    while missing and (data := read_at(fd, offset + size - missing, missing)):
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def write_all_at(fd: int, offset: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of ``data`` at ``offset``."""
    written = write_at(fd, offset, data)
    while written < len(data):
        written += write_at(fd, offset + written, memoryview(data)[written:])
