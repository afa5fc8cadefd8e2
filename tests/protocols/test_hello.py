"""Peers greet each other, and those of another network part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.net.network import ProtocolId, Stream, StreamHandler
from bitcloud_net.protocols.hello import HELLO_DEADLINE_S, Greeter
from bitcloud_net.wire.hello import PROTOCOL, Greeting

HOME, ABROAD = b"h" * 32, b"a" * 32
LEFT, RIGHT = SigningKey(b"1" * 32), SigningKey(b"2" * 32)
orders = pytest.mark.parametrize("keys", [(LEFT, RIGHT), (RIGHT, LEFT)], ids=["left", "right"])


class Node:
    """A network with a greeter, and what it heard."""

    def __init__(self, network: MemoryNetwork, network_id: bytes) -> None:
        self.network = network
        self.network_id = network_id
        self.greetings: list[tuple[NodeId, Greeting]] = []
        self.strangers: list[tuple[NodeId, str]] = []
        self.greeter = Greeter(
            network,
            self.describe,
            lambda peer, greeting: self.greetings.append((peer, greeting)),
            lambda peer, reason: self.strangers.append((peer, reason)),
        )

    def describe(self) -> Greeting:
        return Greeting(
            network_id=self.network_id,
            agent="test/1",
            addresses=self.network.addresses,
            roles=("storage",),
        )


@asynccontextmanager
async def open_two(
    hub: MemoryHub, keys: tuple[SigningKey, SigningKey] = (LEFT, RIGHT), other: bytes = HOME
) -> AsyncIterator[tuple[Node, Node]]:
    """Open two nodes that greet; the second one is of the network ``other``."""
    async with (
        hub.open(keys[0]) as one,
        hub.open(keys[1]) as two,
        trio.open_nursery() as nursery,
    ):
        nodes = Node(one, HOME), Node(two, other)
        for node in nodes:
            await nursery.start(node.greeter.run)
        yield nodes
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_one(
    hub: MemoryHub, keys: tuple[SigningKey, SigningKey]
) -> AsyncIterator[tuple[Node, MemoryNetwork]]:
    """Open a node that greets, and one that does not."""
    async with (
        hub.open(keys[0]) as one,
        hub.open(keys[1]) as two,
        trio.open_nursery() as nursery,
    ):
        node = Node(one, HOME)
        await nursery.start(node.greeter.run)
        yield node, two
        nursery.cancel_scope.cancel()


@orders
async def test_both_hear_each_other_whoever_dialled(
    keys: tuple[SigningKey, SigningKey], autojump_clock: MockClock
) -> None:
    async with open_two(MemoryHub(1, delay_s=0.05), keys) as (a, b):
        await a.network.connect(b.network.addresses[0])
        await trio.sleep(1)
        assert a.greetings == [(b.network.node_id, b.describe())]
        assert b.greetings == [(a.network.node_id, a.describe())]
        await trio.sleep(2 * HELLO_DEADLINE_S)
        assert a.network.peers
        assert not a.strangers + b.strangers


@orders
async def test_a_node_that_starts_serving_late_is_greeted_all_the_same(
    keys: tuple[SigningKey, SigningKey], autojump_clock: MockClock
) -> None:
    async with open_one(MemoryHub(1), keys) as (a, network), trio.open_nursery() as nursery:
        await a.network.connect(network.addresses[0])
        await trio.sleep(HELLO_DEADLINE_S / 2)
        b = Node(network, HOME)
        await nursery.start(b.greeter.run)
        await trio.sleep(HELLO_DEADLINE_S)
        assert len(a.greetings) == len(b.greetings) == 1
        assert not a.strangers + b.strangers
        nursery.cancel_scope.cancel()


async def test_addresses_are_learned_and_a_reconnection_is_greeted_again(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub(1)
    async with open_two(hub) as (a, b):
        await a.network.connect(b.network.addresses[0])
        await trio.sleep(1)
        hub.partition([a.network.node_id])
        await trio.sleep(60)
        assert not b.network.peers
        hub.heal()
        await b.network.reach(a.network.node_id)  # it has only the greeting to know where
        await trio.sleep(1)
        assert len(a.greetings) == len(b.greetings) == 2


@orders
async def test_another_network_is_put_out_and_both_know(
    keys: tuple[SigningKey, SigningKey], autojump_clock: MockClock
) -> None:
    async with open_two(MemoryHub(1, delay_s=0.05), keys, other=ABROAD) as (a, b):
        await a.network.connect(b.network.addresses[0])
        await trio.sleep(1)
        assert a.strangers == [(b.network.node_id, "other-network")]
        assert b.strangers == [(a.network.node_id, "other-network")]
        assert not a.network.peers | b.network.peers
        assert not a.greetings + b.greetings


async def hold(stream: Stream) -> None:
    await trio.sleep_forever()


async def babble(stream: Stream) -> None:
    await stream.send(bytes(100))
    await stream.close_write()


@orders
@pytest.mark.parametrize(
    ("handler", "reason"), [(None, "no-hello"), (hold, "no-hello"), (babble, "bad-hello")]
)
async def test_who_does_not_greet_is_put_out(
    keys: tuple[SigningKey, SigningKey],
    handler: StreamHandler | None,
    reason: str,
    autojump_clock: MockClock,
) -> None:
    async with open_one(MemoryHub(1), keys) as (node, other):
        if handler is not None:
            other.serve(ProtocolId(PROTOCOL), handler)
        await other.connect(node.network.addresses[0])
        await trio.sleep(HELLO_DEADLINE_S + 1)
        asked = node.network.node_id < other.node_id
        assert node.strangers == [(other.node_id, reason if asked else "no-hello")]
        assert not node.network.peers


async def test_a_hello_that_is_none_costs_the_connection(autojump_clock: MockClock) -> None:
    silent, greeting = sorted((LEFT, RIGHT), key=lambda key: key.node_id)
    async with open_one(MemoryHub(1), (greeting, silent)) as (node, other):
        await other.connect(node.network.addresses[0])
        await babble(await other.open_stream(node.network.node_id, ProtocolId(PROTOCOL)))
        await trio.sleep(1)
        assert not node.network.peers
        assert not node.greetings
