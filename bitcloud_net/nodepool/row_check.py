"""The checks that applications write: SQL expressions, evaluated where they can do nothing.

An expression sees the columns of one row (``new.column``, ``new.owner``, ``new.key``, ``new.seq``,
``new.period``) in an empty database in memory, and functions that always give the same answer for
the same values. So all nodes agree about a row, whatever else they hold.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.nodepool.row_bodies import AppBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import TableRule
from bitcloud_net.core.units import KIB
from bitcloud_net.nodepool.sql_functions import blake3_sql, verify_sig_sql

MAX_STEPS: Final = 10_000
"""SQLite instructions of one check."""

_STEP: Final = 100
_FUNCTION_NAMES: Final = """
    abs blake3 coalesce glob hex ifnull iif instr length like lower ltrim max min nullif quote
    replace round rtrim sign substr substring trim typeof unicode upper verify_sig
"""
_FUNCTIONS: Final = frozenset(_FUNCTION_NAMES.split())
_ACTIONS: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
_ALWAYS: Final = ("owner", "key", "seq", "period")


class RowCheck:
    """The check of one table. Used from one thread at a time."""

    def __init__(self, rule: TableRule) -> None:
        """Prepare the check of a rule that has one.

        Raises:
            BadInput: ``bad-definition``: it is no expression, or asks for what it may not.
        """
        self._name = rule.name
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._steps = 0
        columns = [column.name for column in rule.columns]
        values = ", ".join(f'? AS "{name}"' for name in (*_ALWAYS, *columns))
        self._sql = f"SELECT ({rule.check}) FROM (SELECT {values}) AS new"
        self._protect()
        try:
            self._db.execute(self._sql, (None,) * (len(_ALWAYS) + len(columns))).fetchone()
        except (sqlite3.Error, sqlite3.Warning) as error:
            self.close()
            raise BadInput(f"the check of a table: {error}", code="bad-definition") from error

    def close(self) -> None:
        """Let go of it."""
        self._db.close()

    def check(self, row: SignedRow) -> None:
        """Return when the expression is true for the row.

        Raises:
            Malformed: ``check-failed``: it is false, null, an error, or takes too long.
        """
        if not isinstance(row.body, AppBody):
            return
        self._steps = 0
        values = (row.owner, row.key_suffix, row.seq, row.period, *row.body.values)
        try:
            (answer,) = self._db.execute(self._sql, values).fetchone()
        except (sqlite3.Error, OverflowError) as error:
            raise Malformed(f"the check of {self._name}: {error}", code="check-failed") from error
        if not isinstance(answer, int | float) or not answer:
            raise Malformed(f"the check of {self._name} says no", code="check-failed")

    def _protect(self) -> None:
        for limit, value in (
            (sqlite3.SQLITE_LIMIT_LENGTH, 64 * KIB),
            (sqlite3.SQLITE_LIMIT_SQL_LENGTH, 16 * KIB),
            (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
            (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 50),
            (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 4),
            (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100),
        ):
            self._db.setlimit(limit, value)
        self._db.create_function("blake3", 1, blake3_sql, deterministic=True)
        self._db.create_function("verify_sig", 4, verify_sig_sql, deterministic=True)
        self._db.set_progress_handler(self._is_over, _STEP)
        self._db.set_authorizer(_authorise)

    def _is_over(self) -> int:
        self._steps += _STEP
        return int(self._steps > MAX_STEPS)


def _authorise(action: int, first: str | None, second: str | None, *_: object) -> int:
    if action in _ACTIONS or (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
