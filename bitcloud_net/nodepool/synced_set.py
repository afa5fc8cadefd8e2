"""One reconciled set in memory: the ids of a table's public rows, whole and cut by place.

Rows that only some may see are only counted here: they are looked up for each peer
(``session_reads``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bitcloud_net.core.nodepool.shards import EVERYWHERE, Span, place_of
from bitcloud_net.wire.range_index import RangeIndex, id_of, item_of

MAX_CUTS: Final = 16
"""Cuts kept for peers that are deeper than we are: up to three bits deeper there are 14."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A public row in a set."""

    key: bytes
    item: bytes  # period and id (``wire.range_index``)

    @classmethod
    def of(cls, key: bytes, period: int, row_id: bytes) -> Entry:
        """Return the entry of a row."""
        return cls(key, item_of(period, row_id))


@dataclass(slots=True)
class SetChange:
    """What enters and leaves a set in one batch. An entry that does both in a batch does neither.

    Rows that only some may see are counted: how many came, how many went.
    """

    add: dict[Entry, None] = field(default_factory=dict)
    remove: dict[Entry, None] = field(default_factory=dict)
    narrow_in: int = 0
    narrow_out: int = 0

    def enter(self, entry: Entry) -> None:
        """Let an entry enter."""
        self.add[entry] = None

    def leave(self, entry: Entry) -> None:
        """Let an entry leave that was there before the batch, or entered during it."""
        if entry in self.add:
            del self.add[entry]
        else:
            self.remove[entry] = None


class SyncedSet:
    """The public rows of one table (or the proofs). Changed between batches only.

    ``whole`` has those in ``span``. What lies outside is a *stray*: held for another reason than
    its place.
    """

    def __init__(
        self, table: int, entries: Iterable[Entry], *, span: Span | None = EVERYWHERE
    ) -> None:
        self._table = table
        self.span = span
        self.strays: dict[bytes, bytes] = {}  # key → item
        self.narrow = 0  # rows that only some may see
        self.narrow_version = 0  # grows when such rows change
        self._cuts: OrderedDict[Span, RangeIndex] = OrderedDict()
        self.whole = RangeIndex(entry.item for entry in self._sort_out(entries))

    def __len__(self) -> int:
        return len(self.whole) + len(self.strays) + self.narrow

    def has_stray(self, key: bytes, row_id: bytes) -> bool:
        """Whether this very row is a stray."""
        item = self.strays.get(key)
        return item is not None and id_of(item) == row_id

    def change(self, change: SetChange) -> None:
        """Take over what a batch changed, after its commit."""
        self.narrow += change.narrow_in - change.narrow_out
        self.narrow_version += change.narrow_in + change.narrow_out
        for entry in change.remove:
            if self.strays.get(entry.key) == entry.item:
                del self.strays[entry.key]
        add = list(self._sort_out(change.add))
        self.whole.change(
            add=[entry.item for entry in add], remove=[entry.item for entry in change.remove]
        )
        for span, cut in self._cuts.items():
            cut.change(add=self._inside(span, add), remove=self._inside(span, change.remove))

    def cut(self, span: Span) -> RangeIndex | None:
        """Return the part of the set in ``span``, which lies in ours; not to be changed. None when
        it must be made (``keep_cut``) first.
        """
        if span == self.span:
            return self.whole
        if span in self._cuts:
            self._cuts.move_to_end(span)
        return self._cuts.get(span)

    def keep_cut(self, span: Span, entries: Iterable[Entry]) -> RangeIndex:
        """Keep and return the part of the set in ``span``; ``entries`` are all that it has now."""
        cut = self._cuts[span] = RangeIndex(self._inside(span, entries))
        if len(self._cuts) > MAX_CUTS:
            self._cuts.popitem(last=False)
        return cut

    def _inside(self, span: Span, entries: Iterable[Entry]) -> list[bytes]:
        return [entry.item for entry in entries if place_of(self._table, entry.key) in span]

    def _sort_out(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        """Return the entries in our span; note the others as strays."""
        if self.span == EVERYWHERE:
            return entries
        kept = []
        for entry in entries:
            if self.span is not None and place_of(self._table, entry.key) in self.span:
                kept.append(entry)
            else:
                self.strays[entry.key] = entry.item
        return kept
