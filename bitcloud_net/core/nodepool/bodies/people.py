"""Rows of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from bitcloud_net.core.nodepool.bodies.fields import Body, Text
from bitcloud_net.core.nodepool.bodies.kinds import Kind, Parents, RowLike, has_no_publisher
from bitcloud_net.core.nodepool.bodies.network import MAX_NAME_CHARS
from bitcloud_net.core.nodepool.tables import (
    LARGE_TABLE_BYTES,
    YEAR_PERIODS,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.units import KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class UserBody(Body):
    """A person."""

    nickname: Annotated[str, Text(MAX_NAME_CHARS)]


def _publisher(row: RowLike, _body: UserBody) -> Parents:
    return tuple((Table.PUBLISHER, co_owner) for co_owner in row.co_owners)


USER = Kind(
    rule=TableRule(
        table=Table.USER,
        name="user",
        exposure=Exposure.GRID,
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=0,
        max_row_bytes=2 * KIB,
        slots_per_period=16,
        max_rows_per_owner=1,
        max_life_periods=YEAR_PERIODS,
        max_table_bytes=LARGE_TABLE_BYTES,
        max_co_owners=1,  # the publisher that certifies the user
        members=True,
    ),
    body=UserBody,
    founds=True,
    parents=_publisher,
    is_public=has_no_publisher,
)

KINDS = (USER,)
