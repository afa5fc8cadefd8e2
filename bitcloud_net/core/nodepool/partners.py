"""Who reconciles with whom: 12 near partners and 4 random ones in each period.

Both sides can compute it from the list of nodes and the period's beacon, so partners are assigned
and not chosen: nobody can surround a node by asking for it. The near ones find differences fast,
the random ones join the network into one (without them a row may never get everywhere).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from blake3 import blake3

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.table_rules import DEFAULT_NEAR_PARTNERS, DEFAULT_PARTNERS

COURTESY = 1.5
"""Views of the network differ by a few nodes, so a partner is accepted up to this rank times the
number of seats."""

ACROSS = 3
"""One in so many near partners is from the neighbour shard."""

_POSITION_BITS = 256


def position_of(key: bytes) -> int:
    """Return the place of a key: its hash, so that nobody picks a place without mining for it."""
    return int.from_bytes(blake3(key, derive_key_context="bitcloud v1 position").digest(), "big")


class NodeRing:
    """The known nodes, sorted by position, to be asked for the nearest to any place."""

    def __init__(self, nodes: Iterable[NodeId]) -> None:
        placed = sorted((position_of(node), node) for node in set(nodes))
        self._positions = [position for position, _ in placed]
        self._nodes = [node for _, node in placed]

    def __len__(self) -> int:
        return len(self._nodes)

    def nearest(self, position: int) -> Iterator[NodeId]:
        """Iterate over all nodes, the nearest by exclusive-or first.

        The sorted list is a binary tree: at each bit the half that agrees with ``position`` comes
        first, whole. Each step costs about log2 of the number of nodes.
        """
        halves = [(0, len(self._nodes), _POSITION_BITS - 1, 0)]
        while halves:
            low, high, bit, prefix = halves.pop()
            if high - low == 1 or (bit < 0 and low < high):
                yield from self._nodes[low:high]
            elif low < high:
                upper = prefix | 1 << bit
                middle = bisect_left(self._positions, upper, low, high)
                sides = [(low, middle, bit - 1, prefix), (middle, high, bit - 1, upper)]
                halves += sides if position >> bit & 1 else reversed(sides)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partners:
    """The partners of one node in one period, each at most once."""

    near: tuple[NodeId, ...]
    random: tuple[NodeId, ...]

    @property
    def all(self) -> tuple[NodeId, ...]:
        """Random ones first: they bring what the neighbourhood has not heard of."""
        return self.random + self.near


def assign(
    ring: NodeRing,
    own: NodeId,
    beacon: bytes,
    *,
    is_dead: Callable[[NodeId], bool] = lambda _: False,
    partners: int = DEFAULT_PARTNERS,
    near_partners: int = DEFAULT_NEAR_PARTNERS,
    neighbour: int | None = None,
) -> Partners:
    """Return the partners of ``own`` for the period of ``beacon``.

    ``neighbour`` is the own position in the neighbour shard, where tables are cut: a third of the
    near partners are nearest to there, because that shard is kept, too. A dead one is replaced by
    the next in its order; ask again as soon as one turns out to be dead.
    """
    across = near_partners // ACROSS if neighbour is not None else 0
    place = position_of(own)
    near = _take(ring.nearest(place), near_partners - across, lambda n: n == own or is_dead(n))
    if neighbour is not None:
        near += _take(
            ring.nearest(neighbour), across, lambda n: n == own or n in near or is_dead(n)
        )
    random: list[NodeId] = []
    for seat in range(partners - near_partners):
        taken = {own, *near, *random}
        place = position_of(beacon + own + bytes([seat]))
        random += _take(
            ring.nearest(place),
            1,
            lambda n, taken=taken: n in taken or is_dead(n),  # type: ignore[misc]
        )
    return Partners(near=tuple(near), random=tuple(random))


def may_ask(
    ring: NodeRing, own: NodeId, asking: NodeId, beacon: bytes, *, neighbour: int | None = None
) -> bool:
    """Whether ``own`` is a partner of ``asking`` in this period, with some courtesy because the two
    do not know exactly the same nodes. ``neighbour`` as in ``assign``, of the asking node.
    """
    seats = int(DEFAULT_NEAR_PARTNERS * COURTESY)
    places = [position_of(asking)] + ([neighbour] if neighbour is not None else [])
    if any(own in _take(ring.nearest(place), seats, lambda n: n == asking) for place in places):
        return True
    for seat in range(DEFAULT_PARTNERS - DEFAULT_NEAR_PARTNERS):
        place = position_of(beacon + asking + bytes([seat]))
        if own in _take(ring.nearest(place), DEFAULT_PARTNERS, lambda n: n == asking):
            return True
    return False


def _take(nodes: Iterator[NodeId], count: int, leave_out: Callable[[NodeId], bool]) -> list[NodeId]:
    taken: list[NodeId] = []
    for node in nodes:
        if len(taken) == count:
            break
        if not leave_out(node):
            taken.append(node)
    return taken
