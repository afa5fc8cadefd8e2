"""The grid as this node sees it: which storage nodes there are, who is on, what that promises."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import trio

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.placement import assign, code_for, survival
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.net.network import Network
from bitcloud_net.nodepool.outcome import RowsChanged
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.views import NodeView, Promise

MAX_VIEWS: Final = 256
"""Nodes that programs are shown; a grid of a hundred thousand is not a list that anybody reads."""
MAX_REACHED: Final = 1_024
"""Nodes whose addresses are at hand; those of others are looked up when they are needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """The code of a new file and who gets which share, in share order."""

    params: CodeParams
    holders: tuple[NodeId, ...]


class Grid:
    """Storage nodes from the nodepool, joined with who is connected. Their ids are remembered until
    a node row changes: tell ``rows_changed`` of all news of the nodepool."""

    def __init__(
        self,
        queries: Queries,
        network: Network,
        period: Callable[[], int],
        avoided: Container[bytes] = (),
    ) -> None:
        """``avoided`` are nodes that get no shares of ours."""
        self._queries = queries
        self._network = network
        self._period = period
        self._avoided = avoided
        self._looking = trio.Lock()
        self._storing: tuple[NodeId, ...] = ()
        self._storing_in: int | None = None  # the period that they were looked up in

    def rows_changed(self, news: RowsChanged) -> None:
        """Hear of new rows (``RowStore.watch``)."""
        if Table.NODE in news.tables:
            self._storing_in = None

    async def nodes(self) -> tuple[NodeId, ...]:
        """Return the storage nodes whose row is valid now and whom nobody here avoids, sorted."""
        period = self._period()
        async with self._looking:
            while self._storing_in != period:  # news may come while we look
                self._storing_in = period
                self._storing = await self._queries.storing(period)
        return tuple(node for node in self._storing if node not in self._avoided)

    def is_online(self, node: NodeId) -> bool:
        """Whether a node is connected, or is this one."""
        return node in self._network.peers or node == self._network.node_id

    async def place(self, key: bytes) -> Placing:
        """Choose code and holders for a new file; ``key`` spreads files evenly.

        Raises:
            Unavailable: ``too-few-nodes``: there is no storage node, or too few of them are on for
                the file to be readable.
        """
        nodes = await self.nodes()
        params = code_for(len(nodes))
        online = self._online(nodes)
        if online < params.k:
            raise Unavailable(
                f"only {online} of the grid's {len(nodes)} storage nodes are on, at least "
                f"{params.k} are needed; try again when more are",
                code="too-few-nodes",
                have=online,
                need=params.k,
            )
        return Placing(params=params, holders=assign(nodes, params.n, key))

    async def replacements(self, holders: Sequence[bytes], count: int) -> list[NodeId]:
        """Return up to ``count`` nodes that are on and hold no share of a file yet."""
        taken = set(holders)
        nodes = await self.nodes()
        return [node for node in nodes if node not in taken and self.is_online(node)][:count]

    async def promise(self) -> Promise | None:
        """Return what the grid's size means for a file published now; None without nodes."""
        nodes = len(await self.nodes())
        return _promise(nodes) if nodes else None

    async def views(self) -> tuple[NodeView, ...]:
        """Return the storage nodes as programs see them, by id: all of them, or of very many those
        that are on and some more, ``MAX_VIEWS`` at most."""
        nodes = await self.nodes()
        if len(nodes) > MAX_VIEWS:
            nodes = tuple(sorted(nodes, key=lambda node: (not self.is_online(node), node)))
        return tuple(
            NodeView(
                node=node.id.hex(),
                online=self.is_online(node.id),
                name=node.body.name,
                capacity_bytes=node.body.capacity,
                used_bytes=node.body.used,
            )
            for node in await self._queries.nodes_of(sorted(nodes[:MAX_VIEWS]))
        )

    async def counts(self) -> tuple[int, int]:
        """Return how many storage nodes there are, and how many of them are on."""
        nodes = await self.nodes()
        return len(nodes), self._online(nodes)

    async def addresses(self) -> Mapping[NodeId, tuple[str, ...]]:
        """Return where nodes of the grid may be reached, the nearest ``MAX_REACHED`` of them."""
        return await self._queries.whereabouts(
            self._period(), near=self._network.node_id, most=MAX_REACHED
        )

    async def address_of(self, node: NodeId) -> tuple[str, ...]:
        """Return where one node may be reached, as its row says; empty when it has none."""
        found = await self._queries.node(node)
        return () if found is None else found.body.addresses

    def _online(self, nodes: Sequence[NodeId]) -> int:
        on = self._network.peers | {self._network.node_id}
        return sum(node in on for node in nodes)


@lru_cache(maxsize=64)
def _promise(nodes: int) -> Promise:
    params = code_for(nodes)
    return Promise(
        shares=params.n,
        needed=params.k,
        may_fail=params.may_fail,
        survival_70=survival(params.k, params.n, nodes, 0.7),
    )
