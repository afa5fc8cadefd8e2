"""One budget for all receive windows of a node: what peers may make us hold, added up.

A window is a promise to hold so many bytes, so it is reserved in full before it is granted.
Whatever all peers do together, unread data stays below the budget."""

from __future__ import annotations

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.units import MIB

WINDOW_BUDGET_BYTES = 256 * MIB
"""1,024 fresh streams of 256 KiB, or 16 that have grown to 16 MiB; a quarter of a small
computer."""


class MemoryBudget:
    """Bytes reserved out of a fixed number. Shared by all connections of a node."""

    __slots__ = ("limit_bytes", "reserved_bytes")

    def __init__(self, limit_bytes: int = WINDOW_BUDGET_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.reserved_bytes = 0

    def reserve(self, size: int) -> bool:
        """Reserve ``size`` bytes and return True, or leave everything as it is and return
        False."""
        if size > self.limit_bytes - self.reserved_bytes:
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
