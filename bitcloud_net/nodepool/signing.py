"""Signing own rows: the next number, the next slot, the right life."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import Body
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.nodepool.acceptance import Acceptance
from bitcloud_net.nodepool.app_registry import AppRegistry
from bitcloud_net.nodepool.own_rows import OwnRows


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """A row to be signed. ``life_periods`` None: as long as the table allows."""

    table: int  # a ``Table``, or an application's number
    key_suffix: bytes = b""
    body: Body | None  # None: delete, which leaves a tombstone
    life_periods: int | None = None
    co_signers: tuple[SigningKey, ...] = ()  # other keys of this machine that sign, too


class RowSigner:
    """Signs the rows of one batch. The counting is durable before it is used."""

    def __init__(
        self, own: OwnRows, registry: AppRegistry, acceptance: Acceptance, key: SigningKey
    ) -> None:
        self._own = own
        self._registry = registry
        self._acceptance = acceptance
        self._key = key

    def take_slots(self, rows: Sequence[NewRow]) -> list[int]:
        """Reserve a slot for each row and return them in order.

        Raises:
            Unavailable: ``slots-used-up``.
        """
        next_slot: dict[int, int] = {}
        for table, count in Counter(new.table for new in rows).items():
            rule = self._registry.rule_of(table)
            floor = self._acceptance.next_slot(table, self._key.public)
            next_slot[table] = self._own.take_slots(
                self._key.public, rule, self._acceptance.now, count, floor
            )
        slots = []
        for new in rows:
            slots.append(next_slot[new.table])
            next_slot[new.table] += 1
        return slots

    def sign(self, new: NewRow, slot: int, now_s: int) -> SignedRow:
        """Return the signed row. Its number is above all that are known for its key, and at least
        the time: numbers grow even where everything that was known is lost.

        Raises:
            Malformed: a value that does not fit.
        """
        rule = self._registry.rule_of(new.table)
        key = self._key.public + new.key_suffix
        last = max(self._own.seq(new.table, key), self._acceptance.seq(new.table, key))
        life = rule.max_life_periods if new.life_periods is None else new.life_periods
        if new.body is None:
            life = rule.tombstone_life_periods
        return make_row(
            new.table,
            new.key_suffix,
            new.body,
            signer=self._key,
            co_signers=new.co_signers,
            seq=max(last + 1, now_s),
            period=self._acceptance.now,
            slot=slot,
            expires=self._acceptance.now + life,
            rules=self._registry.rule_of,
        )
