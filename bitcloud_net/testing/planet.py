"""A network in one line of test: storage nodes and people in one process, in virtual time.

::

    async with planet(tmp_path, nodes=10, seed=seed) as world:
        mary, john = await world.join("Mary"), await world.join("John")
        await mary.client.publish([folder])
        await world.settle()
        await world.switch_off(7)
        async with john.client.read("Public/Mary/Holiday/beach.jpg") as pieces: ...

Every machine is the real composition (``bitcloud_net.node.open_node``) with its own home, keys,
nodepool and, where it lends space, share store on the disk. Only four things differ from a real
grid: the network is in memory, blocking work is done on the spot, dates follow trio's clock, and
all chance comes from the seed, so that the same seed is the same life (in one process: the order
of sets differs from one to the next unless ``PYTHONHASHSEED`` is given).
It runs under ``trio.testing.MockClock(autojump_threshold=0)`` only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import trio
from trio.testing import MockClock

from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.units import MIB
from bitcloud_net.local_client import LocalClient
from bitcloud_net.net.limits import NetLimits
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.node import Options, open_node
from bitcloud_net.services.home import create_home
from bitcloud_net.settings import load_settings, save_settings
from bitcloud_net.storage.vault_lock import OpenLock
from bitcloud_net.tasks import open_tasks
from bitcloud_net.testing.inline_threads import inline_threads
from bitcloud_net.testing.mischief import Honest, Mischief
from bitcloud_net.testing.seeded_scheduling import seeded_scheduling
from bitcloud_net.testing.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from trio_typing import TaskStatus

CAPACITY_BYTES = 256 * MIB
"""What each storage node lends."""
BOOTSTRAPS = 3
"""Nodes whose addresses everybody is given to join through."""
SETTLE_S = 900.0
"""Longest wait for all nodepools to agree: one and a half periods."""


class Machine:
    """One computer of the world: a storage node, or a person's. Made by ``World``."""

    def __init__(
        self, world: World, name: str, home: Path, random: Random, *, lends_bytes: int
    ) -> None:
        self.name = name
        self.home = home
        self.random = random
        self.lends_bytes = lends_bytes
        self.clock = VirtualClock()
        self.network: MemoryNetwork | None = None
        self._world = world
        self._client: LocalClient | None = None
        self._keeper: Honest | None = None
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._node_id: NodeId | None = None

    @property
    def node_id(self) -> NodeId:
        """Its id on the network; known once it was on."""
        assert self._node_id is not None, f"{self.name} was never switched on"
        return self._node_id

    @property
    def is_on(self) -> bool:
        """Whether it runs."""
        return self._client is not None

    @property
    def client(self) -> LocalClient:
        """The node as its owner's programs see it, while it is on."""
        assert self._client is not None, f"{self.name} is off"
        return self._client

    async def switch_on(self) -> None:
        """Start it with what its home and its store hold; return when it is ready for calls."""
        if not self.is_on:
            await self._world.tasks.start(self._run)

    async def switch_off(self) -> None:
        """Stop it in good order; return when it is off."""
        if self.is_on:
            self._scope.cancel()
            await self._ended.wait()

    async def kill(self) -> None:
        """Cut it off at once, as a pulled plug does; what it had not sent is lost."""
        if self.is_on:
            self._world.hub.kill(self.node_id)
            await self.switch_off()

    def misbehave(self, mischief: Mischief | None) -> None:
        """Let this storage node do wrong from now on, signing with its own key; None: be good."""
        store = self.client._parts.storage._store
        assert store is not None
        assert self._keeper is not None
        self._keeper.store = store if mischief is None else mischief(store)

    async def _lending(self, client: LocalClient) -> None:
        """Wait until it lends what it was told to: where identities are mined, that takes time."""
        while self.lends_bytes and not client._parts.storage.view().on:  # noqa: ASYNC110 - no news
            await trio.sleep(0.1)

    def _take_over(self, client: LocalClient) -> None:
        """Put our hand between the node's store and its server, before anybody is served.

        An attacker reaches into the machine that is its own, past every interface.
        """
        storage = client._parts.storage
        if storage._server is not None and storage._store is not None:
            self._keeper = storage._server.keeper = Honest(storage._store)

    async def _run(self, *, task_status: TaskStatus[None]) -> None:
        with trio.CancelScope() as self._scope:
            self._ended = trio.Event()
            try:
                opening = open_node(
                    self.home,
                    self._options(),
                    open_network=self._open_network,
                    clock=self.clock,
                    random=self.random,
                )
                async with opening as client:
                    await self._lending(client)
                    self._take_over(client)
                    self._client = client
                    task_status.started()
                    await trio.sleep_forever()
            finally:
                self._client = self.network = None
                self._ended.set()

    def _options(self) -> Options:
        lends = (self.home / "store", self.lends_bytes) if self.lends_bytes else None
        listen = ("/ip4/0.0.0.0/tcp/4001",)  # the hub gives the true address
        return Options(listen=listen, bootstrap=self._world.bootstrap, contribute=lends)

    def _open_network(
        self, key: SigningKey, *, listen: Sequence[str], limits: NetLimits
    ) -> AbstractAsyncContextManager[MemoryNetwork]:
        self._node_id = key.node_id
        return self._networked(key, limits)

    @asynccontextmanager
    async def _networked(self, key: SigningKey, limits: NetLimits) -> AsyncIterator[MemoryNetwork]:
        async with self._world.hub.open(key, limits=limits) as self.network:
            yield self.network


class World:
    """Everything there is. Made by ``planet``; its tasks end with it."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        hub: MemoryHub,
        tasks: trio.Nursery,
        *,
        identity_bits: int = 0,
        audit: bool = True,
    ) -> None:
        self.folder = folder
        self.seed = seed
        self.hub = hub
        self.tasks = tasks
        self.identity_bits = identity_bits
        self.audit = audit
        self.nodes: list[Machine] = []
        self.people: list[Machine] = []
        self.bootstrap: tuple[str, ...] = ()
        self._made = -1
        self._slept_s = 0

    # Who there is

    async def add_nodes(self, count: int, *, lends_bytes: int = CAPACITY_BYTES) -> list[Machine]:
        """Let ``count`` more storage nodes join; return them, on."""
        added = []
        for _ in range(count):
            name = f"node {len(self.nodes)}"
            node = await self._make(name, lends_bytes=lends_bytes)
            self.nodes.append(node)
            added.append(node)
        return added

    async def join(self, name: str, *, light: bool = False) -> Machine:
        """Let a person's computer join, which lends nothing; return it, on.

        ``light``: a small device that keeps no part of the nodepool.
        """
        person = await self._make(name, lends_bytes=0, light=light)
        self.people.append(person)
        return person

    async def stray(self, name: str, **settings: Any) -> Machine:
        """Let a computer knock at our nodes whose settings (``network``, ``identity_bits``) are
        those of another network; return it, on. It is none of ours, and is not in ``people``."""
        return await self._make(name, lends_bytes=CAPACITY_BYTES, **settings)

    async def _make(self, name: str, *, lends_bytes: int, **settings: Any) -> Machine:
        number = self._made = self._made + 1
        home, random = self.folder / f"{number}", Random(f"{self.seed} {number}")
        await create_home(
            home, name=name, lock=OpenLock(), network="test-planet", random_bytes=random.randbytes
        )
        lives = load_settings(home)
        usual = {"identity_bits": self.identity_bits, "identity_memory_mib": 1}
        wanted = {**usual, "audit": int(self.audit), **settings}
        save_settings(home, replace(lives, **wanted))
        machine = Machine(self, name, home, random, lends_bytes=lends_bytes)
        machine.clock.forward(self._slept_s)
        await machine.switch_on()
        if len(self.bootstrap) < BOOTSTRAPS:
            assert machine.network is not None
            self.bootstrap += machine.network.addresses
        return machine

    def named(self, node: str | bytes) -> Machine:
        """Return the machine with this node id, in hex or as it is."""
        wanted = node if isinstance(node, bytes) else bytes.fromhex(node)
        return next(each for each in self.machines if each.node_id == wanted)

    @property
    def machines(self) -> list[Machine]:
        """Storage nodes and people's computers, on or off."""
        return [*self.nodes, *self.people]

    # What happens to them

    async def switch_off(self, count: int) -> list[Machine]:
        """Switch off the first ``count`` storage nodes that are on; return them."""
        chosen = [node for node in self.nodes if node.is_on][:count]
        async with open_tasks() as tasks:
            for node in chosen:
                tasks.start_soon(node.switch_off)
        return chosen

    async def switch_on(self) -> None:
        """Switch on all storage nodes that are off."""
        for node in self.nodes:
            await node.switch_on()

    def sleep_all(self, seconds: int) -> None:
        """Let all machines sleep like closed laptops: dates go on, durations do not."""
        self._slept_s += seconds
        for machine in self.machines:
            machine.clock.forward(seconds)

    def partition(self, *groups: Sequence[Machine]) -> None:
        """Cut every way between machines of different groups; who is in none is one group more."""
        self.hub.partition(*([each.node_id for each in group] for group in groups))

    def heal(self) -> None:
        """End the partition."""
        self.hub.heal()

    async def settle(self) -> float:
        """Wait until all machines that are on have the same rows; return after how many seconds.

        Raises:
            AssertionError: not within ``SETTLE_S``.
        """
        return await until(self.in_step, SETTLE_S, "all nodepools agree")

    def in_step(self) -> bool:
        """Whether all machines that are on hold the same rows; small devices hold few."""
        on = [each.client for each in self.machines if each.is_on]
        whole = [client for client in on if not client._parts.rows.keeping.is_light]
        return len({_rows_of(client) for client in whole}) <= 1


async def until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until something is true; return after how many seconds of virtual time.

    Raises:
        AssertionError: it did not become true in time.
    """
    start = trio.current_time()
    while not condition():
        assert trio.current_time() < start + seconds, f"not within {seconds:g} s: {what}"
        await trio.sleep(0.1)
    return trio.current_time() - start


@asynccontextmanager
async def planet(
    folder: Path,
    *,
    nodes: int = 10,
    seed: int = 0,
    delay_s: float = 0.005,
    loss: float = 0.0,
    bandwidth_bytes_per_s: float | None = None,
    lends_bytes: int = CAPACITY_BYTES,
    identity_bits: int = 0,
    audit: bool = True,
) -> AsyncIterator[World]:
    """Open a world with ``nodes`` storage nodes that know each other, and nobody else.

    ``folder`` takes all homes and stores and belongs to the caller. ``delay_s`` is one way and
    ``bandwidth_bytes_per_s`` that of each connection. Identities cost ``2 ** identity_bits`` tries,
    during which no time passes. ``audit``: whether nodes audit each other, and so ban who is off
    for half an hour. A bug in any machine ends the world and is raised from it.
    """
    virtual = isinstance(trio.lowlevel.current_clock(), MockClock)
    assert virtual, "a planet turns in virtual time: run the test under a MockClock"
    hub = MemoryHub(seed, delay_s=delay_s, loss=loss, bandwidth_bytes_per_s=bandwidth_bytes_per_s)
    with inline_threads(), seeded_scheduling(seed):
        async with open_tasks() as tasks:
            world = World(folder, seed, hub, tasks, identity_bits=identity_bits, audit=audit)
            await world.add_nodes(nodes, lends_bytes=lends_bytes)
            await world.settle()
            yield world
            tasks.cancel_scope.cancel()


def _rows_of(client: LocalClient) -> tuple[tuple[int, int, int], ...]:
    """Return what tells one set of public rows from another: for each table how many there are,
    and their sum.
    """
    sets = sorted(client._parts.rows.sets.items())
    return tuple(
        (table, len(rows.whole), rows.whole.total(0, len(rows.whole))) for table, rows in sets
    )
