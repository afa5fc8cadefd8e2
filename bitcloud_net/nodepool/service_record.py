"""Who has been a node, and until when: what decides whether an identity is still worth something.

Each node remembers it from the node rows it has held, and judges by itself. One that was not there
knows less and believes what its partners hold, so it agrees with those who were.
"""

from __future__ import annotations

import sqlite3

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.row_bodies import IdentityBody, NodeBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.tables import YEAR_PERIODS, Role, Table
from bitcloud_net.core.trust.identity import Service, must_mine_again
from bitcloud_net.core.trust.verdicts import FRAUD


def service_of(db: sqlite3.Connection, owner: bytes) -> Service:
    """Return what is remembered of a node."""
    until = db.execute("SELECT until FROM np_service WHERE owner = ?", (owner,)).fetchone()
    (convicted,) = db.execute(
        "SELECT max(since) FROM np_ban WHERE target = ? AND reason = ?", (owner, FRAUD)
    ).fetchone()
    return Service(until=until[0] if until else None, convicted=convicted)


def check_service(db: sqlite3.Connection, row: SignedRow) -> None:
    """Return when the identity that a row registers, or rests on as a node's, still counts.

    Raises:
        Malformed: ``must-mine-again``.
    """
    if isinstance(row.body, IdentityBody):
        service = service_of(db, row.owner)
        registered, service = row.body.registered, Service(convicted=service.convicted)
    elif isinstance(row.body, NodeBody):
        service = service_of(db, row.owner)
        key = row.owner + bytes([Role.NODE])
        (registered,) = db.execute(
            "SELECT registered FROM identity WHERE key = ?", (key,)
        ).fetchone() or (row.period,)
    else:
        return
    if must_mine_again(registered, service, row.period):
        raise Malformed("the node has lost its place, and mines again", code="must-mine-again")


def note_service(db: sqlite3.Connection, row: SignedRow) -> None:
    """Remember until when a node row that was accepted says that its owner is there."""
    if row.table is Table.NODE:
        until = row.period if row.body is None else row.expires
        db.execute("INSERT OR REPLACE INTO np_service VALUES (?, ?)", (row.owner, until))


def forget_service(db: sqlite3.Connection, now: int) -> None:
    """Forget nodes whose identity has expired meanwhile."""
    db.execute("DELETE FROM np_service WHERE until < ?", (now - YEAR_PERIODS,))
