"""What this node remembers of others' speed, to ask the right ones first.

Kept in memory only; it says nothing about honesty. A node that failed is asked last for a while.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final

from bitcloud_net.core.keys import NodeId

FIRST_HEDGE_S: Final = 0.5
"""When to ask a spare node while nothing is known: well above a healthy answer, even far away."""
HEDGE_FACTOR: Final = 1.5
"""A block later than 1.5 times the 95th percentile is late (security design, slow senders)."""
LATE_FACTOR: Final = 3.0
"""And so is one that takes three times what k nodes usually need: where most are slow, so is the
percentile."""
LEAST_HEDGE_S: Final = 0.05
"""Never sooner: on a fast line the noise of a busy machine would cause needless questions."""
MOST_HEDGE_S: Final = 5.0
"""Never later: a person is waiting."""
REMEMBERED: Final = 128
"""Answers that the percentile is taken from."""
FAR_SLOWER: Final = 2
"""A node this many times slower than the fastest k is asked only after all others."""
MISSES: Final = 2
"""A node that answered none of the last so many questions in time counts as far slower, too; one
miss may be chance."""
RECENT_WEIGHT: Final = 0.2
"""Weight of the newest answer in a node's moving average."""
AVOID_S: Final = 20.0
"""How long a node that failed is asked last."""


class Scoreboard:
    """Latencies in seconds, measured by the callers. ``now`` is a monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._average: dict[NodeId, float] = {}
        self._missed: Counter[NodeId] = Counter()  # questions since the last answer
        self._avoid_until: dict[NodeId, float] = {}
        self._recent: deque[float] = deque(maxlen=REMEMBERED)

    def answered(self, node: NodeId, seconds: float) -> None:
        """Count an answer."""
        before = self._average.get(node, seconds)
        self._missed.pop(node, None)
        self._average[node] = before + RECENT_WEIGHT * (seconds - before)
        self._avoid_until.pop(node, None)
        self._recent.append(seconds)

    def failed(self, node: NodeId) -> None:
        """Ask this node last for a while."""
        self._avoid_until[node] = self._now() + AVOID_S

    def late(self, node: NodeId, seconds: float) -> None:
        """Count a question that waited ``seconds`` in vain: an answer would have taken longer."""
        self._average[node] = max(seconds, self._average.get(node, seconds))
        self._missed[node] += 1

    def avoided(self, node: NodeId) -> bool:
        """Whether the node failed a short while ago."""
        return self._avoid_until.get(node, 0.0) > self._now()

    def hedge_after(self, k: int) -> float:
        """Return after how many seconds a missing block counts as late, where k are needed."""
        if len(self._recent) < 8:
            return FIRST_HEDGE_S
        ordered = sorted(self._recent)
        late = HEDGE_FACTOR * ordered[int(len(ordered) * 0.95)]
        late = min(late, LATE_FACTOR * self._usual(self._average, k))
        return min(max(late, LEAST_HEDGE_S), MOST_HEDGE_S)

    def order(self, shares: Iterable[tuple[int, NodeId]], k: int) -> list[tuple[int, NodeId]]:
        """Sort shares by whom to ask first.

        Working nodes come before avoided ones; among them primary shares (they need no decoding)
        before parity, unless a primary's node is far slower than k others.
        """
        choices = list(shares)
        usual = self._usual([node for _, node in choices], k)
        slow = max(FAR_SLOWER * usual, LEAST_HEDGE_S)

        def rank(item: tuple[int, NodeId]) -> tuple[bool, bool, bool, float]:
            share_no, node = item
            average = self._average.get(node, slow)  # no need to try a stranger
            is_slow = average > slow or self._missed[node] >= MISSES
            return (self.avoided(node), is_slow, share_no >= k, average)

        return sorted(choices, key=rank)

    def _usual(self, nodes: Iterable[NodeId], k: int) -> float:
        """Return what k nodes can do; the median would be a slow one's where most are slow."""
        known = sorted(
            self._average[node]
            for node in nodes
            if node in self._average and not self._missed[node]
        )
        return known[min(k, len(known)) - 1] if known else FIRST_HEDGE_S
