"""Whom this node keeps a connection to: the grid's storage nodes, as the nodepool lists them.

What the node rows say of addresses goes to the network, the nodes themselves to the connector. A
program that has just started waits here, not for ever, until the rows have come and the nodes that
are on are connected; otherwise it would call a healthy grid empty.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.net.network import Network
from bitcloud_net.nodepool.outcome import RowsChanged

if TYPE_CHECKING:
    from trio_typing import TaskStatus

MAX_NEIGHBOURS: Final = 64
"""Connections kept on purpose: every node of a grid that the standard promise is exact for."""
LOOK_AGAIN_S: Final = 60.0
"""Node rows are looked through at least so often: some expire without news."""
IN_STEP_S: Final = 8.0
"""Longest wait of a first call for the first rows."""
REST: Final = 10
"""After a look, rest so many times as long as it took: rows of very many nodes come in a stream."""
QUIET_S: Final = 0.5
"""When no further node connects or answers for so long, those that are missing are off."""
STEP_S: Final = 0.02
ASKED_FIRST: Final = 12
"""Peers that a program which just started compares its rows with before its first call."""


class Wants(Protocol):
    """The connector (``services.connector``)."""

    def want(self, peer: NodeId) -> None: ...
    def unwant(self, peer: NodeId) -> None: ...


class SyncState(Protocol):
    """How the sync goes (``services.nodepool.syncer.SyncState``)."""

    @property
    def sessions(self) -> int: ...


class Syncs(Protocol):
    """The syncer (``services.nodepool.syncer``)."""

    @property
    def state(self) -> SyncState: ...
    def sync_soon(self, peer: NodeId) -> None: ...


class Neighbours:
    """Keeps the wanted set in step with the node rows."""

    def __init__(
        self,
        network: Network,
        connector: Wants,
        addresses: Callable[[], Awaitable[Mapping[NodeId, tuple[str, ...]]]],
        sync: Syncs,
        *,
        led_in: bool,
    ) -> None:
        """``led_in`` says whether there is anybody to sync with at all."""
        self._network = network
        self._connector = connector
        self._addresses = addresses
        self._sync = sync
        self._led_in = led_in
        self._changed = trio.Event()
        self._known: frozenset[NodeId] = frozenset()
        self._in_step = False

    def rows_changed(self, news: RowsChanged) -> None:
        """Hear of new rows (``RowStore.watch``)."""
        if Table.NODE in news.tables:
            self._changed.set()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow the node rows until cancelled."""
        await self._look()
        task_status.started()
        while True:
            with trio.move_on_after(LOOK_AGAIN_S):
                await self._changed.wait()
            self._changed = trio.Event()
            since = trio.current_time()
            await self._look()
            await trio.sleep(REST * (trio.current_time() - since))

    async def in_step(self) -> None:
        """Wait until the first rows are here and the nodes that are on are connected."""
        if self._in_step or not (self._led_in or self._known):
            return
        with trio.move_on_after(IN_STEP_S):
            if self._led_in:
                await self._ask_around()
            await self._look()
            await self._quiet(lambda: len(self._missing()))
        self._in_step = True

    async def _ask_around(self) -> None:
        """Have a session with each of the first peers: one of them may not know all the others."""
        while not self._network.peers:  # noqa: ASYNC110 - the connector is at it
            await trio.sleep(STEP_S)
        await trio.sleep(STEP_S)  # those that were dialled together arrive together
        asked = sorted(self._network.peers)[:ASKED_FIRST]
        for peer in asked:
            self._sync.sync_soon(peer)
        await self._quiet(lambda: max(0, len(asked) - self._sync.state.sessions))

    async def _quiet(self, left: Callable[[], int]) -> None:
        """Wait until nothing is left, or until it has not become less for a while."""
        since, before = trio.current_time(), left()
        while before and trio.current_time() - since < QUIET_S:
            await trio.sleep(STEP_S)
            if (now := left()) != before:
                since, before = trio.current_time(), now

    def _missing(self) -> frozenset[NodeId]:
        return self._known - self._network.peers - {self._network.node_id}

    async def _look(self) -> None:
        addresses = await self._addresses()
        for node, where in addresses.items():
            self._network.learn(node, where)
        nearest = sorted(addresses, key=lambda node: _distance(node, self._network.node_id))
        wanted = frozenset(nearest[:MAX_NEIGHBOURS])
        for node in wanted - self._known:
            self._connector.want(node)
        for node in self._known - wanted:
            self._connector.unwant(node)
        self._known = wanted


def _distance(one: bytes, other: bytes) -> int:
    return int.from_bytes(one, "big") ^ int.from_bytes(other, "big")
