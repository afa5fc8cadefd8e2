"""The share store: what a storage node holds for others, in plain files.

A share comes in one of two ways and leaves in blocks:

    begin → put_block … → finish ┐
                                 ├→ group commit: written, synced, named, indexed → acknowledged
                     put_share ──┘
    read_block(s) ← open shares ← share files, each block hashed again

Acknowledged means durable: the share survives any crash. What a share holds is fixed by its content
id; storing it twice writes it once. Everything that blocks runs in worker threads, one trip per
call, bounded by the store's own limiter. See ``store_layout`` for the files.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from bitcloud_net.clock import Clock
from bitcloud_net.core.errors import BadInput, LocalFault, Refused
from bitcloud_net.core.files.manifest import Manifest, content_id, parse_manifest
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.storage.disk import REAL_DISK, Data, Disk, disk_faults
from bitcloud_net.storage.group_commit import CommitJob, GroupCommit
from bitcloud_net.storage.instance_lock import instance_lock
from bitcloud_net.storage.open_shares import OpenShares
from bitcloud_net.storage.share_file import (
    ShareFile,
    StoredBlock,
    StoredShare,
    compose_share,
    described_share,
)
from bitcloud_net.storage.share_index import ShareIndex
from bitcloud_net.storage.share_part import WrittenShare
from bitcloud_net.storage.space import Reservation, Space, SpaceUsage, disk_reserve
from bitcloud_net.storage.store_layout import ShareName, StoreLayout, UploadName
from bitcloud_net.storage.store_recovery import (
    Recovery,
    check_version,
    prepare_directory,
    recover,
)
from bitcloud_net.storage.uploads import Upload, Uploads, reserved_bytes
from bitcloud_net.storage.worker import Worker, worker_threads
from bitcloud_net.tasks import open_tasks

MAX_READ_BLOCKS = 64
"""Blocks in one ``read_blocks``: bounds the memory of one trip to the disk by 64 MiB."""
DISK_THREADS = 4
"""Trips at once: enough to keep a disk's queue busy, few enough for two cores."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@asynccontextmanager
async def open_share_store(
    directory: Path,
    *,
    capacity_bytes: int,
    disk_reserve_bytes: int | None = None,
    disk: Disk = REAL_DISK,
    clock: Clock | None = None,
    work: Worker | None = None,
) -> AsyncIterator[ShareStore]:
    """Open the store in ``directory`` (made if missing), and put right what a crash left.

    ``capacity_bytes`` is what the owner lends; ``disk_reserve_bytes`` stays free on the disk
    whatever is lent (default ``space.disk_reserve``). ``work`` runs what blocks (default: threads).
    On leaving, what was handed in is made durable.

    Raises:
        LocalFault: ``store-in-use``, ``store-too-new``, ``store-damaged``, ``index-failed``, or the
            disk's own codes.
    """
    layout, now_s = StoreLayout(directory), (clock or Clock()).now_s
    work = work or worker_threads(DISK_THREADS)
    with ExitStack() as stack:
        index, found = await work(functools.partial(_open, stack, disk, layout, now_s()))
        if disk_reserve_bytes is None:
            disk_reserve_bytes = disk_reserve(disk.total_bytes(directory))
        space = Space(capacity_bytes=capacity_bytes, disk_reserve_bytes=disk_reserve_bytes)
        store = ShareStore(disk, layout, index, space, work)
        store._adopt(found)
        stack.callback(store._close)
        async with open_tasks() as nursery:
            nursery.start_soon(store._commits.run)
            try:
                yield store
            finally:
                store._commits.close()


def _open(
    stack: ExitStack, disk: Disk, layout: StoreLayout, now_s: int
) -> tuple[ShareIndex, Recovery]:
    with disk_faults(f"Opening the share store in {layout.directory}"):
        check_version(disk, layout)
        stack.enter_context(instance_lock(layout.directory, code="store-in-use"))
        prepare_directory(disk, layout)
        index = ShareIndex(layout.index)
        stack.callback(index.close)
        found = recover(disk, layout, index, now_s)
    if found.lost or found.damaged:
        _log.error("share store: %d shares lost, %d damaged", found.lost, found.damaged)
    if found.taken_in or found.dropped:
        _log.info("share store: %d shares taken in, %d dropped", found.taken_in, found.dropped)
    return index, found


class ShareStore:
    """See the module. Made by ``open_share_store``; any number of tasks may call it at once.

    Cancel: safe for every method. A share whose ``finish`` or ``put_share`` was cancelled may
    become durable all the same.
    """

    def __init__(
        self,
        disk: Disk,
        layout: StoreLayout,
        index: ShareIndex,
        space: Space,
        work: Worker,
    ) -> None:
        self._disk = disk
        self._layout = layout
        self._index = index
        self._space = space
        self._work = work
        self._commits = GroupCommit(disk, layout, index, work, self._measure)
        self._uploads = Uploads(disk, layout, space, self._in_thread)
        self._open_shares = OpenShares(self._open_share)
        self._numbers = itertools.count()

    # Taking in

    async def begin(self, header: ShareHeader, salt: bytes, slot: bytes | None = None) -> int:
        """Start or resume a share; return how many leading blocks are held already.

        ``slot`` names the upload for all further calls; by default its own id does. Who serves
        strangers gives each of them slots of its own, as anybody may know the id.
        Space for the whole share is reserved until ``finish`` or ``abandon``, over restarts too.
        ``salt`` is the one that the manifest will have. A share that is stored is held whole.

        Raises:
            Refused: ``no-space``; ``busy``.
            BadInput: ``other-upload``: the id is in use with another header or salt.
            LocalFault: the disk's codes.
        """
        name = UploadName(header.upload_id if slot is None else slot, header.share_no)
        if self._index.holds_upload(name):
            return header.layout.segment_count
        await self._in_thread("Looking for space", self._measure)
        return await self._uploads.begin(name, header, salt)

    async def put_block(
        self, slot: bytes, share_no: int, segment_no: int, block: Data, segment_hash: bytes
    ) -> None:
        """Write the next block of a share. It is durable only after ``finish``.

        ``block`` must not change until the call returns.

        Raises:
            BadInput: ``no-upload``, ``out-of-order``, ``wrong-length``.
            Refused: ``busy``: the share is being finished.
            LocalFault: the disk's codes; after ``disk-full`` the same block may be put again.
        """
        name = UploadName(slot, share_no)
        await self._uploads.append(name, segment_no, block, segment_hash)

    def held(self, slot: bytes, share_no: int) -> int:
        """Return how many leading blocks are held of a share begun since the store was opened."""
        return self._uploads.held(UploadName(slot, share_no))

    async def finish(self, slot: bytes, share_no: int, manifest: bytes) -> StoredShare:
        """Check a share against its manifest, make it durable, and say what it is.

        Raises:
            BadInput: ``no-upload``, ``incomplete``.
            Refused: ``manifest-mismatch``: it is not what came, and nothing is kept; ``busy``.
            LocalFault: the disk's codes; after ``disk-full`` it may be finished again.
        """
        upload = await self._uploads.start_finishing(UploadName(slot, share_no))
        if not upload:
            return self._stored_before(share_no, manifest)
        job = CommitJob(
            lambda: self._uploads.complete(upload, manifest),
            lambda job: self._settle_upload(upload, job),
        )
        return await self._commit(job)

    async def put_share(
        self,
        header: ShareHeader,
        manifest: bytes,
        blocks: Sequence[Data],
        segment_hashes: Sequence[bytes],
    ) -> StoredShare:
        """Store a whole small share: the same as begin, put and finish, in one trip to the disk.

        Raises:
            Refused: ``no-space``, ``manifest-mismatch``, ``busy``.
            LocalFault: the disk's codes.
        """
        if self._index.holds(ShareName(content_id(manifest), header.share_no)):
            return _describe(header.share_no, manifest)
        promise = await self._reserve(reserved_bytes(header))
        path = self._layout.once(next(self._numbers))

        def write() -> WrittenShare:
            return _write_once(self._disk, path, header, manifest, blocks, segment_hashes)

        job = CommitJob(write, lambda job: self._settle(promise, job))
        stored = await self._commit(job)
        await self.abandon(header.upload_id, header.share_no)  # if it was begun, too
        return stored

    async def abandon(self, slot: bytes, share_no: int) -> None:
        """Give up a share on its way in; one that is not there is no error.

        Raises:
            LocalFault: the disk's codes.
        """
        await self._uploads.abandon(UploadName(slot, share_no))

    # Handing out

    async def read_block(self, cid: bytes, share_no: int, segment_no: int) -> StoredBlock:
        """Return one block with its proofs, hashed again on the way. See ``read_blocks``."""
        [block] = await self.read_blocks(cid, share_no, segment_no, 1)
        return block

    async def read_blocks(
        self, cid: bytes, share_no: int, first: int, count: int
    ) -> tuple[StoredBlock, ...]:
        """Return ``count`` blocks from segment ``first`` on, in one trip to the disk.

        Raises:
            Refused: ``no-share``, ``no-such-segment``.
            BadInput: more than ``MAX_READ_BLOCKS``.
            LocalFault: ``share-damaged``, with ``cid`` and ``share_no``: the bytes are not those
                that were stored. The share no longer counts as held.
        """
        if not 1 <= count <= MAX_READ_BLOCKS:
            raise BadInput(f"1 to {MAX_READ_BLOCKS} blocks are read at once.")
        name = ShareName(cid, share_no)

        def read(share: ShareFile) -> tuple[StoredBlock, ...]:
            return tuple(share.read(segment_no) for segment_no in range(first, first + count))

        return await self._in_thread("Reading a share", lambda: self._with_share(name, read))

    async def read_manifest(self, cid: bytes) -> bytes | None:
        """Return the manifest of a file of which a share is held, or None.

        Raises:
            LocalFault: ``share-damaged``.
        """
        shares = self._index.shares_of(cid) or self._index.shares_of(cid, damaged=True)
        if not shares:
            return None
        name = ShareName(cid, shares[0])

        def read(share: ShareFile) -> bytes:
            return share.manifest_data

        return await self._in_thread("Reading a share", lambda: self._with_share(name, read))

    def shares_of(self, cid: bytes) -> tuple[int, ...]:
        """Return the numbers of the undamaged shares held of a file. Some 20 µs."""
        return self._index.shares_of(cid)

    # Keeping

    async def delete(self, cid: bytes, share_no: int) -> None:
        """Remove a share; one that is not held is no error.

        Raises:
            LocalFault: the disk's codes, ``index-failed``.
        """
        name = ShareName(cid, share_no)
        for file_bytes in await self._in_thread("Removing a share", lambda: self._delete(name)):
            self._space.removed(file_bytes)

    def usage(self) -> SpaceUsage:
        """Return how much is lent, promised and used."""
        return self._space.usage

    def set_capacity(self, capacity_bytes: int) -> None:
        """Lend another amount. Less than is used removes nothing, it only takes no more in."""
        self._space.capacity_bytes = capacity_bytes

    async def names_after(self, name: ShareName | None, limit: int) -> list[ShareName]:
        """Return up to ``limit`` names of shares, damaged ones too, in order, behind ``name``."""
        return await self._in_thread("Listing shares", lambda: self._index.after(name, limit))

    async def check_share(self, name: ShareName, checked_s: int) -> int:
        """Read and hash a whole share, and note the outcome; return the bytes of its file.

        One trip to the disk for each ``MAX_READ_BLOCKS`` blocks. A share that was taken for damaged
        and reads well (a loose cable, a disk that was away) counts as held again.

        Raises:
            Refused: ``no-share``.
            LocalFault: ``share-damaged``.
        """

        def count(share: ShareFile) -> tuple[int, int]:
            return share.segment_count, share.file_bytes

        self._open_shares.drop(name)  # what is remembered of the file proves nothing
        segments, file_bytes = await self._in_thread(
            "Checking a share", lambda: self._with_share(name, count)
        )
        for first in range(0, segments, MAX_READ_BLOCKS):
            blocks = min(MAX_READ_BLOCKS, segments - first)
            await self.read_blocks(name.cid, name.share_no, first, blocks)
        mark = functools.partial(self._index.mark, name, damaged=False, checked_s=checked_s)
        await self._in_thread("Checking a share", mark)
        return file_bytes

    # Inside

    def _adopt(self, found: Recovery) -> None:
        self._space.shares, self._space.used_bytes = self._index.totals()
        self._measure()
        self._uploads.adopt(found.parts)

    def _close(self) -> None:
        self._uploads.close()
        self._open_shares.close()

    async def _in_thread(self, doing: str, function: Callable[[], _T]) -> _T:
        def work() -> _T:
            with disk_faults(doing):
                return function()

        return await self._work(work)

    def _measure(self) -> None:
        self._space.disk_free_bytes = self._disk.free_bytes(self._layout.directory)

    async def _reserve(self, file_bytes: int) -> Reservation:
        try:
            return self._space.reserve(file_bytes)
        except Refused:  # the disk may have more space than it had after the last commit
            await self._in_thread("Looking for space", self._measure)
            return self._space.reserve(file_bytes)

    async def _commit(self, job: CommitJob) -> StoredShare:
        try:
            self._commits.start_nowait(job)
        except (Refused, LocalFault) as error:
            job.end(error)
        return await job.wait()

    def _settle(self, promise: Reservation, job: CommitJob) -> None:
        self._space.release(promise)
        self._count(job)

    def _settle_upload(self, upload: Upload, job: CommitJob) -> None:
        self._uploads.settle(upload, gone=job.written is not None)
        self._count(job)

    def _count(self, job: CommitJob) -> None:
        if not job.error:
            self._open_shares.drop(job.outcome.stored.name)
            if job.replaced_bytes is not None:
                self._space.removed(job.replaced_bytes)
            self._space.added(job.outcome.file_bytes)

    def _stored_before(self, share_no: int, manifest: bytes) -> StoredShare:
        """Answer a ``finish`` that was answered before, when the share is here already."""
        if not self._index.holds(ShareName(content_id(manifest), share_no)):
            raise BadInput("There is no such upload; begin it first.", code="no-upload")
        return _describe(share_no, manifest)

    def _open_share(self, name: ShareName) -> ShareFile:
        return ShareFile.open(self._disk, self._layout.share(name), name)

    def _with_share(self, name: ShareName, read: Callable[[ShareFile], _T]) -> _T:
        if not self._index.knows(name):
            raise Refused("This node does not hold that share.", code="no-share")
        try:
            with self._open_shares.use(name) as share:
                return read(share)
        except LocalFault:
            self._open_shares.drop(name)
            if not self._index.knows(name):  # removed meanwhile
                raise Refused("This node does not hold that share.", code="no-share") from None
            self._index.mark(name, damaged=True)
            raise

    def _delete(self, name: ShareName) -> list[int]:
        removed = self._index.remove([name])
        self._open_shares.drop(name)
        self._disk.unlink(self._layout.share(name))
        return removed


def _describe(share_no: int, data: bytes) -> StoredShare:
    """Return what a share is that the index holds, so that its manifest was checked before."""
    manifest = parse_manifest(data)
    assert isinstance(manifest, Manifest)
    return described_share(share_no, data, manifest)


def _write_once(
    disk: Disk,
    path: Path,
    header: ShareHeader,
    manifest: bytes,
    blocks: Sequence[Data],
    segment_hashes: Sequence[bytes],
) -> WrittenShare:
    stored, data = compose_share(header, manifest, blocks, segment_hashes)
    file = disk.create(path)
    written = WrittenShare(
        stored=stored, upload_id=header.upload_id, file=file, file_bytes=len(data), path=path
    )
    try:
        file.write_at(0, data)
    except OSError:
        with suppress(OSError):
            written.discard(disk)
        raise
    return written
