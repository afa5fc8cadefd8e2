"""A table that outgrows single nodes, in virtual time: how deep it is cut, and what becomes of it.

Rows come and go; every node follows the real rule of depths (``core.nodepool.shards``), compares
with real partners what both keep, and lets rows go that it keeps no longer once three others have
them. How sessions find differences is left out, it has simulations of its own: here both simply end
with the rows of either. Time goes in steps of pulling, 16 in a period.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from blake3 import blake3

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.partners import NodeRing, assign, position_of
from bitcloud_net.core.nodepool.shards import PLACE_BITS, Depth, DepthRule, Span, kept_span
from bitcloud_net.nodepool.stray_book import ENOUGH_KEEPERS
from bitcloud_net.simulator.world import ROW_BYTES, STEPS_PER_PERIOD

BUCKET_BITS: Final = 6
"""Rows lie in 64 buckets by their place; nodes cut no deeper here."""
GROW_PERIODS: Final = 6
"""Within so many periods all rows appear."""
FALL_PERIODS: Final = 12
"""A tenth of the real patience before a table is cut less deep, so that a run is a day, not ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardScenario:
    """One run: rows appear, then some nodes switch off, then most rows expire."""

    nodes: int = 100
    rows: int = 3_000  # at most, at one time
    off: float = 0.0  # share of the nodes that switches off when the table is largest
    left: float = 0.2  # share of the rows that stays in the end
    turnover: float = 0.02  # share of the rows that others take the place of, in each period
    seed: int = 1

    @property
    def rule(self) -> DepthRule:
        """When depths change: the largest table is to be cut three times, the smallest once."""
        whole = self.rows * ROW_BYTES
        return DepthRule(rise_bytes=whole // 6, fall_bytes=whole // 15, fall_periods=FALL_PERIODS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """How things stood after one period."""

    period: int
    rows: int  # that are valid
    depth: float  # of the live nodes, on average
    kept: float  # share of the rows that a live node holds, on average
    fewest: int  # live nodes that hold the row which the fewest hold
    lost: int  # rows that no live node holds


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOutcome:
    """One run's result."""

    scenario: ShardScenario
    stands: tuple[Stand, ...]

    @property
    def deepest(self) -> float:
        """The greatest average depth."""
        return max(stand.depth for stand in self.stands)

    @property
    def lost(self) -> int:
        """Rows that were ever missing everywhere."""
        return max(stand.lost for stand in self.stands)


@dataclass(frozen=True, slots=True)
class _Row:
    place: int
    bucket: int
    tag: int  # random; sums of tags tell sets apart
    origin: NodeId


class _Bucket:
    __slots__ = ("rows", "tags")

    def __init__(self) -> None:
        self.rows: set[_Row] = set()
        self.tags = 0

    def add(self, rows: Iterable[_Row]) -> None:
        for row in rows:
            if row not in self.rows:
                self.rows.add(row)
                self.tags ^= row.tag

    def drop(self, rows: Iterable[_Row]) -> None:
        for row in rows:
            if row in self.rows:
                self.rows.remove(row)
                self.tags ^= row.tag


@dataclass(slots=True)
class _Node:
    id: NodeId
    position: int
    held: list[_Bucket]
    live: bool = True
    depth: Depth = field(default_factory=Depth)
    keepers: dict[_Row, set[NodeId]] = field(default_factory=dict)  # of its strays
    order: list[NodeId] = field(default_factory=list)

    @property
    def kept(self) -> range:
        """The buckets that lie at places which it keeps."""
        return _buckets(kept_span(self.position, self.depth.value))

    @property
    def strays(self) -> Iterator[_Row]:
        kept = self.kept
        for at, bucket in enumerate(self.held):
            if at not in kept:
                yield from bucket.rows

    @property
    def count(self) -> int:
        return sum(len(bucket.rows) for bucket in self.held)


def _buckets(span: Span | None) -> range:
    if span is None:
        return range(0)
    width = 1 << (BUCKET_BITS - span.bits)
    return range(span.prefix * width, (span.prefix + 1) * width)


def simulate_shards(scenario: ShardScenario) -> ShardOutcome:
    """Run one scenario to its end."""
    return _ShardWorld(scenario).run()


class _ShardWorld:
    def __init__(self, scenario: ShardScenario) -> None:
        self._scenario = scenario
        self._random = Random(scenario.seed)
        self._rows: list[_Row] = []
        self._period = 0
        ids = [NodeId(self._random.randbytes(32)) for _ in range(scenario.nodes)]
        self._nodes = {
            node: _Node(node, position_of(node), [_Bucket() for _ in range(1 << BUCKET_BITS)])
            for node in ids
        }
        self._ring = NodeRing(ids)

    def run(self) -> ShardOutcome:
        rises, falls = 5 * self._scenario.rule.rise_periods, 5 * FALL_PERIODS
        stands = [self._one_period(grow=True) for _ in range(GROW_PERIODS)]
        stands += [self._one_period() for _ in range(rises)]
        self._switch_off()
        self._expire(self._rows[int(self._scenario.left * len(self._rows)) :])
        stands += [self._one_period() for _ in range(falls)]
        return ShardOutcome(scenario=self._scenario, stands=tuple(stands))

    @property
    def _live(self) -> list[_Node]:
        return [node for node in self._nodes.values() if node.live]

    # What happens

    def _one_period(self, *, grow: bool = False) -> Stand:
        for node in self._nodes.values():
            node.order = []
        replaced = self._random.sample(self._rows, int(self._scenario.turnover * len(self._rows)))
        self._expire(replaced)
        for _ in range(len(replaced) + (self._scenario.rows // GROW_PERIODS if grow else 0)):
            self._publish()
        for _ in range(STEPS_PER_PERIOD):
            for node in self._random.sample(live := self._live, len(live)):
                self._step(node)
        self._weigh()
        self._period += 1
        return self._stand()

    def _publish(self) -> None:
        origin = self._random.choice(self._live)
        place = self._random.getrandbits(PLACE_BITS)
        bucket = place >> (PLACE_BITS - BUCKET_BITS)
        row = _Row(place, bucket, self._random.getrandbits(64), origin.id)
        self._rows.append(row)
        origin.held[bucket].add([row])

    def _switch_off(self) -> None:
        for node in self._random.sample(self._live, int(self._scenario.off * len(self._nodes))):
            node.live = False

    def _expire(self, gone: list[_Row]) -> None:
        expired = set(gone)
        self._rows = [row for row in self._rows if row not in expired]
        for node in self._nodes.values():
            for row in gone:
                node.held[row.bucket].drop([row])
                node.keepers.pop(row, None)

    def _weigh(self) -> None:
        for node in self._live:
            shard = Span(node.depth.value, node.position >> (PLACE_BITS - node.depth.value))
            rows = sum(len(node.held[at].rows) for at in _buckets(shard))
            after = node.depth.after(rows * ROW_BYTES, self._scenario.rule)
            if after.value <= BUCKET_BITS:
                node.depth = after

    # Sessions

    def _step(self, node: _Node) -> None:
        partner = self._partner(node)
        if partner is not None:
            self._session(node, partner)
        stray = next((r for r in node.strays if not self._is_settled(node, r)), None)
        if stray is not None:
            self._seek_keeper(node, stray)

    def _seek_keeper(self, node: _Node, stray: _Row) -> None:
        known = node.keepers.get(stray, set())
        for other in self._ring.nearest(stray.place):
            if other != node.id and other not in known and self._nodes[other].live:
                self._session(node, self._nodes[other])
                return

    def _partner(self, node: _Node) -> _Node | None:
        if not node.order:
            seed = self._period.to_bytes(8, "big") + bytes([self._scenario.seed & 255])
            is_dead = lambda other: not self._nodes[other].live  # noqa: E731
            beacon = blake3(seed).digest()
            node.order = list(assign(self._ring, node.id, beacon, is_dead=is_dead).all)
            self._random.shuffle(node.order)
        return self._nodes[node.order.pop()] if node.order else None

    def _session(self, asking: _Node, answering: _Node) -> None:
        kept = asking.kept
        for at in answering.kept:
            ours, theirs = asking.held[at], answering.held[at]
            if at not in kept:
                theirs.add(ours.rows)
                self._note(asking, answering, list(ours.rows))
            elif ours.tags != theirs.tags:
                ours.add(theirs.rows)
                theirs.add(ours.rows)

    def _note(self, node: _Node, keeper: _Node, strays: list[_Row]) -> None:
        for row in strays:
            node.keepers.setdefault(row, set()).add(keeper.id)
            if self._is_settled(node, row) and row.origin != node.id:
                node.held[row.bucket].drop([row])
                del node.keepers[row]

    def _is_settled(self, node: _Node, row: _Row) -> bool:
        return len(node.keepers.get(row, ())) >= ENOUGH_KEEPERS

    # Measuring

    def _stand(self) -> Stand:
        live, rows = self._live, self._rows
        holders = [sum(row in node.held[row.bucket].rows for node in live) for row in rows]
        return Stand(
            period=self._period,
            rows=len(rows),
            depth=sum(node.depth.value for node in live) / len(live),
            kept=sum(node.count for node in live) / (len(live) * max(1, len(rows))),
            fewest=min(holders),
            lost=sum(not count for count in holders),
        )
