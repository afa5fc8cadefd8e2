"""The nodes that are kept connected, and how long a first call waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import trio
from trio.testing import MockClock

from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.nodepool.outcome import RowsChanged
from bitcloud_net.services.neighbours import IN_STEP_S, LOOK_AGAIN_S, MAX_NEIGHBOURS, Neighbours

US = SigningKey(bytes([1]) * 32)
KEYS = [SigningKey(bytes([2, number]) + bytes(30)) for number in range(100)]


@dataclass
class Wanted:
    now: set[NodeId] = field(default_factory=set)

    def want(self, peer: NodeId) -> None:
        self.now.add(peer)

    def unwant(self, peer: NodeId) -> None:
        self.now.discard(peer)


@dataclass
class Syncs:
    sessions: int = 0
    asked: list[NodeId] = field(default_factory=list)

    @property
    def state(self) -> Syncs:
        return self

    def sync_soon(self, peer: NodeId) -> None:
        self.asked.append(peer)


class Rows:
    """The node rows, as a test changes them."""

    def __init__(self) -> None:
        self.addresses: dict[NodeId, tuple[str, ...]] = {}

    async def __call__(self) -> Mapping[NodeId, tuple[str, ...]]:
        return dict(self.addresses)


NODE_ROWS = RowsChanged(tables=frozenset({Table.NODE}), rows=(), source=None)


async def test_the_wanted_follow_the_rows(clock: MockClock) -> None:
    rows, wanted = Rows(), Wanted()
    async with MemoryHub(1).open(US) as us, trio.open_nursery() as nursery:
        neighbours = Neighbours(us, wanted, rows, Syncs(), led_in=False)
        await nursery.start(neighbours.run)
        assert wanted.now == set()
        first, second = KEYS[0].node_id, KEYS[1].node_id
        rows.addresses = {first: (), second: ()}
        neighbours.rows_changed(NODE_ROWS)
        await trio.sleep(0.1)
        assert wanted.now == {first, second}
        del rows.addresses[first]  # its row expired, of which nobody tells
        await trio.sleep(LOOK_AGAIN_S + 1)
        assert wanted.now == {second}
        nursery.cancel_scope.cancel()


async def test_of_many_the_nearest_are_wanted(clock: MockClock) -> None:
    rows, wanted = Rows(), Wanted()
    rows.addresses = {key.node_id: () for key in KEYS}
    async with MemoryHub(1).open(US) as us, trio.open_nursery() as nursery:
        await nursery.start(Neighbours(us, wanted, rows, Syncs(), led_in=False).run)
        nursery.cancel_scope.cancel()

    def distance(node: NodeId) -> int:
        return int.from_bytes(node, "big") ^ int.from_bytes(US.node_id, "big")

    nearest = sorted((key.node_id for key in KEYS), key=distance)[:MAX_NEIGHBOURS]
    assert wanted.now == set(nearest)


async def test_who_is_alone_does_not_wait(clock: MockClock) -> None:
    async with MemoryHub(1).open(US) as us:
        neighbours = Neighbours(us, Wanted(), Rows(), Syncs(), led_in=False)
        await neighbours.in_step()
    assert trio.current_time() == 0


async def test_a_first_call_waits_for_rows_but_not_for_ever(clock: MockClock) -> None:
    async with MemoryHub(1).open(US) as us:
        neighbours = Neighbours(us, Wanted(), Rows(), Syncs(), led_in=True)
        await neighbours.in_step()
        assert trio.current_time() <= IN_STEP_S
        waited = trio.current_time()
        await neighbours.in_step()
        assert trio.current_time() == waited, "only once"


async def test_nodes_that_are_off_hold_a_first_call_up_but_shortly(clock: MockClock) -> None:
    hub, rows, syncs = MemoryHub(1), Rows(), Syncs()
    async with hub.open(US) as us, hub.open(KEYS[0]) as there:
        rows.addresses = {key.node_id: () for key in KEYS[:5]}
        await us.connect(there.addresses[0])
        syncs.sessions = 1
        neighbours = Neighbours(us, Wanted(), rows, syncs, led_in=True)
        await neighbours.in_step()
        assert trio.current_time() < 2
        assert syncs.asked == [there.node_id]
