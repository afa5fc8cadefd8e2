"""A random sample of nodes, whose rows are kept wherever they lie.

Those that come first in an order that depends on the own key: so it is the same whatever came
first, and who wants to be in the sample of somebody must mine for it.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

from blake3 import blake3

SAMPLE_ROWS: Final = 2_048
"""Enough that a lot of 16 is drawn from all over the network; 700 kB of rows."""


class Sample:
    """The keys in the sample of one node."""

    def __init__(self, own: bytes, size: int = SAMPLE_ROWS) -> None:
        self._own = own
        self._size = size
        self._order: list[tuple[int, bytes]] = []  # the last comes first; may have left already
        self._keys: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: bytes) -> bool:
        return key in self._keys

    def wants(self, key: bytes) -> bool:
        """Whether a key is in the sample, or would be."""
        if key in self._keys or len(self._keys) < self._size:
            return True
        self._drop_gone()
        return -self._rank(key) > self._order[0][0]

    def offer(self, key: bytes) -> None:
        """Take a key in if it belongs there, in the place of the last."""
        if key in self._keys or not self.wants(key):
            return
        self._keys.add(key)
        heappush(self._order, (-self._rank(key), key))
        if len(self._keys) > self._size:
            self._drop_gone()
            self._keys.discard(heappop(self._order)[1])

    def leave(self, key: bytes) -> None:
        """Let a key go whose row is gone."""
        self._keys.discard(key)

    def _drop_gone(self) -> None:
        while self._order and self._order[0][1] not in self._keys:
            heappop(self._order)

    def _rank(self, key: bytes) -> int:
        digest = blake3(self._own + key, derive_key_context="bitcloud v1 sample").digest()
        return int.from_bytes(digest[:8], "big")
