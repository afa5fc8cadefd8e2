"""The grid as this node sees it: which storage nodes there are, who is on, what that promises."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from bitcloud_net.core.code import CodeParams
from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.placement import assign, code_for, survival
from bitcloud_net.net.network import Network
from bitcloud_net.nodepool.queries import Node, Queries
from bitcloud_net.views import NodeView, Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """The code of a new file and who gets which share, in share order."""

    params: CodeParams
    holders: tuple[NodeId, ...]


class Grid:
    """Storage nodes from the nodepool, joined with who is connected."""

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

    async def nodes(self) -> tuple[Node, ...]:
        """Return the storage nodes whose row is valid now and whom nobody here avoids, by id."""
        found = await self._queries.nodes(storing=True, period=self._period())
        return tuple(node for node in found if node.id not in self._avoided)

    def is_online(self, node: NodeId) -> bool:
        """Whether a node is connected, or is this one."""
        return node in self._network.peers or node == self._network.node_id

    async def place(self, key: bytes, *, may_take: Callable[[Node], bool] | None = None) -> Placing:
        """Choose code and holders for a new file; ``key`` spreads files evenly.

        Raises:
            Unavailable: ``too-few-nodes``: there is no storage node, or too few of them are on for
                the file to be readable.
        """
        nodes = [node.id for node in await self.nodes() if may_take is None or may_take(node)]
        params = code_for(len(nodes))
        online = sum(self.is_online(node) for node in nodes)
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
        nodes = [node.id for node in await self.nodes()]
        return [node for node in nodes if node not in taken and self.is_online(node)][:count]

    async def promise(self) -> Promise | None:
        """Return what the grid's size means for a file published now; None without nodes."""
        nodes = len(await self.nodes())
        if not nodes:
            return None
        params = code_for(nodes)
        return Promise(
            shares=params.n,
            needed=params.k,
            may_fail=params.may_fail,
            survival_70=survival(params.k, params.n, nodes, 0.7),
        )

    async def views(self) -> tuple[NodeView, ...]:
        """Return the storage nodes as programs see them."""
        return tuple(
            NodeView(
                node=node.id.hex(),
                online=self.is_online(node.id),
                name=node.body.name,
                capacity_bytes=node.body.capacity,
                used_bytes=node.body.used,
            )
            for node in await self.nodes()
        )

    async def addresses(self) -> Mapping[NodeId, tuple[str, ...]]:
        """Return where each node of the grid may be reached."""
        nodes = await self._queries.nodes(period=self._period())
        return {node.id: node.body.addresses for node in nodes}
