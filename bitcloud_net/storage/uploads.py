"""Shares on their way in: who is being written, and what of the disk that needs.

Every share has at most one part. Its blocks are written one at a time, under the part's lock; files
stay open for the parts used last. While a part is being finished nobody else may touch it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import trio

from bitcloud_net.core.errors import BadInput, LocalFault, Malformed, Refused
from bitcloud_net.core.files.manifest import MAX_MANIFEST_BYTES
from bitcloud_net.core.files.share import FOOTER_BYTES, ShareHeader
from bitcloud_net.core.units import HASH_BYTES
from bitcloud_net.storage.disk import Data, Disk
from bitcloud_net.storage.share_part import SharePart, UnsureSync, WrittenShare, remove_part
from bitcloud_net.storage.space import Reservation, Space
from bitcloud_net.storage.store_layout import StoreLayout, UploadName

MAX_PARTS = 4096
"""Shares started and not finished; each costs two files."""
MAX_OPEN_PARTS = 64
"""Those with open files, two each; others are opened again when their next block comes."""

_T = TypeVar("_T")


class _GivenUp(BadInput):
    default_code = "no-upload"


class DiskThread(Protocol):
    """Runs a function in a worker thread; ``doing`` names it in the fault that an error becomes."""

    def __call__(self, doing: str, function: Callable[[], _T]) -> Awaitable[_T]: ...


@dataclass(slots=True, eq=False, kw_only=True)
class Upload:
    """A share on its way in. Its files are open while ``part`` is not None."""

    name: UploadName
    header: ShareHeader
    reservation: Reservation
    part: SharePart | None = None
    finishing: bool = False
    gone: bool = False  # its files are removed
    lock: trio.Lock = field(default_factory=trio.Lock)


def reserved_bytes(header: ShareHeader) -> int:
    """Return the largest size of a share's file."""
    hashes = header.layout.segment_count * 2 * HASH_BYTES
    return header.trailer_offset + hashes + MAX_MANIFEST_BYTES + FOOTER_BYTES


class Uploads:
    """The shares on their way in. In trio; blocking work goes through ``in_thread``."""

    def __init__(
        self, disk: Disk, layout: StoreLayout, space: Space, in_thread: DiskThread
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._space = space
        self._in_thread = in_thread
        self._uploads: dict[UploadName, Upload] = {}
        self._open: OrderedDict[UploadName, Upload] = OrderedDict()

    def adopt(self, parts: Mapping[UploadName, tuple[ShareHeader, int]]) -> None:
        """Take over the parts that were found at the start, with the bytes written of each."""
        for name, (header, written) in parts.items():
            promise = self._space.take(reserved_bytes(header), written_bytes=written)
            self._uploads[name] = Upload(name=name, header=header, reservation=promise)

    def close(self) -> None:
        """Close all files; the parts stay on the disk."""
        for upload in self._open.values():
            if upload.part:
                upload.part.close()
        self._open.clear()

    async def begin(self, name: UploadName, header: ShareHeader, salt: bytes) -> int:
        """Start or resume a share; return how many leading blocks it holds."""
        try:
            return await self._begin(name, header, salt)
        except _GivenUp:  # what was left of it is of no use
            return await self._begin(name, header, salt)

    async def append(
        self, name: UploadName, segment_no: int, block: Data, segment_hash: bytes
    ) -> None:
        """Write the next block of a share."""
        async with self._working_on(name) as part:
            upload = self._uploads[name]
            try:
                await self._in_thread(
                    "Storing a block", lambda: part.append(segment_no, block, segment_hash)
                )
            except UnsureSync as error:
                await self._discard(upload)
                raise LocalFault(
                    "The disk failed to save a share on its way in; it starts again.",
                    code="disk-failed",
                ) from error
            self._space.wrote(upload.reservation, len(block))

    def held(self, name: UploadName) -> int:
        """Return how many leading blocks an open part holds; 0 when there is none."""
        upload = self._uploads.get(name)
        return upload.part.held if upload and upload.part else 0

    async def abandon(self, name: UploadName) -> None:
        """Remove a part; one that is not there is no error."""
        upload = self._uploads.get(name)
        if upload:
            async with upload.lock:
                if not upload.gone and not upload.finishing:
                    await self._discard(upload)

    async def start_finishing(self, name: UploadName) -> Upload | None:
        """Return a part with its files open, which from now on is the caller's until ``settle``."""
        if name not in self._uploads:
            return None
        async with self._working_on(name):
            upload = self._uploads[name]
            upload.finishing = True
            return upload

    def complete(self, upload: Upload, manifest: bytes) -> WrittenShare:
        """Write the trailer; a part that does not fit its manifest is removed. In a thread."""
        assert upload.part
        try:
            return replace(upload.part.complete(manifest), upload_id=upload.name.slot)
        except Malformed:
            upload.part.close()
            remove_part(self._disk, self._layout.part(upload.name))
            upload.gone = True
            raise

    def settle(self, upload: Upload, *, gone: bool) -> None:
        """End the finishing of a part; with ``gone`` its files are no more."""
        upload.finishing = False
        if gone or upload.gone:
            self._forget(upload)

    async def _begin(self, name: UploadName, header: ShareHeader, salt: bytes) -> int:
        if name not in self._uploads:
            await self._start(name, header, salt)
        async with self._working_on(name) as part:
            if (part.header, part.salt) != (header, salt):
                raise BadInput("Another upload has this id.", code="other-upload")
            return part.held

    async def _start(self, name: UploadName, header: ShareHeader, salt: bytes) -> None:
        if len(self._uploads) >= MAX_PARTS:
            raise Refused("This node has too many unfinished shares.", code="busy")
        promise = self._space.reserve(reserved_bytes(header))
        upload = Upload(name=name, header=header, reservation=promise)
        self._uploads[name] = upload
        path = self._layout.part(name)
        try:
            async with upload.lock:
                upload.part = await self._in_thread(
                    "Starting a share", lambda: SharePart.create(self._disk, path, header, salt)
                )
        except BaseException:
            self._forget(upload)
            raise
        self._used(upload)

    @asynccontextmanager
    async def _working_on(self, name: UploadName) -> AsyncIterator[SharePart]:
        """Hold a part alone, with its files open."""
        upload = self._uploads.get(name)
        if not upload:
            raise BadInput("There is no such upload; begin it first.", code="no-upload")
        async with upload.lock:
            if upload.gone:
                raise _GivenUp("The upload was given up; begin it again.")
            if upload.finishing:
                raise Refused("The share is being finished.", code="busy")
            part = upload.part or await self._reopen(upload)
            self._used(upload)
            yield part

    async def _reopen(self, upload: Upload) -> SharePart:
        path = self._layout.part(upload.name)
        try:
            upload.part = await self._in_thread(
                "Resuming a share", lambda: SharePart.resume(self._disk, path)
            )
        except Malformed as error:
            await self._discard(upload)
            raise _GivenUp("What was left of the upload is damaged; begin it again.") from error
        return upload.part

    def _used(self, upload: Upload) -> None:
        self._open[upload.name] = upload
        self._open.move_to_end(upload.name)
        idle = [other for other in self._open.values() if not other.lock.locked()]
        for other in idle[: max(0, len(self._open) - MAX_OPEN_PARTS)]:
            if other.part and not other.finishing:
                other.part.close()
                other.part = None
                del self._open[other.name]

    async def _discard(self, upload: Upload) -> None:
        upload.gone = True
        if upload.part:
            upload.part.close()
        path = self._layout.part(upload.name)
        try:
            await self._in_thread("Removing a share", lambda: remove_part(self._disk, path))
        finally:
            self._forget(upload)

    def _forget(self, upload: Upload) -> None:
        upload.gone = True
        self._open.pop(upload.name, None)
        if self._uploads.pop(upload.name, None):
            self._space.release(upload.reservation)
