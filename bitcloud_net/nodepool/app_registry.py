"""The applications that are installed on this node: their rules, SQL tables and checks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.nodepool.app_tables import FIRST_NUMBER, AppDefinition, AppId
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import RULES, ColumnType, TableRule, rule_of
from bitcloud_net.nodepool.row_check import RowCheck

MAX_APPS = 32
"""Applications installed at a time."""

_SQL_TYPES = {
    ColumnType.INTEGER: "INTEGER",
    ColumnType.TEXT: "TEXT",
    ColumnType.BYTES: "BLOB",
    ColumnType.FLAG: "INTEGER",
}


class AppRegistry:
    """What is installed. Changed between batches only."""

    def __init__(self) -> None:
        self._apps: dict[AppId, AppDefinition] = {}
        self._rules: dict[int, TableRule] = {}
        self._checks: dict[int, RowCheck] = {}

    @property
    def apps(self) -> tuple[AppDefinition, ...]:
        """The installed applications."""
        return tuple(self._apps.values())

    @property
    def rules(self) -> tuple[TableRule, ...]:
        """The rules of all tables there are on this node."""
        return (*RULES.values(), *self._rules.values())

    def rule_of(self, number: int) -> TableRule:
        """Return the rule of any table.

        Raises:
            Malformed: ``unknown-table``: also when its application is not installed here.
        """
        return self._rules.get(number) or rule_of(number)

    def check(self, row: SignedRow) -> None:
        """Return when a row passes its application's check.

        Raises:
            Malformed: ``check-failed``.
        """
        check = self._checks.get(row.table)
        if check is not None:
            check.check(row)

    def add(self, app: AppDefinition) -> None:
        """Take an application in.

        Raises:
            BadInput: ``bad-definition`` (its check), ``too-many-apps``.
        """
        if app.id in self._apps:
            return
        if len(self._apps) >= MAX_APPS:
            raise BadInput(f"at most {MAX_APPS} applications", code="too-many-apps")
        if any(rule.table in self._rules for rule in app.rules):
            raise BadInput("another application has a table of this number", code="bad-definition")
        checks = {rule.table: RowCheck(rule) for rule in app.rules if rule.check}
        self._apps[app.id] = app
        self._rules |= {rule.table: rule for rule in app.rules}
        self._checks |= checks

    def remove(self, app_id: AppId) -> AppDefinition:
        """Put an application out.

        Raises:
            BadInput: ``unknown-app``.
        """
        if app_id not in self._apps:
            raise BadInput("this application is not installed", code="unknown-app")
        app = self._apps.pop(app_id)
        for rule in app.rules:
            del self._rules[rule.table]
            if check := self._checks.pop(rule.table, None):
                check.close()
        return app

    def close(self) -> None:
        """Let go of everything."""
        for app in self.apps:
            self.remove(app.id)


def create_tables(connection: sqlite3.Connection, rules: Iterable[TableRule]) -> None:
    """Make the SQL tables of an application where they are missing."""
    for rule in rules:
        columns = "".join(
            f'"{column.name}" {_SQL_TYPES[column.type]}{"" if column.optional else " NOT NULL"}, '
            for column in rule.columns
        )
        connection.execute(
            f'CREATE TABLE IF NOT EXISTS "{rule.name}" ("key" BLOB NOT NULL PRIMARY KEY,'
            f' "owner" BLOB NOT NULL, {columns}"seq" INTEGER NOT NULL, "period" INTEGER NOT NULL,'
            ' "expires" INTEGER NOT NULL) STRICT, WITHOUT ROWID'
        )


def drop_strangers(connection: sqlite3.Connection, rules: Iterable[TableRule]) -> None:
    """Remove rows of applications that are not installed any more."""
    known = {rule.table for rule in rules}
    found = connection.execute(
        "SELECT DISTINCT tbl FROM np_row WHERE tbl >= ?", (FIRST_NUMBER,)
    ).fetchall()
    for (number,) in found:
        if number not in known:
            connection.execute("DELETE FROM np_row WHERE tbl = ?", (number,))


def drop_tables(connection: sqlite3.Connection, rules: Iterable[TableRule]) -> None:
    """Remove the SQL tables of an application and all its rows."""
    for rule in rules:
        connection.execute(f'DROP TABLE IF EXISTS "{rule.name}"')
        connection.execute("DELETE FROM np_row WHERE tbl = ?", (rule.table,))
