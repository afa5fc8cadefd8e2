"""Whom this person avoids, and why: a private list that never leaves the machine.

What can be measured is told to everybody, as fault rows and as revocations. What somebody merely
thinks of somebody is not: it is kept here, in a database of its own in the home (``private.db``),
which no part of the network ever opens. Those on the list are looked up in memory.
"""

from __future__ import annotations

import functools
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bitcloud_net.core.errors import BadInput, LocalFault
from bitcloud_net.storage.sqlite_file import (
    connect,
    is_whole,
    make_schema,
    marks,
    move_aside,
    transaction,
)
from bitcloud_net.storage.worker import Worker, worker_threads

FILE = "private.db"
MAX_AVOIDED = 10_000
"""More is not a person's list any more."""
MAX_REASON_CHARS = 1_000

_APPLICATION_ID = 0x42435052  # "BCPR"
_VERSION = 1
_SCHEMA = """
CREATE TABLE avoided (
  key BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  reason TEXT NOT NULL,
  since_s INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvoidedKey:
    """Somebody on the list."""

    key: bytes  # of a person, a publisher or a node
    name: str  # as it was shown when it was put there
    reason: str  # the person's own words
    since_s: int


@asynccontextmanager
async def open_avoid_list(path: Path, work: Worker | None = None) -> AsyncIterator[AvoidList]:
    """Open the list at ``path``, made if missing, for as long as the block lasts. A damaged one is
    put aside, so that what can be read of it stays.

    Raises:
        LocalFault: ``database-too-new``, ``list-failed``.
    """
    work = work or worker_threads(1)
    database = await work(functools.partial(_open, path))
    try:
        yield AvoidList(database, await work(functools.partial(_load, database)), work)
    finally:
        database.close()


class AvoidList:
    """See the module. Made by ``open_avoid_list``.

    Cancel: safe; what has begun is written. Writing raises ``LocalFault`` (``list-failed``).
    """

    def __init__(
        self, database: sqlite3.Connection, held: dict[bytes, AvoidedKey], work: Worker
    ) -> None:
        self._database = database
        self._held = held
        self._work = work

    def __contains__(self, key: object) -> bool:
        """Whether somebody is avoided. Costs nothing."""
        return key in self._held

    def all(self) -> tuple[AvoidedKey, ...]:
        """Return everybody on the list, the latest first."""
        return tuple(sorted(self._held.values(), key=lambda each: (-each.since_s, each.key)))

    async def add(self, avoided: AvoidedKey) -> None:
        """Put somebody on the list, or write another reason.

        Raises:
            BadInput: ``too-many``, ``too-long``.
        """
        if len(avoided.reason) > MAX_REASON_CHARS:
            raise BadInput(f"a reason has at most {MAX_REASON_CHARS} characters", code="too-long")
        if len(self._held) >= MAX_AVOIDED and avoided.key not in self._held:
            raise BadInput(f"a list has at most {MAX_AVOIDED} keys", code="too-many")
        values = (avoided.key, avoided.name, avoided.reason, avoided.since_s)
        await self._write("INSERT OR REPLACE INTO avoided VALUES (?, ?, ?, ?)", values)
        self._held[avoided.key] = avoided

    async def remove(self, key: bytes) -> None:
        """Take somebody off the list; who is not on it is no error."""
        await self._write("DELETE FROM avoided WHERE key = ?", (key,))
        self._held.pop(key, None)

    async def _write(self, sql: str, values: tuple[object, ...]) -> None:
        def whole() -> None:
            with _faults(), transaction(self._database):
                self._database.execute(sql, values)

        await self._work(whole)


def _open(path: Path) -> sqlite3.Connection:
    with _faults():
        if path.exists() and not _is_usable(path):
            _log.error("the private list is damaged; put aside as %s", move_aside(path).name)
        database = connect(path, "FULL")
        if marks(database) == (0, 0):
            make_schema(database, _SCHEMA, _APPLICATION_ID, _VERSION)
    return database


def _is_usable(path: Path) -> bool:
    try:
        with closing(connect(path, "FULL")) as database:
            found = marks(database)
            if found[0] == _APPLICATION_ID and found[1] > _VERSION:
                message = f"{path} was written by a newer Bitcloud; update this one first"
                raise LocalFault(message, code="database-too-new")
            return found in ((0, 0), (_APPLICATION_ID, _VERSION)) and is_whole(database)
    except sqlite3.DatabaseError:
        return False


def _load(database: sqlite3.Connection) -> dict[bytes, AvoidedKey]:
    with _faults():
        found = database.execute("SELECT key, name, reason, since_s FROM avoided").fetchall()
    return {
        key: AvoidedKey(key=key, name=name, reason=reason, since_s=since_s)
        for key, name, reason, since_s in found
    }


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        message = f"the private list cannot be kept: {error}; look whether the disk is full"
        raise LocalFault(message, code="list-failed") from error
