"""How much is held, of whom: kept in memory so that limits cost no query."""

from __future__ import annotations

from dataclasses import dataclass, field

from bitcloud_net.core.nodepool.tables import TableRule


@dataclass(slots=True)
class Tally:
    """Rows and bytes. A batch counts its own gains, and the store takes them over when the batch
    was committed.
    """

    size: int = 0
    per_owner: dict[tuple[int, bytes], int] = field(default_factory=dict)
    per_table: dict[int, int] = field(default_factory=dict)  # bytes

    def add(self, rule: TableRule, owner: bytes, rows: int, size: int) -> None:
        """Count ``rows`` more (or fewer) rows and ``size`` bytes of one owner."""
        self.size += size
        self.per_table[rule.table] = self.bytes_of(rule.table) + size
        if rule.key_suffix_bytes:  # else its key is the owner, and there can only be one
            self._count((rule.table, owner), rows)

    def merge(self, gains: Tally) -> None:
        """Take over what a batch gained, after its commit."""
        self.size += gains.size
        for place, rows in gains.per_owner.items():
            self._count(place, rows)
        for table, size in gains.per_table.items():
            self.per_table[table] = self.bytes_of(table) + size

    def rows(self, table: int, owner: bytes) -> int:
        """Return how many rows of a table one owner has."""
        return self.per_owner.get((table, owner), 0)

    def bytes_of(self, table: int) -> int:
        """Return how many bytes the rows of a table have."""
        return self.per_table.get(table, 0)

    def forget(self, table: int) -> None:
        """Forget a table that is gone."""
        self.size -= self.per_table.pop(table, 0)
        self.per_owner = {at: rows for at, rows in self.per_owner.items() if at[0] != table}

    def _count(self, place: tuple[int, bytes], rows: int) -> None:
        count = self.per_owner.get(place, 0) + rows
        if count:
            self.per_owner[place] = count
        else:
            self.per_owner.pop(place, None)
