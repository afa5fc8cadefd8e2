"""py-libp2p's swarm and host, put together our way.

Left out on purpose: resource manager, auto-connector, pruner, negative cache and happy eyeballs
(the connector service decides whom to dial), and identify as a client (``/bitcloud/hello`` tells
what we need). Identify and ping are answered, so other libp2p programs can look at us.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import trio
from libp2p.abc import IMuxedConn, ISecureConn, ISecureTransport
from libp2p.crypto.ed25519 import Ed25519PrivateKey
from libp2p.crypto.keys import KeyPair
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.identity.identify_push.identify_push import ID_PUSH
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.auto_connector import AutoConnector
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore
from libp2p.stream_muxer.muxer_multistream import MuxerMultistream
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.transport.exceptions import MuxerUpgradeFailure
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.net.limits import NetLimits
from bitcloud_net.net.one_round_trip import OneRoundTripSecurity, select_at_once
from bitcloud_net.net.peer_id import node_id_from_bytes
from bitcloud_net.net.tuned_tcp import TunedTcp

NOISE = TProtocol("/noise")

ReportFault = Callable[[NodeId, str], None]
"""Called with a peer that broke the protocol below our own, and how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The two layers of a connection that can be exchanged."""

    noise: Callable[[KeyPair], ISecureTransport]
    yamux: Callable[[ISecureConn, ID, NetLimits, Callable[[str], None]], IMuxedConn]


class Gate:
    """Who may have a connection: asked when the handshake has proven the peer's identity."""

    def __init__(self, limits: NetLimits) -> None:
        self.limits = limits
        self._banned_until: dict[NodeId, float] = {}
        self.count: Callable[[NodeId], int] = lambda _: 0

    def ban(self, peer: NodeId, seconds: float) -> None:
        """Refuse a peer for so long."""
        now = trio.current_time()
        self._banned_until = {p: t for p, t in self._banned_until.items() if t > now}
        self._banned_until[peer] = now + seconds

    def banned(self, peer: NodeId) -> bool:
        """Whether a ban of this peer is running."""
        return self._banned_until.get(peer, 0.0) > trio.current_time()

    def admit(self, peer_id: ID) -> NodeId:
        """Return the node id of a peer that may come in.

        Raises:
            MuxerUpgradeFailure: a key of another kind, a ban, or too many connections.
        """
        try:
            peer = node_id_from_bytes(peer_id.to_bytes())
        except Malformed as error:
            raise MuxerUpgradeFailure("only Ed25519 identities are accepted") from error
        if self.banned(peer):
            raise MuxerUpgradeFailure("the peer is banned")
        if self.count(peer) >= self.limits.max_connections_per_peer:
            raise MuxerUpgradeFailure("the peer has too many connections")
        return peer


class GatedMuxer(MuxerMultistream):
    """Negotiates Yamux and nothing else, after the gate has let the peer in."""

    def __init__(self, layers: Layers, gate: Gate, report: ReportFault) -> None:
        super().__init__(
            {TProtocol(YAMUX): Yamux}
        )  # the name to negotiate; new_conn makes the muxer
        self._layers = layers
        self._gate = gate
        self._report = report

    async def new_conn(self, conn: ISecureConn, peer_id: ID) -> IMuxedConn:
        """Return the muxer of a secured connection."""
        peer = self._gate.admit(peer_id)
        protocol = TProtocol(YAMUX)
        if conn.is_initiator:
            await select_at_once(conn, protocol)
        else:
            await self._selector.select(conn, False, self.negotiate_timeout)
        muxer = self._layers.yamux(
            conn, peer_id, self._gate.limits, lambda reason: self._report(peer, reason)
        )
        return self._annotate_connection(muxer, conn, protocol)


class QuietAutoConnector(AutoConnector):
    """Dials nobody: a remote party must not decide whom we call."""

    async def maybe_connect(self) -> None:
        """Do nothing."""


class TidySwarm(Swarm):
    """A swarm that only does what it is told, and lets go of what has ended."""

    def _init_connection_management(self) -> None:
        super()._init_connection_management()
        self.auto_connector = QuietAutoConnector(swarm=self)

    def _schedule_auto_connect(self) -> None:
        return

    def _schedule_prune(self) -> None:
        return

    async def _handle_inbound_connection(
        self, read_write_closer: ReadWriteCloser, maddr: Multiaddr
    ) -> None:
        # The original waits here until the swarm ends, so it serves a fixed number of callers.
        connection = RawConnection(read_write_closer, False)
        try:
            await self.upgrade_inbound_raw_conn(connection, maddr)
        except Exception:  # noqa: BLE001 - whatever a stranger's handshake can raise
            await connection.close()


class QuietHost(BasicHost):
    """A host that answers identify, and does not run it against everyone it meets."""

    def _schedule_identify(self, peer_id: ID, *, reason: str) -> None:
        return


def make_host(
    key: SigningKey, layers: Layers, gate: Gate, tcp: TunedTcp, report: ReportFault
) -> tuple[QuietHost, TidySwarm]:
    """Return a host that speaks TCP, Noise and Yamux, not yet running."""
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)  # it prints what strangers send
    private = Ed25519PrivateKey.from_bytes(key.seed)
    pair = KeyPair(private, private.get_public_key())
    peer_id = ID.from_pubkey(pair.public_key)
    limits = gate.limits
    upgrader = TransportUpgrader({NOISE: layers.noise(pair)}, {})
    upgrader.security_multistream = OneRoundTripSecurity(upgrader.security_multistream.transports)
    upgrader.muxer_multistream = GatedMuxer(layers, gate, report)
    peerstore = PeerStore()
    peerstore.add_key_pair(peer_id, pair)
    swarm = TidySwarm(
        peer_id,
        peerstore,
        upgrader,
        transports=[tcp],
        retry_config=RetryConfig(max_retries=0),
        connection_config=ConnectionConfig(
            max_connections=limits.max_connections,
            min_connections=0,
            low_watermark=0,
            high_watermark=limits.max_connections,
            max_connections_per_peer=limits.max_connections_per_peer,
            inbound_upgrade_timeout=limits.handshake_deadline_s,
            outbound_upgrade_timeout=limits.handshake_deadline_s,
        ),
    )
    host = QuietHost(swarm, disable_identify_address_discovery=True)
    host.remove_stream_handler(ID_PUSH)
    return host, swarm
