"""The virtual disk as the gateway serves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bitcloud_net.core.errors import BadInput
from bitcloud_net.services.files.gateway import Content
from bitcloud_net.services.files.library import Library
from bitcloud_net.services.files.reader import CAP_PREFIX, Reader
from bitcloud_net.views import Entry


class GatewaySource:
    """See ``services.files.gateway.ContentSource``."""

    def __init__(self, library: Library, reader: Reader) -> None:
        self._library = library
        self._reader = reader

    async def describe(self, target: str) -> Content:
        """Return what a path or cap is."""
        if not target.startswith(CAP_PREFIX):
            try:
                folder = await self._library.folder(target)
            except BadInput:
                pass  # then it is a file, or nothing
            else:
                name = folder.path.rpartition("/")[2]
                return Content(name=name, identity=folder.path, is_folder=True)
        opened = await self._reader.open(target)
        found = opened.found
        return Content(
            name=found.name,
            size_bytes=opened.header.size,
            media_type=found.media_type or opened.header.media_type,
            identity=found.cid.hex(),
            pinned=found.cap.text,
        )

    @asynccontextmanager
    async def read(
        self, target: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open bytes of a file."""
        async with self._reader.read(await self._reader.open(target), offset, length) as pieces:
            yield pieces

    async def entries(self, path: str = "") -> Sequence[Entry]:
        """List a folder."""
        return await self._library.entries(path)
