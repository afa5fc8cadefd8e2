"""What a memory network can do to its nodes, in virtual time."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput, Unavailable
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.units import KIB, MIB
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.net.network import PeerChange, PeerDisconnected, ProtocolId, Stream

ECHO = ProtocolId("/check/echo/1")


async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)
    await stream.close_write()


async def open_grid(stack: AsyncExitStack, hub: MemoryHub, count: int) -> list[MemoryNetwork]:
    nodes = [
        await stack.enter_async_context(hub.open(SigningKey(bytes([number]) * 32)))
        for number in range(1, count + 1)
    ]
    for node in nodes:
        node.serve(ECHO, echo)
        for other in nodes:
            node.learn(other.node_id, other.addresses)
    return nodes


async def ping(node: MemoryNetwork, peer: NodeId) -> float:
    """Return the seconds that a question and its answer take."""
    start = trio.current_time()
    stream = await node.open_stream(peer, ECHO)
    await stream.send(b"?")
    await stream.receive()
    stream.reset()
    return trio.current_time() - start


async def test_delay_costs_what_round_trips_cost(autojump_clock: MockClock) -> None:
    async with AsyncExitStack() as stack:
        a, b = await open_grid(stack, MemoryHub(1, delay_s=0.1), 2)
        assert await ping(a, b.node_id) == pytest.approx(1.0)  # dial 3, stream 1, question 1
        assert await ping(a, b.node_id) == pytest.approx(0.4)


async def test_bandwidth_is_shared_by_the_streams_of_a_connection(
    autojump_clock: MockClock,
) -> None:
    async with AsyncExitStack() as stack:
        a, b = await open_grid(stack, MemoryHub(1, bandwidth_bytes_per_s=float(MIB)), 2)
        start = trio.current_time()

        async def carry() -> None:
            stream = await a.open_stream(b.node_id, ECHO)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.send, bytes(2 * MIB))
                received = 0
                while received < 2 * MIB:
                    received += len(await stream.receive())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(carry)
            nursery.start_soon(carry)
        assert trio.current_time() - start == pytest.approx(4, rel=0.2)


async def test_loss_delays_and_loses_nothing(autojump_clock: MockClock) -> None:
    async with AsyncExitStack() as stack:
        a, b = await open_grid(stack, MemoryHub(1, loss=0.5), 2)
        times = [await ping(a, b.node_id) for _ in range(20)]
        assert min(times) == 0
        assert max(times) >= 0.2


async def test_a_short_partition_only_delays(autojump_clock: MockClock) -> None:
    async with AsyncExitStack() as stack:
        hub = MemoryHub(1)
        a, b = await open_grid(stack, hub, 2)
        stream = await a.open_stream(b.node_id, ECHO)
        hub.partition([a.node_id], [b.node_id])
        await stream.send(b"hello?")
        with trio.move_on_after(10) as scope:
            await stream.receive()
        assert scope.cancelled_caught
        hub.heal()
        assert await stream.receive() == b"hello?"


async def test_a_long_partition_breaks_connections_and_heals(autojump_clock: MockClock) -> None:
    async with AsyncExitStack() as stack:
        hub = MemoryHub(1)
        a, b, c = await open_grid(stack, hub, 3)
        news: list[PeerChange] = []
        stream = await a.open_stream(b.node_id, ECHO)
        await ping(a, c.node_id)
        a.watch(news.append)
        hub.partition([b.node_id])
        with pytest.raises(Unavailable):
            await stream.receive()
        assert news == [PeerDisconnected(peer=b.node_id)]
        with pytest.raises(Unavailable):
            await ping(a, b.node_id)
        await ping(a, c.node_id)
        hub.heal()
        await ping(a, b.node_id)


async def test_a_paused_node_is_silent_and_stays_connected(autojump_clock: MockClock) -> None:
    async with AsyncExitStack() as stack:
        hub = MemoryHub(1)
        a, b = await open_grid(stack, hub, 2)
        stream = await a.open_stream(b.node_id, ECHO)
        hub.pause(b.node_id)
        await stream.send(b"asleep?")
        with pytest.raises(Unavailable):
            await a.open_stream(b.node_id, ECHO)
        await trio.sleep(3600)
        assert a.peers == {b.node_id}
        hub.resume(b.node_id)
        assert await stream.receive() == b"asleep?"


async def test_a_killed_node_is_gone_until_it_opens_again(autojump_clock: MockClock) -> None:
    async with AsyncExitStack() as stack:
        hub = MemoryHub(1)
        a, b = await open_grid(stack, hub, 2)
        stream = await a.open_stream(b.node_id, ECHO)
        hub.kill(b.node_id)
        with pytest.raises(Unavailable):
            await stream.receive()
        with pytest.raises(Unavailable):
            await ping(a, b.node_id)
        with pytest.raises(Unavailable):
            await ping(b, a.node_id)
        async with hub.open(SigningKey(bytes([2]) * 32)) as again:
            again.serve(ECHO, echo)
            assert again.addresses == b.addresses
            await ping(a, b.node_id)


async def test_errors_of_the_body_come_out_as_they_are(autojump_clock: MockClock) -> None:
    with pytest.raises(BadInput, match="ours"):
        async with MemoryHub(1).open(SigningKey(bytes(32))):
            raise BadInput("ours")


async def test_sixty_nodes_talk_to_each_other(autojump_clock: MockClock) -> None:
    async with AsyncExitStack() as stack:
        nodes = await open_grid(stack, MemoryHub(1, delay_s=0.02), 60)
        async with trio.open_nursery() as nursery:
            for node in nodes:
                for other in nodes:
                    if node is not other:
                        nursery.start_soon(ping, node, other.node_id)
        assert all(len(node.peers) == 59 for node in nodes)


async def test_unread_bytes_are_bounded(autojump_clock: MockClock) -> None:
    async def never_read(stream: Stream) -> None:
        await trio.sleep_forever()

    async with AsyncExitStack() as stack:
        a, b = await open_grid(stack, MemoryHub(1), 2)
        b.serve(ECHO, never_read)
        stream = await a.open_stream(b.node_id, ECHO)
        with trio.move_on_after(60):
            await stream.send(bytes(MIB))
        assert a.traffic[1] == 256 * KIB
