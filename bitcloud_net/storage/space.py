"""Space of the share store: lent, taken, promised."""

from __future__ import annotations

from dataclasses import dataclass

from bitcloud_net.core.errors import Refused
from bitcloud_net.core.units import GIB

MAX_DISK_RESERVE_BYTES = GIB
"""Left free on the disk for its owner (security.md 3.7), or 2 % of the disk where that is less."""


def disk_reserve(total_bytes: int) -> int:
    """Return how much of a disk of ``total_bytes`` the store leaves free."""
    return min(MAX_DISK_RESERVE_BYTES, total_bytes // 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceUsage:
    """All in bytes but ``shares``. ``reserved_bytes`` is promised to shares on their way in."""

    capacity_bytes: int
    reserved_bytes: int
    used_bytes: int
    shares: int


@dataclass(slots=True)
class Reservation:
    """Space promised to one share. ``unwritten_bytes`` is the part the disk does not know of."""

    file_bytes: int
    unwritten_bytes: int


class Space:
    """The account. Used by one task at a time; never blocks."""

    def __init__(self, *, capacity_bytes: int, disk_reserve_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self.shares = 0
        self.disk_free_bytes = 0
        """What the disk said last."""
        self._disk_reserve_bytes = disk_reserve_bytes
        self._reserved_bytes = 0
        self._unwritten_bytes = 0

    @property
    def usage(self) -> SpaceUsage:
        """The account as it stands."""
        return SpaceUsage(
            capacity_bytes=self.capacity_bytes,
            reserved_bytes=self._reserved_bytes,
            used_bytes=self.used_bytes,
            shares=self.shares,
        )

    def reserve(self, file_bytes: int) -> Reservation:
        """Promise space to a share, all of it or none.

        Raises:
            Refused: ``no-space``.
        """
        lent = self.capacity_bytes - self.used_bytes - self._reserved_bytes
        on_disk = self.disk_free_bytes - self._disk_reserve_bytes - self._unwritten_bytes
        if file_bytes > min(lent, on_disk):
            raise Refused(
                f"This node has no space for a share of {file_bytes} bytes.",
                code="no-space",
                free_bytes=max(0, min(lent, on_disk)),
            )
        return self.take(file_bytes)

    def take(self, file_bytes: int, *, written_bytes: int = 0) -> Reservation:
        """Note a promise that was made before; ``written_bytes`` of it are on the disk."""
        reservation = Reservation(file_bytes, max(0, file_bytes - written_bytes))
        self._reserved_bytes += reservation.file_bytes
        self._unwritten_bytes += reservation.unwritten_bytes
        return reservation

    def wrote(self, reservation: Reservation, size: int) -> None:
        """Note that ``size`` bytes of a promise are on the disk now."""
        size = min(size, reservation.unwritten_bytes)
        reservation.unwritten_bytes -= size
        self._unwritten_bytes -= size

    def release(self, reservation: Reservation) -> None:
        """Take a promise back."""
        self._reserved_bytes -= reservation.file_bytes
        self._unwritten_bytes -= reservation.unwritten_bytes

    def added(self, file_bytes: int) -> None:
        """Note that a share was stored."""
        self.used_bytes += file_bytes
        self.shares += 1

    def removed(self, file_bytes: int) -> None:
        """Note that a share is gone."""
        self.used_bytes -= file_bytes
        self.shares -= 1
