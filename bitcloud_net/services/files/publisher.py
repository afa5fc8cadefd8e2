"""Publishing files and folders: from paths on this disk to rows that everybody finds.

In order: the sources are walked, and what cannot be published is named; the folders are made; small
files go eight at a time, large ones one after another beside them; each stored file gets its rows,
written in batches. A file is listed as soon as it can be read (k receipts). It is *safe* when the
receipts reach k and 70 % of the spare shares; until then the transfer is at risk, and missing
shares are made again as their nodes come back. A file that cannot be read or stored does not keep
the others from being published; it is named at the end, and sent when the transfer is resumed.

A large file's upload is a *job* in the transfer log: its secret, its holders and how far it got.
Run again after a crash, the job goes on where it was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import BadInput, BitcloudError, PeerFault, Refused, Unavailable
from bitcloud_net.core.files.caps import SECRET_BYTES, ReadCap
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.health import classify
from bitcloud_net.core.files.placement import receipts_needed
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.files.tree import FileEntry, FolderEntry
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.units import INLINE_BYTES, SEGMENT_BYTES
from bitcloud_net.protocols.share_client import ShareClients
from bitcloud_net.services.files.library import Library, StoredEntry
from bitcloud_net.services.files.listed_before import ListedBefore
from bitcloud_net.services.files.reader import Reader
from bitcloud_net.services.files.repairer import Repairer
from bitcloud_net.services.files.transfers import Handle
from bitcloud_net.services.grid import Grid
from bitcloud_net.storage.local_file import PlannedFile
from bitcloud_net.storage.walk import Walk
from bitcloud_net.tasks import open_tasks
from bitcloud_net.transfer.upload import (
    Journal,
    Source,
    Uploaded,
    UploadPlan,
    make_inline,
    too_few_takers,
    upload,
)
from bitcloud_net.views import Health, HealthState, Published, TransferState
from bitcloud_net.wire.http_media import media_type_of

SMALL_AT_ONCE: Final = 8
"""Small files under way together: enough to hide the round trips, few enough for memory."""
LARGE_BYTES: Final = 4 * SEGMENT_BYTES
"""From here on one file at a time: each keeps some 13 MB of segments in memory."""
BATCH_FILES: Final = 64
"""Stored files whose rows are written together."""
BATCH_S: Final = 0.3
"""A stored file waits at most so long for its rows."""
MAX_NAMED: Final = 100
"""So many files that were not published are named in the transfer."""
HOPELESS_FAILURES: Final = 8
"""When the grid could not take so many files in a row, the rest is not tried."""
AT_RISK_AGAIN_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits between two tries to bring a file at risk to safety; the last one repeats."""


class Files(Protocol):
    """The person's own files (``storage.local_file``)."""

    async def walk(self, sources: Sequence[Path]) -> Walk: ...
    def open(self, file: PlannedFile) -> AbstractAsyncContextManager[Source]: ...


class Job(Journal, Protocol):
    """The upload of one large file, as the transfer log remembers it."""

    @property
    def secret(self) -> bytes: ...
    @property
    def params(self) -> CodeParams | None: ...
    @property
    def holders(self) -> tuple[NodeId, ...]: ...
    @property
    def stored(self) -> frozenset[int]:
        """Shares with a receipt from an earlier run."""

    async def place(self, params: CodeParams, holders: tuple[NodeId, ...]) -> None: ...
    async def done(self) -> None: ...


class Jobs(Protocol):
    """The part of the transfer log that publishing needs."""

    async def job(self, file: PlannedFile, target: str) -> Job:
        """Return the job of this very file (path, size, date) and target, a new one if none."""


class Publisher:
    """Publishes what a person chooses."""

    def __init__(
        self,
        library: Library,
        grid: Grid,
        clients: ShareClients,
        reader: Reader,
        repairer: Repairer,
        files: Files,
        jobs: Jobs | None,
        random_bytes: Callable[[int], bytes],
        on_fault: Callable[[PeerFault], None] = lambda fault: None,
    ) -> None:
        """``on_fault`` hears of nodes whose receipts are for something else."""
        self._on_fault = on_fault
        self.library = library
        self._grid = grid
        self._clients = clients
        self.reader = reader
        self.repairer = repairer
        self.files = files
        self._jobs = jobs
        self._random_bytes = random_bytes
        self._under_way: dict[tuple[Path, str], trio.Event] = {}

    async def publish(
        self, handle: Handle, sources: Sequence[Path], to: str
    ) -> tuple[Published, ...]:
        """Publish and return what was published, in order, then what was not, and why. The handle
        shows the progress, and what is missing as its ``shortfall``.

        Cancel: safe; what was listed stays, a large file goes on where it was.

        Raises:
            BadInput: a source that cannot be published, before anything was; ``not-yours``,
                ``no-such-person``; what a single file failed with.
            Unavailable: ``too-few-nodes``, for a single file.
            LocalFault: this machine.
        """
        walk = await self.files.walk(sources)
        files = walk.files
        handle.update(
            files_total=len(files), bytes_total=sum(file.size for file in files), files_done=0
        )
        run = _Run(self, handle, to)
        done = await run.publish(files)
        left_out = tuple(_not_published(str(one.path), 0, one.reason) for one in walk.skipped)
        handle.shortfall = _shortfall([*done, *left_out])
        missing = [item.path for item in (*done, *left_out) if item.failed]
        handle.update(missing=tuple(missing[:MAX_NAMED]))
        return (*done, *left_out)

    async def store(
        self, file: PlannedFile, target: str, source: Source, progress: Callable[[int], None]
    ) -> _Stored:
        """Store one file's content and return what is needed to list it."""
        media_type = media_type_of(file.parts[-1], None)
        if file.size <= INLINE_BYTES:
            plan = UploadPlan(
                secret=self._random_bytes(SECRET_BYTES),
                params=CodeParams(1, 1),
                media_type=media_type,
                size=file.size,
            )
            inline = await make_inline(plan, source)
            progress(file.size)
            return _Stored(plan=plan, uploaded=inline, holders=())
        async with self._alone(file, target):
            return await self._store_shares(file, target, source, media_type, progress)

    async def _store_shares(
        self,
        file: PlannedFile,
        target: str,
        source: Source,
        media_type: str | None,
        progress: Callable[[int], None],
    ) -> _Stored:
        job = await self._job(file, target)
        params, holders = await self._placed(job)
        plan = UploadPlan(secret=job.secret, params=params, media_type=media_type, size=file.size)
        takers = {
            number: self._clients.of(node)
            for number, node in enumerate(holders)
            if number not in job.stored
        }
        uploaded = await upload(plan, source, takers, job, progress)
        for failure in uploaded.failures.values():
            if isinstance(failure, PeerFault):
                self._on_fault(failure)
        have = job.stored | set(uploaded.receipts)
        placed = tuple(node if no in have else NodeId(b"") for no, node in enumerate(holders))
        return _Stored(plan=plan, uploaded=uploaded, holders=placed, job=job)

    @asynccontextmanager
    async def _alone(self, file: PlannedFile, target: str) -> AsyncIterator[None]:
        """Wait until nobody else stores this very file there: both would share one job."""
        name = (file.path, target)
        while (other := self._under_way.get(name)) is not None:
            await other.wait()
        done = self._under_way[name] = trio.Event()
        try:
            yield
        finally:
            del self._under_way[name]
            done.set()

    async def _job(self, file: PlannedFile, target: str) -> Job:
        if file.size >= LARGE_BYTES and self._jobs is not None:
            return await self._jobs.job(file, target)
        return _Forgetful(self._random_bytes(SECRET_BYTES))

    async def _placed(self, job: Job) -> tuple[CodeParams, tuple[NodeId, ...]]:
        if job.params is not None:
            return job.params, job.holders
        placing = await self._grid.place(FileKeys.from_secret(job.secret).upload_id)
        await job.place(placing.params, placing.holders)
        return placing.params, placing.holders


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """One file whose content is stored."""

    plan: UploadPlan
    uploaded: Uploaded
    holders: tuple[NodeId, ...]  # in share order, b"" without a receipt; () inside its row
    job: Job | None = None  # over when the file is listed

    @property
    def health(self) -> Health:
        """The health that the storage receipts prove."""
        if not self.holders:
            return Health(state=HealthState.HEALTHY, alive=0, total=0, needed=0, checked_s=None)
        k, n = self.plan.params.k, self.plan.params.n
        alive = sum(bool(node) for node in self.holders)
        state = HealthState(classify(alive, k, n).value)
        return Health(state=state, alive=alive, total=n, needed=k, checked_s=None)


class _Forgetful:
    """The job of a file that is sent so fast that remembering it would cost more."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.params: CodeParams | None = None
        self.holders: tuple[NodeId, ...] = ()
        self.stored: frozenset[int] = frozenset()
        self.roots = ()

    async def place(self, params: CodeParams, holders: tuple[NodeId, ...]) -> None:
        self.params, self.holders = params, holders

    async def segment_done(self, index: int, roots: object) -> None:
        return

    async def share_done(self, receipt: object) -> None:
        return

    async def done(self) -> None:
        return


class _Run:
    """One call of ``publish``."""

    def __init__(self, publisher: Publisher, handle: Handle, to: str) -> None:
        self._publisher = publisher
        self._library = publisher.library
        self._handle = handle
        self._to = to
        self._folders: dict[tuple[str, ...], tuple[str, FolderEntry]] = {}
        self._published: dict[int, Published] = {}
        self._failed: dict[int, Published] = {}
        self._in_vain = 0  # files in a row that the grid could not take
        self._is_one_of_many = True
        self._stored: list[tuple[StoredEntry, Job | None]] = []  # and not listed yet
        self._bytes_done = 0
        self._before = ListedBefore(
            publisher.library,
            publisher.reader,
            publisher.repairer,
            since_s=handle.snapshot.started_s,
        )

    async def publish(self, files: Sequence[PlannedFile]) -> tuple[Published, ...]:
        """Publish; return what was, in order, and then what was not."""
        self._is_one_of_many = len(files) > 1
        for parts in sorted({file.parts[:-1] for file in files}):
            await self._make_folder(parts)
        try:
            await self._store_all(files)
        finally:
            await self._write_rows()
        await self._bring_to_safety()
        both = (self._published, self._failed)
        return tuple(named[number] for named in both for number in sorted(named))

    async def _store_all(self, files: Sequence[PlannedFile]) -> None:
        small = [item for item in enumerate(files) if item[1].size < LARGE_BYTES]
        large = [item for item in enumerate(files) if item[1].size >= LARGE_BYTES]
        async with open_tasks() as writing:
            writing.start_soon(self._write_rows_now_and_then)
            async with open_tasks() as tasks:
                tasks.start_soon(self._publish_each, iter(large))
                shared = iter(small)
                for _ in range(min(SMALL_AT_ONCE, len(small))):
                    tasks.start_soon(self._publish_each, shared)
            writing.cancel_scope.cancel()

    async def _publish_each(self, files: Iterator[tuple[int, PlannedFile]]) -> None:
        for number, file in files:
            try:
                if self._in_vain < HOPELESS_FAILURES:
                    await self._publish_one(number, file)
                    self._in_vain = 0
                else:
                    raise _hopeless()
            except (BadInput, Refused, Unavailable) as error:
                self._note_failure(number, file, error)

    def _note_failure(self, number: int, file: PlannedFile, error: BitcloudError) -> None:
        """Go on with the other files; a single one fails as it is."""
        if not self._is_one_of_many:
            raise error
        self._in_vain += not isinstance(error, BadInput)
        path, _ = self._folders[file.parts[:-1]]
        self._failed[number] = _not_published(f"{path}/{file.parts[-1]}", file.size, error)

    async def _publish_one(self, number: int, file: PlannedFile) -> None:
        path, folder = self._folders[file.parts[:-1]]
        if self._handle.resumed and (done := await self._before.find(path, folder, file)):
            self._bytes_done += file.size
            self._tell(number, done)
            return
        counted = 0

        def progress(done: int) -> None:
            nonlocal counted
            self._bytes_done += done - counted
            counted = done
            self._handle.update(bytes_done=self._bytes_done)

        try:
            stored = await self._store(file, path, progress)
        except BitcloudError:
            progress(0)
            raise
        health = stored.health
        cap = ReadCap(stored.uploaded.cid, stored.plan.secret)
        entry = FileEntry(
            name=file.parts[-1],
            cap=cap,
            size=file.size,
            media_type=stored.plan.media_type or "",
            modified_s=file.modified_s,
        )
        manifest, holders = stored.uploaded.manifest, stored.holders
        listed = StoredEntry(folder=folder, entry=entry, manifest=manifest, holders=holders)
        self._stored.append((listed, stored.job))
        full = f"{path}/{entry.name}"
        self._tell(number, Published(path=full, size_bytes=file.size, health=health))
        if len(self._stored) >= BATCH_FILES:
            await self._write_rows()

    async def _store(
        self, file: PlannedFile, path: str, progress: Callable[[int], None]
    ) -> _Stored:
        async with self._publisher.files.open(file) as source:
            stored = await self._publisher.store(file, path, source, progress)
        health = stored.health
        if health.state is HealthState.UNREADABLE:
            failures = stored.uploaded.failures.values()
            raise too_few_takers(health.alive, health.needed, failures)
        return stored

    def _tell(self, number: int, item: Published) -> None:
        health = item.health
        self._published[number] = item
        self._handle.update(
            bytes_done=self._bytes_done,
            files_done=len(self._published),
            receipts=health.alive,
            receipts_needed=receipts_needed(health.needed, health.total) if health.total else 0,
        )

    async def _make_folder(self, parts: tuple[str, ...]) -> None:
        base = self._to or await self._library.home_path()
        found = await self._library.make_folder("/".join((base, *parts)))
        self._folders[parts] = (found.path, found.folder)

    async def _write_rows_now_and_then(self) -> None:
        while True:
            await trio.sleep(BATCH_S)
            await self._write_rows()

    async def _write_rows(self) -> None:
        stored, self._stored = self._stored, []
        if stored:
            with trio.CancelScope(shield=True):  # what is stored is listed, or it is lost
                await self._library.list_files([entry for entry, _ in stored])
                for _, job in stored:
                    if job is not None:
                        await job.done()

    async def _bring_to_safety(self) -> None:
        """Repair what has too few receipts, until it has enough."""
        waits = list(AT_RISK_AGAIN_S)
        while at_risk := [n for n, item in self._published.items() if not _is_safe(item.health)]:
            self._tell_risk(self._published[at_risk[0]])
            await trio.sleep(waits.pop(0) if len(waits) > 1 else waits[0])
            for number in at_risk:
                await self._try_again(number)
        if self._handle.snapshot.state is TransferState.AT_RISK:
            receipts = self._handle.snapshot.receipts_needed
            self._handle.update(
                state=TransferState.RUNNING, receipts=receipts, reason=None, reason_code=None
            )

    async def _try_again(self, number: int) -> None:
        item = self._published[number]
        try:
            found = await self._publisher.reader.find(item.path)
            checked = await self._publisher.repairer.repair(found)
        except BitcloudError:
            return  # the next try comes
        self._published[number] = Published(
            path=item.path, size_bytes=item.size_bytes, health=checked.health
        )

    def _tell_risk(self, item: Published) -> None:
        needed = receipts_needed(item.health.needed, item.health.total)
        self._handle.update(
            state=TransferState.AT_RISK,
            receipts=item.health.alive,
            receipts_needed=needed,
            reason=f"handed over, waiting for {needed - item.health.alive} more storage receipts",
            reason_code="at-risk",
        )


def _not_published(path: str, size: int, error: BitcloudError) -> Published:
    nothing = Health(state=HealthState.UNREADABLE, alive=0, total=0, needed=0, checked_s=None)
    return Published(
        path=path, size_bytes=size, health=nothing, fault=error.code, reason=error.message
    )


def _shortfall(items: Sequence[Published]) -> Unavailable | None:
    """Return what the transfer as a whole is short of."""
    failed = [item for item in items if item.failed]
    if not failed:
        return None
    first = failed[0]
    return Unavailable(
        f"{len(failed)} of {len(items)} files were not published, among them {first.path}: "
        f"{first.reason}; when you resume it, these alone are sent",
        code="some-not-published",
    )


def _hopeless() -> Unavailable:
    return Unavailable(
        f"not tried: the grid could not take {HOPELESS_FAILURES} files before this one",
        code="not-tried",
    )


def _is_safe(health: Health) -> bool:
    return not health.total or health.alive >= receipts_needed(health.needed, health.total)
