"""js-libp2p 3 with its own TCP, Noise and Yamux against our layers, both ways, in two processes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from interop_protocols import BULK_BYTES, echoes_on_many_streams, pull, push, serve_all
from js_peer import JsPeer, install, open_js_peer

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.net.libp2p_host import open_libp2p_network
from bitcloud_net.net.network import Network

STREAMS = 50


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    install()


@pytest.fixture
async def ours() -> AsyncIterator[Network]:
    async with open_libp2p_network(
        SigningKey(b"o" * 32), listen=["/ip4/127.0.0.1/tcp/0"]
    ) as network:
        serve_all(network)
        yield network


@pytest.fixture
async def js() -> AsyncIterator[JsPeer]:
    async with open_js_peer() as peer:
        yield peer


async def test_js_dials_us_pings_and_identifies(ours: Network, js: JsPeer):
    (address,) = ours.addresses
    assert (await js.run("ping", address=address))["ms"] >= 0
    known = await js.run("identify", address=address)
    assert "/interop/echo/1" in known["protocols"]
    assert known["agentVersion"]


async def test_js_echoes_on_many_streams_at_once(ours: Network, js: JsPeer):
    (address,) = ours.addresses
    answer = await js.run("echo", address=address, streams=STREAMS, bytes=200_000)
    assert answer == {"same": STREAMS}


async def test_js_moves_100_mb_to_us_and_from_us(ours: Network, js: JsPeer):
    (address,) = ours.addresses
    pushed = await js.run("push", address=address, bytes=BULK_BYTES)
    assert pushed["sent"] == pushed["answer"]
    pulled = await js.run("pull", address=address, bytes=BULK_BYTES)
    assert pulled["bytes"] == BULK_BYTES


async def test_we_dial_js_and_echo_on_many_streams(ours: Network, js: JsPeer):
    peer = await ours.connect(js.address)
    assert await echoes_on_many_streams(ours, peer, streams=STREAMS, size=200_000) == STREAMS
    assert len((await js.run("peers"))["peers"]) == 1


async def test_we_move_100_mb_to_js_and_from_js(ours: Network, js: JsPeer):
    peer = await ours.connect(js.address)
    sent, got = await push(ours, peer, BULK_BYTES)
    assert sent == got
    assert (await pull(ours, peer, BULK_BYTES))["bytes"] == BULK_BYTES
