"""Many shares, one trip to the disk: how finished shares become durable.

Whatever waits when the disk is free goes together: each file is written and synced, then all get
their names, then the directories are synced, then one transaction tells the index. Only then does
any caller hear of it. A share that fails takes no other with it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import trio

from bitcloud_net.core.errors import BitcloudError, LocalFault, Malformed, Refused
from bitcloud_net.storage.disk import Disk, fault_of
from bitcloud_net.storage.share_file import StoredShare
from bitcloud_net.storage.share_index import IndexedShare, ShareIndex
from bitcloud_net.storage.share_part import WrittenShare
from bitcloud_net.storage.store_layout import StoreLayout
from bitcloud_net.storage.worker import Worker

MAX_GROUP = 64
"""Shares in one trip; more only makes the first of them wait longer."""
MAX_WAITING = 1024
"""Shares waiting for the trip. Their callers hold the bytes, and are bounded themselves."""


class CommitJob:
    """One share on its way to being durable.

    ``write`` runs in a worker thread: it returns the written share, or raises and leaves nothing.
    ``settle`` is called once in trio when the outcome is known, even if nobody waits any more.
    """

    def __init__(
        self, write: Callable[[], WrittenShare], settle: Callable[[CommitJob], None]
    ) -> None:
        self.written: WrittenShare | None = None
        self.replaced_bytes: int | None = None
        """Size of the file of the same share that was held before."""
        self.error: BitcloudError | None = None
        self._write = write
        self._settle = settle
        self._done = trio.Event()

    @property
    def outcome(self) -> WrittenShare:
        """The written share; only after ``write``."""
        assert self.written
        return self.written

    def write(self) -> None:
        """Write the share. In a worker thread."""
        self.written = self._write()

    @contextlib.contextmanager
    def keep_error(self) -> Iterator[None]:
        """Keep what goes wrong in the block as the job's outcome."""
        try:
            yield
        except OSError as error:
            self.error = fault_of(error, "Storing a share")
        except Malformed as error:
            self.error = Refused(
                f"The share does not fit its manifest: {error.message}.", code="manifest-mismatch"
            )
        except BitcloudError as error:
            self.error = error

    def end(self, error: BitcloudError | None = None) -> None:
        """Settle the job and wake its caller. In trio."""
        self.error = error or self.error
        self._settle(self)
        self._done.set()

    async def wait(self) -> StoredShare:
        """Wait for the outcome. Cancel: safe; the share may become durable all the same."""
        await self._done.wait()
        if self.error:
            raise self.error
        return self.outcome.stored


class GroupCommit:
    """The one task that makes shares durable."""

    def __init__(
        self,
        disk: Disk,
        layout: StoreLayout,
        index: ShareIndex,
        work: Worker,
        after_trip: Callable[[], None],
    ) -> None:
        """``after_trip`` is called in the worker thread at the end of each trip."""
        self._disk = disk
        self._layout = layout
        self._index = index
        self._work = work
        self._after_trip = after_trip
        self._send, self._receive = trio.open_memory_channel[CommitJob](MAX_WAITING)

    def start_nowait(self, job: CommitJob) -> None:
        """Hand a job in.

        Raises:
            Refused: ``busy``.
            LocalFault: ``store-closed``.
        """
        try:
            self._send.send_nowait(job)
        except trio.WouldBlock:
            raise Refused("This node's disk has too much to write.", code="busy") from None
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise _closed() from None

    def close(self) -> None:
        """Take no more jobs; ``run`` returns when those handed in are durable."""
        self._send.close()

    async def run(self) -> None:
        """Commit until ``close``. Cancel: the trip under way is finished, the rest is refused."""
        try:
            async for first in self._receive:
                jobs = [first, *self._more()]
                await self._work(functools.partial(self._commit, jobs))
                for job in jobs:
                    job.end()
        finally:
            for job in self._more():
                job.end(_closed())

    def _more(self) -> Iterator[CommitJob]:
        with contextlib.suppress(trio.WouldBlock, trio.EndOfChannel):
            for _ in range(MAX_GROUP - 1):
                yield self._receive.receive_nowait()

    def _commit(self, jobs: Sequence[CommitJob]) -> None:
        for step in (self._write, self._sync, self._rename):
            for job in jobs:
                if not job.error:
                    with job.keep_error():
                        step(job)
        self._sync_names([job for job in jobs if not job.error])
        self._tell_index([job for job in jobs if not job.error])
        for job in jobs:
            with contextlib.suppress(OSError):  # the next start removes what is left
                self._tidy(job)
        with contextlib.suppress(OSError):
            self._after_trip()

    def _write(self, job: CommitJob) -> None:
        job.write()

    def _sync(self, job: CommitJob) -> None:
        job.outcome.file.sync()
        job.outcome.file.close()

    def _rename(self, job: CommitJob) -> None:
        self._disk.rename(job.outcome.path, self._layout.share(job.outcome.stored.name))

    def _sync_names(self, jobs: Sequence[CommitJob]) -> None:
        by_bucket: dict[Path, list[CommitJob]] = {}
        for job in jobs:
            bucket = self._layout.share(job.outcome.stored.name).parent
            by_bucket.setdefault(bucket, []).append(job)
        for bucket, members in by_bucket.items():
            try:
                self._disk.sync_directory(bucket)
            except OSError as error:
                for job in members:
                    job.error = fault_of(error, "Storing a share")

    def _tell_index(self, jobs: Sequence[CommitJob]) -> None:
        """On failure the files stay under their names: the next start takes them in."""
        lines = [
            IndexedShare(
                name=job.outcome.stored.name,
                upload_id=job.outcome.upload_id,
                file_bytes=job.outcome.file_bytes,
            )
            for job in jobs
        ]
        try:
            for job, replaced_bytes in zip(jobs, self._index.add(lines), strict=True):
                job.replaced_bytes = replaced_bytes
        except LocalFault as error:
            for job in jobs:
                job.error = error

    def _tidy(self, job: CommitJob) -> None:
        if job.written and job.error:
            job.written.discard(self._disk)
        elif job.written and job.written.journal:
            self._disk.unlink(job.written.journal)


def _closed() -> LocalFault:
    return LocalFault("The share store was closed.", code="store-closed")
