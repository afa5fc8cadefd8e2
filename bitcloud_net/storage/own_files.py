"""The person's own disk, as publishing and fetching use it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio

from bitcloud_net.storage.local_file import PlannedFile, SourceFile, open_source
from bitcloud_net.storage.save_file import SaveFile, choose_place, make_folders, save_file
from bitcloud_net.storage.saved_before import saved_before
from bitcloud_net.storage.walk import Walk, walk


class OwnFiles:
    """Reads what is published and saves what is fetched. Has no state of its own."""

    async def walk(self, sources: Sequence[Path]) -> Walk:
        """Return the files in files and folders; see ``storage.walk``."""
        return await trio.to_thread.run_sync(walk, sources)

    def open(self, file: PlannedFile) -> AbstractAsyncContextManager[SourceFile]:
        """Open a file that is published; see ``storage.local_file.open_source``."""
        return open_source(file)

    async def place(self, destination: Path, name: str) -> tuple[Path, str]:
        """Return where to save; see ``storage.save_file.choose_place``."""
        return await trio.to_thread.run_sync(choose_place, destination, name)

    async def make_folder(self, parent: Path, parts: Sequence[str]) -> Path:
        """Make folders; see ``storage.save_file.make_folders``."""
        return await trio.to_thread.run_sync(make_folders, parent, parts)

    async def saved_before(
        self, folder: Path, name: str, size: int, content_hash: bytes
    ) -> Path | None:
        """Return a file that is there already; see ``storage.saved_before``."""
        return await trio.to_thread.run_sync(saved_before, folder, name, size, content_hash)

    def save(self, folder: Path, name: str) -> AbstractAsyncContextManager[SaveFile]:
        """Save a file; see ``storage.save_file.save_file``."""
        return save_file(folder, name)
