"""Who has not greeted is nobody: not a peer, not answered, not asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.net.network import (
    PeerChange,
    PeerConnected,
    PeerDisconnected,
    ProtocolId,
    Stream,
)
from bitcloud_net.protocols.own_network import WAIT_S, OwnNetwork

ECHO = ProtocolId("/check/echo/1")


async def echo(stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send(data)


@asynccontextmanager
async def two() -> AsyncIterator[tuple[OwnNetwork, MemoryNetwork, list[PeerChange]]]:
    """Open a network that serves an echo, and a connected peer that serves one too."""
    hub = MemoryHub(1, delay_s=0.01)
    async with hub.open(SigningKey(b"1" * 32)) as raw, hub.open(SigningKey(b"2" * 32)) as peer:
        own, heard = OwnNetwork(raw), []
        own.watch(heard.append)
        own.serve(ECHO, echo)
        peer.serve(ECHO, echo)
        await peer.connect(raw.addresses[0])
        yield own, peer, heard


async def ask(stream: Stream) -> bytes:
    await stream.send(b"hello?")
    return await stream.receive()


async def test_a_peer_that_never_greets_is_never_answered(autojump_clock: MockClock) -> None:
    async with two() as (own, peer, heard):
        start = trio.current_time()
        with pytest.raises(Unavailable):
            await ask(await peer.open_stream(own.node_id, ECHO))
        with pytest.raises(Unavailable):
            await own.open_stream(peer.node_id, ECHO)
        assert trio.current_time() - start <= 2 * WAIT_S + 1
        assert not own.peers
        assert not heard


async def test_what_came_before_the_greeting_is_answered_after_it(
    autojump_clock: MockClock,
) -> None:
    async with two() as (own, peer, heard), trio.open_nursery() as nursery:
        answers: list[bytes] = []

        async def ask_early() -> None:
            answers.append(await ask(await peer.open_stream(own.node_id, ECHO)))

        async def ask_back() -> None:
            answers.append(await ask(await own.open_stream(peer.node_id, ECHO)))

        nursery.start_soon(ask_early)
        nursery.start_soon(ask_back)
        await trio.sleep(1)
        assert answers == []
        own.greeted(peer.node_id)
        own.greeted(peer.node_id)
        await trio.sleep(1)
        assert answers == [b"hello?"] * 2
        assert heard == [PeerConnected(peer=peer.node_id)]
        assert own.peers == {peer.node_id}


async def test_a_greeting_holds_as_long_as_the_connection(autojump_clock: MockClock) -> None:
    async with two() as (own, peer, heard):
        own.greeted(peer.node_id)
        own.ban(peer.node_id, seconds=1)
        own.greeted(peer.node_id)  # too late: it has gone
        assert heard == [PeerConnected(peer=peer.node_id), PeerDisconnected(peer=peer.node_id)]
        assert not own.peers
        await trio.sleep(2)
        own.learn(peer.node_id, peer.addresses)
        with pytest.raises(Unavailable):
            await own.reach(peer.node_id)  # connected anew, and not greeted


async def test_who_leaves_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with two() as (own, peer, _), trio.open_nursery() as nursery:

        async def leave() -> None:
            await trio.sleep(1)
            own.ban(peer.node_id, seconds=100)

        nursery.start_soon(leave)
        start = trio.current_time()
        with pytest.raises(Unavailable):
            await own.open_stream(peer.node_id, ECHO)
        assert trio.current_time() - start < 2
