"""Keeps the connections that matter: to the nodes we want, and to those that lead us in.

One task per wanted node. While it is connected the task sleeps; when it is not, it is dialled: at
once, soon again, and then with pauses that double up to five minutes. Pauses are spread by chance,
so that the nodes of a grid that comes back do not all knock in the same second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

import trio

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import NodeId
from bitcloud_net.net.address import split_address
from bitcloud_net.net.network import Network, PeerChange, PeerDisconnected
from bitcloud_net.tasks import open_tasks

if TYPE_CHECKING:
    from trio_typing import TaskStatus

FIRST_PAUSE_S: Final = 0.25
"""After the first failure: the peer may just be starting, as in a grid that starts together."""
SECOND_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 300.0
"""A node that has been away for hours is found again within this time."""
SPREAD: Final = 0.5
"""A pause is shortened by chance, by up to this part of it."""
STEADY_S: Final = 60.0
"""A connection that lasted this long was a good one: the pauses start anew."""
AWAY_FAILURES: Final = 6
"""When a peer that failed so often is back (after half a minute or more), it was perhaps the way
that was cut, and the others are back as well: all are dialled at once."""
MAX_DIALS: Final = 16
"""Dials at the same time; a dial into the void takes 10 s and costs nothing meanwhile."""


class Backoff:
    """The pauses between attempts. Pure: time and chance are given to it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0

    @property
    def failures(self) -> int:
        """How many attempts have failed since the last success that lasted."""
        return self._failures

    def reset(self) -> None:
        """Begin anew after a success."""
        self._failures = 0

    def next_s(self) -> float:
        """Return the pause after one more failure, in seconds."""
        pause = FIRST_PAUSE_S
        if self._failures:
            pause = min(MAX_PAUSE_S, SECOND_PAUSE_S * 2 ** min(self._failures - 1, 30))
        self._failures += 1
        return pause * (1 - SPREAD * self._random.random())


@dataclass(slots=True, kw_only=True)
class _Wanted:
    """What the task of one wanted peer waits for."""

    address: str | None = None  # a person's word: dialled even where told addresses are filtered
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    left: trio.Event = field(default_factory=trio.Event)
    poke: trio.Event = field(default_factory=trio.Event)


class Connector:
    """Wants peers and keeps them connected while ``run`` is running."""

    def __init__(self, network: Network, random: Random, bootstrap: Sequence[str] = ()) -> None:
        """``bootstrap`` has full addresses that a person gave us; they are wanted for ever.

        Raises:
            BadInput: one of them is not an address.
        """
        self._network = network
        self._random = random
        self._wanted: dict[NodeId, _Wanted] = {}
        self._tasks: trio.Nursery | None = None
        self._dials = trio.CapacityLimiter(MAX_DIALS)
        for address in bootstrap:
            _, peer = split_address(address)
            self._want(peer, _Wanted(address=address))

    @property
    def wanted(self) -> frozenset[NodeId]:
        """The peers that are kept connected, or would be if they were on."""
        return frozenset(self._wanted)

    def want(self, peer: NodeId) -> None:
        """Keep a connection to ``peer`` from now on. Wanting it again tries again at once."""
        if peer in self._wanted:
            self._wanted[peer].poke.set()
        else:
            self._want(peer, _Wanted())

    def unwant(self, peer: NodeId) -> None:
        """Dial ``peer`` no more. A connection that is open stays open."""
        wanted = self._wanted.pop(peer, None)
        if wanted is not None:
            wanted.scope.cancel()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect and reconnect until cancelled. Runs once."""
        self._network.watch(self._note)
        async with open_tasks() as self._tasks:
            for peer, wanted in self._wanted.items():
                self._tasks.start_soon(self._keep, peer, wanted)
            task_status.started()
            await trio.sleep_forever()

    def _want(self, peer: NodeId, wanted: _Wanted) -> None:
        if peer == self._network.node_id:
            return  # a list of everybody's addresses has ours too
        self._wanted[peer] = wanted
        if self._tasks is not None:
            self._tasks.start_soon(self._keep, peer, wanted)

    def _note(self, change: PeerChange) -> None:
        wanted = self._wanted.get(change.peer)
        if wanted is None:
            return
        if isinstance(change, PeerDisconnected):
            wanted.left.set()
        else:
            wanted.poke.set()  # it may have come by itself

    async def _keep(self, peer: NodeId, wanted: _Wanted) -> None:
        backoff = Backoff(self._random)
        with wanted.scope:
            while True:
                wanted.left = trio.Event()
                if await self._reached(peer, wanted.address):
                    if backoff.failures >= AWAY_FAILURES:
                        self._poke_all()
                    since = trio.current_time()
                    await wanted.left.wait()
                    if trio.current_time() - since >= STEADY_S:
                        backoff.reset()
                wanted.poke = trio.Event()
                with trio.move_on_after(backoff.next_s()):
                    await wanted.poke.wait()

    def _poke_all(self) -> None:
        for wanted in self._wanted.values():
            wanted.poke.set()

    async def _reached(self, peer: NodeId, address: str | None) -> bool:
        try:
            async with self._dials:
                if address is None:
                    await self._network.reach(peer)
                else:
                    await self._network.connect(address)
        except Unavailable:
            return False
        return True
