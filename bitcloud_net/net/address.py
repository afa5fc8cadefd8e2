"""Multiaddrs as text: which ones we keep, and which of them may be dialled."""

from __future__ import annotations

import ipaddress
import socket

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.keys import NodeId
from bitcloud_net.net.peer_id import node_id_from_peer_id, peer_id_text

MAX_ADDRESS_CHARS = 256
"""A name of 253 letters would not fit with its port and peer id; none that we know comes near."""

_HOST_KINDS = ("ip4", "ip6", "dns", "dns4", "dns6")


def split_address(address: str) -> tuple[str, NodeId]:
    """Return the transport part and the node id of ``/ip4/…/tcp/…/p2p/…``.

    Raises:
        BadInput: not a full multiaddr of TCP.
    """
    transport, _, peer_id = address.rpartition("/p2p/")
    try:
        if len(address) > MAX_ADDRESS_CHARS:
            raise Malformed("too long")
        node = node_id_from_peer_id(peer_id)
        _, kind, host, protocol, port = transport.split("/")
        if kind not in _HOST_KINDS or protocol != "tcp" or not host:
            raise Malformed("not TCP")
        if kind in ("ip4", "ip6"):
            ipaddress.ip_address(host)
        if not 0 < int(port) < 65536:
            raise Malformed("no such port")
    except (Malformed, ValueError) as error:
        raise BadInput(
            f"{address[:MAX_ADDRESS_CHARS]!r} is not an address such as"
            " /ip4/203.0.113.5/tcp/4001/p2p/12D3KooW…",
            code="bad-address",
        ) from error
    return transport, node


def full_address(transport: str, node: NodeId) -> str:
    """Return ``transport`` with the node's peer id behind it."""
    return f"{transport}/p2p/{peer_id_text(node)}"


def is_private(transport: str) -> bool:
    """Whether an address points at a machine of one's own network, or at this one."""
    _, kind, host, *_ = transport.split("/")
    if kind not in ("ip4", "ip6"):
        return host == "localhost" or host.endswith((".local", ".localhost", ".internal"))
    return not ipaddress.ip_address(host).is_global


def expand_wildcard(transport: str) -> list[str]:
    """Return the addresses behind ``0.0.0.0`` or ``::``: one for each way into this machine."""
    _, kind, host, protocol, port = transport.split("/")
    if not ipaddress.ip_address(host).is_unspecified:
        return [transport]
    family = socket.AF_INET if kind == "ip4" else socket.AF_INET6
    return [f"/{kind}/{ip}/{protocol}/{port}" for ip in _own_addresses(family)]


def _own_addresses(family: socket.AddressFamily) -> list[str]:
    loopback = "127.0.0.1" if family == socket.AF_INET else "::1"
    found = {loopback: None}
    try:
        for entry in socket.getaddrinfo(socket.gethostname(), None, family, socket.SOCK_STREAM):
            found[str(entry[4][0])] = None
    except OSError:
        pass  # the machine does not know its own name
    if (outward := _outward_address(family)) is not None:
        found[outward] = None
    return [ip for ip in found if "%" not in ip]


def _outward_address(family: socket.AddressFamily) -> str | None:
    """Return the address that this machine uses towards the world; nothing is sent."""
    anywhere = "192.0.2.1" if family == socket.AF_INET else "2001:db8::1"
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((anywhere, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return None
