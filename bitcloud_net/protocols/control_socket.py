"""The control socket of a home: where it lies, and who may hold it.

It lies in a folder that only its owner can enter. A lock beside it says whether its holder lives,
so that the socket of a killed node is replaced and that of a living one never is.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bitcloud_net.core.errors import LocalFault

if sys.platform != "win32":
    import fcntl

MAX_SOCKET_PATH_BYTES: Final = 100
"""The system allows 103 to 107 bytes; longer homes get a short name in a private folder instead."""
SOCKET_NAME: Final = "control.sock"
BACKLOG: Final = 64
"""Programs that may wait to be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSocket:
    """A listening control socket and the lock that keeps it ours; whoever forks closes both."""

    listening: socket.socket
    lock_fd: int


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


@contextmanager
def hold_socket(path: Path) -> Iterator[HeldSocket]:
    """Listen on ``path`` for as long as the block runs, then remove it.

    Raises:
        LocalFault: somebody else holds it (``already-running``), or the folder cannot be used.
    """
    make_private(path.parent)
    with _locked(path) as lock_fd:
        path.unlink(missing_ok=True)  # left by one that was killed: the lock says that it is dead
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _listen(listening, path)
            yield HeldSocket(listening=listening, lock_fd=lock_fd)
        finally:
            listening.close()
            path.unlink(missing_ok=True)


def _listen(listening: socket.socket, path: Path) -> None:
    try:
        listening.bind(os.fspath(path))
        listening.listen(BACKLOG)
    except OSError as error:
        raise LocalFault(f"cannot listen on {path}: {error.strerror}", code="no-socket") from error


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    lock_fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock_fd, path)
        yield lock_fd
    finally:
        os.close(lock_fd)


def _lock(lock_fd: int, path: Path) -> None:
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LocalFault(
            f"Bitcloud already runs for {path.parent}; stop it, or use another --home",
            code="already-running",
        ) from error


def _runtime_folder() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base) / "bitcloud"
    return Path(tempfile.gettempdir()) / f"bitcloud-{os.getuid()}"
