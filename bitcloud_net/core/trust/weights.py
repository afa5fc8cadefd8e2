"""How much an identity weighs in a lot, by how many others have the same root.

Somebody may have many identities, and each may point to its root (a certificate of the kind
``DELEGATE``). A few more than others have weigh as much as anybody's. Of far more, each weighs
less, and all together less than fewer would:

::

    fair   = 4 times the middle root's number of identities
    weight = 1                where a root has at most ``fair``
             (fair / n)²      where it has n > fair; all n together: fair² / n

The middle root and not the mean: a single root with a million identities would lift the mean, and
with it what is fair, for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median_high
from typing import Final

FULL_WEIGHT_PPM: Final = 1_000_000
"""The weight of an identity of its own, in millionths."""
FAIR_TIMES: Final = 4
"""So many times the middle root's number is still nothing out of the ordinary."""


def fair_number(counts: Collection[int]) -> int:
    """Return how many identities of one root weigh in full, where the roots have so many each."""
    return FAIR_TIMES * max(1, median_high(counts)) if counts else FAIR_TIMES


def weight_ppm(identities: int, fair: int) -> int:
    """Return the weight of each of the ``identities`` of one root, in millionths, rounded down."""
    if identities <= fair:
        return FULL_WEIGHT_PPM
    return FULL_WEIGHT_PPM * fair * fair // (identities * identities)


def weights_ppm(counts: Mapping[bytes, int]) -> dict[bytes, int]:
    """Return for each root the weight of one of its identities, given how many it has."""
    fair = fair_number(counts.values())
    return {root: weight_ppm(count, fair) for root, count in counts.items()}
