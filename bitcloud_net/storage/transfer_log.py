"""What this program was doing, so that it can go on after a restart.

Two things are kept in ``local.db``: *transfers*, as the person sees them, with what is needed to
start them again; and *jobs*, one for each large file on its way out: the file's secret (sealed),
its holders, the roots of the segments that were sealed, the receipts that came back.

Nothing here cannot be made again by publishing or fetching once more, so a damaged log is put aside
and an empty one begun.
"""

from __future__ import annotations

import functools
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from bitcloud_net.clock import Clock
from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.storage.local_file import PlannedFile
from bitcloud_net.storage.sqlite_file import (
    connect,
    is_whole,
    make_schema,
    marks,
    move_aside,
    transaction,
)
from bitcloud_net.storage.upload_job import JOB_SCHEMA, UploadJob, find_job
from bitcloud_net.storage.worker import Worker, worker_threads
from bitcloud_net.views import Transfer, TransferKind, TransferState, to_json

MAX_ENDED = 100
"""Ended transfers that are remembered: as many as a program lists."""
MAX_JOB_AGE_S = 30 * 24 * 3600
"""A job that nobody went on with for so long is forgotten; the nodes gave it up after a week."""

Order: TypeAlias = Mapping[str, "str | Sequence[str]"]
"""What starts a transfer again: plain names and texts, as the caller likes them."""

_APPLICATION_ID = 0x42434C4F  # "BCLO"
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE transfer (
  id TEXT PRIMARY KEY,
  started_s INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  snapshot TEXT NOT NULL,
  request TEXT NOT NULL
) STRICT;
{JOB_SCHEMA}
"""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedTransfer:
    """A transfer of an earlier run: how it stood, and what starts it again."""

    transfer: Transfer
    order: Order


@asynccontextmanager
async def open_transfer_log(
    path: Path,
    *,
    key: bytes,
    random_bytes: Callable[[int], bytes],
    clock: Clock | None = None,
    work: Worker | None = None,
) -> AsyncIterator[TransferLog]:
    """Open the log at ``path``, made if missing, for as long as the block lasts.

    ``key`` seals the files' secrets: 32 bytes derived from the vault. ``random_bytes`` gives the
    secrets of new files.

    Raises:
        LocalFault: ``database-too-new``, ``log-failed``.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"the sealing key has {KEY_BYTES} bytes")
    work = work or worker_threads(1)  # one writer
    now_s = (clock or Clock()).now_s
    database = await work(functools.partial(_open, path, now_s() - MAX_JOB_AGE_S))
    log = TransferLog(database, key, random_bytes, now_s, work)
    try:
        yield log
    finally:
        database.close()


class TransferLog:
    """See the module. Made by ``open_transfer_log``; any number of tasks may call it at once.

    Cancel: safe for every method; what has begun is written.

    Raises:
        LocalFault: ``log-failed`` from every method, when the disk or SQLite cannot do it.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        key: bytes,
        random_bytes: Callable[[int], bytes],
        now_s: Callable[[], int],
        work: Worker,
    ) -> None:
        self._database = database
        self._key = key
        self._random_bytes = random_bytes
        self._now_s = now_s
        self._work = work

    async def remember(self, transfer: Transfer, order: Order) -> None:
        """Write how a transfer stands, durably, replacing what was known of it."""
        values = (
            transfer.id,
            transfer.started_s,
            transfer.ended,
            json.dumps(to_json(transfer)),
            json.dumps(dict(order)),
        )

        def write(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR REPLACE INTO transfer VALUES (?, ?, ?, ?, ?)", values)
            database.execute(
                "DELETE FROM transfer WHERE ended AND id NOT IN (SELECT id FROM transfer"
                " WHERE ended ORDER BY started_s DESC, rowid DESC LIMIT ?)",
                [MAX_ENDED],
            )

        await self._write(write)

    async def forget(self, transfer_id: str) -> None:
        """Forget a transfer; one that is not known is no error."""
        await self._write(
            lambda database: database.execute("DELETE FROM transfer WHERE id = ?", [transfer_id])
        )

    async def transfers(self) -> tuple[LoggedTransfer, ...]:
        """Return what is remembered, newest first."""
        query = "SELECT snapshot, request FROM transfer ORDER BY started_s DESC, rowid DESC"
        rows = await self._write(lambda database: database.execute(query).fetchall())
        return tuple(
            LoggedTransfer(transfer=_transfer(snapshot), order=json.loads(order))
            for snapshot, order in rows
        )

    async def job(self, file: PlannedFile, target: str) -> UploadJob:
        """Return the job that publishes this very file at ``target``, a new one if there is none.

        A job of an earlier state of the file at that path is forgotten.
        """
        secret = self._random_bytes(KEY_BYTES)
        find = functools.partial(find_job, file, target, self._key, secret, self._now_s())
        return UploadJob(await self._write(find), self._write)

    async def _write(self, act: Callable[[sqlite3.Connection], _T]) -> _T:
        def whole() -> _T:
            with _faults(), transaction(self._database):
                return act(self._database)

        return await self._work(whole)


def _open(path: Path, oldest_job_s: int) -> sqlite3.Connection:
    with _faults():
        if path.exists() and not _is_usable(path):
            _log.error("the log of transfers is damaged; put aside as %s", move_aside(path).name)
        database = connect(path, "FULL")
        if marks(database) == (0, 0):
            make_schema(database, _SCHEMA, _APPLICATION_ID, _VERSION)
        with transaction(database):
            database.execute("DELETE FROM job WHERE touched_s < ?", [oldest_job_s])
    return database


def _is_usable(path: Path) -> bool:
    """Return whether the log is whole. There is no older version to migrate yet."""
    try:
        with closing(connect(path, "FULL")) as database:
            application_id, version = marks(database)
            if application_id == _APPLICATION_ID and version > _VERSION:
                raise LocalFault(
                    f"{path} was written by a newer Bitcloud. Update the program; nothing was "
                    "changed.",
                    code="database-too-new",
                )
            known = (application_id, version) in ((0, 0), (_APPLICATION_ID, _VERSION))
            return known and is_whole(database)
    except sqlite3.DatabaseError:
        return False


def _transfer(snapshot: str) -> Transfer:
    known = {field.name for field in fields(Transfer)}
    values: dict[str, Any] = {
        name: value for name, value in json.loads(snapshot).items() if name in known
    }
    values["kind"] = TransferKind(values["kind"])
    values["state"] = TransferState(values["state"])
    values["missing"] = tuple(values.get("missing", ()))
    return Transfer(**values)


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LocalFault(
            f"The log of transfers could not be written: {error}. Look whether the disk is full.",
            code="log-failed",
        ) from error
