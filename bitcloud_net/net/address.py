"""Multiaddrs as text: which ones we keep, and which of them may be dialled."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

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


def usable_transports(
    addresses: Iterable[str], peer: NodeId, *, lan: bool, most: int
) -> tuple[str, ...]:
    """Return where ``peer`` may be dialled, out of what somebody said of it.

    Left out is what is no address, or another node's, or beyond ``most``; and, unless ``lan``,
    every private address: a stranger must not send us to machines of our own network.
    """
    usable = []
    for address in addresses:
        try:
            transport, named = split_address(address)
        except BadInput:
            continue
        if named == peer and (lan or not is_private(transport)):
            usable.append(transport)
    return tuple(usable[:most])


def expand_wildcard(transport: str) -> list[str]:
    """Return the addresses behind ``0.0.0.0`` or ``::``: one for each way into this machine.

    Loopback comes last: it is of use to programs of this machine only.
    """
    from multiaddr.utils import get_network_addrs  # 50 ms, and only hosts that listen need it

    _, kind, host, protocol, port = transport.split("/")
    if not ipaddress.ip_address(host).is_unspecified:
        return [transport]
    loopback = "127.0.0.1" if kind == "ip4" else "::1"
    own = [*get_network_addrs(4 if kind == "ip4" else 6), loopback]
    return [f"/{kind}/{ip}/{protocol}/{port}" for ip in dict.fromkeys(own)]
