"""Rows that came before the row they belong to: parked for an hour, in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from bitcloud_net.core.nodepool.bodies.kinds import Parents, Place
from bitcloud_net.core.nodepool.rows import RowId, SignedRow
from bitcloud_net.core.units import MIB

WAIT_PERIODS = 6
"""An hour; what comes later than that comes again by reconciliation."""
MAX_WAITING_PER_OWNER = 1_000
"""Rows of one owner; an honest one is seldom more than a batch ahead of its folder."""
MAX_WAITING_BYTES = 8 * MIB
"""All parked rows together, so that strangers cannot fill the memory with orphans."""


@dataclass(frozen=True, slots=True)
class _Parked:
    row: SignedRow
    until: int  # period
    places: Parents


class WaitingRoom:
    """Parked rows by what they wait for. Used from one thread at a time."""

    def __init__(self) -> None:
        self._by_place: dict[Place, dict[RowId, _Parked]] = {}
        self._per_owner: Counter[bytes] = Counter()
        self._ids: set[RowId] = set()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, row_id: bytes) -> bool:
        return row_id in self._ids

    def park(self, row: SignedRow, places: Parents, now: int) -> bool:
        """Keep ``row`` until one of ``places`` is filled; False when there is no room."""
        if row.id in self._ids:
            return True
        if self._per_owner[row.owner] >= MAX_WAITING_PER_OWNER:
            return False
        if self._bytes + len(row.raw) > MAX_WAITING_BYTES:
            return False
        parked = _Parked(row, now + WAIT_PERIODS, places)
        for place in places:
            self._by_place.setdefault(place, {})[row.id] = parked
        self._count(row, 1)
        return True

    def take(self, place: Place) -> tuple[SignedRow, ...]:
        """Remove and return the rows that waited for ``place``."""
        parked = tuple(self._by_place.get(place, {}).values())
        for item in parked:
            self._remove(item)
        return tuple(item.row for item in parked)

    def drop_late(self, now: int) -> None:
        """Forget rows that have waited too long."""
        late = {
            row_id: item
            for parked in self._by_place.values()
            for row_id, item in parked.items()
            if item.until < now
        }
        for item in late.values():
            self._remove(item)

    def _remove(self, item: _Parked) -> None:
        for place in item.places:
            del self._by_place[place][item.row.id]
            if not self._by_place[place]:
                del self._by_place[place]
        self._count(item.row, -1)

    def _count(self, row: SignedRow, step: int) -> None:
        self._per_owner[row.owner] += step
        if not self._per_owner[row.owner]:
            del self._per_owner[row.owner]
        self._bytes += step * len(row.raw)
        (self._ids.add if step > 0 else self._ids.discard)(row.id)
