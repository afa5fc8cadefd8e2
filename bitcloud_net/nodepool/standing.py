"""What a key is to others, as the rows say: for whom it acts, and who has certified it."""

from __future__ import annotations

import sqlite3

from bitcloud_net.core.nodepool.audience import Standing
from bitcloud_net.core.nodepool.bodies.certificates import REVOKED, CertificateKind
from bitcloud_net.core.nodepool.tables import Table


def standing_of(db: sqlite3.Connection, key: bytes, period: int) -> Standing:
    """Return what a key is to others in ``period``.

    A user belongs to the publisher that has signed the user's row, or a certificate that it has not
    taken back.
    A gateway acts for its grid; and for a publisher when the grid's owner says so, and the grid has
    a contract with the publisher, which both have signed.
    """
    grids = db.execute("SELECT owner FROM gateway WHERE gateway = ?", (key,))
    publishers = db.execute(_PUBLISHERS, {"key": key, "period": period})
    publishers_of = db.execute(_MEMBER_OF, {"key": key, "period": period, "user": Table.USER})
    return Standing(
        key=key,
        acts_for=frozenset(found for (found,) in (*grids.fetchall(), *publishers.fetchall())),
        member_of=frozenset(found for (found,) in publishers_of),
    )


_RUNNING = """
:period BETWEEN contract.begins AND contract.ends + contract.confirming + contract.disputing
"""

_PUBLISHERS = f"""
SELECT contract.owner FROM publisher_contract AS contract
WHERE contract.grid = :key AND {_RUNNING}
UNION
SELECT contract.owner FROM publisher_contract AS contract
JOIN gateway ON gateway.owner = contract.grid AND gateway.publisher = contract.owner
WHERE gateway.gateway = :key AND {_RUNNING}
"""

_MEMBER_OF = f"""
SELECT reader FROM np_audience WHERE tbl = :user AND key = :key AND reader != :key
UNION
SELECT said.owner FROM certificate AS said
WHERE said.subject = :key AND said.kind = {CertificateKind.USER:d}
AND :period BETWEEN said.since AND said.expires AND NOT EXISTS (
    SELECT 1 FROM certificate AS revoked
    WHERE revoked.owner = said.owner AND revoked.subject = said.subject
    AND revoked.kind = {CertificateKind.USER | REVOKED:d} AND revoked.since >= said.since
)
"""
