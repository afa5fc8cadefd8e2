"""Random pairs of sets of any size and difference; ``random_pairs.py`` is the long run."""

from __future__ import annotations

from random_pairs import run


def test_reconciliation_finds_exactly_the_difference(seed: int) -> None:
    counted = run(300, seed, 3_000)
    assert counted["pairs"] == 300
    assert counted["differences"] > 1_000


def test_so_it_does_in_large_sets(seed: int) -> None:
    assert run(2, seed, 100_000)["pairs"] == 2
