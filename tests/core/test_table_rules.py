"""The rules: every table has one, and they fit each other."""

from __future__ import annotations

import pytest

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.table_rules import (
    PROOFS,
    RULES,
    SYNCED_TABLES,
    Exposure,
    SyncKind,
    Table,
    rule_of,
)
from bitcloud_net.core.units import MAX_ROW_BYTES


def test_every_table_has_a_rule_under_its_own_number() -> None:
    assert set(RULES) == set(Table)
    assert all(rule_of(table).table is Table(table) for table in RULES)
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


@pytest.mark.parametrize("number", [PROOFS, -1, 99, 2**63])
def test_unknown_tables_have_none(number: int) -> None:
    with pytest.raises(Malformed) as caught:
        rule_of(number)
    assert caught.value.code == "unknown-table"


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_rules_are_consistent(rule: object) -> None:
    rule = RULES[rule.table]  # type: ignore[attr-defined]
    assert 0 < rule.max_row_bytes <= MAX_ROW_BYTES
    assert rule.near_partners < rule.partners
    assert rule.tombstone_life_periods > rule.max_life_periods
    assert rule.slots_per_period > 0
    assert rule.max_rows_per_owner > 0
    assert rule.name.isidentifier()  # it names a SQL table


def test_private_and_unsynced_tables_never_leave() -> None:
    for table, rule in RULES.items():
        leaves = rule.exposure is not Exposure.PRIVATE and rule.sync is not SyncKind.NONE
        assert (table in SYNCED_TABLES) == leaves


def test_a_published_folder_of_thousands_of_files_fits_one_period() -> None:
    assert RULES[Table.FILE].slots_per_period >= 50_000
    assert RULES[Table.PLACEMENT].slots_per_period >= 50_000
