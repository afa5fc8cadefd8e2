"""Inputs for a short run without a coverage-guided fuzzer: random, and mutated from random ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

from fuzz_targets import LONGEST_INPUT_BYTES


def inputs(seed: int, count: int) -> Iterator[bytes]:
    """Yield ``count`` inputs; the same ones for the same seed."""
    rng = random.Random(seed)
    kept = [rng.randbytes(rng.choice((3, 30, 300, LONGEST_INPUT_BYTES))) for _ in range(40)]
    for _ in range(count):
        data = bytearray(rng.choice(kept))
        for _ in range(rng.randrange(1, 12)):
            mutate(rng, data)
        if rng.random() < 0.1:
            kept[rng.randrange(len(kept))] = bytes(data)
        yield bytes(data[:LONGEST_INPUT_BYTES])


def mutate(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data) + 1)
    choice = rng.randrange(5)
    if choice == 0:
        data[at : at + 1] = bytes([rng.choice((0, 1, 2, 127, 128, 255, rng.randrange(256)))])
    elif choice == 1:
        data[at:at] = rng.randbytes(rng.randrange(1, 20))
    elif choice == 2:
        del data[at : at + rng.randrange(1, 20)]
    elif choice == 3:
        other = rng.randrange(len(data) + 1)
        data[at:at] = data[other : other + rng.randrange(1, 60)]
    elif at < len(data):
        data[at] ^= 1 << rng.randrange(8)
