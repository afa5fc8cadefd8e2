"""What a publishing that was interrupted has listed already, so that it is not sent again.

A file is taken as published when it has not changed since the publishing began, and the person's
own row, signed since then, says the same size and date. In doubt it is published anew, which costs
time and nothing else.
"""

from __future__ import annotations

from typing import Final

from bitcloud_net.core.errors import BitcloudError
from bitcloud_net.core.files.tree import FolderEntry
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.services.files.library import Library
from bitcloud_net.services.files.reader import Reader
from bitcloud_net.services.files.repairer import Repairer
from bitcloud_net.storage.local_file import PlannedFile
from bitcloud_net.views import Published

MARGIN_S: Final = 2
"""Times of files are kept to two seconds by some file systems."""
_NS_PER_S: Final = 1_000_000_000


class ListedBefore:
    """Answers for one publishing that began at ``since_s`` (seconds since 1970)."""

    def __init__(
        self, library: Library, reader: Reader, repairer: Repairer, *, since_s: int
    ) -> None:
        self._library = library
        self._reader = reader
        self._repairer = repairer
        self._since_s = since_s

    async def find(self, path: str, folder: FolderEntry, file: PlannedFile) -> Published | None:
        """Return a file as it was published, with its present health, or None. ``path`` is the
        folder's. Cancel: safe."""
        name = file.parts[-1]
        if not await self._is_listed(folder, file):
            return None
        try:
            checked = await self._repairer.check(await self._reader.find(f"{path}/{name}"))
        except BitcloudError:
            return None
        return Published(path=f"{path}/{name}", size_bytes=file.size, health=checked.health)

    async def _is_listed(self, folder: FolderEntry, file: PlannedFile) -> bool:
        if file.identity.modified_ns >= (self._since_s - MARGIN_S) * _NS_PER_S:
            return False
        listed = await self._library.own_file(folder, file.parts[-1])
        if listed is None:
            return False
        entry, period = listed
        same = (entry.size, entry.modified_s) == (file.size, file.modified_s)
        return same and period >= self._since_s // PERIOD_S
