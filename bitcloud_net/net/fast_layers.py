"""The two layers that Bitcloud uses: our own Noise and Yamux, byte-compatible with everyone's.

``stock_layers`` are py-libp2p's. Ours cost a fraction of their time; ``wire/README.md`` says why
they exist.
"""

from __future__ import annotations

from collections.abc import Callable

from libp2p.abc import ISecureConn
from libp2p.peer.id import ID

from bitcloud_net.net.libp2p_swarm import Layers
from bitcloud_net.net.limits import NetLimits
from bitcloud_net.net.noise_transport import NoiseConnection, NoiseTransport
from bitcloud_net.net.yamux_muxer import YamuxMuxer
from bitcloud_net.wire.memory_budget import MemoryBudget


def fast_layers(budget: MemoryBudget | None = None) -> Layers:
    """Return our layers for one host, whose connections share one budget of receive windows."""
    windows = budget or MemoryBudget()

    def yamux(
        conn: ISecureConn, peer_id: ID, limits: NetLimits, report: Callable[[str], None]
    ) -> YamuxMuxer:
        assert isinstance(conn, NoiseConnection)  # the only security that is offered
        return YamuxMuxer(
            conn, peer_id, budget=windows, max_streams=limits.max_streams_per_peer, report=report
        )

    return Layers(noise=NoiseTransport, yamux=yamux)
