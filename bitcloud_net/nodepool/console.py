"""SQL for people: any SELECT over the nodepool, and nothing but SELECT.

What a statement may do is decided by SQLite itself: its own read-only connection, an authorizer
with a list of functions, limits on lengths, and a handler that ends it after some seconds or
steps. Whatever is typed can neither change anything, nor open another file, nor hold the node up.

Functions beside SQLite's own: ``blake3(data)``, ``verify_sig(key, kind, message, signature)`` (1
or 0), ``role_of(key)`` (the bits of ``core.nodepool.table_rules.Role``), ``now_period()``.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.nodepool.table_rules import Role
from bitcloud_net.core.nodepool.table_text import Cell
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.nodepool.sql_functions import blake3_sql, verify_sig_sql

TIME_LIMIT_S: Final = 5.0
"""Longest run of one statement."""
STEP_LIMIT: Final = 200_000_000
"""SQLite instructions of one statement; about what five seconds allow, whatever the machine."""
MAX_ROWS: Final = 10_000
MAX_RESULT_BYTES: Final = 32 * MIB
"""Rows and bytes of one answer; more is cut off and said so."""
MAX_STATEMENT_BYTES: Final = 64 * KIB
MAX_CELL_BYTES: Final = MIB

_CHECK_EVERY_STEPS: Final = 10_000
_FUNCTION_NAMES: Final = """
    abs avg blake3 coalesce count date datetime dense_rank first_value format glob group_concat hex
    ifnull iif instr json json_array_length json_extract json_valid julianday lag last_value lead
    length like lower ltrim max min now_period ntile nullif printf quote rank replace role_of round
    row_number rtrim sign strftime substr substring sum time total trim typeof unicode unixepoch
    upper verify_sig
"""
_FUNCTIONS: Final = frozenset(_FUNCTION_NAMES.split())
_ACTIONS: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a SELECT returned. Text in it may come from strangers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    cut_off: bool  # whether there was more than the limits allow
    seconds: float


class Console:
    """Answers SELECTs over the database at ``path``. One statement at a time; others wait."""

    def __init__(self, path: Path, period: Callable[[], int]) -> None:
        self._path = path
        self._period = period
        self._one_at_a_time = trio.Lock()

    async def select(self, sql: str, values: Sequence[Cell] = ()) -> Table:
        """Run one SELECT with bound values and return what it finds.

        Cancel: safe; the statement is interrupted at once.

        Raises:
            BadInput: ``sql-error``, ``sql-not-allowed``, ``sql-too-long`` or
            ``sql-takes-too-long``.
        """
        if len(sql.encode("utf-8", "surrogatepass")) > MAX_STATEMENT_BYTES:
            raise BadInput("the statement is too long", code="sql-too-long")
        async with self._one_at_a_time:
            run = _Run(self._path, self._period)
            try:
                return await _interruptible(run, sql, values)
            finally:
                run.close()


class _Run:
    """One statement and its two connections: the second answers ``role_of``."""

    def __init__(self, path: Path, period: Callable[[], int]) -> None:
        address = path.absolute().as_uri() + "?mode=ro"
        self._lookup = sqlite3.connect(address, uri=True, check_same_thread=False)
        self._db = sqlite3.connect(address, uri=True, check_same_thread=False)
        self._period = period
        self._deadline = 0.0
        self._steps = 0
        self._protect()

    def close(self) -> None:
        self._db.close()
        self._lookup.close()

    def interrupt(self) -> None:
        self._db.interrupt()

    def select(self, sql: str, values: Sequence[Cell]) -> Table:
        start = time.monotonic()
        self._deadline, self._steps = start + TIME_LIMIT_S, 0
        with _explained():
            cursor = self._db.execute(sql, tuple(values))
            if cursor.description is None:
                raise BadInput("only SELECT is possible here", code="sql-not-allowed")
            rows, cut_off = _take(cursor)
            columns = tuple(column[0] for column in cursor.description)
        seconds = time.monotonic() - start
        return Table(columns=columns, rows=rows, cut_off=cut_off, seconds=seconds)

    def _protect(self) -> None:
        db = self._db
        db.execute("PRAGMA query_only = ON")
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA temp_store = FILE")  # a large sort goes to the disk, not into memory
        for limit, value in (
            (sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES),
            (sqlite3.SQLITE_LIMIT_SQL_LENGTH, MAX_STATEMENT_BYTES),
            (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
            (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
            (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 50),
            (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
            (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
        ):
            db.setlimit(limit, value)
        db.create_function("blake3", 1, blake3_sql, deterministic=True)
        db.create_function("verify_sig", 4, verify_sig_sql, deterministic=True)
        db.create_function("role_of", 1, self._role_of)
        db.create_function("now_period", 0, self._period)
        db.set_progress_handler(self._is_over, _CHECK_EVERY_STEPS)
        db.set_authorizer(_authorise)

    def _is_over(self) -> int:
        self._steps += _CHECK_EVERY_STEPS
        return int(self._steps > STEP_LIMIT or time.monotonic() > self._deadline)

    def _role_of(self, key: Cell) -> int:
        node = self._lookup.execute("SELECT roles FROM node WHERE key = ?", (key,)).fetchone()
        user = self._lookup.execute("SELECT 1 FROM user WHERE key = ?", (key,)).fetchone()
        return (int(node[0]) if node else 0) | (int(Role.USER) if user else 0)


async def _interruptible(run: _Run, sql: str, values: Sequence[Cell]) -> Table:
    """Run in a worker thread; a cancelled caller interrupts the statement and then waits for it."""
    answer: list[Table] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_interrupt_when_cancelled, run)
        error: BadInput | None = None
        try:
            answer.append(await trio.to_thread.run_sync(run.select, sql, values))
        except BadInput as problem:
            error = problem
        nursery.cancel_scope.cancel()
    if error is not None:
        raise error
    return answer[0]


async def _interrupt_when_cancelled(run: _Run) -> None:
    try:
        await trio.sleep_forever()
    finally:
        run.interrupt()


def _take(cursor: sqlite3.Cursor) -> tuple[tuple[tuple[Cell, ...], ...], bool]:
    rows: list[tuple[Cell, ...]] = []
    size = 0
    for row in cursor:
        size += sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
        if len(rows) == MAX_ROWS or size > MAX_RESULT_BYTES:
            return tuple(rows), True
        rows.append(row)
    return tuple(rows), False


@contextmanager
def _explained() -> Iterator[None]:
    """Turn SQLite's errors into one line for who typed the statement."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_INTERRUPT:
            raise BadInput(
                f"the statement was ended after {TIME_LIMIT_S:.0f} seconds",
                code="sql-takes-too-long",
            ) from error
        if code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY) or "prohibited" in text:
            raise BadInput(
                "only SELECT with the listed functions is possible here", code="sql-not-allowed"
            ) from error
        raise BadInput(f"SQL: {text}", code="sql-error") from error
    except sqlite3.Warning as error:
        raise BadInput("one statement at a time", code="sql-error") from error
    except (ValueError, OverflowError) as error:
        raise BadInput(f"a value does not fit: {error}", code="sql-error") from error


def _authorise(action: int, first: str | None, second: str | None, *_: object) -> int:
    if action in _ACTIONS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
