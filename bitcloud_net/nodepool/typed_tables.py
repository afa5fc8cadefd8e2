"""Rows as ordinary SQL: the typed table of each kind of row, kept in step by the apply step."""

from __future__ import annotations

import json
import sqlite3
from functools import cache
from typing import Any, TypeAlias

from bitcloud_net.core.nodepool.bodies.fields import (
    Amount,
    Body,
    Bytes,
    Field,
    Many,
    Record,
    fields_of,
)
from bitcloud_net.core.nodepool.bodies.kinds import Kind
from bitcloud_net.core.nodepool.row_bodies import KINDS, AppBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.tables import TableRule
from bitcloud_net.core.units import HASH_BYTES

_NOBODY = bytes(HASH_BYTES)
_Columns: TypeAlias = tuple[Any, ...]


def apply_row(connection: sqlite3.Connection, rule: TableRule, row: SignedRow) -> None:
    """Put the row in the place of any earlier one of its key; a tombstone only removes."""
    if row.body is None:
        remove_row(connection, rule, row.key)
        return
    columns = _columns(row, row.body)
    insert, _ = _statements(rule)
    connection.execute(insert, (row.key, *columns, row.seq, row.period, row.expires))


def remove_row(connection: sqlite3.Connection, rule: TableRule, key: bytes) -> None:
    """Remove the row with this key, if there is one."""
    _, delete = _statements(rule)
    connection.execute(delete, (key,))


def pack_holders(holders: tuple[bytes, ...]) -> bytes:
    """Return holders in share order as one blob, 32 bytes each, zero for nobody."""
    return b"".join(holder or _NOBODY for holder in holders)


def unpack_holders(blob: bytes) -> tuple[bytes, ...]:
    """Return what ``pack_holders`` packed."""
    cut = (blob[at : at + HASH_BYTES] for at in range(0, len(blob), HASH_BYTES))
    return tuple(b"" if holder == _NOBODY else holder for holder in cut)


def _columns(row: SignedRow, body: Body) -> _Columns:
    if isinstance(body, AppBody):
        return (row.owner, *body.values)
    kind = KINDS[row.table]
    cells = (_cell(spec, getattr(body, name)) for name, spec in fields_of(kind.body).items())
    return (*_key_columns(kind, row), *cells)


def _key_columns(kind: Kind, row: SignedRow) -> _Columns:
    """Return the owner and the parts of the key; nothing where the key is the owner."""
    if not kind.key:
        return ()
    parts = zip(kind.key, kind.parts(row), strict=True)
    cells = (int.from_bytes(item, "big") if part.is_number else item for part, item in parts)
    return (row.owner, *cells)


def _cell(spec: Field, value: Any) -> Any:
    """Return a value as its column holds it."""
    if isinstance(spec, Many) and isinstance(spec.of, Bytes):
        return pack_holders(value)
    if isinstance(spec, Many | Record):
        return json.dumps(_readable(spec, value), ensure_ascii=False)
    return _readable(spec, value)


def _readable(spec: Field, value: Any) -> Any:
    """Return a value as people read it, in JSON too: amounts are decimal text, because they do not
    fit an integer of SQL.
    """
    if isinstance(spec, Amount):
        return str(value)
    if isinstance(spec, Many):
        return [_in_json(spec.of, one) for one in value]
    if isinstance(spec, Record):
        fields = fields_of(spec.of).items()
        return {name: _in_json(field, getattr(value, name)) for name, field in fields}
    return int(value) if isinstance(value, int) else value


def _in_json(spec: Field, value: Any) -> Any:
    readable = _readable(spec, value)
    return readable.hex() if isinstance(readable, bytes) else readable


@cache
def _statements(rule: TableRule) -> tuple[str, str]:
    """Return the statements that insert and delete. The names come from rules, which are compiled
    in or were checked letter by letter; every value is a bound parameter.
    """
    marks = ", ".join("?" * (_column_count(rule) + 4))
    return (
        f'INSERT OR REPLACE INTO "{rule.name}" VALUES ({marks})',
        f'DELETE FROM "{rule.name}" WHERE key = ?',
    )


def _column_count(rule: TableRule) -> int:
    """Return how many columns there are beside the key, and number, period and expiry."""
    if rule.columns:
        return 1 + len(rule.columns)
    kind = KINDS[rule.table]
    return len(fields_of(kind.body)) + (1 + len(kind.key) if kind.key else 0)
