"""Rows of who sells and who buys: grids, publishers, whom they trust, gateways."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Annotated, Final

from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.core.nodepool.bodies.fields import (
    Amount,
    Body,
    Bytes,
    Choice,
    Code,
    Flag,
    Integer,
    Many,
    Record,
    Text,
    bad_body,
)
from bitcloud_net.core.nodepool.bodies.kinds import KeyPart, Kind, Parents, RowLike, mined_as
from bitcloud_net.core.nodepool.bodies.network import (
    MAX_ADDRESS_CHARS,
    MAX_ADDRESSES,
    MAX_NAME_CHARS,
)
from bitcloud_net.core.nodepool.tables import (
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
MAX_REASON_CHARS: Final = 256
"""A sentence or two for people."""
LEAST_APPROVAL_PERIODS: Final = DAY_PERIODS // 2
"""Twelve hours: nobody can look at what was sent in at night any sooner (R-PUB-11)."""


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
    node: Annotated[bytes, Bytes(KEY_BYTES)]  # a running one, that speaks for the grid
    is_open: Annotated[bool, Flag()]  # anybody may ask for a contract; else who is invited
    prices: Annotated[tuple[Price, ...], Many(Record(Price), MAX_PRICES)]
    storage: Annotated[int, Integer(MAX_GRID_BYTES)]  # bytes that can still be had
    bandwidth: Annotated[int, Integer(MAX_BYTES_PER_S)]  # bytes per second, of all nodes together
    availability_ppm: Annotated[int, Integer(PPM)]  # of the time, in millionths
    ping_ms: Annotated[int, Integer(MAX_PING_MS)]
    least_storage: Annotated[int, Integer(MAX_GRID_BYTES)]  # bytes of the smallest contract
    least_periods: Annotated[int, Integer(10 * YEAR_PERIODS)]  # of the shortest contract


class HowToJoin(IntEnum):
    """How a publisher admits users."""

    OPEN = 1
    INVITATION = 2
    CAPTCHA = 3
    MAIL = 4
    APPROVAL = 5
    PAYMENT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(Body):
    """What a user of a publisher may have; 0: nothing of it."""

    stored: Annotated[int, Integer(MAX_GRID_BYTES)]  # bytes
    moved: Annotated[int, Integer(MAX_GRID_BYTES)]  # bytes in 30 days
    files: Annotated[int, Integer(2**32)]
    folders: Annotated[int, Integer(2**32)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherBody(Body):
    """A publisher: who admits users, decides on content, rents grids and pays."""

    nickname: Annotated[str, Text(MAX_NAME_CHARS)]
    address: Annotated[str, Text(MAX_ADDRESS_CHARS)]  # of its web page; may be empty
    joining: Annotated[HowToJoin, Choice(HowToJoin)]
    approval: Annotated[int, Integer(30 * DAY_PERIODS)]  # periods content waits at most; 0: never
    quota: Annotated[Quota, Record(Quota)]  # of a user of whom nothing else is said
    metadata_public: Annotated[bool, Flag()]
    files_public: Annotated[bool, Flag()]
    trusts_all: Annotated[bool, Flag()]  # all publishers except those named; else none except them


class Stance(IntEnum):
    """What a publisher thinks of another."""

    FRIEND = 1
    BANNED = 2
    BAD_CONTRACTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustBody(Body):
    """What a publisher takes from another. The other is the end of the row's key."""

    stance: Annotated[Stance, Choice(Stance)]
    users: Annotated[bool, Flag()]  # its users are admitted, too
    powers: Annotated[bool, Flag()]  # whom and what it bans is banned here, too
    reason: Annotated[str, Text(MAX_REASON_CHARS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayBody(Body):
    """That a node is gateway of the owner's grid for a publisher. Both stand in the row's key; no
    publisher: for the Public grid.
    """

    addresses: Annotated[tuple[str, ...], Many(Text(MAX_ADDRESS_CHARS), MAX_ADDRESSES)]  # for HTTP
    priority: Annotated[int, Integer(255)]  # of several grids or publishers: the higher first
    bandwidth: Annotated[int, Integer(MAX_BYTES_PER_S)]  # bytes per second that it should serve


def _check_publisher(body: PublisherBody) -> None:
    if 0 < body.approval < LEAST_APPROVAL_PERIODS:
        raise bad_body(f"approval is 0 or at least {LEAST_APPROVAL_PERIODS} periods")


def _check_trust(body: TrustBody) -> None:
    if body.stance is not Stance.FRIEND and (body.users or body.powers):
        raise bad_body("users and powers are taken from friends only")


def _node(_row: RowLike, body: GridBody) -> Parents:
    return ((Table.NODE, body.node),)


def _other_publisher(row: RowLike, _body: Body) -> Parents:
    return ((Table.PUBLISHER, row.key_suffix),)


def _gateway_and_publisher(row: RowLike, _body: Body) -> Parents:
    gateway, publisher = GATEWAY.parts(row)
    node = (Table.NODE, gateway)
    return (node, (Table.PUBLISHER, publisher)) if any(publisher) else (node,)


def _is_for_public_grid(row: RowLike) -> bool:
    return not any(GATEWAY.parts(row)[1])


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
    founds=True,
    identity=partial(mined_as, Role.GRID_OWNER),
)

PUBLISHER = Kind(
    rule=TableRule(
        table=Table.PUBLISHER,
        name="publisher",
        exposure=Exposure.GLOBAL,
        writers=Role.PUBLISHER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=0,
        max_row_bytes=2 * KIB,
        slots_per_period=16,
        max_rows_per_owner=1,
        max_life_periods=YEAR_PERIODS,
    ),
    body=PublisherBody,
    check=_check_publisher,
    founds=True,
    identity=partial(mined_as, Role.PUBLISHER),
)

TRUST = Kind(
    rule=TableRule(
        table=Table.TRUST,
        name="trust",
        exposure=Exposure.GRID,
        writers=Role.PUBLISHER,
        sync=SyncKind.OWNER,
        key_suffix_bytes=32,
        max_row_bytes=2 * KIB,
        slots_per_period=256,
        max_rows_per_owner=4_096,
        max_life_periods=YEAR_PERIODS,
    ),
    body=TrustBody,
    key=(KeyPart("publisher", 32, is_party=True),),
    parents=_other_publisher,
    check=_check_trust,
)

GATEWAY = Kind(
    rule=TableRule(
        table=Table.GATEWAY,
        name="gateway",
        exposure=Exposure.GRID,
        writers=Role.GRID_OWNER,
        sync=SyncKind.OWNER,
        key_suffix_bytes=64,
        max_row_bytes=4 * KIB,
        slots_per_period=256,
        max_rows_per_owner=4_096,
        max_life_periods=30 * DAY_PERIODS,
        members=True,  # a user looks for the gateways of the own publisher
    ),
    body=GatewayBody,
    key=(KeyPart("gateway", 32, is_party=True), KeyPart("publisher", 32, is_party=True)),
    parents=_gateway_and_publisher,
    is_public=_is_for_public_grid,
    identity=lambda row: mined_as(Role.GATEWAY, row, row.key_suffix[:32]),
)

KINDS = (GRID, PUBLISHER, TRUST, GATEWAY)
