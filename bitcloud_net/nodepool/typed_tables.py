"""Rows as ordinary SQL: the typed table of each kind of row, kept in step by the apply step."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, TypeAlias

from bitcloud_net.core.row_bodies import (
    AppBody,
    Body,
    DefinitionBody,
    FaultBody,
    FileBody,
    FolderBody,
    IdentityBody,
    NodeBody,
    PlacementBody,
    UserBody,
)
from bitcloud_net.core.rows import SignedRow
from bitcloud_net.core.table_rules import Table, TableRule
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


def _columns(row: SignedRow, body: Body) -> _Columns:  # noqa: C901 - one case for each table
    if isinstance(body, FileBody):
        return (row.owner, row.key_suffix, body.folder, body.sealed)
    if isinstance(body, PlacementBody):
        return (row.owner, row.key_suffix, body.manifest, pack_holders(body.holders))
    if isinstance(body, FolderBody):
        return (row.owner, row.key_suffix, body.parent, body.open_key, body.sealed)
    if isinstance(body, UserBody):
        return (body.nickname,)
    if isinstance(body, FaultBody):
        return (row.owner, row.key_suffix, int(body.reason), body.count, body.recent)
    if isinstance(body, IdentityBody):
        return (row.owner, row.key_suffix[0], body.day, body.nonce, body.registered)
    if isinstance(body, DefinitionBody):
        return (row.owner, row.key_suffix, body.definition)
    if isinstance(body, AppBody):
        return (row.owner, *body.values)
    return _node_columns(body)


def _node_columns(body: NodeBody) -> _Columns:
    addresses = json.dumps(body.addresses, ensure_ascii=False)
    return (body.name, int(body.roles), addresses, body.capacity, body.used)


_COLUMN_COUNT: Mapping[int, int] = MappingProxyType(
    {
        Table.NODE: 5,
        Table.USER: 1,
        Table.FOLDER: 5,
        Table.FILE: 4,
        Table.PLACEMENT: 4,
        Table.FAULT: 5,
        Table.IDENTITY: 5,
        Table.APP: 3,
    }
)


@cache
def _statements(rule: TableRule) -> tuple[str, str]:
    """Return the statements that insert and delete. The names come from rules, which are compiled
    in or were checked letter by letter; every value is a bound parameter.
    """
    own = 1 + len(rule.columns) if rule.columns else _COLUMN_COUNT[rule.table]
    marks = ", ".join("?" * (own + 4))
    return (
        f'INSERT OR REPLACE INTO "{rule.name}" VALUES ({marks})',
        f'DELETE FROM "{rule.name}" WHERE key = ?',
    )
