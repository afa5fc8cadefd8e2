"""Codes and holders: the 70 % promise, counted exactly."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from itertools import combinations
from math import ceil

import pytest
from blake3 import blake3

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.files.placement import (
    ARCHIVE,
    ECONOMY,
    STANDARD,
    SURVIVAL,
    Profile,
    assign,
    code_for,
    public_code,
    receipts_needed,
    survival,
    survival_exact,
)
from bitcloud_net.core.keys import NodeId

NODES = [NodeId(blake3(bytes([number])).digest()) for number in range(40)]


@pytest.mark.parametrize("profile", [ECONOMY, STANDARD, ARCHIVE], ids=lambda p: p.name)
def test_every_grid_up_to_255_keeps_the_promise(profile: Profile) -> None:
    for nodes in range(1, 256):
        code = code_for(nodes, profile)
        off = profile.off_tenths * nodes // 10
        chance = survival_exact(code.k, code.n, nodes, off)
        if nodes <= 60:
            assert (code.n, code.k) == (nodes, nodes - off)
            assert chance == 1
        else:
            assert code.n <= min(nodes, 128)
            assert chance >= SURVIVAL
            assert survival_exact(code.k, code.n - 1, nodes, off) < SURVIVAL, "not the smallest n"


def test_known_codes() -> None:
    for nodes, k, n in ((1, 1, 1), (2, 1, 2), (5, 2, 5), (10, 3, 10), (20, 6, 20), (60, 18, 60)):
        assert (code_for(nodes).k, code_for(nodes).n) == (k, n)


def test_huge_grids_have_a_code_too() -> None:
    for nodes in (1000, 100_000):
        for profile in (ECONOMY, STANDARD, ARCHIVE):
            code = code_for(nodes, profile)
            assert code.n <= 128
            off = profile.off_tenths * nodes // 10
            assert survival_exact(code.k, code.n, nodes, off) >= SURVIVAL


def test_survival_is_what_counting_every_case_gives() -> None:
    for grid, n, k, off in ((8, 5, 2, 5), (9, 9, 3, 6), (7, 3, 1, 5), (6, 4, 2, 6), (6, 4, 2, 0)):
        cases = list(combinations(range(grid), grid - off))
        good = sum(sum(node < n for node in on) >= k for on in cases)
        assert survival_exact(k, n, grid, off) == Fraction(good, len(cases))


def test_survival_agrees_with_simulation() -> None:
    """R7 in small: 2,000 draws on a grid of 100 within 4 standard deviations."""
    source = random.Random(7)
    for k, n in ((3, 10), (18, 82)):
        chance = survival(k, n, 100, 0.7)
        alive = sum(
            sum(node < n for node in source.sample(range(100), 30)) >= k for _ in range(2000)
        )
        assert abs(alive / 2000 - chance) <= 4 * (chance * (1 - chance) / 2000) ** 0.5 + 1e-3


def test_three_of_ten_in_a_big_grid_is_no_promise() -> None:
    """Why a big grid needs another code: 38 % of the files would be unreadable."""
    assert survival(3, 10, 100_000, 0.7) == pytest.approx(0.617, abs=0.002)
    assert survival(3, 10, 10, 0.7) == 1.0


def test_fractions_count_whole_nodes() -> None:
    for grid in range(1, 200):
        for tenths in range(1, 10):
            exact = survival_exact(1, 1, grid, tenths * grid // 10)
            assert survival(1, 1, grid, tenths / 10) == pytest.approx(float(exact))


def test_public_grid() -> None:
    assert [public_code(n).n for n in (1, 2, 29, 30, 31, 999)] == [1, 2, 29, 30, 30, 30]
    assert [public_code(n).k for n in (1, 2, 29, 30, 31, 999)] == [1, 1, 9, 10, 10, 10]


@pytest.mark.parametrize("nodes", [0, -1])
def test_no_node(nodes: int) -> None:
    for act in (code_for, public_code):
        with pytest.raises(Unavailable) as caught:
            act(nodes)
        assert caught.value.code == "too-few-nodes"


def test_holders_are_distinct_and_the_same_for_everyone() -> None:
    shuffled = NODES[:]
    random.Random(1).shuffle(shuffled)
    for key in (b"", b"upload", bytes(32)):
        holders = assign(NODES, 10, key)
        assert len(set(holders)) == 10
        assert assign(shuffled + NODES[:5], 10, key) == holders


def test_node_that_leaves_moves_nobody_else() -> None:
    for number in range(50):
        key = bytes([number])
        before = assign(NODES, 10, key)
        gone = before[4]
        after = assign([node for node in NODES if node != gone], 10, key)
        assert after == (*before[:4], *before[5:], after[-1])


def test_holders_are_spread_evenly() -> None:
    counts = Counter(
        node for key in range(800) for node in assign(NODES, 10, key.to_bytes(2, "big"))
    )
    assert len(counts) == 40
    assert all(140 <= count <= 260 for count in counts.values())  # 200 on average, sd 12


def test_too_few_distinct_nodes() -> None:
    with pytest.raises(Unavailable) as caught:
        assign(NODES[:3] * 10, 4, b"")
    assert caught.value.detail == {"have": 3, "need": 4}


def test_receipts_needed() -> None:
    assert receipts_needed(3, 10) == 8
    assert receipts_needed(1, 1) == 1
    for n in range(1, 129):
        for k in range(1, n + 1):
            assert receipts_needed(k, n) == k + ceil(Fraction(7, 10) * (n - k))
