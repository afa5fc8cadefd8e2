"""The rules of every table, as data: who may see, write and sync what, how often and how much.

Rules are compiled in. Nothing that comes from the network changes them, and nothing of them is ever
executed: each field is a number or a name that ``nodepool`` and ``services`` act on. Each rule
stands beside the body of its rows in ``core.nodepool.bodies``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.bodies.network import FAULT_LIFE_PERIODS
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.tables import (
    DAY_PERIODS,
    DEFAULT_NEAR_PARTNERS,
    DEFAULT_PARTNERS,
    NODE_LIFE_PERIODS,
    PROOFS,
    TOMBSTONE_EXTRA_PERIODS,
    YEAR_PERIODS,
    Column,
    ColumnType,
    Exposure,
    Role,
    SyncKind,
    Table,
    TableRule,
)

__all__ = [
    "DAY_PERIODS",
    "DEFAULT_NEAR_PARTNERS",
    "DEFAULT_PARTNERS",
    "FAULT_LIFE_PERIODS",
    "NODE_LIFE_PERIODS",
    "PROOFS",
    "RULES",
    "SYNCED_TABLES",
    "TOMBSTONE_EXTRA_PERIODS",
    "YEAR_PERIODS",
    "Column",
    "ColumnType",
    "Exposure",
    "Role",
    "SyncKind",
    "Table",
    "TableRule",
    "rule_of",
]

RULES: Mapping[int, TableRule] = MappingProxyType(
    {table: KINDS[table].rule for table in sorted(KINDS)}
)
"""The rule of every table that is not an application's."""

SYNCED_TABLES: tuple[int, ...] = tuple(rule.table for rule in RULES.values() if rule.leaves)
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
