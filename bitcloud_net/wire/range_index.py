"""The ids of a set in order, with sums of any range of them at hand.

Items are 40 bytes: the period (8 bytes, big endian) and the row's id (32 bytes), so their order as
bytes is the order of reconciliation. They lie in blocks that are never changed, only replaced: a
copy costs one reference per block, and a session works on its own copy while rows come and go.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

ITEM_BYTES = 40
PERIOD_BYTES = 8

_BLOCK_ITEMS = 128  # a partial sum touches at most so many ids; a change copies at most so many
_LOOSE_BLOCKS = 16  # so many blocks may be nearly empty before all are laid out anew


def item_of(period: int, row_id: bytes) -> bytes:
    """Return the item for a row."""
    return period.to_bytes(PERIOD_BYTES, "big") + row_id


def id_of(item: bytes) -> bytes:
    """Return the row id in an item."""
    return item[PERIOD_BYTES:]


def _sum(items: Iterable[bytes]) -> int:
    return sum(int.from_bytes(item[PERIOD_BYTES:], "little") for item in items)


class _Block:
    __slots__ = ("items", "total")

    def __init__(self, items: Sequence[bytes]) -> None:
        self.items = items
        self.total = _sum(items)


class RangeIndex:
    """A sorted set of items. Adding and removing cost about the size of the change."""

    __slots__ = ("_blocks", "_counts", "_firsts", "_sums")

    def __init__(self, items: Iterable[bytes] = ()) -> None:
        self._blocks: list[_Block] = _cut(sorted(set(items)))
        self._summarise()

    def copy(self) -> RangeIndex:
        """Return an independent set with the same items."""
        twin = RangeIndex()
        twin._blocks = list(self._blocks)
        twin._firsts, twin._counts, twin._sums = self._firsts, self._counts, self._sums
        return twin

    def change(self, *, add: Iterable[bytes] = (), remove: Iterable[bytes] = ()) -> None:
        """Remove and then add items; what is not there, or there already, does not matter."""
        touched: dict[int, tuple[set[bytes], set[bytes]]] = {}
        for which, items in enumerate((remove, add)):
            for item in items:
                touched.setdefault(self._block_of(item), (set(), set()))[which].add(item)
        for at in sorted(touched, reverse=True):
            removed, added = touched[at]
            old = self._blocks[at].items if self._blocks else ()
            self._blocks[at : at + 1] = _cut(sorted((set(old) - removed) | added))
        if touched:
            self._summarise()
        if len(self._blocks) > _LOOSE_BLOCKS + 4 * len(self) // _BLOCK_ITEMS:
            self._blocks = _cut(self.items(0, len(self)))
            self._summarise()

    def __len__(self) -> int:
        return self._counts[-1]

    def __contains__(self, item: bytes) -> bool:
        at = self.lower_bound(item)
        return at < len(self) and self.item(at) == item

    def item(self, at: int) -> bytes:
        """Return the item with this number; 0 is the smallest."""
        block = bisect_right(self._counts, at) - 1
        return self._blocks[block].items[at - self._counts[block]]

    def items(self, lower: int, upper: int) -> list[bytes]:
        """Return the items from number ``lower`` to before ``upper``."""
        found: list[bytes] = []
        block = max(0, bisect_right(self._counts, lower) - 1)
        while block < len(self._blocks) and self._counts[block] < upper:
            start = self._counts[block]
            found += self._blocks[block].items[max(0, lower - start) : upper - start]
            block += 1
        return found

    def lower_bound(self, bound: bytes) -> int:
        """Return the number of items that are smaller than ``bound``, which may be a prefix."""
        if not self._blocks:
            return 0
        block = self._block_of(bound)
        return self._counts[block] + bisect_left(self._blocks[block].items, bound)

    def total(self, lower: int, upper: int) -> int:
        """Return the sum of the ids from number ``lower`` to before ``upper``, not yet reduced."""
        return self._total_before(upper) - self._total_before(lower)

    def _total_before(self, at: int) -> int:
        block = bisect_right(self._counts, at) - 1
        inside = at - self._counts[block]
        if not inside:
            return self._sums[block]
        return self._sums[block] + _sum(self._blocks[block].items[:inside])

    def _block_of(self, item: bytes) -> int:
        return max(0, bisect_right(self._firsts, item) - 1)

    def _summarise(self) -> None:
        self._firsts = [block.items[0] for block in self._blocks]
        self._counts = list(accumulate((len(block.items) for block in self._blocks), initial=0))
        self._sums = list(accumulate((block.total for block in self._blocks), initial=0))


def _cut(items: Sequence[bytes]) -> list[_Block]:
    """Cut sorted items into blocks; one that has grown to twice the size is divided."""
    if len(items) < 2 * _BLOCK_ITEMS:
        return [_Block(items)] if items else []
    starts = range(0, len(items), _BLOCK_ITEMS)
    return [_Block(items[start : start + _BLOCK_ITEMS]) for start in starts]
