"""Which sets are compared next, and with whom: the tables' rules at work.

A table is compared ``partners`` times in ``check_every_s``, each time with one of the partners that
its rule gives it in this period. Sets that are due together, with the same partner, share one
session. Between two of these, rows that lie here for others are brought to where they belong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Final, Protocol

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.partners import NodeRing, assign, may_ask, position_of
from bitcloud_net.core.nodepool.shards import neighbour_of
from bitcloud_net.core.nodepool.tables import (
    DEFAULT_NEAR_PARTNERS,
    DEFAULT_PARTNERS,
    PROOFS,
    SyncKind,
    TableRule,
)
from bitcloud_net.core.units import PERIOD_S
from bitcloud_net.net.network import Network
from bitcloud_net.nodepool.session_reads import SessionReads

HASTE: Final = 0.8
"""Sessions come so much sooner than the rule asks for: some fail, and none may be missing."""
LEAST_S: Final = 1.0
"""Shortest time between two sessions that we start, whatever the rules say."""
NEAREST: Final = 3
"""Nodes nearest to a row's place of which one is asked to take it."""
SMALL: Final = DEFAULT_PARTNERS + 1
"""Nodes up to which everybody who is connected is a partner."""
OWN_ACCORD: Final = frozenset({SyncKind.PROXIMITY, SyncKind.RANDOM, SyncKind.OWNER})
"""Kinds of tables that are compared without being asked for."""


class PlannedRows(Protocol):
    """What is asked of the nodepool here (``nodepool.row_store``)."""

    @property
    def rules(self) -> tuple[TableRule, ...]: ...

    @property
    def reads(self) -> SessionReads: ...

    async def node_ids(self, period: int) -> list[NodeId]: ...


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a set chooses its partners; sets with one manner have the same."""

    kind: SyncKind = SyncKind.PROXIMITY
    partners: int = DEFAULT_PARTNERS
    near: int = DEFAULT_NEAR_PARTNERS
    every_s: int = PERIOD_S

    @classmethod
    def of(cls, rule: TableRule) -> _Manner:
        near = 0 if rule.sync is SyncKind.RANDOM else rule.near_partners
        return cls(rule.sync, rule.partners, near, rule.check_every_s)

    @property
    def interval_s(self) -> float:
        return max(LEAST_S, HASTE * self.every_s / max(1, self.partners))


class SyncPlan:
    """The plan of one node. Times are trio's."""

    def __init__(
        self,
        network: Network,
        rows: PlannedRows,
        random: Random,
        beacon: Callable[[int], bytes],
        period: Callable[[], int],
        depth: Callable[[], int],
    ) -> None:
        """``depth`` says how deep the table of nodes is cut here."""
        self._network = network
        self._rows = rows
        self._random = random
        self._beacon = beacon
        self._period = period
        self._depth = depth
        self._ring = NodeRing(())
        self._ring_period = -1
        self._dead: set[NodeId] = set()
        self._acquaintances: frozenset[bytes] = frozenset()
        self._next: dict[float, float] = {}  # when sets are due again, by their interval

    def sets(self) -> frozenset[int]:
        """Return the sets that are compared of their own accord."""
        return frozenset(number for numbers in self._manners().values() for number in numbers)

    def wait_s(self, now: float) -> float:
        """Return how long nothing is due yet."""
        return max(0.0, min(self._when(manner, now) for manner in self._manners()) - now)

    def due(self, now: float) -> frozenset[int]:
        """Return the sets that are due, which count as compared from now on."""
        manners = self._manners()
        due = [manner for manner in manners if self._when(manner, now) <= now + LEAST_S / 2]
        for interval_s in {manner.interval_s for manner in due}:
            self._next[interval_s] = now + interval_s * self._random.uniform(0.5, 1.5)
        return frozenset(number for manner in due for number in manners[manner])

    def _when(self, manner: _Manner, now: float) -> float:
        """Return when sets are due; those that come equally often come together."""
        return self._next.setdefault(manner.interval_s, now + manner.interval_s)

    async def choose(self, due: frozenset[int]) -> tuple[NodeId, frozenset[int]] | None:
        """Return a partner for some of these sets, and those that it is a partner for; None: there
        is nobody.
        """
        await self.refresh()
        partners: dict[int, list[NodeId]] = {}
        for manner, numbers in self._manners().items():
            if shared := due.intersection(numbers):
                partners |= dict.fromkeys(shared, self._partners(manner))
        sets = [number for number in sorted(partners) if partners[number]]
        if not sets:
            return None
        peer = self._random.choice(partners[self._random.choice(sets)])
        if peer in self._acquaintances:
            return peer, self.sets()  # it may have rows of any table for us
        return peer, frozenset(number for number in sets if peer in partners[number])

    async def refresh(self) -> None:
        """Learn which nodes there are in this period."""
        period = self._period()
        if self._ring_period != period:
            self._ring = NodeRing(await self._rows.node_ids(period))
            self._ring_period = period
            self._dead.clear()
            self._acquaintances = await self._rows.reads.acquaintances(period)

    async def keepers(self, place: int) -> list[NodeId]:
        """Return some of the nodes nearest to a place, in a random order."""
        await self.refresh()
        gone = self._dead | {self._network.node_id}
        live = (node for node in self._ring.nearest(place) if node not in gone)
        nearest = list(islice(live, NEAREST))
        self._random.shuffle(nearest)
        return nearest

    def note_dead(self, peer: NodeId) -> None:
        """Replace a partner that does not answer, until the period ends or it is back."""
        self._dead.add(peer)

    def note_live(self, peer: NodeId) -> None:
        """Hear that a node is there."""
        self._dead.discard(peer)

    def is_assigned(self, peer: NodeId) -> bool:
        """Whether a peer may ask us this period as often as it must; in a small network everybody
        may.
        """
        if len(self._ring) <= 4 * DEFAULT_PARTNERS:
            return True
        beacon = self._beacon(self._period())
        return may_ask(
            self._ring, self._network.node_id, peer, beacon, neighbour=self._neighbour(peer)
        )

    def _manners(self) -> Mapping[_Manner, list[int]]:
        manners: dict[_Manner, list[int]] = {_Manner(): [PROOFS]}
        for rule in self._rows.rules:
            if rule.leaves and rule.sync in OWN_ACCORD:
                manners.setdefault(_Manner.of(rule), []).append(rule.table)
        return manners

    def _partners(self, manner: _Manner) -> list[NodeId]:
        if manner.kind is SyncKind.OWNER:
            known = sorted(NodeId(key) for key in self._acquaintances - self._dead)
            return known or sorted(self._network.peers)
        if len(self._ring) <= SMALL:
            return sorted(self._network.peers)
        own = self._network.node_id
        partners = assign(
            self._ring,
            own,
            self._beacon(self._period()),
            is_dead=self._dead.__contains__,
            partners=manner.partners,
            near_partners=manner.near,
            neighbour=self._neighbour(own),
        )
        return list(partners.all)

    def _neighbour(self, node: NodeId) -> int | None:
        return neighbour_of(position_of(node), self._depth())


def asked_for(rules: Iterable[TableRule], table: str) -> frozenset[int]:
    """Return the set that a person asks for by a table's name; without one all there are.

    Raises:
        BadInput: ``unknown-table``: there is none, or its rows never leave this machine.
    """
    leaving = {rule.name: rule.table for rule in rules if rule.leaves}
    if not table:
        return frozenset({PROOFS, *leaving.values()})
    if table not in leaving:
        raise BadInput(f"no table {table} is shared with other nodes", code="unknown-table")
    return frozenset({leaving[table]})
