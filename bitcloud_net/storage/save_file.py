"""Saving a file: it appears whole under its name, or not at all.

Bytes go to a hidden temporary file in the target folder, which is synced and then gets its name.
Nothing is ever overwritten: a name that is taken gets a number. The folder is held open by its
descriptor meanwhile, so nobody can swap it for a link to elsewhere.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import trio

from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.core.files.names import System, file_name_for, numbered_name
from bitcloud_net.core.units import MIB
from bitcloud_net.storage.disk import disk_faults
from bitcloud_net.storage.local_file import unusable

BUFFER_BYTES: Final = MIB
"""Bytes gathered before a trip to the disk: a small file takes one trip in all."""
MAX_NUMBER: Final = 10_000
"""Highest number behind a name that is taken."""

_T = TypeVar("_T")

SYSTEM: Final[System] = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "posix")  # type: ignore[assignment]

_HAS_FOLDER_FD = os.open in os.supports_dir_fd
_FLAGS = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_FILE_MODE = 0o666  # a person's file, as the person's umask wants it
_FOLDER_MODE = 0o777


class SaveFile:
    """A file that is being saved. Made by ``save_file``; one task writes at a time."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        """Where the file is; final once the block around it has ended."""
        self._folder = folder
        self._name = name
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._target: _Target | None = None

    async def write(self, data: bytes) -> None:
        """Append bytes. Cancel: safe; the file will not appear.

        Raises:
            LocalFault: ``disk-full``, ``disk-forbidden``, ``disk-failed``.
        """
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= BUFFER_BYTES:
            await self._in_thread(self._flush)

    async def _finish(self) -> None:
        self.path = await self._in_thread(self._publish)

    def _flush(self) -> None:
        if self._target is None:
            self._target = _Target(self._folder)
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for data in waiting:
            self._target.write(data)

    def _publish(self) -> Path:
        self._flush()
        assert self._target
        return self._folder / self._target.publish(self._name)

    def _remove(self) -> None:
        if self._target:
            self._target.remove()

    async def _in_thread(self, function: Callable[[], _T]) -> _T:
        def work() -> _T:
            with disk_faults(f"Saving {self._name}"):
                return function()

        return await trio.to_thread.run_sync(work)


class _Target:
    """The temporary file and the folder it is in. In worker threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder_fd = _open_folder(folder)
        self._temporary = f".bitcloud-{secrets.token_hex(8)}.part"
        try:
            self._fd = self._open(self._temporary)
        except BaseException:
            self._close_folder()
            raise
        self._is_there = True

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]

    def publish(self, name: str) -> str:
        """Give the file its name, or the next free one like it; return which."""
        os.fsync(self._fd)
        self._close()
        for number in range(MAX_NUMBER):
            candidate = numbered_name(name, number, SYSTEM) if number else name
            if self._give_name(candidate):
                self._is_there = False
                self._sync_folder()
                self._close_folder()
                return candidate
        raise LocalFault(f"There are too many files called {name}.", code="name-taken")

    def remove(self) -> None:
        """Remove the temporary file, if it still is one."""
        self._close()
        if self._is_there:
            self._is_there = False
            with suppress(OSError):
                os.unlink(self._at(self._temporary), dir_fd=self._folder_fd)
        self._close_folder()

    def _give_name(self, name: str) -> bool:
        """Return whether the name was free and is ours now."""
        try:
            return self._link(name) if _HAS_FOLDER_FD else self._rename(name)
        except FileExistsError:
            return False

    def _link(self, name: str) -> bool:
        fd = self._folder_fd
        try:
            os.link(self._temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
        except FileExistsError:
            raise
        except OSError:  # a file system without links, such as exFAT
            os.close(self._open(name))
            os.rename(self._temporary, name, src_dir_fd=fd, dst_dir_fd=fd)
        else:
            os.unlink(self._temporary, dir_fd=fd)
        return True

    def _rename(self, name: str) -> bool:
        os.rename(self._at(self._temporary), self._at(name))  # Windows never replaces here
        return True

    def _open(self, name: str) -> int:
        return os.open(self._at(name), _FLAGS, _FILE_MODE, dir_fd=self._folder_fd)

    def _at(self, name: str) -> str | Path:
        return name if _HAS_FOLDER_FD else self._folder / name

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _sync_folder(self) -> None:
        if self._folder_fd is not None:
            os.fsync(self._folder_fd)

    def _close_folder(self) -> None:
        fd, self._folder_fd = self._folder_fd, None
        if fd is not None:
            os.close(fd)


@asynccontextmanager
async def save_file(folder: Path, name: str) -> AsyncIterator[SaveFile]:
    """Save a file in ``folder`` under ``name``, made safe for this system and free.

    The file appears when the block ends well, and its ``path`` says where; otherwise nothing stays.

    Raises:
        LocalFault: ``disk-full``, ``disk-forbidden``, ``disk-failed``.
        BadInput: the folder is gone.
    """
    saving = SaveFile(folder, file_name_for(name, SYSTEM))
    try:
        yield saving
        await saving._finish()
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(saving._remove)
        raise


def choose_place(destination: Path, name: str) -> tuple[Path, str]:
    """Return folder and name to save under. Blocks for a moment.

    ``destination`` is an existing folder, in which the file is called ``name``, or the path of the
    file to be.

    Raises:
        BadInput: ``no-such-folder``.
    """
    if destination.is_dir():
        return destination, file_name_for(name, SYSTEM)
    if destination.parent.is_dir() and destination.name:
        return destination.parent, destination.name
    text = f"There is no folder {destination.parent}. Make it first, or choose another one."
    raise BadInput(text, code="no-such-folder")


def make_folders(parent: Path, names: Sequence[str]) -> Path:
    """Make folders below ``parent``, one in the other, and return the last. Blocks for a moment.

    Names are made safe for this system; a folder that is there is used. ``parent`` is made too when
    only it is missing.

    Raises:
        BadInput: ``no-such-folder``; ``not-a-folder`` when a file or link has one of the names.
        LocalFault: the disk's codes.
    """
    if not parent.parent.is_dir():
        raise BadInput(f"There is no folder {parent.parent}.", code="no-such-folder")
    path = parent
    with disk_faults(f"Making {path}"), suppress(FileExistsError):
        path.mkdir(_FOLDER_MODE)
    for name in names:
        path /= file_name_for(name, SYSTEM)
        with disk_faults(f"Making {path}"), suppress(FileExistsError):
            path.mkdir(_FOLDER_MODE)
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            text = f"{path} is in the way: it is not a folder."
            raise BadInput(text, code="not-a-folder")
    return path


def _open_folder(folder: Path) -> int | None:
    if sys.platform != "win32" and _HAS_FOLDER_FD:
        try:
            return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise unusable(folder, error) from error
    return None
