"""Proofs that speak for themselves: signed rows that an honest owner cannot have made.

::

    proof = canonical CBOR array [kind, wire of the row with the smaller id, wire of the other]
    id    = BLAKE3 derive-key "bitcloud v1 proof" over it

``number``: two rows with one table, key and seq. ``slot``: two with one owner, table, period and
slot.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from blake3 import blake3

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.identity import Admission
from bitcloud_net.core.row_bodies import IdentityBody
from bitcloud_net.core.rows import Rules, SignedRow
from bitcloud_net.core.table_rules import DAY_PERIODS, Role, rule_of
from bitcloud_net.core.units import KIB, MAX_ROW_BYTES

MAX_PROOF_BYTES = 2 * MAX_ROW_BYTES + KIB
"""Two rows and what is around them."""
PROOF_LIFE_PERIODS = 30 * DAY_PERIODS
"""Proofs are kept for as long as earlier faults count."""

MAX_PROOFS = 4096
"""Owners convicted at a time; 130 MB at the very most."""

_ID_CONTEXT = "bitcloud v1 proof"


class ProofKind(StrEnum):
    """What the two rows share and must not."""

    NUMBER = "number"
    SLOT = "slot"
    IDENTITY = "identity"  # one row, of an identity that was not mined; the other is empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Two rows that convict their owner."""

    kind: ProofKind
    table: int
    owner: bytes
    period: int  # of the later row
    id: bytes
    raw: bytes

    @classmethod
    def of(cls, one: SignedRow, other: SignedRow) -> Proof:
        """Return the proof that two verified rows make.

        Raises:
            Malformed: ``bad-proof``: they are the same, or do not contradict each other.
        """
        first, second = sorted((one, other), key=lambda row: row.id)
        kind = _contradiction(first, second)
        raw = encoding.encode([kind.value, first.raw, second.raw])
        return cls(
            kind=kind,
            table=first.table,
            owner=first.owner,
            period=max(first.period, second.period),
            id=blake3(raw, derive_key_context=_ID_CONTEXT).digest(),
            raw=raw,
        )

    @classmethod
    def of_identity(cls, row: SignedRow, admission: Admission) -> Proof:
        """Return the proof that a verified row of an identity makes by not having been mined. Costs
        one try of mining.

        Raises:
            Malformed: ``bad-proof``: it was mined, or is no identity.
        """
        if not isinstance(row.body, IdentityBody) or admission.is_free:
            raise Malformed("not an identity that had to be mined", code="bad-proof")
        puzzle = admission.puzzle(row.owner, Role(row.key_suffix[0]), row.body.day)
        if puzzle.holds(row.body.nonce):
            raise Malformed("the identity was mined", code="bad-proof")
        raw = encoding.encode([ProofKind.IDENTITY.value, row.raw, b""])
        return cls(
            kind=ProofKind.IDENTITY,
            table=row.table,
            owner=row.owner,
            period=row.period,
            id=blake3(raw, derive_key_context=_ID_CONTEXT).digest(),
            raw=raw,
        )

    @classmethod
    def parse(cls, raw: bytes, admission: Admission, rules: Rules = rule_of) -> Proof:
        """Return the proof in ``raw`` after checking all of it, signatures included.

        Raises:
            Malformed: it proves nothing.
        """
        value = encoding.decode(raw, max_bytes=MAX_PROOF_BYTES)
        if not isinstance(value, list) or len(value) != 3:
            raise Malformed("a proof is a list of three", code="bad-proof")
        if not isinstance(value[1], bytes) or not isinstance(value[2], bytes):
            raise Malformed("a proof holds two rows", code="bad-proof")
        if value[0] == ProofKind.IDENTITY:
            rows = [SignedRow.parse(value[1], rules)]
            proof = cls.of_identity(rows[0], admission)
        else:
            rows = [SignedRow.parse(value[1], rules), SignedRow.parse(value[2], rules)]
            proof = cls.of(*rows)
        if proof.raw != raw:
            raise Malformed("a proof in another form than ours", code="bad-proof")
        for row in rows:
            row.verify()
        return proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What keeping a proof changed."""

    replaced: tuple[int, bytes] | None  # period and id of the one held before


def record(connection: sqlite3.Connection, proof: Proof) -> Recorded | None:
    """Keep a proof; None when the owner is convicted already by it or one with a smaller id.

    Raises:
        Malformed: ``proofs-full``.
    """
    held = connection.execute(
        "SELECT period, id FROM np_proof WHERE owner = ?", (proof.owner,)
    ).fetchone()
    if held is not None and held[1] <= proof.id:
        return None
    if held is None:
        (count,) = connection.execute("SELECT count(*) FROM np_proof").fetchone()
        if count >= MAX_PROOFS:
            raise Malformed("too many proofs", code="proofs-full")
    connection.execute(
        "INSERT OR REPLACE INTO np_proof VALUES (?, ?, ?, ?, ?, ?)",
        (proof.owner, proof.table, proof.id, proof.kind.value, proof.period, proof.raw),
    )
    return Recorded(replaced=held)


def _contradiction(first: SignedRow, second: SignedRow) -> ProofKind:
    if first.id == second.id or first.owner != second.owner or first.table != second.table:
        raise Malformed("two rows that do not contradict each other", code="bad-proof")
    if (first.key, first.seq) == (second.key, second.seq):
        return ProofKind.NUMBER
    if (first.period, first.slot) == (second.period, second.slot):
        return ProofKind.SLOT
    raise Malformed("two rows that do not contradict each other", code="bad-proof")
