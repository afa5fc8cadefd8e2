"""Who may see a row: from its table's exposure, its key and its co-owners, never from its body.

So a deletion reaches exactly those who had the row. Sync sessions and pushes ask here before a row
leaves the machine.

A row names keys: its owner, its co-owners, and the others in its key (a contract's other side,
whom a request is for). Besides them may see it

- where the exposure is ``GRID``, who acts for a key it names: the gateways of a grid; the grids
  that a publisher has a contract with, and the gateways that serve it;
- where the rule says ``members``, the users of a publisher it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bitcloud_net.core.nodepool.bodies.kinds import RowLike
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.tables import Exposure, TableRule

EVERYBODY = None
"""The audience of what anybody may see."""
NOBODY: frozenset[bytes] = frozenset()
"""The audience of what never leaves the machine."""


class TableRow(RowLike, Protocol):
    """What is asked of a row here."""

    @property
    def table(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a key is to others, as the nodepool's rows say. See ``nodepool.standing``."""

    key: bytes
    acts_for: frozenset[bytes] = frozenset()  # grids and publishers
    member_of: frozenset[bytes] = frozenset()  # publishers that have signed its user row


def audience_of(row: TableRow, rule: TableRule) -> frozenset[bytes] | None:
    """Return the keys that ``row`` names, or None when everybody may see it."""
    if rule.exposure is Exposure.GLOBAL:
        return EVERYBODY
    if rule.exposure is Exposure.PRIVATE:
        return NOBODY
    kind = KINDS.get(row.table)
    if kind is None:  # an application's: whoever has installed it takes part
        return EVERYBODY
    if kind.is_public(row):
        return EVERYBODY
    return frozenset((row.owner, *row.co_owners, *kind.others(row)))


def may_see(row: TableRow, rule: TableRule, peer: Standing) -> bool:
    """Whether ``row`` may be given to ``peer``."""
    named = audience_of(row, rule)
    return (
        named is EVERYBODY
        or peer.key in named
        or (rule.exposure is Exposure.GRID and not named.isdisjoint(peer.acts_for))
        or (rule.members and not named.isdisjoint(peer.member_of))
    )
