"""What many identities of one root weigh, and that one root has one seat."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.lots import Candidate, draw
from bitcloud_net.core.trust.weights import (
    FAIR_TIMES,
    FULL_WEIGHT_PPM,
    fair_number,
    weight_ppm,
    weights_ppm,
)


@pytest.mark.parametrize(
    ("identities", "fair", "weight"),
    [
        (1, 4, 1_000_000),
        (4, 4, 1_000_000),
        (5, 4, 640_000),
        (8, 4, 250_000),
        (40, 4, 10_000),
        (4_000, 4, 1),
        (10_000_000, 4, 0),
    ],
)
def test_the_formula(identities: int, fair: int, weight: int) -> None:
    assert weight_ppm(identities, fair) == weight


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_more_never_weigh_more_beyond_what_is_fair(identities: int, fair: int) -> None:
    one, more = weight_ppm(identities, fair), weight_ppm(identities + 1, fair)
    assert 0 <= more <= one <= FULL_WEIGHT_PPM
    if identities > fair:
        assert more * (identities + 1) <= one * identities + identities + 1  # but for rounding
        assert one * identities <= fair * FULL_WEIGHT_PPM


@given(st.lists(st.integers(1, 5), min_size=3, max_size=60), st.integers(1, 10**9))
def test_nobody_lifts_what_is_fair_for_itself(counts: list[int], many: int) -> None:
    fair = fair_number([*counts, many])
    assert fair <= FAIR_TIMES * max(counts)
    weights = weights_ppm({bytes([at]): n for at, n in enumerate(counts)} | {b"many": many})
    assert weights[b"many"] * many <= max(fair, many if many <= fair else 0) * FULL_WEIGHT_PPM


def test_an_empty_network() -> None:
    assert fair_number([]) == FAIR_TIMES
    assert weights_ppm({}) == {}


def candidates(honest: int, delegates: int) -> list[Candidate]:
    chance = Random(5)
    root = chance.randbytes(32)
    return [
        Candidate(node=NodeId(chance.randbytes(32)), since=0, root=root if at < delegates else b"")
        for at in range(honest + delegates)
    ]


@pytest.mark.parametrize(("honest", "delegates"), [(100, 100), (10, 10)])
def test_one_seat_for_each_root(honest: int, delegates: int) -> None:
    everybody = candidates(honest, delegates)
    theirs = {item.node for item in everybody if item.root}
    target = everybody[-1].node
    for period in range(20):
        lot = draw(b"%d" % period, target, everybody, period=1_000)
        assert len(theirs & set(lot.seats)) <= 1


def test_a_root_with_very_many_hardly_ever_sits() -> None:
    seats: Counter[str] = Counter()
    for delegates in (4, 400):
        everybody = candidates(100, delegates)
        theirs = {item.node for item in everybody if item.root}
        for period in range(100):
            lot = draw(b"%d" % period, everybody[-1].node, everybody, period=1_000)
            seats[f"{delegates}"] += len(theirs & set(lot.seats))
            assert len(lot.seats) == 16
    assert 30 < seats["4"] < 70  # four tickets for one seat of 16 among a hundred: about 49
    assert seats["400"] < 10, "400 together are 4² / 400 of one"
