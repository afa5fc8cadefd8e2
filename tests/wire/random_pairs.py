"""Random pairs of sets, reconciled and compared with what Python's own sets say.

``python tests/wire/random_pairs.py 10000`` is the long run, with up to 100,000 items on a side.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterable

from bitcloud_net.wire import negentropy
from bitcloud_net.wire.range_index import RangeIndex, id_of, item_of

LIMITS = (4_096, 20_000, 65_536)
PERIODS = (1, 6, 400)
MAX_ROUNDS = 10_000


def check_pair(chance: random.Random, most: int) -> Counter[str]:
    """Reconcile one pair of sets of at most ``most`` items, of any size and any difference.

    Raises:
        AssertionError: what was found is not exactly the difference, or a message was too large.
    """
    count = int(most ** chance.random()) - chance.randrange(2)
    periods, limit = chance.choice(PERIODS), chance.choice(LIMITS)
    items = [item_of(chance.randrange(periods), chance.randbytes(32)) for _ in range(count)]
    apart = chance.choice([0.0, 1.0, chance.random(), chance.random() ** 8])  # none, all, some, few
    ours, theirs = set(items), set(items)
    for item in items:
        if chance.random() < apart:
            (ours if chance.random() < 0.5 else theirs).discard(item)
    return _reconcile(ours, theirs, limit)


def _reconcile(ours: set[bytes], theirs: set[bytes], limit: int) -> Counter[str]:
    one, other = RangeIndex(ours), RangeIndex(theirs)
    counted = Counter(pairs=1, items=len(ours | theirs), differences=len(ours ^ theirs))
    have: set[bytes] = set()
    need: set[bytes] = set()
    query: bytes | None = negentropy.initiate(one, max_bytes=limit)
    while query is not None:
        answer = negentropy.respond(other, query, max_bytes=limit)
        assert max(len(query), len(answer)) <= limit
        step = negentropy.proceed(one, answer, max_bytes=limit)
        have.update(step.have)
        need.update(step.need)
        query = step.message
        counted["rounds"] += 1
        assert counted["rounds"] < MAX_ROUNDS
    assert have == _ids(ours - theirs)
    assert need == _ids(theirs - ours)
    return counted


def _ids(items: Iterable[bytes]) -> set[bytes]:
    return set(map(id_of, items))


def run(pairs: int, seed: int, most: int) -> Counter[str]:
    """Check many pairs and return what they came to; a failure names its number."""
    total: Counter[str] = Counter()
    for number in range(pairs):
        try:
            total += check_pair(random.Random(f"{seed} {number}"), most)
        except AssertionError as error:
            raise AssertionError(f"pair {number} of seed {seed}, at most {most}") from error
    return total


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="reconciliation finds exactly the difference")
    parser.add_argument("pairs", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=100_000, help="items on a side")
    chosen = parser.parse_args()
    sys.stdout.write(f"{dict(run(chosen.pairs, chosen.seed, chosen.most))}\n")


if __name__ == "__main__":
    main()
