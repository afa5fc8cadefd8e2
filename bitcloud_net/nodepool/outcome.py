"""What became of a row that was offered to the nodepool."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.rows import SignedRow


class Fate(StrEnum):
    """The five things that can happen."""

    ACCEPTED = "accepted"
    KNOWN = "known"  # this very row is held already
    STALE = "stale"  # a later one of the same key is held
    PARKED = "parked"  # good, but the row it belongs to has not come yet
    REFUSED = "refused"


SENDERS_FAULT = frozenset(
    {
        "row-too-large",
        "row-not-canonical",
        "bad-row",
        "bad-body",
        "bad-key",
        "bad-number",
        "bad-signature",
        "lives-too-long",
        "slot-too-high",
        "bad-identity",
        "bad-definition",
        "bad-certificate",
        "bad-beacon",
        "check-failed",
        "bad-proof",
        "malformed",
    }
)
"""Refusals that an honest sender would have made itself. The others may come from another view of
the network or another clock: ``unknown-table``, ``from-future``, ``expired``, ``slot-reused``,
``number-reused``, ``owner-banned``, ``owner-full``, ``pool-full``, ``waiting-full``,
``proofs-full``,
``faults-full``, ``app-full``, ``table-full``, ``must-mine-again``, ``unknown-day``.
"""

NOT_OURS = frozenset({"not-for-us", "not-kept"})
"""Refusals of good rows that others keep: they may be ours tomorrow, so they are not remembered."""
FOR_NOW = frozenset(
    {
        "from-future",
        "owner-banned",
        "owner-full",
        "table-full",
        "app-full",
        "pool-full",
        "waiting-full",
        "faults-full",
    }
)
"""Refusals that may be none in the next period: until then the row is not asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The fate of one offered row. ``row`` is None for a proof, and for bytes that are no row."""

    fate: Fate
    row: SignedRow | None = None
    code: str | None = None  # of a refusal
    reason: str | None = None

    @property
    def is_senders_fault(self) -> bool:
        """Whether who sent it is to blame, beside who signed it."""
        return self.fate is Fate.REFUSED and self.code in SENDERS_FAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsChanged:
    """News: the nodepool holds other rows than before. Tombstones count as rows."""

    tables: frozenset[int]
    rows: tuple[SignedRow, ...]  # that were accepted; empty when rows only expired
    source: NodeId | None  # who sent them; None: signed here
