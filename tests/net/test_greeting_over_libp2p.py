"""The connector and the greeter on real sockets, together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import trio
from trio.testing import MockClock

from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.net.libp2p_host import open_libp2p_network
from bitcloud_net.net.network import Network
from bitcloud_net.protocols.hello import Greeter
from bitcloud_net.services.connector import Connector
from bitcloud_net.wire.hello import Greeting

HOME, ABROAD = b"h" * 32, b"a" * 32
KEYS = [SigningKey(bytes([number]) * 32) for number in range(1, 5)]


@asynccontextmanager
async def open_node(
    key: SigningKey,
    greeted: dict[NodeId, Greeting],
    *,
    network_id: bytes = HOME,
    bootstrap: tuple[str, ...] = (),
) -> AsyncIterator[Network]:
    def describe() -> Greeting:
        return Greeting(network_id=network_id, agent="test/1", addresses=network.addresses)

    async with (
        open_libp2p_network(key, listen=["/ip4/127.0.0.1/tcp/0"]) as network,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(Greeter(network, describe, greeted.__setitem__).run)
        await nursery.start(Connector(network, Random(1), bootstrap).run)
        yield network
        nursery.cancel_scope.cancel()


async def test_nodes_of_one_network_meet_and_others_part(loopback_clock: MockClock) -> None:
    greeted: list[dict[NodeId, Greeting]] = [{} for _ in KEYS]
    async with (
        open_node(KEYS[0], greeted[0]) as first,
        open_node(KEYS[1], greeted[1], bootstrap=first.addresses) as second,
        open_node(KEYS[2], greeted[2], bootstrap=first.addresses) as third,
        open_node(KEYS[3], greeted[3], network_id=ABROAD, bootstrap=first.addresses) as foreign,
    ):
        await trio.sleep(3)
        assert greeted[0].keys() == {second.node_id, third.node_id}
        assert greeted[1].keys() == greeted[2].keys() == {first.node_id}
        assert greeted[1][first.node_id].addresses == first.addresses
        assert not greeted[3]
        assert not foreign.peers
        assert first.peers == {second.node_id, third.node_id}
