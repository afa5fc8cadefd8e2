"""Rows that are held here though their place is not: who else is known to keep them.

A stray that nothing else holds here is let go once three other nodes have said that they keep it,
at its place and for good. Whoever says so keeps it until three others have said the same; so of the
last that keep a row, none can let it go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Final

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.shards import place_of
from bitcloud_net.nodepool.session_reads import Stray
from bitcloud_net.nodepool.synced_set import SyncedSet
from bitcloud_net.wire.range_index import id_of

ENOUGH_KEEPERS: Final = 3
"""Others that keep a row before it is let go: with two of them gone one is left."""


class StrayBook:
    """What is known of the strays of one node. Used from one trio thread."""

    def __init__(self, sets: Mapping[int, SyncedSet]) -> None:
        self._sets = sets
        self._keepers: dict[tuple[int, Stray], set[NodeId]] = {}

    def note(self, of: int, strays: Iterable[Stray], keeper: NodeId) -> list[Stray]:
        """Note that a node keeps rows; return those of them that enough others keep now."""
        settled = []
        for stray in strays:
            keepers = self._keepers.setdefault((of, stray), set())
            keepers.add(keeper)
            if len(keepers) >= ENOUGH_KEEPERS:
                settled.append(stray)
        return settled

    def unsettled_place(self, random: Random, offers: Callable[[bytes, bytes], bool]) -> int | None:
        """Return the place of a stray that not enough others are known to keep, of those that this
        node ``offers`` by key and id; None: there is none.
        """
        self.forget_gone()
        unsettled = [
            (number, key)
            for number, held in self._sets.items()
            for key, item in held.strays.items()
            if offers(key, id_of(item))
            and len(self._keepers.get((number, Stray.of(key, item)), ())) < ENOUGH_KEEPERS
        ]
        return place_of(*random.choice(unsettled)) if unsettled else None

    def forget_gone(self) -> None:
        """Forget rows that are strays no more."""
        self._keepers = {
            (of, stray): keepers
            for (of, stray), keepers in self._keepers.items()
            if of in self._sets and self._sets[of].has_stray(stray.key, stray.id)
        }
