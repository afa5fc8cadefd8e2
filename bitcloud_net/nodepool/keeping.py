"""What this node keeps of all that there is: rows that it may see, at places that it keeps."""

from __future__ import annotations

from collections.abc import Iterable

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.partners import position_of
from bitcloud_net.core.shards import EVERYWHERE, Depth, Span, is_sharded, kept_span, shard_of
from bitcloud_net.core.tables import TableRule


class Keeping:
    """Who we are, and how deep each table is cut here. Changed between batches only."""

    def __init__(self, node: NodeId | None = None, persons: Iterable[bytes] = ()) -> None:
        """``node`` None: nobody in particular, who keeps everything that is offered."""
        self.node = node
        self.keys = frozenset(persons) | ({node} if node is not None else set())
        self.position = position_of(node) if node is not None else 0
        self.depths: dict[int, Depth] = {}

    def act_for(self, keys: Iterable[bytes]) -> None:
        """Keep what these keys may see, too."""
        self.keys |= frozenset(keys)

    def depth(self, table: int) -> int:
        """Return how deep a table is cut here."""
        depth = self.depths.get(table)
        return depth.value if depth else 0

    def span(self, rule: TableRule) -> Span | None:
        """Return the places of a table that are kept here; None: no place at all."""
        if not is_sharded(rule):
            return EVERYWHERE
        return kept_span(self.position, self.depth(rule.table))

    def shard(self, rule: TableRule) -> Span:
        """Return the own shard of a table, whose size decides its depth."""
        return shard_of(self.position, self.depth(rule.table))
