"""Wanted peers stay connected, through failures of all kinds, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.services.connector import MAX_PAUSE_S, Backoff, Connector

US, THEM, OTHER = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))


@asynccontextmanager
async def running(
    network: MemoryNetwork, bootstrap: tuple[str, ...] = ()
) -> AsyncIterator[Connector]:
    connector = Connector(network, Random(4), bootstrap)
    async with trio.open_nursery() as nursery:
        await nursery.start(connector.run)
        yield connector
        nursery.cancel_scope.cancel()


async def test_a_wanted_peer_is_connected_and_connected_again(autojump_clock: MockClock) -> None:
    hub = MemoryHub(1)
    async with hub.open(US) as us, running(us) as connector:
        connector.want(THEM.node_id)
        for _ in range(3):
            async with hub.open(THEM) as them:
                us.learn(them.node_id, them.addresses)
                connector.want(them.node_id)
                await trio.sleep(3)
                assert us.peers == {them.node_id}
            assert not us.peers


async def test_a_peer_that_was_away_for_long_is_found_within_five_minutes(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub(1)
    async with hub.open(US) as us, running(us) as connector:
        async with hub.open(THEM) as them:
            us.learn(them.node_id, them.addresses)
        connector.want(THEM.node_id)
        await trio.sleep(24 * 3600)
        async with hub.open(THEM):
            await trio.sleep(MAX_PAUSE_S + 1)
            assert us.peers


async def test_who_comes_back_after_long_may_not_be_alone(autojump_clock: MockClock) -> None:
    """A cut cable is mended: when one is back, all the others are dialled at once."""
    hub = MemoryHub(1)
    keys = [SigningKey(bytes([number]) * 32) for number in range(10, 30)]
    async with AsyncExitStack() as stack:
        us = await stack.enter_async_context(hub.open(US))
        connector = await stack.enter_async_context(running(us))
        for key in keys:
            them = await stack.enter_async_context(hub.open(key))
            us.learn(them.node_id, them.addresses)
            connector.want(them.node_id)
        await trio.sleep(10)
        assert len(us.peers) == 20
        hub.partition([us.node_id])
        await trio.sleep(1800)
        assert not us.peers
        hub.heal()
        with trio.fail_after(60):
            while len(us.peers) < 20:  # noqa: ASYNC110 - virtual time
                await trio.sleep(0.5)


async def test_a_peer_that_throws_us_out_is_not_stormed(autojump_clock: MockClock) -> None:
    hub = MemoryHub(1)
    visits = 0
    async with hub.open(US) as us, hub.open(THEM) as them, running(us) as connector:
        us.learn(them.node_id, them.addresses)
        connector.want(them.node_id)
        for _ in range(3600):
            if us.node_id in them.peers:
                visits += 1
                them.ban(us.node_id, seconds=0)
            await trio.sleep(1)
    assert 10 <= visits <= 30


async def test_bootstrap_nodes_are_reached_whenever_they_come(autojump_clock: MockClock) -> None:
    hub = MemoryHub(1)
    async with hub.open(US) as us:
        async with hub.open(THEM) as them, hub.open(OTHER) as other:
            addresses = them.addresses + other.addresses + us.addresses
        async with running(us, addresses) as connector:
            assert connector.wanted == {THEM.node_id, OTHER.node_id}
            async with hub.open(THEM):
                await trio.sleep(5)
                assert us.peers == {THEM.node_id}
            await trio.sleep(600)
            async with hub.open(THEM), hub.open(OTHER):
                await trio.sleep(MAX_PAUSE_S + 1)
                assert us.peers == {THEM.node_id, OTHER.node_id}


async def test_an_unwanted_peer_is_not_dialled_again(autojump_clock: MockClock) -> None:
    hub = MemoryHub(1)
    async with hub.open(US) as us, running(us) as connector:
        async with hub.open(THEM) as them:
            us.learn(them.node_id, them.addresses)
            connector.want(them.node_id)
            await trio.sleep(1)
            connector.unwant(them.node_id)
            connector.unwant(them.node_id)
            assert us.peers
        async with hub.open(THEM):
            await trio.sleep(3600)
            assert not us.peers


async def test_a_bad_bootstrap_address_is_said_at_once(autojump_clock: MockClock) -> None:
    async with MemoryHub(1).open(US) as us:
        with pytest.raises(BadInput):
            Connector(us, Random(1), ("localhost:4001",))


def test_pauses_grow_to_five_minutes_and_are_spread() -> None:
    backoff = Backoff(Random(2))
    pauses = [backoff.next_s() for _ in range(100)]
    assert pauses[0] <= 0.25
    assert pauses[1] <= 1
    assert all(MAX_PAUSE_S / 2 <= pause <= MAX_PAUSE_S for pause in pauses[12:])
    assert len(set(pauses[12:])) > 80
    backoff.reset()
    assert backoff.next_s() <= 0.25
