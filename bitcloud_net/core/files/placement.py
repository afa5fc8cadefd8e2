"""Which code for how many nodes, which node gets which share, and how likely it all survives.

The 70 % promise: the file stays readable when 70 % of the grid's storage nodes switch off. Up to 60
nodes it is exact: one share on every node, and k is the number of nodes that are left. Larger grids
keep the k of sixty nodes and take the smallest n that survives with at least 0.9999, counted
exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb
from typing import Final

from blake3 import blake3

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.units import MAX_SHARES

EXACT_NODES: Final = 60
"""Largest grid that holds one share per node. Beyond it, more connections and a wider code cost
more than the promise gains by being exact."""
SURVIVAL: Final = Fraction(9999, 10000)
"""Least chance of survival on larger grids when the promised part of the nodes is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How many of ten nodes may switch off."""

    name: str
    off_tenths: int


ECONOMY: Final = Profile(name="economy", off_tenths=5)
STANDARD: Final = Profile(name="standard", off_tenths=7)
ARCHIVE: Final = Profile(name="archive", off_tenths=8)


def code_for(nodes: int, profile: Profile = STANDARD) -> CodeParams:
    """Return the code of a new file on a grid of ``nodes`` storage nodes.

    Raises:
        Unavailable: ``too-few-nodes``: there is none.
    """
    if nodes < 1:
        raise Unavailable("there is no storage node yet", code="too-few-nodes", have=0, need=1)
    if nodes <= EXACT_NODES:
        return CodeParams(_left(nodes, profile), nodes)
    return _wide_code(nodes, profile)


def public_code(nodes: int) -> CodeParams:
    """Return the code on the public grid, which promises nothing: 10 of 30, or a third of fewer
    nodes.

    Raises:
        Unavailable: ``too-few-nodes``.
    """
    if nodes < 1:
        raise Unavailable("there is no storage node yet", code="too-few-nodes", have=0, need=1)
    shares = min(nodes, 30)
    return CodeParams(max(1, shares // 3), shares)


def survival(k: int, n: int, grid: int, off_fraction: float | Fraction) -> float:
    """Return the chance that a file outlives ``off_fraction`` of a grid's nodes switching off at
    random.

    The file has n shares on n distinct nodes of ``grid``; any k are enough. Whole nodes are
    counted: the number that switch off is rounded down.
    """
    off = int(Fraction(off_fraction).limit_denominator(10_000) * grid)
    return float(survival_exact(k, n, grid, off))


def survival_exact(k: int, n: int, grid: int, off: int) -> Fraction:
    """Return the same chance as an exact fraction, for a whole number of nodes that are off.

    Hypergeometric: of the ways to choose the n holders, those with at least k among the nodes that
    stay on.
    """
    on = grid - off
    good = sum(comb(on, alive) * comb(off, n - alive) for alive in range(k, min(n, on) + 1))
    return Fraction(good, comb(grid, n))


def assign(nodes: Sequence[NodeId], n: int, key: bytes) -> tuple[NodeId, ...]:
    """Return n distinct nodes in share order, the same for everyone who knows ``key``.

    Rendezvous hashing: the nodes with the lowest hash of key and id. A node that joins or leaves
    changes only its own place. ``key`` is the content id or the upload id.

    Raises:
        Unavailable: ``too-few-nodes``.
    """
    distinct = sorted(set(nodes), key=lambda node: (_score(key, node), node))
    if len(distinct) < n:
        raise Unavailable(
            f"{n} storage nodes are needed, {len(distinct)} are known",
            code="too-few-nodes",
            have=len(distinct),
            need=n,
        )
    return tuple(distinct[:n])


def receipts_needed(k: int, n: int) -> int:
    """Return how many storage receipts make a file safe: k, and 70 % of the spare shares rounded
    up.
    """
    return k + (7 * (n - k) + 9) // 10


@lru_cache(maxsize=1024)
def _wide_code(nodes: int, profile: Profile) -> CodeParams:
    off = profile.off_tenths * nodes // 10
    widest = min(nodes, MAX_SHARES)
    k = _left(EXACT_NODES, profile)
    while survival_exact(k, widest, nodes, off) < SURVIVAL:
        k -= 1  # 128 shares are not enough for this k
    low, high = k, widest
    while low < high:  # more shares never survive worse, so the smallest n is found by halving
        middle = (low + high) // 2
        if survival_exact(k, middle, nodes, off) >= SURVIVAL:
            high = middle
        else:
            low = middle + 1
    return CodeParams(k, low)


def _left(nodes: int, profile: Profile) -> int:
    return nodes - profile.off_tenths * nodes // 10


def _score(key: bytes, node: NodeId) -> bytes:
    return blake3(key + node, derive_key_context="bitcloud v1 placement").digest()
