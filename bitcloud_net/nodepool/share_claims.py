"""Which shares storage nodes have said they hold: what an auditor may ask them for.

Anybody can write a placement that names a node which never got the share. So nobody is called
faulty for lacking what a placement names, only for lacking what it said itself that it holds. Kept
on this machine alone, and bounded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bitcloud_net.core.keys import NodeId
from bitcloud_net.nodepool.database import Database

MAX_PER_NODE: Final = 1024
"""Claims remembered of one node, the newest: a sample that a loss of 1 % is seen in even when this
is the node's only auditor."""
MAX_CLAIMS: Final = 65_536
"""Claims of all nodes together; 7 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareClaim:
    """A node's word that it holds a share."""

    cid: bytes
    share_no: int


class ShareClaims:
    """The claims, in the nodepool's database. Cancel: safe. ``LocalFault`` is the only error."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, node: NodeId) -> tuple[ShareClaim, ...]:
        """Return what a node claims to hold, at most 1,024 shares, in a fixed order."""
        sql = "SELECT cid, share_no FROM np_share_claim WHERE node = ? ORDER BY cid, share_no"
        found = await self._database.read(lambda db: db.execute(sql, (node,)).fetchall())
        return tuple(ShareClaim(cid=cid, share_no=share_no) for cid, share_no in found)

    async def note(self, node: NodeId, claims: Sequence[ShareClaim], period: int) -> None:
        """Remember claims made in ``period``; the oldest are forgotten where there are too many."""
        rows = [(node, claim.cid, claim.share_no, period) for claim in claims]

        def work(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO np_share_claim VALUES (?, ?, ?, ?)", rows)
            _forget_oldest(db, "WHERE node = ?", (node,), MAX_PER_NODE)
            _forget_oldest(db, "", (), MAX_CLAIMS)

        if rows:
            await self._database.write(work)

    async def forget(self, node: NodeId, claim: ShareClaim) -> None:
        """Forget a claim, because no placement names the share any more."""
        sql = "DELETE FROM np_share_claim WHERE node = ? AND cid = ? AND share_no = ?"
        values = (node, claim.cid, claim.share_no)
        await self._database.write(lambda db: db.execute(sql, values))


def _forget_oldest(
    db: sqlite3.Connection, which: str, values: tuple[object, ...], most: int
) -> None:
    (count,) = db.execute(f"SELECT count(*) FROM np_share_claim {which}", values).fetchone()
    if count > most:
        db.execute(
            "DELETE FROM np_share_claim WHERE (node, cid, share_no) IN (SELECT node, cid, share_no"
            f" FROM np_share_claim {which} ORDER BY period LIMIT ?)",
            (*values, count - most),
        )
