"""What is wrong with a row by itself, whatever else is held: its time, its slot, and what it says
against the rest of it. Costs nothing.
"""

from __future__ import annotations

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.nodepool.app_tables import parse_definition
from bitcloud_net.core.nodepool.row_bodies import (
    BeaconBody,
    CertificateBody,
    DefinitionBody,
    IdentityBody,
)
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import rule_of
from bitcloud_net.core.nodepool.tables import DAY_PERIODS, Table, TableRule
from bitcloud_net.core.trust.beacons import DAYS_PER_ROW, FIRST_PERIOD, WORD_LIFE_PERIODS
from bitcloud_net.core.trust.certificates import certificate_of

EARLY_PERIODS = 1
"""A row may carry the next period: clocks differ, and it comes into force within ten minutes."""
SLACK_PERIODS = 1
"""A row is held one period past its expiry, for partners whose clock is behind."""


def check_alone(row: SignedRow, rule: TableRule, now: int) -> None:
    """Return when a row may be good in the period ``now``.

    Raises:
        Malformed: ``from-future``, ``expired``, ``lives-too-long``, ``slot-too-high``, or what is
            wrong with the kind of row.
    """
    _check_time(row, rule, now)
    _check_meaning(row)
    if row.slot >= rule.slots_per_period:
        raise Malformed(
            f"slot {row.slot}; an owner has {rule.slots_per_period} in a period",
            code="slot-too-high",
        )


def _check_time(row: SignedRow, rule: TableRule, now: int) -> None:
    if row.period > now + EARLY_PERIODS:
        raise Malformed("the row is from the future", code="from-future")
    if row.expires < now - SLACK_PERIODS:
        raise Malformed("the row has expired", code="expired")
    life = row.expires - row.period
    if row.body is None and life != rule.tombstone_life_periods:
        raise Malformed(
            f"a {rule.name} tombstone lives {rule.tombstone_life_periods} periods",
            code="lives-too-long",
        )
    if row.body is not None and not 0 <= life <= rule.max_life_periods:
        raise Malformed(
            f"a {rule.name} row lives at most {rule.max_life_periods} periods",
            code="lives-too-long",
        )


def _check_meaning(row: SignedRow) -> None:
    """Check what a row says against the rest of it, where that costs nothing."""
    if isinstance(row.body, IdentityBody):
        _check_identity(row, row.body)
    if isinstance(row.body, DefinitionBody):
        _check_definition(row, row.body)
    if isinstance(row.body, CertificateBody):
        certificate_of(row)
    if isinstance(row.body, BeaconBody):
        _check_beacon(row, row.body)


def _check_identity(row: SignedRow, body: IdentityBody) -> None:
    """Check what costs nothing; whether it was mined is checked later, and by few."""
    if row.key_suffix[0] not in set(rule_of(Table.IDENTITY).writers):
        raise Malformed("no role that is mined", code="bad-identity")
    if body.registered > row.period:
        raise Malformed("registered later than signed", code="bad-identity")


def _check_beacon(row: SignedRow, body: BeaconBody) -> None:
    """A word is signed in the period that is its number, and lives for hours; days have numbers of
    their own.
    """
    number = int.from_bytes(row.key_suffix, "big")
    if body.days:
        if not 0 < number <= 1 + row.period // DAY_PERIODS // DAYS_PER_ROW:
            raise Malformed("days of the future", code="bad-beacon")
        return
    if number != row.period or number < FIRST_PERIOD:
        raise Malformed("a word that names another period", code="bad-beacon")
    if row.expires - row.period > WORD_LIFE_PERIODS:
        raise Malformed(
            f"a beacon's word lives at most {WORD_LIFE_PERIODS} periods", code="lives-too-long"
        )


def _check_definition(row: SignedRow, body: DefinitionBody) -> None:
    try:
        app = parse_definition(body.definition)
    except BadInput as error:
        raise Malformed(error.message, code="bad-definition") from error
    if app.id != row.key_suffix:
        raise Malformed("the key is not the application's id", code="bad-definition")
