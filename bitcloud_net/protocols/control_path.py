"""Where the control socket of a home lies: in a folder that only its owner can enter."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from bitcloud_net.core.errors import LocalFault

MAX_SOCKET_PATH_BYTES: Final = 100
"""The system allows 103 to 107 bytes; longer homes get a short name in a private folder instead."""
SOCKET_NAME: Final = "control.sock"


def control_path(home: Path) -> Path:
    """Return the path of the control socket that belongs to ``home``."""
    home = Path(os.path.abspath(home))
    path = home / SOCKET_NAME
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:32] + ".sock"
    return _runtime_folder() / name


def make_private(folder: Path) -> None:
    """Make ``folder`` where needed, and make sure that nobody else can enter it.

    Raises:
        LocalFault: it belongs to somebody else, or cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise LocalFault(f"{folder} belongs to somebody else", code="folder-not-ours")
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise LocalFault(f"cannot use {folder}: {error.strerror}", code="no-folder") from error


def _runtime_folder() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base) / "bitcloud"
    return Path(tempfile.gettempdir()) / f"bitcloud-{os.getuid()}"
