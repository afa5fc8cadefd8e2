"""One budget for all receive windows of a node: what peers may make us hold, added up.

A window is a promise to hold so many bytes, so it is reserved in full before it is granted.
Whatever all peers do together, unread data stays below what is reserved. A few streams of each
connection are sure to get their first window, or some peers could use up the budget and shut out
all others.
"""

from __future__ import annotations

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.units import MIB

WINDOW_BUDGET_BYTES = 256 * MIB
"""1,024 fresh streams of 256 KiB, or 16 that have grown to 16 MiB."""


class MemoryBudget:
    """Bytes reserved out of a fixed number. Shared by all connections of a node."""

    __slots__ = ("limit_bytes", "reserved_bytes")

    def __init__(self, limit_bytes: int = WINDOW_BUDGET_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.reserved_bytes = 0

    def reserve(self, size: int, *, sure: bool = False) -> bool:
        """Reserve ``size`` bytes and return True, or leave everything as it is and return False.

        ``sure`` may exceed the limit; whoever says it sees to it that this cannot go far.
        """
        if not sure and size > self.limit_bytes - self.reserved_bytes:
            return False
        self.reserved_bytes += size
        return True

    def release(self, size: int) -> None:
        """Give reserved bytes back.

        Raises:
            BadInput: more than is reserved; a bug of the caller.
        """
        if size > self.reserved_bytes:
            raise BadInput("released more than was reserved")
        self.reserved_bytes -= size
