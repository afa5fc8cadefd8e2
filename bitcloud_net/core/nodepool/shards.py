"""Which rows of a large table a node keeps: those whose place lies near its own.

A row's *place* is a number of 256 bits (``partners.position_of``), a node's is its position. At
depth s a table is cut into 2^s shards by the first s bits of the places. A node keeps the shard
that its own position falls in and the neighbour that differs in the last bit: so everything that
agrees with its position in the first s - 1 bits. At depth 0 and 1 that is the whole table.

Two nodes compare what both of them keep: the span of the deeper one where it lies within the other,
and nothing where they lie apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bitcloud_net.core.keys import KEY_BYTES
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.tables import DAY_PERIODS, Exposure, SyncKind, Table, TableRule
from bitcloud_net.core.units import MIB

PLACE_BITS = 256
ENOUGH_OTHERS = 5
"""Nodes that must have said how deep they cut a table before one believes the middle of them."""
MAX_DEPTH = 32
"""Shards for a thousand million nodes and more."""
LIGHT = 255
"""The depth of a node that keeps no shard at all: only rows it has a relation with."""
RISE_BYTES = 50 * MIB
"""An own shard above this for an hour is too much for a desktop program to carry along."""
RISE_PERIODS = 6
FALL_BYTES = 20 * MIB
"""Below this for a day; under half of the other, so that one does not lead to the other."""
FALL_PERIODS = DAY_PERIODS


@dataclass(frozen=True, slots=True)
class Span:
    """All places whose first ``bits`` bits are ``prefix``; without bits, all there are."""

    bits: int = 0
    prefix: int = 0

    def __contains__(self, place: int) -> bool:
        return place >> (PLACE_BITS - self.bits) == self.prefix

    def common(self, other: Span) -> Span | None:
        """Return the places that are in both: the narrower span, or None."""
        deep, wide = (self, other) if self.bits >= other.bits else (other, self)
        return deep if deep.prefix >> (deep.bits - wide.bits) == wide.prefix else None


EVERYWHERE = Span()


def shard_of(position: int, depth: int) -> Span:
    """Return the own shard of the node at ``position``."""
    return Span(depth, position >> (PLACE_BITS - depth))


def kept_span(position: int, depth: int) -> Span | None:
    """Return what the node at ``position`` keeps of a table at this depth: its own shard and the
    neighbour; None when it keeps no shard.
    """
    if depth == LIGHT:
        return None
    return shard_of(position, max(0, depth - 1))


def neighbour_of(position: int, depth: int) -> int | None:
    """Return the same position in the neighbour shard; None where there is no cut."""
    if not 0 < depth <= MAX_DEPTH:
        return None
    return position ^ 1 << (PLACE_BITS - depth)


def shared_span(position: int, depth: int, other: int, other_depth: int) -> Span | None:
    """Return the places that the nodes at both positions keep; None when there are none."""
    ours, theirs = kept_span(position, depth), kept_span(other, other_depth)
    return ours.common(theirs) if ours is not None and theirs is not None else None


def is_sharded(rule: TableRule) -> bool:
    """Whether a table may be cut at all: only what everybody holds. Tables that a grid or the
    parties of a contract share are small, and whoever takes part holds all of it.
    """
    return rule.exposure is Exposure.GLOBAL and rule.sync in (SyncKind.PROXIMITY, SyncKind.RANDOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthRule:
    """When a table's depth changes. Sizes are those of the own shard."""

    rise_bytes: int = RISE_BYTES
    rise_periods: int = RISE_PERIODS
    fall_bytes: int = FALL_BYTES
    fall_periods: int = FALL_PERIODS


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The depth of one table on one node, and for how many periods its shard was too large, or too
    small, without a break.
    """

    value: int = 0
    over: int = 0
    under: int = 0

    def among(self, others: Sequence[int], shard_bytes: int, rule: DepthRule) -> Depth:
        """Return the depth to begin with, where others cut a table deeper: the middle one of theirs
        for who has just come and holds next to nothing of it, else one's own.
        """
        if len(others) < ENOUGH_OTHERS or shard_bytes >= rule.fall_bytes or self.value == LIGHT:
            return self
        middle = sorted(others)[len(others) // 2]
        return Depth(value=middle) if middle > self.value + 1 else self

    def after(self, shard_bytes: int, rule: DepthRule) -> Depth:
        """Return the depth after one more period in which the own shard had this size."""
        if self.value == LIGHT:
            return self
        over = self.over + 1 if shard_bytes > rule.rise_bytes else 0
        under = self.under + 1 if shard_bytes < rule.fall_bytes and self.value else 0
        if over >= rule.rise_periods and self.value < MAX_DEPTH:
            return Depth(value=self.value + 1)
        if under >= rule.fall_periods:
            return Depth(value=self.value - 1)
        return replace(self, over=over, under=under)


def place_of(table: int, key: bytes) -> int:
    """Return the place of a row: that of its owner, so that what one owner says lies together; of
    a fault that of its target, so that what is said about one node does.
    """
    about = key[KEY_BYTES:] if table == Table.FAULT else key[:KEY_BYTES]
    return position_of(about)
