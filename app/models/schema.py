"""What the console knows about the shared database: its tables, their columns, their size. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from app.text import tr
from bitcloud_net.api import PlainCell

TABLES_STATEMENT = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name"

MAX_TABLES = 500
"""More are not listed; the built-in ones and 32 applications stay far below."""

MAX_NAMED_COLUMNS = 5

_COLUMN = re.compile(r'[(,]\s*"?(\w+)"?\s+(BLOB|TEXT|INTEGER|REAL|ANY)\b')
_COMMENT = re.compile(r"--[^\n]*")
_UNKNOWN = re.compile(r"no such (table|column): (\S{1,128})")
_APP_TABLE = re.compile(r"app_[0-9a-f]{12}_(\w+)")
_NAME = re.compile(r"\w{1,128}", re.ASCII)
_BUILT_IN = {
    "user": "people and their names",
    "node": "computers that take part",
    "folder": "folders of people, names sealed",
    "file": "files of people, names sealed",
    "placement": "who holds which share of a file",
    "fault": "what auditors saw going wrong",
    "identity": "identities that were mined",
    "app": "applications that people announced",
    "beacon": "the dice of each period",
    "grid": "grids, and what they offer",
    "publisher": "publishers, and what they publish",
    "trust": "who vouches for whom",
    "gateway": "gateways, and what they serve",
    "user_request": "what people ask of publishers",
    "publisher_request": "what publishers ask of grids",
    "grid_owner_request": "what grids ask of nodes",
    "node_contract": "storage nodes with a grid",
    "publisher_contract": "publishers with a grid",
    "receipt_summary": "what was delivered, in figures",
    "bid": "prices that are offered",
    "permission": "who may see what",
    "certificate": "who is who",
    "head": "how far each owner has counted",
    "np_ban": "nodes this computer refuses",
    "np_ban_word": "what each ban rests on",
    "np_share_claim": "what nodes say they hold",
    "np_service": "until when nodes were there",
    "np_day": "the dice of days, for certain",
    "np_seen": "since when each node was there",
    "np_watched": "when this node was last in step",
    "np_audience": "who may see rows that are not public",
    "np_depth": "how deep each table is cut here",
    "np_proof": "rows that convict their owner",
    "np_row": "every row as it was signed",
}
_OWN_SIGN = "np_"
"""Tables of the program itself: what it keeps beside the rows' own tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column and what it holds, in SQLite's words."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """One table. ``rows`` is None until they were counted."""

    name: str
    columns: tuple[Column, ...]
    rows: int | None = None

    @property
    def description(self) -> str:
        """What is in it, in one line; the columns of a table that this version does not know."""
        if self.name in _BUILT_IN:
            return tr(_BUILT_IN[self.name])
        if found := _APP_TABLE.fullmatch(self.name):
            return tr("“{name}” of an application").format(name=found[1])
        return ", ".join(column.name for column in self.columns[:MAX_NAMED_COLUMNS])


def parse_tables(rows: Iterable[Sequence[PlainCell]]) -> tuple[TableInfo, ...]:
    """Return the tables that ``TABLES_STATEMENT`` found, those for people first."""
    found = [
        TableInfo(name=name, columns=_columns(sql))
        for name, sql in rows
        if isinstance(name, str) and isinstance(sql, str) and _is_listed(name)
    ]
    return tuple(sorted(found, key=_place)[:MAX_TABLES])


def count_statement(tables: Sequence[TableInfo]) -> str:
    """Return one SELECT that counts the rows of all ``tables`` at once."""
    counts = ", ".join(f'(SELECT count(*) FROM "{table.name}")' for table in tables)
    return f"SELECT {counts}"


def with_counts(tables: Sequence[TableInfo], counts: Sequence[PlainCell]) -> tuple[TableInfo, ...]:
    """Return the tables with what ``count_statement`` counted."""
    return tuple(
        replace(table, rows=count if isinstance(count, int) else None)
        for table, count in zip(tables, counts, strict=True)
    )


def suggestion(message: str, tables: Sequence[TableInfo]) -> str:
    """Return the listed name that is nearest to one that SQLite did not find, or ``""``."""
    found = _UNKNOWN.search(message)
    if found is None:
        return ""
    names = [table.name for table in tables]
    if found[1] == "column":
        names = [column.name for table in tables for column in table.columns]
    near = get_close_matches(found[2].rpartition(".")[2], names, n=1)
    return near[0] if near else ""


def browse_statement(table: str) -> str:
    """Return the statement that shows what is in a table."""
    return f"SELECT * FROM {table} LIMIT 100"


def _columns(sql: str) -> tuple[Column, ...]:
    plain = _COMMENT.sub("", sql)
    return tuple(Column(name=name, type=kind.lower()) for name, kind in _COLUMN.findall(plain))


def _is_listed(name: str) -> bool:
    return not name.startswith("sqlite_") and _NAME.fullmatch(name) is not None


def _place(table: TableInfo) -> tuple[bool, int, str]:
    known = [*_BUILT_IN]
    place = known.index(table.name) if table.name in _BUILT_IN else len(known)
    return table.name.startswith(_OWN_SIGN), place, table.name
