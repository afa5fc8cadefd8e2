"""One suite for every implementation of ``Network``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio.testing

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.net.fast_layers import fast_layers
from bitcloud_net.net.libp2p_host import open_libp2p_network
from bitcloud_net.net.libp2p_swarm import Layers
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.net.network import Network
from bitcloud_net.net.stock_layers import stock_layers
from bitcloud_net.testing.checks import NETWORK_CHECKS, NetworkCheck

each_check = pytest.mark.parametrize("check", NETWORK_CHECKS, ids=lambda check: check.__name__)


class LoopbackLab:
    """libp2p on loopback; a port is chosen at first and then kept."""

    def __init__(self, layers: Callable[[], Layers]) -> None:
        self._layers = layers
        self._listen: dict[bytes, str] = {}

    @asynccontextmanager
    async def open(self, key: SigningKey) -> AsyncIterator[Network]:
        listen = self._listen.get(key.seed, "/ip4/127.0.0.1/tcp/0")
        async with open_libp2p_network(key, listen=[listen], layers=self._layers()) as network:
            self._listen[key.seed] = network.addresses[0].partition("/p2p/")[0]
            yield network


class MemoryLab:
    """The memory network of one hub."""

    def __init__(self, **settings: float) -> None:
        self._hub = MemoryHub(7, **settings)

    def open(self, key: SigningKey) -> AbstractAsyncContextManager[Network]:
        return self._hub.open(key)


@each_check
async def test_libp2p(check: NetworkCheck, loopback_clock: trio.testing.MockClock) -> None:
    await check(LoopbackLab(fast_layers))


@each_check
async def test_libp2p_with_its_own_layers(
    check: NetworkCheck, loopback_clock: trio.testing.MockClock
) -> None:
    await check(LoopbackLab(stock_layers))


@each_check
async def test_memory(check: NetworkCheck, autojump_clock: trio.testing.MockClock) -> None:
    await check(MemoryLab())


@each_check
async def test_memory_far_away(check: NetworkCheck, autojump_clock: trio.testing.MockClock) -> None:
    await check(MemoryLab(delay_s=0.05, loss=0.01, bandwidth_bytes_per_s=50e6))
