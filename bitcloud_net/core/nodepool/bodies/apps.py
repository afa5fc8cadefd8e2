"""Rows of applications: which ones people use, and the rows of their own tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from bitcloud_net.core.nodepool.bodies.fields import Body, Text, bad_body
from bitcloud_net.core.nodepool.bodies.kinds import KeyPart, Kind
from bitcloud_net.core.nodepool.tables import (
    YEAR_PERIODS,
    Column,
    ColumnType,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.units import HASH_BYTES, KIB

MAX_DEFINITION_CHARS = 15 * KIB
"""An application's definition in its shortest form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionBody(Body):
    """An application that the row's owner uses. Its id is the end of the row's key."""

    definition: Annotated[str, Text(MAX_DEFINITION_CHARS)]  # see core.nodepool.app_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class AppBody(Body):
    """A row of an application's table: its values in the order of the columns."""

    names: tuple[str, ...]
    values: tuple[int | str | bytes | bool | None, ...]


def app_body(rule: TableRule, value: object) -> AppBody:
    """Return the body of a row of an application's table.

    Raises:
        Malformed: ``bad-body``; the message names the column.
    """
    names = tuple(column.name for column in rule.columns)
    if not isinstance(value, dict) or value.keys() != set(names):
        raise bad_body(f"a {rule.name} row has the columns {', '.join(names)}")
    for column in rule.columns:
        _check_column(column, value[column.name])
    return AppBody(names=names, values=tuple(value[name] for name in names))


_COLUMN_TYPES = {
    ColumnType.INTEGER: int,
    ColumnType.TEXT: str,
    ColumnType.BYTES: bytes,
    ColumnType.FLAG: bool,
}


def _check_column(column: Column, item: object) -> None:
    if item is None and column.optional:
        return
    if type(item) is not _COLUMN_TYPES[column.type]:
        raise bad_body(f"{column.name} is {column.type.value}")
    if isinstance(item, str | bytes) and len(item) > column.most:
        raise bad_body(f"{column.name} has at most {column.most}")


APP = Kind(
    rule=TableRule(
        table=Table.APP,
        name="app",
        exposure=Exposure.GLOBAL,  # nodes install what is announced, to carry its rows
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=HASH_BYTES,
        max_row_bytes=16 * KIB,
        slots_per_period=16,
        max_rows_per_owner=16,
        max_life_periods=YEAR_PERIODS,
    ),
    body=DefinitionBody,
    key=(KeyPart("id", HASH_BYTES),),
)

KINDS = (APP,)
