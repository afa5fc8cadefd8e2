"""Who judges whom: auditors drawn by lot for each target and period.

The rank of an auditor for a target is a hash of the period's beacon and both keys, so neither side
can choose: the beacon is not known beforehand, and keys must be older than it. The first 16
eligible ones sit, at most one from each neighbourhood of addresses and one of each root
(``core.trust.weights``). Two nodes know slightly different nodes, so one or two of 16 seats may be
others for somebody else; with 11 of 16 that costs nothing. Believing the next in rank instead
would: with 30 % hostile nodes, 11 of the first 24 speak ill of an honest one in 7 % of all periods.
"""

from __future__ import annotations

import heapq
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from blake3 import blake3

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.tables import NODE_LIFE_PERIODS
from bitcloud_net.core.trust.weights import FULL_WEIGHT_PPM, weights_ppm

SEATS = 16
QUORUM = 11
"""Equal statements that make a verdict: at 30 % hostile nodes a wrong one is made once in 600
periods and a wrong ban once in ten million windows (nodepool-sync.md, section 11)."""
SMALL_NETWORK = 24
"""With fewer nodes than this, all are auditors and two thirds are the quorum."""
MIN_AGE_PERIODS = NODE_LIFE_PERIODS
"""A node audits three days after its first row: longer than any beacon can be foreseen. Where too
few nodes are of age, nobody is judged by lot; proofs need none."""

_LOT = blake3(derive_key_context="bitcloud v1 lot")  # never updated itself, only its copies
_FIRST = 256
"""Ranks looked at first for seats: enough unless most share their neighbourhoods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node that might be drawn."""

    node: NodeId
    since: int  # period of its first row
    neighbourhood: str = ""  # see ``neighbourhood_of``; empty: stands for itself
    root: bytes = b""  # the identity that it points to; empty: itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """The auditors of one target in one period, as one node sees it."""

    seats: tuple[NodeId, ...]  # whose statements count
    quorum: int


class Electorate:
    """All live nodes that are not banned, prepared once for many draws."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._candidates = list(candidates)
        self._eligible: dict[int, list[tuple[Candidate, int]]] = {}  # with weights, by period

    def draw(self, beacon: bytes, target: NodeId, period: int) -> Lot:
        """Return the lot of ``target``."""
        others = len(self._candidates) - any(item.node == target for item in self._candidates)
        if others + 1 < SMALL_NETWORK:
            all_others = [item for item in self._candidates if item.node != target]
            seats = tuple(sorted(_one_of_each(all_others, _root)))
            return Lot(seats=seats, quorum=-(-2 * len(seats) // 3))
        ranked = self._ranked(beacon, target, period)
        first = heapq.nsmallest(_FIRST, ranked)
        seated = _seat(first)
        if len(seated) < SEATS and len(first) < len(ranked):
            seated = _seat(sorted(ranked))
        return Lot(seats=tuple(seated[:SEATS]), quorum=QUORUM)

    def _ranked(
        self, beacon: bytes, target: NodeId, period: int
    ) -> list[tuple[bytes, int, Candidate]]:
        """Return who takes part, with their ranks: everybody, but of a root with far more than
        others only a few.
        """
        prefix = _LOT.copy()
        prefix.update(beacon + target)
        ranked = []
        for at, (item, weight) in enumerate(self._weighted(period)):
            place = prefix.copy().update(item.node).digest()
            if item.node != target and _takes_part(place, weight):
                ranked.append((place, at, item))
        return ranked

    def _weighted(self, period: int) -> list[tuple[Candidate, int]]:
        if period not in self._eligible:
            oldest = period - MIN_AGE_PERIODS
            eligible = [item for item in self._candidates if item.since <= oldest]
            weights = weights_ppm(Counter(map(_root, eligible)))
            self._eligible[period] = [(item, weights[_root(item)]) for item in eligible]
        return self._eligible[period]


def draw(beacon: bytes, target: NodeId, candidates: Iterable[Candidate], *, period: int) -> Lot:
    """Return the lot of ``target``. ``candidates`` are all live nodes that are not banned."""
    return Electorate(candidates).draw(beacon, target, period)


def may_sit(beacon: bytes, target: NodeId, auditor: NodeId, nodes: int) -> bool:
    """Whether a draw is worth making: among so many nodes only a rank in the first few can sit.
    Cheap, never wrong when it says no but once in a million draws.
    """
    if nodes < SMALL_NETWORK:
        return True
    first = int.from_bytes(rank(beacon, target, auditor)[:8], "big")
    return first * nodes < 4 * SEATS << 64


def rank(beacon: bytes, target: NodeId, auditor: NodeId) -> bytes:
    """Return the place of an auditor in a target's draw; the smallest come first."""
    return _LOT.copy().update(beacon + target + auditor).digest()


def neighbourhood_of(address: str) -> str:
    """Return what addresses of one network have in common: the /24 of IPv4, the /48 of IPv6.

    Empty for what is not reachable from everywhere (loopback, private networks) and for names,
    where it would say nothing.
    """
    parts = address.split("/")
    if len(parts) < 3 or parts[1] not in ("ip4", "ip6"):
        return ""
    try:
        host = ipaddress.ip_address(parts[2])
    except ValueError:
        return ""
    if not host.is_global:
        return ""
    length = 24 if host.version == 4 else 48
    return str(ipaddress.ip_network((host, length), strict=False))


def _takes_part(place: bytes, weight_ppm: int) -> bool:
    if weight_ppm == FULL_WEIGHT_PPM:
        return True
    return int.from_bytes(place[-8:], "big") * FULL_WEIGHT_PPM < weight_ppm << 64


def _seat(ranked: Iterable[tuple[bytes, int, Candidate]]) -> list[NodeId]:
    return _one_of_each((item for _, _, item in ranked), _neighbourhood, _root)


def _root(item: Candidate) -> bytes:
    return item.root or item.node


def _neighbourhood(item: Candidate) -> bytes:
    return item.neighbourhood.encode()


def _one_of_each(
    candidates: Iterable[Candidate], *kinds: Callable[[Candidate], bytes]
) -> list[NodeId]:
    """Return the first of each kind, in order. Who is of no kind (empty) stands for itself."""
    taken: set[tuple[int, bytes]] = set()
    seated: list[NodeId] = []
    for item in candidates:
        places = {(at, place) for at, kind in enumerate(kinds) if (place := kind(item))}
        if taken.isdisjoint(places):
            seated.append(item.node)
            taken |= places
    return seated
