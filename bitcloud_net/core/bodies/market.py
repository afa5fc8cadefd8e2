"""Rows of the market: grids of nodes that are for rent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from bitcloud_net.core.bodies.fields import (
    Amount,
    Body,
    Code,
    Flag,
    Integer,
    Many,
    Record,
    Text,
)
from bitcloud_net.core.bodies.kinds import Kind, Parents, RowLike
from bitcloud_net.core.bodies.network import MAX_NAME_CHARS
from bitcloud_net.core.tables import (
    DAY_PERIODS,
    YEAR_PERIODS,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.units import KIB

MAX_COIN_CHARS: Final = 32
"""The code of a coin: ``none``, ``credit``, ``bitcoin``, ``ethereum``, or one with its network."""
MAX_PRICES: Final = 8
MAX_GRID_BYTES: Final = 2**60
"""An exbibyte: more than any grid has."""
MAX_BYTES_PER_S: Final = 2**40
PPM: Final = 1_000_000
MAX_PING_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Body):
    """What a grid asks in one coin."""

    coin: Annotated[str, Code(MAX_COIN_CHARS)]
    gib_month: Annotated[int, Amount()]  # for a GiB stored for 30 days
    block: Annotated[int, Amount()]  # for 100,000,000 bytes delivered


@dataclass(frozen=True, slots=True, kw_only=True)
class GridBody(Body):
    """A grid: nodes of one owner, or under contract to one, sold as a unit."""

    name: Annotated[str, Text(MAX_NAME_CHARS)]
    is_open: Annotated[bool, Flag()]  # anybody may ask for a contract; else who is invited
    prices: Annotated[tuple[Price, ...], Many(Record(Price), MAX_PRICES)]
    storage: Annotated[int, Integer(MAX_GRID_BYTES)]  # bytes that can still be had
    bandwidth: Annotated[int, Integer(MAX_BYTES_PER_S)]  # bytes per second, of all nodes together
    availability_ppm: Annotated[int, Integer(PPM)]  # of the time, in millionths
    ping_ms: Annotated[int, Integer(MAX_PING_MS)]
    least_storage: Annotated[int, Integer(MAX_GRID_BYTES)]  # bytes of the smallest contract
    least_periods: Annotated[int, Integer(10 * YEAR_PERIODS)]  # of the shortest contract


def _node(row: RowLike, _body: Body) -> Parents:
    return ((Table.NODE, row.owner),)


GRID = Kind(
    rule=TableRule(
        table=Table.GRID,
        name="grid",
        exposure=Exposure.GLOBAL,
        writers=Role.GRID_OWNER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=0,
        max_row_bytes=2 * KIB,
        slots_per_period=16,
        max_rows_per_owner=1,
        max_life_periods=30 * DAY_PERIODS,
    ),
    body=GridBody,
    parents=_node,
)

KINDS = (GRID,)
