"""The rules of every table, as data: who may see, write and sync what, how often and how much.

Rules are compiled in. Nothing that comes from the network changes them, and nothing of them is ever
executed: each field is a number or a name that ``nodepool`` and ``services`` act on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from types import MappingProxyType

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import KIB, PERIOD_S

DAY_PERIODS = 24 * 3600 // PERIOD_S
"""Periods in a day: 144."""
YEAR_PERIODS = 365 * DAY_PERIODS
"""Longest life of what people store; their program signs again long before."""
NODE_LIFE_PERIODS = 3 * DAY_PERIODS
"""A node that has not signed its row again for three days is gone (R-NP-04)."""
TOMBSTONE_EXTRA_PERIODS = 7 * DAY_PERIODS
"""A tombstone outlives what it deletes by a week, so that no late copy of it rises again."""

DEFAULT_PARTNERS = 16
DEFAULT_NEAR_PARTNERS = 12
"""Of the 16 partners of a period 12 are near and 4 random: with none random, rows may never get
everywhere once nodes die (simulated: 106 steps instead of 10 at 1,000 nodes)."""


class Table(IntEnum):
    """The tables. A number is for ever: a changed table gets a new one."""

    NODE = 1
    USER = 2
    FOLDER = 3
    FILE = 4
    PLACEMENT = 5
    FAULT = 6
    IDENTITY = 7
    APP = 8


PROOFS = 0
"""The number that stands for the set of proofs where sets are numbered; no table has it."""


class Exposure(Enum):
    """Who may see a table's rows."""

    PRIVATE = "private"  # never leaves this machine
    GRID = "grid"  # the members of one grid
    PARTICIPANTS = "participants"  # those who take part in the thing that the row is about
    GLOBAL = "global"  # everybody


class SyncKind(Enum):
    """Whom a table's rows are reconciled with."""

    NONE = "none"
    PROXIMITY = "proximity"  # 12 near and 4 random partners
    RANDOM = "random"  # 16 random partners
    MANUAL = "manual"  # when a person or a program asks
    OWNER = "owner"  # straight from the owner, its gateways or its publisher


class Role(IntFlag):
    """What a key may be; the bits of R-NP-05."""

    NODE = 1
    GRID_OWNER = 2
    GATEWAY = 4
    PUBLISHER = 8
    USER = 16


class ColumnType(Enum):
    """What a column of an application's table holds."""

    INTEGER = "integer"
    TEXT = "text"
    BYTES = "bytes"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of an application's table."""

    name: str
    type: ColumnType
    most: int  # length in characters or bytes
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRule:
    """Everything that holds for all rows of one table. Lengths in bytes, times in periods."""

    table: int  # a ``Table``, or an application's number
    name: str  # of the SQL table too
    exposure: Exposure
    writers: Role  # an owner with one of these roles may write; enforced through its own row
    sync: SyncKind
    key_suffix_bytes: int  # a key is the owner's 32 bytes and exactly so many more
    max_row_bytes: int  # of the signed row as it travels
    slots_per_period: int  # rows one owner may sign in one period
    max_rows_per_owner: int  # rows of one owner held at a time
    max_life_periods: int  # from signing to expiry
    max_co_owners: int = 0
    partners: int = DEFAULT_PARTNERS
    near_partners: int = DEFAULT_NEAR_PARTNERS
    check_every_s: int = PERIOD_S
    columns: tuple[Column, ...] = ()  # of an application's table; others have classes
    check: str = ""  # of an application's table: SQL over ``new``, true for a good row

    @property
    def leaves(self) -> bool:
        """Whether rows ever leave this machine."""
        return self.exposure is not Exposure.PRIVATE and self.sync is not SyncKind.NONE

    @property
    def tombstone_life_periods(self) -> int:
        """How long a tombstone lives: exactly so long, or it is refused."""
        return self.max_life_periods + TOMBSTONE_EXTRA_PERIODS


FAULT_LIFE_PERIODS = 30 * DAY_PERIODS
"""Faults and bans count against a node for a month."""

_FILE_SLOTS = 1 << 16
"""A folder of 65,536 files may be published within one period. Beyond that the publisher waits for
the next one; a flood of that size, 30 MB, is what one owner may cost everybody in ten minutes."""

_RULES = (
    TableRule(
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
    ),
    TableRule(
        table=Table.USER,
        name="user",
        exposure=Exposure.PARTICIPANTS,
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=0,
        max_row_bytes=2 * KIB,
        slots_per_period=16,
        max_rows_per_owner=1,
        max_life_periods=YEAR_PERIODS,
        max_co_owners=1,  # the publisher that certifies the user
    ),
    TableRule(
        table=Table.FOLDER,
        name="folder",
        exposure=Exposure.PARTICIPANTS,
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=16,
        max_row_bytes=4 * KIB,
        slots_per_period=_FILE_SLOTS,
        max_rows_per_owner=1 << 20,
        max_life_periods=YEAR_PERIODS,
        max_co_owners=1,
    ),
    TableRule(
        table=Table.FILE,
        name="file",
        exposure=Exposure.PARTICIPANTS,
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=16,
        max_row_bytes=4 * KIB,
        slots_per_period=_FILE_SLOTS,
        max_rows_per_owner=1 << 20,
        max_life_periods=YEAR_PERIODS,
        max_co_owners=1,
    ),
    TableRule(
        table=Table.PLACEMENT,
        name="placement",
        exposure=Exposure.PARTICIPANTS,
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=32,
        # n = 128: share roots and holders of 34 bytes each, 8.7 kB; inline: 4 KiB of a file.
        max_row_bytes=12 * KIB,
        slots_per_period=_FILE_SLOTS,
        max_rows_per_owner=1 << 20,
        max_life_periods=YEAR_PERIODS,
        max_co_owners=1,
    ),
    TableRule(
        table=Table.FAULT,
        name="fault",
        exposure=Exposure.GLOBAL,
        writers=Role.NODE,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=32,  # the target
        max_row_bytes=KIB,
        slots_per_period=64,  # an auditor has 16 targets in a period, and few of them fail
        max_rows_per_owner=1_024,
        max_life_periods=FAULT_LIFE_PERIODS,
    ),
    TableRule(
        table=Table.IDENTITY,
        name="identity",
        exposure=Exposure.GLOBAL,
        writers=Role.NODE | Role.GRID_OWNER | Role.GATEWAY | Role.PUBLISHER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=1,  # the role
        max_row_bytes=KIB,
        slots_per_period=16,
        max_rows_per_owner=5,
        max_life_periods=YEAR_PERIODS,
    ),
    TableRule(
        table=Table.APP,
        name="app",
        exposure=Exposure.PARTICIPANTS,
        writers=Role.USER,
        sync=SyncKind.PROXIMITY,
        key_suffix_bytes=32,  # the application's id
        max_row_bytes=16 * KIB,
        slots_per_period=16,
        max_rows_per_owner=16,
        max_life_periods=YEAR_PERIODS,
    ),
)

RULES: Mapping[int, TableRule] = MappingProxyType({rule.table: rule for rule in _RULES})
"""The rule of every table that is not an application's."""

SYNCED_TABLES: tuple[int, ...] = tuple(rule.table for rule in _RULES if rule.leaves)
"""The tables that leave this machine."""


def rule_of(number: int) -> TableRule:
    """Return the rule of the table with this number.

    Raises:
        Malformed: ``unknown-table``.
    """
    try:
        return RULES[number]
    except KeyError:
        raise Malformed(f"there is no table {number}", code="unknown-table") from None
