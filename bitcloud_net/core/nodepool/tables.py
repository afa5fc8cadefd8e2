"""What a table is: its number, and the fields of its rule.

The rules themselves stand beside the bodies of their rows, in ``core.nodepool.bodies``, and are
gathered in ``core.nodepool.table_rules``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag

from bitcloud_net.core.units import GIB, MIB, PERIOD_S

DAY_PERIODS = 24 * 3600 // PERIOD_S
"""Periods in a day: 144."""
YEAR_PERIODS = 365 * DAY_PERIODS
"""Longest life of what people store; their program signs again long before."""
NODE_LIFE_PERIODS = 3 * DAY_PERIODS
"""A node that has not signed its row again for three days is gone (R-NP-04)."""
TOMBSTONE_EXTRA_PERIODS = 7 * DAY_PERIODS
"""A tombstone outlives what it deletes by a week, so that no late copy of it rises again."""

MAX_PERIOD = 2**40
"""The year 20,000,000; small enough that sums of periods never overflow anywhere."""

DEFAULT_TABLE_BYTES = 256 * MIB
"""All rows of one table on one node, so that a flood of what costs nothing to write, such as
requests, pushes out nothing but its like."""
LARGE_TABLE_BYTES = 4 * GIB
"""As much as the whole nodepool: tables that grow with the network, and with what people store."""

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
    BEACON = 9
    GRID = 10
    PUBLISHER = 11
    TRUST = 12
    GATEWAY = 13
    USER_REQUEST = 14
    PUBLISHER_REQUEST = 15
    GRID_OWNER_REQUEST = 16
    NODE_CONTRACT = 17
    PUBLISHER_CONTRACT = 18
    RECEIPT_SUMMARY = 19
    BID = 20
    PERMISSION = 21
    CERTIFICATE = 22
    HEAD = 23


PROOFS = 0
"""The number that stands for the set of proofs where sets are numbered; no table has it."""


class Exposure(Enum):
    """Who may see a table's rows; see ``core.nodepool.audience``."""

    PRIVATE = "private"  # never leaves this machine
    PARTICIPANTS = "participants"  # those whom the row names
    GRID = "grid"  # and the grids and gateways that act for them
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
    max_table_bytes: int = DEFAULT_TABLE_BYTES  # of all owners together, on one node
    max_co_owners: int = 0
    members: bool = False  # the users of a publisher that a row names may see it, too
    follows_user: bool = False  # the same publisher signs as has signed the owner's user row
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
