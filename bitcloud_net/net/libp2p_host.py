"""Opens the real network: libp2p over TCP with Noise and Yamux.

libp2p takes 0.6 s and 80 MB to import, so it is imported when the first host is opened, and this
module may be imported by everyone. A program that forks calls ``preload`` first, and its children
share that memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import TYPE_CHECKING

import trio

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.net.limits import Admission, NetLimits
from bitcloud_net.net.network import Network
from bitcloud_net.tasks import open_tasks

if TYPE_CHECKING:
    from bitcloud_net.net.libp2p_swarm import Layers

_GOODBYE_S = 1.0  # for telling the peers; they notice a closed socket anyway


def preload() -> None:
    """Import libp2p now, before a fork or behind a first paint. Blocks for about 0.6 s."""
    from bitcloud_net.net import fast_layers, libp2p_network  # noqa: F401


@asynccontextmanager
async def open_libp2p_network(
    key: SigningKey,
    *,
    listen: Sequence[str] = (),
    limits: NetLimits | None = None,
    layers: Layers | None = None,
) -> AsyncIterator[Network]:
    """Run a libp2p host for as long as the block lasts.

    ``listen`` has multiaddrs such as ``/ip4/0.0.0.0/tcp/4001``; port 0 takes a free one, an empty
    list only dials. Leaving the block closes every connection, within about a second.

    Raises:
        BadInput: an address to listen on that is not TCP over IP.
        LocalFault: ``port-taken`` or ``cannot-listen``.
    """
    from multiaddr import Multiaddr

    from bitcloud_net.net.fast_layers import fast_layers
    from bitcloud_net.net.libp2p_network import Libp2pNetwork
    from bitcloud_net.net.libp2p_swarm import Gate, make_host
    from bitcloud_net.net.tuned_tcp import Traffic, TunedTcp, open_listeners

    gate = Gate(limits or NetLimits())
    traffic = Traffic()
    sockets = await open_listeners(listen)
    addresses = [Multiaddr(address) for address in sockets]
    listeners = list(chain.from_iterable(sockets.values()))
    tcp = TunedTcp(sockets, Admission(gate.limits), traffic)
    host, swarm = make_host(
        key, layers or fast_layers(), gate, tcp, lambda *fault: network.report_fault(*fault)
    )
    async with open_tasks() as nursery:
        network = Libp2pNetwork(key.node_id, host, swarm, gate, traffic, nursery)
        try:
            async with host.run(addresses):
                if sockets:
                    raise LocalFault("libp2p did not start to listen", code="cannot-listen")
                try:
                    yield network
                finally:
                    deadline = trio.current_time() + _GOODBYE_S
                    with trio.CancelScope(deadline=deadline, shield=True):
                        await network.close_all()
        finally:
            # Only now: cancelled any earlier, libp2p's own clean-up would replace the error that
            # ends the block by a cancellation, which this nursery would then swallow.
            nursery.cancel_scope.cancel()
            for listener in listeners:  # libp2p leaves them open when an error ends it
                listener.socket.close()
