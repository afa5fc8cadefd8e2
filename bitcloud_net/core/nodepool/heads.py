"""Owner heads: what an owner says that it has, so that others notice what was kept from them.

A peer can lie by leaving rows out. So each owner signs how many rows it has in each table, and a
fingerprint of them all. Whoever holds that row can tell that others are missing, whoever left them
out.

There is one head for each audience (``core.nodepool.audience``), seen by the same: one for the rows
that everybody may see, and one for those that a publisher has signed, too. Rows of a grid's or a
contract's parties, of applications, and private ones have none: no head tells that they are there.

A head speaks for the rows that outlive it: those whose last valid period is not before its own.
So two nodes that hold the same rows and the same head agree, whatever either has dropped since.
Tombstones are rows. ``latest`` separates rows that are newer than the head from those it counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from blake3 import blake3

from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.core.nodepool.bodies.heads import HEAD_FINGERPRINT_BYTES, PUBLIC_HEAD, TableHead
from bitcloud_net.core.nodepool.bodies.kinds import has_no_publisher
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.tables import Exposure, SyncKind, Table

_CONTEXT = "bitcloud v1 head"
_SUM_BYTES = 32
_MODULUS = 1 << 8 * _SUM_BYTES
_PASSING = frozenset({Table.HEAD, Table.NODE, Table.BEACON, Table.FAULT})
"""Not counted: heads themselves; what comes again by itself and is missed soon enough, and would
make a head each time; and faults, of which all but 16 of a target are dropped, rightly."""
_RECONCILED = frozenset({SyncKind.PROXIMITY, SyncKind.RANDOM})
"""Only of these does everybody who may see them come to hold all rows."""

PUBLISHED_TABLES: Final = frozenset(
    number for number, kind in KINDS.items() if kind.is_public is has_no_publisher
)
"""The tables whose rows are everybody's, or a publisher's where one has signed them."""
COUNTED_TABLES: Final = tuple(
    number
    for number, kind in sorted(KINDS.items())
    if kind.rule.leaves and kind.rule.sync in _RECONCILED and number not in _PASSING
)
"""The tables that heads speak for: of their rows those that ``audience_of_head`` knows."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What a row's key and signers say of it."""

    owner: bytes
    key_suffix: bytes
    co_owners: tuple[bytes, ...]


def audience_of_head(table: int, key: bytes, last_signer: bytes) -> bytes | None:
    """Return which head speaks for a row: that of everybody, or that of the publisher who signed
    the row after its owner; None where it is for parties only.
    """
    kind, owner = KINDS[table], key[:KEY_BYTES]
    if kind.rule.exposure is Exposure.GLOBAL:
        return PUBLIC_HEAD
    if table in PUBLISHED_TABLES:
        return PUBLIC_HEAD if last_signer == owner else last_signer
    co_owners = () if last_signer == owner else (last_signer,)
    is_public = kind.is_public(_Named(owner, key[KEY_BYTES:], co_owners))
    return PUBLIC_HEAD if is_public else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRow:
    """What a head needs of a row that is held."""

    seq: int
    id: bytes


class RowSum:
    """Rows of one owner in one table, summed up. A change costs the same for any size."""

    __slots__ = ("_total", "count")

    def __init__(self, rows: Iterable[CountedRow] = ()) -> None:
        self.count = 0
        self._total = 0
        for row in rows:
            self.add(row.id)

    def add(self, row_id: bytes) -> None:
        """Count a row that was not there."""
        self.count += 1
        self._total = (self._total + int.from_bytes(row_id, "little")) % _MODULUS

    def minus(self, others: RowSum) -> RowSum:
        """Return the sum without those of the rows that are ``others``."""
        rest = RowSum()
        rest.count = self.count - others.count
        rest._total = (self._total - others._total) % _MODULUS
        return rest

    @property
    def fingerprint(self) -> bytes:
        """The sum of the ids, as negentropy forms it, hashed together with their count."""
        data = self._total.to_bytes(_SUM_BYTES, "little") + self.count.to_bytes(8, "big")
        return blake3(data, derive_key_context=_CONTEXT).digest(HEAD_FINGERPRINT_BYTES)

    def says(self, head: TableHead) -> bool:
        """Whether these are the very rows that ``head`` speaks for."""
        return self.count == head.count and self.fingerprint == head.fingerprint


def table_head(table: int, rows: Iterable[CountedRow]) -> TableHead:
    """Return what an owner says of these rows, at least one."""
    rows = tuple(rows)
    total = RowSum(rows)
    return TableHead(
        table=table,
        count=total.count,
        fingerprint=total.fingerprint,
        latest=max(row.seq for row in rows),
    )


class Completeness(StrEnum):
    """How the rows that are held compare with a head."""

    WHOLE = "whole"  # all that the head counts, and perhaps newer ones
    UNSURE = "unsure"  # newer ones are held in the place of some: the next head will tell
    LACKING = "lacking"  # the owner has rows that are not held


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How the rows of one table, or of all, compare with a head."""

    state: Completeness
    missing: int = 0  # rows at least, where some are lacking

    def __add__(self, other: Comparison) -> Comparison:
        """Return how both together compare."""
        both = (self.state, other.state)
        worst = next(state for state in _WORST_FIRST if state in both)
        return Comparison(state=worst, missing=self.missing + other.missing)


_WORST_FIRST = (Completeness.LACKING, Completeness.UNSURE, Completeness.WHOLE)
WHOLE: Final = Comparison(state=Completeness.WHOLE)


def compare(head: TableHead, held: Iterable[CountedRow]) -> Comparison:
    """Compare a head with the rows held of that owner and table that outlive it.

    Newer rows may have taken the place of counted ones, so where they are held nothing is said
    that is not certain.
    """
    total, newer = RowSum(), RowSum()
    for row in held:
        total.add(row.id)
        if row.seq > head.latest:
            newer.add(row.id)
    if total.says(head) or total.minus(newer).says(head):
        return WHOLE
    if total.count < head.count:
        missing = head.count - total.count
        return Comparison(state=Completeness.LACKING, missing=missing)
    if total.count == head.count and not newer.count:  # an older one in the place of a counted one
        return Comparison(state=Completeness.LACKING, missing=1)
    return Comparison(state=Completeness.UNSURE)
