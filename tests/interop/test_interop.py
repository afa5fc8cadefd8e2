"""Other libp2ps with their own TCP, Noise and Yamux against our layers, in two processes.

``js`` is js-libp2p 3 under Node, ``py`` is py-libp2p as it comes. Each dials us and is dialled.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from interop_protocols import BULK_BYTES, echoes_on_many_streams, pull, push, serve_all
from other_peer import INSTALL_LIMIT_S, OtherPeer, install, open_other_peer

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.net.libp2p_host import open_libp2p_network
from bitcloud_net.net.network import Network

STREAMS = 50

pytestmark = pytest.mark.timeout(INSTALL_LIMIT_S + 120)


@pytest.fixture
async def ours() -> AsyncIterator[Network]:
    async with open_libp2p_network(
        SigningKey(b"o" * 32), listen=["/ip4/127.0.0.1/tcp/0"]
    ) as network:
        serve_all(network)
        yield network


@pytest.fixture(params=["js", "py"])
async def other(request: pytest.FixtureRequest) -> AsyncIterator[OtherPeer]:
    if request.param == "js":
        install()
    async with open_other_peer(request.param) as peer:
        yield peer


async def test_the_other_dials_us_pings_and_identifies(ours: Network, other: OtherPeer):
    (address,) = ours.addresses
    assert (await other.run("ping", address=address))["ms"] >= 0
    known = await other.run("identify", address=address)
    assert "/interop/echo/1" in known["protocols"]
    assert known["agentVersion"]


async def test_the_other_echoes_on_many_streams_at_once(ours: Network, other: OtherPeer):
    (address,) = ours.addresses
    answer = await other.run("echo", address=address, streams=STREAMS, bytes=200_000)
    assert answer == {"same": STREAMS}


async def test_the_other_moves_100_mb_to_us_and_from_us(ours: Network, other: OtherPeer):
    (address,) = ours.addresses
    pushed = await other.run("push", address=address, bytes=BULK_BYTES)
    assert pushed["sent"] == pushed["answer"]
    pulled = await other.run("pull", address=address, bytes=BULK_BYTES)
    assert pulled["bytes"] == BULK_BYTES


async def test_we_dial_and_echo_on_many_streams(ours: Network, other: OtherPeer):
    peer = await ours.connect(other.address)
    assert await echoes_on_many_streams(ours, peer, streams=STREAMS, size=200_000) == STREAMS
    assert len((await other.run("peers"))["peers"]) == 1


async def test_we_move_100_mb_there_and_back(ours: Network, other: OtherPeer):
    peer = await ours.connect(other.address)
    sent, got = await push(ours, peer, BULK_BYTES)
    assert sent == got
    assert (await pull(ours, peer, BULK_BYTES))["bytes"] == BULK_BYTES
