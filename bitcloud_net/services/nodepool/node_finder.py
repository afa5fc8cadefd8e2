"""Where a node may be reached: from its row, which is read from others where it is not kept here.

In a network that is cut by place, and on a small device, most nodes' rows are elsewhere; but the
holders of a file may be any nodes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.row_bodies import NodeBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.tables import Table

FRESH_S: Final = 60.0
"""What was read, or could not be, is not asked for again for so long."""
READ_S: Final = 8.0
"""Longest wait; a reader of a file asks other holders meanwhile."""
MAX_REMEMBERED: Final = 4_096
"""Answers kept; beyond, all are forgotten."""


class Reads(Protocol):
    """Who reads from others (``services.nodepool.row_reader``)."""

    async def row(self, table: int, key: bytes) -> SignedRow | None: ...


class NodeFinder:
    """One per node."""

    def __init__(
        self,
        held: Callable[[NodeId], Awaitable[tuple[str, ...]]],
        keeps: Callable[[NodeId], bool],
        reads: Reads,
    ) -> None:
        """``held`` gives the addresses in a row that is held here; ``keeps`` says whether it would
        be, if there is one.
        """
        self._held = held
        self._keeps = keeps
        self._reads = reads
        self._read: dict[NodeId, tuple[float, tuple[str, ...]]] = {}

    async def addresses_of(self, node: NodeId) -> tuple[str, ...]:
        """Return where one node may be reached; empty when nobody knows. Cancel: safe."""
        held = await self._held(node)
        if held or self._keeps(node):
            return held
        until_s, known = self._read.get(node, (0.0, ()))
        if trio.current_time() >= until_s:
            known = await self._ask(node)
            if len(self._read) >= MAX_REMEMBERED:
                self._read.clear()
            self._read[node] = (trio.current_time() + FRESH_S, known)
        return known

    async def _ask(self, node: NodeId) -> tuple[str, ...]:
        try:
            with trio.move_on_after(READ_S):
                row = await self._reads.row(Table.NODE, node)
                return row.body.addresses if row and isinstance(row.body, NodeBody) else ()
        except Unavailable:
            pass
        return ()
