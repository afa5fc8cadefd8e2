"""Tables that an application brings: columns, limits and one check, all of it data.

A definition is a JSON document of its author. Its id is the hash of its canonical form, and the
numbers of its tables come from that id and their names, so two applications cannot collide, and a
changed definition is another application. Nothing in a definition is ever executed: the check is a
SQL expression over the columns of the row alone, so that all nodes come to the same answer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NewType

from blake3 import blake3

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.nodepool.tables import (
    DAY_PERIODS,
    DEFAULT_NEAR_PARTNERS,
    DEFAULT_PARTNERS,
    YEAR_PERIODS,
    Column,
    ColumnType,
    Exposure,
    Role,
    SyncKind,
    TableRule,
)
from bitcloud_net.core.units import KIB, MAX_ROW_BYTES, PERIOD_S

AppId = NewType("AppId", bytes)
"""The hash of a definition, 32 bytes."""

FIRST_NUMBER = 1 << 31
"""Application tables have numbers from here on, others are below."""
MAX_DEFINITION_BYTES = 64 * KIB
MAX_TABLES = 16
MAX_COLUMNS = 32
MAX_CHECK_CHARS = 1_000
MAX_SUFFIX_BYTES = 32
MAX_SLOTS = 1 << 12
MAX_ROWS_PER_OWNER = 1 << 16
MAX_PARTNERS = 64
MIN_CHECK_S, MAX_CHECK_S = 60, 24 * 3600
"""How often a table may be compared with each partner, and must be."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)
_TAKEN = frozenset({"key", "owner", "seq", "period", "expires"})
_EXPOSURES = {
    "private": Exposure.PRIVATE,
    "participants": Exposure.PARTICIPANTS,
    "global": Exposure.GLOBAL,
}
_WRITERS = {"user": Role.USER, "node": Role.NODE}


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDefinition:
    """A checked definition."""

    id: AppId
    name: str
    rules: tuple[TableRule, ...]
    text: str  # in its shortest form

    @property
    def leaves(self) -> bool:
        """Whether any of its rows ever leave this machine."""
        return any(rule.leaves for rule in self.rules)

    def number(self, table: str) -> int:
        """Return the number of the table that the definition calls ``table``.

        Raises:
            BadInput: ``unknown-table``.
        """
        for rule in self.rules:
            if rule.name == _sql_name(self.id, table):
                return rule.table
        raise BadInput(f"{self.name} has no table {table}", code="unknown-table")


def parse_definition(text: str) -> AppDefinition:
    """Return the definition in a JSON document.

    ::

        {"name": "chess", "tables": [{"name": "moves", "writers": "user",
          "exposure": "participants", "key_bytes": 16, "slots": 100, "max_rows": 10000,
          "life_days": 365, "max_row_bytes": 1024, "check": "new.number >= 0",
          "columns": [{"name": "number", "type": "integer"},
                      {"name": "move", "type": "text", "max": 8}]}]}

    Raises:
        BadInput: ``bad-definition``; the message names what is wrong.
    """
    if len(text.encode()) > MAX_DEFINITION_BYTES:
        raise _bad(f"a definition has at most {MAX_DEFINITION_BYTES} bytes")
    try:
        value = json.loads(text)
        app_id = AppId(_hash(encoding.encode(value), "app"))
    except (ValueError, RecursionError) as error:
        raise _bad(f"not JSON: {error}") from error
    except Malformed as error:
        raise _bad(error.message) from error
    fields = _fields(value, {"name", "tables"}, set())
    tables = fields["tables"]
    if not isinstance(tables, list) or not 1 <= len(tables) <= MAX_TABLES:
        raise _bad(f"1 to {MAX_TABLES} tables")
    rules = tuple(_rule(app_id, table) for table in tables)
    if len({rule.name for rule in rules}) != len(rules):
        raise _bad("two tables of one name")
    return AppDefinition(
        id=app_id,
        name=_name(fields["name"]),
        rules=rules,
        text=json.dumps(value, separators=(",", ":")),
    )


def table_number(app_id: bytes, name: str) -> int:
    """Return the number of an application's table."""
    digest = _hash(app_id + name.encode(), "app table")
    return FIRST_NUMBER | int.from_bytes(digest[:4], "big") >> 1


def _rule(app_id: AppId, value: object) -> TableRule:
    needed = {"name", "columns"}
    optional = {
        "writers",
        "exposure",
        "key_bytes",
        "slots",
        "max_rows",
        "life_days",
        "max_row_bytes",
        "check",
        "sync",
        "partners",
        "near_partners",
        "check_every_s",
    }
    fields = _fields(value, needed, optional)
    name = _name(fields["name"])
    partners = _number(fields, "partners", DEFAULT_PARTNERS, MAX_PARTNERS, least=1)
    near = min(partners, DEFAULT_NEAR_PARTNERS)
    return TableRule(
        table=table_number(app_id, name),
        name=_sql_name(app_id, name),
        exposure=_choice(fields, "exposure", _EXPOSURES, "participants"),
        writers=_choice(fields, "writers", _WRITERS, "user"),
        sync=_choice(fields, "sync", {kind.value: kind for kind in SyncKind}, "proximity"),
        partners=partners,
        near_partners=_number(fields, "near_partners", near, partners),
        check_every_s=_number(fields, "check_every_s", PERIOD_S, MAX_CHECK_S, least=MIN_CHECK_S),
        key_suffix_bytes=_number(fields, "key_bytes", 16, MAX_SUFFIX_BYTES),
        max_row_bytes=_number(fields, "max_row_bytes", 4 * KIB, MAX_ROW_BYTES),
        slots_per_period=_number(fields, "slots", 64, MAX_SLOTS, least=1),
        max_rows_per_owner=_number(fields, "max_rows", 1_024, MAX_ROWS_PER_OWNER, least=1),
        max_life_periods=DAY_PERIODS
        * _number(fields, "life_days", 365, YEAR_PERIODS // DAY_PERIODS, least=1),
        columns=_columns(fields["columns"]),
        check=_check(fields.get("check", "")),
    )


def _columns(value: object) -> tuple[Column, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_COLUMNS:
        raise _bad(f"1 to {MAX_COLUMNS} columns")
    columns = tuple(_column(item) for item in value)
    if len({column.name for column in columns}) != len(columns):
        raise _bad("two columns of one name")
    return columns


def _column(value: object) -> Column:
    fields = _fields(value, {"name", "type"}, {"max", "optional"})
    name = _name(fields["name"])
    if name in _TAKEN:
        raise _bad(f"every table has a column {name} already")
    kind = _choice(fields, "type", {item.value: item for item in ColumnType}, "")
    optional = fields.get("optional", False)
    if not isinstance(optional, bool):
        raise _bad("optional is true or false")
    most = _number(fields, "max", MAX_ROW_BYTES, MAX_ROW_BYTES)
    return Column(name=name, type=kind, most=most, optional=optional)


def _check(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_CHECK_CHARS:
        raise _bad(f"a check has at most {MAX_CHECK_CHARS} characters")
    return value


def _fields(value: object, needed: set[str], optional: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or not needed <= value.keys() <= needed | optional:
        raise _bad(f"needed: {', '.join(sorted(needed))}; possible: {', '.join(sorted(optional))}")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _bad("a name has a to z, 0 to 9 and _, begins with a letter, at most 31 characters")
    return value


def _number(fields: dict[str, Any], name: str, default: int, most: int, *, least: int = 0) -> int:
    value = fields.get(name, default)
    if type(value) is not int or not least <= value <= most:
        raise _bad(f"{name} is a number from {least} to {most}")
    return value


def _choice(fields: dict[str, Any], name: str, choices: dict[str, Any], default: str) -> Any:
    value = fields.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise _bad(f"{name} is one of {', '.join(choices)}")
    return choices[value]


def _sql_name(app_id: bytes, name: str) -> str:
    return f"app_{app_id[:6].hex()}_{name}"


def _hash(data: bytes, purpose: str) -> bytes:
    return blake3(data, derive_key_context=f"bitcloud v1 {purpose}").digest()


def _bad(message: str) -> BadInput:
    return BadInput(message, code="bad-definition")
