"""Rows about nodes: what they offer, that they failed, that their identity was mined."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

from bitcloud_net.core.encoding import MAX_INTEGER
from bitcloud_net.core.nodepool.bodies.fields import (
    Bits,
    Blob,
    Body,
    Bytes,
    Choice,
    Integer,
    Many,
    Text,
    bad_body,
)
from bitcloud_net.core.nodepool.bodies.kinds import KeyPart, Kind, mined_as
from bitcloud_net.core.nodepool.tables import (
    DAY_PERIODS,
    LARGE_TABLE_BYTES,
    NODE_LIFE_PERIODS,
    YEAR_PERIODS,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)
from bitcloud_net.core.trust.beacons import (
    COMMITTEE_SEATS,
    DAYS_PER_ROW,
    MARK_BYTES,
    WORD_LIFE_PERIODS,
)
from bitcloud_net.core.trust.identity import MAX_SALT_DAYS
from bitcloud_net.core.trust.verdicts import MAX_RECENT, FaultReason
from bitcloud_net.core.units import HASH_BYTES, KIB

MAX_ADDRESSES = 8
"""IPv4, IPv6, Tor, and a few interfaces; more only slows dialling down."""
MAX_ADDRESS_CHARS = 256
"""A multiaddr with a Tor v3 name and a peer id has about 130."""
MAX_NAME_CHARS = 64
"""A nickname or a node's name."""
MAX_CAPACITY_BYTES = 2**53
"""8 PiB; every number stays exact in programs that count in doubles."""
MAX_DAY = 2**32
MAX_FAULT_COUNT = 30 * DAY_PERIODS
"""A row lives for 30 days; it cannot have seen more periods."""
FAULT_LIFE_PERIODS = 30 * DAY_PERIODS
"""Faults and bans count against a node for a month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBody(Body):
    """A node: how to reach it and what it offers. Its key is its row's owner."""

    name: Annotated[str, Text(MAX_NAME_CHARS)]  # may be empty
    roles: Annotated[Role, Bits(Role)]
    addresses: Annotated[tuple[str, ...], Many(Text(MAX_ADDRESS_CHARS), MAX_ADDRESSES)]
    capacity: Annotated[int, Integer(MAX_CAPACITY_BYTES)]  # bytes it lends; 0: no storage node
    used: Annotated[int, Integer(MAX_CAPACITY_BYTES)]  # bytes of it that are taken, as it says


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultBody(Body):
    """An auditor's word that a node failed. The target is the end of the row's key."""

    reason: Annotated[FaultReason, Choice(FaultReason)]
    count: Annotated[int, Integer(MAX_FAULT_COUNT)]  # periods in which it was seen
    recent: Annotated[int, Integer(MAX_RECENT)]  # bit i: it was seen in the row's period - i


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityBody(Body):
    """That the row's owner has mined an identity. Its role is the end of the row's key."""

    day: Annotated[int, Integer(MAX_DAY)]  # whose beacon is the salt, in whole days since 1970
    nonce: Annotated[int, Integer(MAX_INTEGER)]
    registered: Annotated[int, Integer(MAX_DAY * DAY_PERIODS)]  # period of the first row


@dataclass(frozen=True, slots=True, kw_only=True)
class BeaconBody(Body):
    """What a member of the committee says in the period that ends its row's key; or, where that is
    a small number, what values of days it remembers (``core.trust.beacons``,
    ``core.trust.beacon_days``)."""

    promise: Annotated[bytes, Bytes(0, HASH_BYTES)]
    secret: Annotated[bytes, Bytes(0, HASH_BYTES)]
    seen: Annotated[tuple[bytes, ...], Many(Bytes(MARK_BYTES), COMMITTEE_SEATS, distinct=True)]
    value: Annotated[bytes, Bytes(0, HASH_BYTES)]
    days: Annotated[bytes, Blob(DAYS_PER_ROW * HASH_BYTES)]  # values, one after the other


def _check_fault(body: FaultBody) -> None:
    if not body.recent & 1:
        raise bad_body("recent: a fault is signed in a period in which it was seen")
    if body.count < body.recent.bit_count():
        raise bad_body("count: a fault counts fewer periods than it names")


def _check_identity(body: IdentityBody) -> None:
    if not 0 <= body.registered // DAY_PERIODS - body.day <= MAX_SALT_DAYS:
        raise bad_body(f"registered: an identity is registered within {MAX_SALT_DAYS} days")


def _check_beacon(body: BeaconBody) -> None:
    if body.days and (body.promise or body.secret or body.seen or body.value):
        raise bad_body("days: a row says something of a period, or of days")
    if len(body.days) % HASH_BYTES:
        raise bad_body(f"days: {HASH_BYTES} bytes for each")


NODE = Kind(
    rule=TableRule(
        table=Table.NODE,
        name="node",
        exposure=Exposure.GLOBAL,
        writers=Role.NODE,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=0,
        max_row_bytes=2 * KIB,
        slots_per_period=16,  # a row at each start, and when an address or the space changes
        max_rows_per_owner=1,
        max_life_periods=NODE_LIFE_PERIODS,
        max_table_bytes=LARGE_TABLE_BYTES,
    ),
    body=NodeBody,
    founds=True,
    identity=partial(mined_as, Role.NODE),
)

FAULT = Kind(
    rule=TableRule(
        table=Table.FAULT,
        name="fault",
        exposure=Exposure.GLOBAL,
        writers=Role.NODE,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=32,
        max_row_bytes=KIB,
        slots_per_period=64,  # an auditor has 16 targets in a period, and few of them fail
        max_rows_per_owner=1_024,
        max_life_periods=FAULT_LIFE_PERIODS,
    ),
    body=FaultBody,
    key=(KeyPart("target", 32),),
    check=_check_fault,
)

IDENTITY = Kind(
    rule=TableRule(
        table=Table.IDENTITY,
        name="identity",
        exposure=Exposure.GLOBAL,
        writers=Role.NODE | Role.GRID_OWNER | Role.GATEWAY | Role.PUBLISHER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=1,
        max_row_bytes=KIB,
        slots_per_period=16,
        max_rows_per_owner=5,
        max_life_periods=YEAR_PERIODS,
        max_table_bytes=LARGE_TABLE_BYTES,
    ),
    body=IdentityBody,
    key=(KeyPart("role", 1, is_number=True),),
    check=_check_identity,
    founds=True,
)

BEACON = Kind(
    rule=TableRule(
        table=Table.BEACON,
        name="beacon",
        exposure=Exposure.GLOBAL,
        writers=Role.NODE,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=4,
        max_row_bytes=9 * KIB,  # 256 days; a word has less than 1 KiB
        slots_per_period=32,  # a word, and all that it remembers, after a long absence
        max_rows_per_owner=2 * WORD_LIFE_PERIODS + 32,  # 22 years of days
        max_life_periods=NODE_LIFE_PERIODS,
    ),
    body=BeaconBody,
    key=(KeyPart("number", 4, is_number=True),),
    check=_check_beacon,
)

KINDS = (NODE, FAULT, IDENTITY, BEACON)
