"""One SQLite file: one writer at a time, several readers beside it.

Work is a plain function on a connection, run in a worker thread. The file is in WAL mode, so
readers never wait for the writer. An authorizer allows each connection what it is for and nothing
else: no ATTACH, no PRAGMA, no change of the schema, no functions outside a list.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import trio

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.nodepool.migrate import Schema, migrate

_T = TypeVar("_T")

READERS = 4
"""Connections for reading; more only share the same disk and interpreter."""
MAX_VALUE_BYTES = MIB
"""Longest text or blob: our longest is a proof of two rows, 32 KiB."""
MAX_SQL_BYTES = 64 * KIB
"""Longest statement."""
BUSY_MS = 5_000
"""How long to wait for another process (a backup, a person's sqlite3) that holds the file."""

_READ = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_WRITE = _READ | {
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_TRANSACTION,
}
_FUNCTIONS = frozenset(
    {"count", "sum", "max", "min", "coalesce", "length", "substr", "total", "instr"}
)


class Runner(Protocol):
    """Runs blocking work. ``in_thread`` for real; a test in virtual time runs it on the spot,
    because that time does not wait for threads.
    """

    async def __call__(self, work: Callable[[], _T]) -> _T: ...


async def in_thread(work: Callable[[], _T]) -> _T:
    """Run ``work`` in a worker thread. Cancel: safe; work that has begun is finished first."""
    return await trio.to_thread.run_sync(work)


class Database:
    """An open database; made by ``open_database``. All its work runs in worker threads."""

    def __init__(
        self, writer: sqlite3.Connection, readers: list[sqlite3.Connection], run: Runner
    ) -> None:
        self._run = run
        self._writer = writer
        self._write_lock = trio.Lock()
        self._idle = readers
        self._reading = trio.Semaphore(len(readers))

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run ``work`` in one transaction: all of it happens, or, when it raises, nothing.

        Cancel: safe; work that has begun is finished and its result returned.

        Raises:
            LocalFault: ``disk-full`` or ``database-damaged``.
        """

        def transaction() -> _T:
            with translated_errors(), transaction_on(self._writer):
                return work(self._writer)

        async with self._write_lock:
            return await self._run(transaction)

    async def change_form(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Like ``write``, but ``work`` may also make and drop tables. Its statements are our
        own.
        """

        def unguarded() -> _T:
            self._writer.set_authorizer(None)
            try:
                with translated_errors(), transaction_on(self._writer):
                    return work(self._writer)
            finally:
                self._writer.set_authorizer(_authorizer(_WRITE))

        async with self._write_lock:
            return await self._run(unguarded)

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run ``work`` on a connection that can only read. Cancel: safe.

        Raises:
            LocalFault: ``database-damaged``.
        """

        def reading() -> _T:
            connection = self._idle.pop()
            try:
                with translated_errors():
                    return work(connection)
            finally:
                self._idle.append(connection)

        async with self._reading:
            return await self._run(reading)

    def close(self) -> None:
        """Close all connections. The database must be idle."""
        _close([*self._idle, self._writer])


@asynccontextmanager
async def open_database(
    path: Path, schema: Schema, *, durable: bool, run: Runner
) -> AsyncIterator[Database]:
    """Open or make the database at ``path``, whose folder must exist.

    ``durable``: whether each transaction is on the disk when ``write`` returns; without it a power
    cut may lose the last seconds, never more.

    Raises:
        LocalFault: ``database-damaged``, ``database-too-new``, ``database-foreign``, ``disk-full``.
    """
    database = await run(lambda: _open(path, schema, run, durable=durable))
    try:
        yield database
    finally:
        with trio.CancelScope(shield=True):
            await run(database.close)


def connect_writer(path: Path, schema: Schema, *, durable: bool) -> sqlite3.Connection:
    """Open, check and migrate a database for one thread at a time; the caller closes it.

    Raises:
        LocalFault: as ``open_database``.
    """
    opened: list[sqlite3.Connection] = []
    try:
        with translated_errors():
            writer = _connect(path, opened)
            writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            _check(writer)
            migrate(writer, schema)
            writer.set_authorizer(_authorizer(_WRITE))
    except BaseException:
        _close(opened)
        raise
    return writer


def set_aside(path: Path) -> Path:
    """Move a damaged database out of the way, replacing an earlier one, and return its new name."""
    aside = path.with_name(path.name + ".damaged")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.replace(aside)
    return aside


@contextmanager
def transaction_on(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit at the end, roll back when it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise LocalFault("the disk is full", code="disk-full") from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise LocalFault(
                f"the database is damaged: {error}", code="database-damaged"
            ) from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
            raise LocalFault(f"the database: {error}", code="database-unusable") from error
        raise
    except UnicodeDecodeError as error:  # SQLite quotes a damaged schema in its message
        raise LocalFault("the database is damaged", code="database-damaged") from error


def _open(path: Path, schema: Schema, run: Runner, *, durable: bool) -> Database:
    readers: list[sqlite3.Connection] = []
    writer = connect_writer(path, schema, durable=durable)
    try:
        with translated_errors():
            for _ in range(READERS):
                reader = _connect(path, readers)
                reader.execute("PRAGMA query_only = ON")
                reader.set_authorizer(_authorizer(_READ))
    except BaseException:
        _close([*readers, writer])
        raise
    return Database(writer, readers, run)


def _close(connections: list[sqlite3.Connection]) -> None:
    for connection in connections:
        connection.close()


def _connect(path: Path, opened: list[sqlite3.Connection]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    opened.append(connection)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_SQL_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    return connection


def _check(connection: sqlite3.Connection) -> None:
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise LocalFault(f"the database is damaged: {answer}", code="database-damaged")


def _authorizer(allowed: set[int]) -> Callable[..., int]:
    def decide(action: int, first: str | None, second: str | None, *_: object) -> int:
        if action in allowed:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return decide
