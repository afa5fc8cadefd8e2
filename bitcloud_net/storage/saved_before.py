"""Whether a file was saved before: the very bytes, under the very name."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from blake3 import blake3

from bitcloud_net.core.files.names import file_name_for
from bitcloud_net.core.units import MIB
from bitcloud_net.storage.save_file import SYSTEM

_READ_BYTES: Final = MIB


def saved_before(folder: Path, name: str, size: int, content_hash: bytes) -> Path | None:
    """Return the file ``name`` in ``folder`` when it has this size and BLAKE3 hash, or None.

    Blocks, so run it in a worker thread. Follows no symlink and waits for no pipe; what cannot be
    read is not it.
    """
    path = folder / file_name_for(name, SYSTEM)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with open(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                return None
            hasher = blake3()
            while data := file.read(_READ_BYTES):
                hasher.update(data)
    except OSError:
        return None
    return path if hasher.digest() == content_hash else None
