"""The nodes that are known, sorted by position, for whoever looks for those near to a place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.partners import NodeRing

FRESH_S: Final = 60.0
"""How long one look at the node rows serves."""
FEW: Final = 64
"""Nodes up to which each call looks anew: it costs little, and each one more matters."""
MAX_ON_THE_SPOT: Final = 4_096
"""Nodes that are sorted without leaving the loop: 10 ms. A hundred thousand take 300."""


class NodeRows(Protocol):
    """Who knows the nodes (``nodepool.row_store``)."""

    async def node_ids(self, period: int) -> list[NodeId]: ...


@dataclass(frozen=True, slots=True)
class Known:
    """The nodes at one time."""

    ring: NodeRing = field(default_factory=lambda: NodeRing(()))
    ids: frozenset[NodeId] = frozenset()


class KnownNodes:
    """Remembers them for a while. Used from one trio thread."""

    def __init__(self, rows: NodeRows, period: Callable[[], int]) -> None:
        self._rows = rows
        self._period = period
        self._known = Known()
        self._until_s = 0.0

    async def known(self) -> Known:
        """Return the nodes whose row is valid now, or was a minute ago. Cancel: safe."""
        if len(self._known.ids) <= FEW or trio.current_time() >= self._until_s:
            ids = await self._rows.node_ids(self._period())
            self._known = Known(await _sorted(ids), frozenset(ids))
            self._until_s = trio.current_time() + FRESH_S
        return self._known


async def _sorted(ids: list[NodeId]) -> NodeRing:
    if len(ids) <= MAX_ON_THE_SPOT:
        return NodeRing(ids)
    return await trio.to_thread.run_sync(NodeRing, ids)
