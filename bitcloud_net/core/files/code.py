"""The two numbers of an erasure code."""

from __future__ import annotations

from dataclasses import dataclass

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.units import MAX_SHARES


@dataclass(frozen=True, slots=True)
class CodeParams:
    """How a file is coded: any ``k`` of its ``n`` shares are enough; 1 <= k <= n <= 128."""

    k: int
    n: int

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n <= MAX_SHARES:
            raise Malformed(f"no code has {self.k} of {self.n} shares")

    @property
    def may_fail(self) -> int:
        """How many shares may be lost."""
        return self.n - self.k

    def block_bytes(self, sealed_bytes: int) -> int:
        """Return the bytes of one block of a sealed segment of ``sealed_bytes`` bytes."""
        return -(-sealed_bytes // self.k)
