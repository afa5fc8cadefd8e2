"""What one peer, one subnet and all of them together may take of this node."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NetLimits:
    """Bounds of one network host. The defaults suit a public node; a test grid widens some."""

    max_connections: int = 1024
    """Open connections in all; each costs about 60 KB and one descriptor."""

    max_connections_per_peer: int = 4
    """Both ends dialling at once makes two; a moving peer may leave two old ones behind."""

    max_inbound_per_subnet: int = 8
    """Accepted connections from one IPv4 /24 or IPv6 /48: what one customer of a provider holds."""

    max_inbound_private: int = 256
    """The same for a subnet of private addresses (a home, an office, a router that hides where
    others come from): every machine of it may be a node, and addresses there are for free."""

    max_inbound_loopback: int = 512
    """The same for this machine itself, which may run a whole test grid."""

    max_pending_handshakes: int = 64
    """Accepted connections that have not proven an identity yet."""

    handshake_deadline_s: float = 10.0
    """From the first packet to a multiplexed connection; a satellite link needs 4 s."""

    max_streams_per_peer: int = 64
    """Open streams of one peer in one direction. We use about five; the rest is for extensions."""

    lan: bool = True
    """Whether addresses that others tell us may be private ones. Off on a public node: nobody can
    then make it knock at machines of its own network."""

    max_known_peers: int = 10_000
    """Peers whose addresses are remembered, the most recently learned ones."""

    max_addresses_per_peer: int = 16
    """Addresses remembered of one peer."""


_PRIVATE = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 fc00::/7 fe80::/10"
PRIVATE_NETWORKS = tuple(ipaddress.ip_network(text) for text in _PRIVATE.split())
"""RFC 1918, RFC 4193 and link-local. Not the range that providers share out among customers."""

OPENINGS_PER_S = 250
"""New streams to one peer, on average; our own nodes accept twice as many before they call it a
flood."""

OPENINGS_AT_ONCE = 400
"""And so many in one burst."""


class Pace:
    """Spreads what would be a flood: a bucket of turns that fills steadily. Pure."""

    def __init__(
        self, now: float, *, per_s: float = OPENINGS_PER_S, at_once: int = OPENINGS_AT_ONCE
    ) -> None:
        self._per_s = per_s
        self._at_once = at_once
        self._turns = float(at_once)
        self._at = now

    def wait_s(self, now: float) -> float:
        """Take one turn, and return how many seconds to wait for it."""
        self._turns = min(self._at_once, self._turns + (now - self._at) * self._per_s) - 1
        self._at = now
        return max(0.0, -self._turns / self._per_s)


class Admission:
    """Counts accepted sockets: first while they are strangers, then for as long as they live."""

    def __init__(self, limits: NetLimits) -> None:
        self._limits = limits
        self._per_subnet: Counter[Hashable] = Counter()
        self._pending = 0

    @property
    def pending(self) -> int:
        """Accepted sockets whose handshake has not ended."""
        return self._pending

    def admit(self, ip: str) -> bool:
        """Count a new socket, or return False when there is no room for it."""
        subnet, room = self._subnet(ip)
        if self._pending >= self._limits.max_pending_handshakes:
            return False
        if self._per_subnet[subnet] >= room:
            return False
        self._per_subnet[subnet] += 1
        self._pending += 1
        return True

    def handshake_ended(self) -> None:
        """The handshake of an admitted socket succeeded or failed."""
        self._pending -= 1

    def closed(self, ip: str) -> None:
        """An admitted socket is closed."""
        subnet, _ = self._subnet(ip)
        self._per_subnet[subnet] -= 1
        if not self._per_subnet[subnet]:
            del self._per_subnet[subnet]

    def _subnet(self, ip: str) -> tuple[Hashable, int]:
        address = _address(ip)
        if address.is_loopback:
            return "loopback", self._limits.max_inbound_loopback
        bits = 24 if address.version == 4 else 48
        network = ipaddress.ip_network((int(address), bits), strict=False)
        if any(address in private for private in PRIVATE_NETWORKS):
            return network, self._limits.max_inbound_private
        return network, self._limits.max_inbound_per_subnet


def _address(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(ip.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
