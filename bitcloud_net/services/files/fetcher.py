"""Fetching files and whole folders to this disk.

Each file appears under its own name when its last byte is there, or not at all. A folder is fetched
eight files at a time. Names that this system cannot hold are made safe by the saving side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bitcloud_net.core.errors import BadInput, BitcloudError, Unavailable
from bitcloud_net.services.files.library import FoundFolder, Library
from bitcloud_net.services.files.reader import CAP_PREFIX, OpenedFile, Reader
from bitcloud_net.services.files.transfers import Handle
from bitcloud_net.tasks import open_tasks

AT_ONCE: Final = 8
"""Files of a folder under way together: enough to hide the round trips of small ones."""
GIVE_UP_AFTER: Final = 16
"""Files in a row that do not come: then the grid is away, and each one more would cost its wait."""


class Saving(Protocol):
    """A file that is being saved; it appears when the block around it ends well."""

    async def write(self, data: bytes) -> None: ...
    @property
    def path(self) -> Path: ...


class Saves(Protocol):
    """The person's disk (``storage.local_file``)."""

    async def place(self, destination: Path, name: str) -> tuple[Path, str]:
        """Return the folder and the name to save under. ``destination`` is an existing folder, or
        the path of the file to be."""

    async def make_folder(self, parent: Path, parts: Sequence[str]) -> Path:
        """Return a folder with these names, made safe, below ``parent``."""

    async def saved_before(
        self, folder: Path, name: str, size: int, content_hash: bytes
    ) -> Path | None:
        """Return the file of this name when it is there already, with just these bytes."""

    def save(self, folder: Path, name: str) -> AbstractAsyncContextManager[Saving]: ...


@dataclass(frozen=True, slots=True)
class _Order:
    target: str
    folder: Path
    name: str


class Fetcher:
    """Fetches what a path or cap names."""

    def __init__(self, library: Library, reader: Reader, saves: Saves) -> None:
        self._library = library
        self._reader = reader
        self._saves = saves

    async def fetch(self, handle: Handle, target: str, destination: Path) -> Path:
        """Save a file, or a folder with all below it, and return where it is.

        Cancel: safe; whole files stay, a half one is removed.

        Raises:
            BadInput: ``no-such-path``, or a name that cannot be saved.
            Unavailable: ``too-few-shares``; of a folder, when all that can be had is there.
            LocalFault: ``disk-full``.
        """
        folder = None if target.startswith(CAP_PREFIX) else await self._folder(target)
        if folder is not None:
            return await self._fetch_folder(handle, folder, destination)
        opened = await self._reader.open(target)
        where, name = await self._saves.place(destination, opened.found.name)
        handle.update(bytes_total=opened.header.size)
        return await _Run(self._reader, self._saves, handle).save(opened, where, name)

    async def _folder(self, target: str) -> FoundFolder | None:
        try:
            return await self._library.folder(target)
        except BadInput:
            return None

    async def _fetch_folder(self, handle: Handle, found: FoundFolder, destination: Path) -> Path:
        name = found.path.rpartition("/")[2]
        top = await self._saves.make_folder(destination, (name,))
        files = sorted(found.tree.below(found.folder), key=lambda item: item[0])
        handle.update(
            files_total=len(files), bytes_total=sum(entry.size for _, entry in files), files_done=0
        )
        orders = [
            _Order(
                "/".join((found.path, *parts)),
                await self._saves.make_folder(top, parts[:-1]),
                parts[-1],
            )
            for parts, _ in files
        ]
        run = _Run(self._reader, self._saves, handle)
        async with open_tasks() as tasks:
            waiting = iter(orders)
            for _ in range(min(AT_ONCE, len(orders))):
                tasks.start_soon(run.save_each, waiting)
        run.complain(len(orders))
        return top


class _Run:
    """One call of ``fetch``."""

    def __init__(self, reader: Reader, saves: Saves, handle: Handle) -> None:
        self._reader = reader
        self._saves = saves
        self._handle = handle
        self._bytes_done = 0
        self._files_done = 0
        self._failed: list[tuple[str, BitcloudError]] = []
        self._failed_in_a_row = 0

    async def save_each(self, orders: Iterator[_Order]) -> None:
        """Save file after file; one that cannot be had now does not keep the others away."""
        for order in orders:
            if self._failed_in_a_row >= GIVE_UP_AFTER:
                return
            try:
                opened = await self._reader.open(order.target)
                await self.save(opened, order.folder, order.name)
                self._failed_in_a_row = 0
            except (Unavailable, BadInput) as error:
                self._failed.append((order.name, error))
                self._failed_in_a_row += 1

    def complain(self, total: int) -> None:
        """Say what is missing of a folder.

        Raises:
            Unavailable: with the code of the first file's error.
        """
        if not self._failed:
            return
        name, error = self._failed[0]
        missing = total - self._files_done
        message = f"{missing} of {total} files did not come, the first is {name}: {error.message}"
        raise Unavailable(message, code=error.code, missing=missing) from error

    async def save(self, opened: OpenedFile, folder: Path, name: str) -> Path:
        path = await self._saved_before(opened, folder, name)
        if path is None:
            path = await self._save(opened, folder, name)
        self._files_done += 1
        self._handle.update(bytes_done=self._bytes_done, files_done=self._files_done)
        return path

    async def _saved_before(self, opened: OpenedFile, folder: Path, name: str) -> Path | None:
        """Return a file that this transfer saved before it was held up: it is not fetched again."""
        if not self._handle.resumed:
            return None
        header = opened.header
        path = await self._saves.saved_before(folder, name, header.size, header.content_hash)
        if path is not None:
            self._bytes_done += header.size
        return path

    async def _save(self, opened: OpenedFile, folder: Path, name: str) -> Path:
        async with self._saves.save(folder, name) as saving, self._reader.read(opened) as pieces:
            async for piece in pieces:
                await saving.write(piece)
                self._bytes_done += len(piece)
                self._handle.update(bytes_done=self._bytes_done)
        return saving.path
