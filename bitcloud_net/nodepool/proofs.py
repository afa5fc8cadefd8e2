"""Proofs that speak for themselves: signed words that an honest owner cannot have said.

::

    proof = canonical CBOR array [kind, wire of the row with the smaller id, wire of the other]
            or [kind, manifest of a file, a node's false claim about it]
    id    = BLAKE3 derive-key "bitcloud v1 proof" over it

``number``: two rows with one table, key and seq. ``slot``: two with one owner, table, period and
slot. ``audit``, ``block`` and ``receipt``: claims that the manifest refutes
(``core.trust.false_claims``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from blake3 import blake3

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.audience import EVERYBODY, audience_of
from bitcloud_net.core.nodepool.row_bodies import IdentityBody
from bitcloud_net.core.nodepool.rows import Rules, SignedRow
from bitcloud_net.core.nodepool.table_rules import DAY_PERIODS, Role, Table, rule_of
from bitcloud_net.core.trust.false_claims import ClaimKind, refute
from bitcloud_net.core.trust.identity import Admission
from bitcloud_net.core.trust.verdicts import FRAUD_BAN_PERIODS
from bitcloud_net.core.units import KIB, MAX_ROW_BYTES

MAX_PROOF_BYTES = 2 * MAX_ROW_BYTES + KIB
"""Two rows and what is around them."""
PROOF_LIFE_PERIODS = 30 * DAY_PERIODS
"""Proofs are kept for as long as earlier faults count."""

MAX_PROOFS = 4096
"""Owners convicted at a time; 130 MB at the very most."""

_ID_CONTEXT = "bitcloud v1 proof"
_CLAIMS = frozenset(kind.value for kind in ClaimKind)


class ProofKind(StrEnum):
    """What the two rows share and must not, or what was claimed."""

    NUMBER = "number"
    SLOT = "slot"
    IDENTITY = "identity"  # one row, of an identity that was not mined; the other is empty
    AUDIT = ClaimKind.AUDIT.value
    BLOCK = ClaimKind.BLOCK.value
    RECEIPT = ClaimKind.RECEIPT.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Two rows, or a claim and what refutes it, that convict who signed them."""

    kind: ProofKind
    table: int  # of the rows; for claims that of nodes
    owner: bytes
    period: int  # of the later row, or of the claim
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
        period = max(first.period, second.period)
        return cls._made(kind, first.table, first.owner, period, first.raw, second.raw)

    @classmethod
    def of_identity(cls, row: SignedRow, admission: Admission) -> Proof:
        """Return the proof that a verified row of an identity makes by not having been mined. Costs
        one try of mining.

        Raises:
            Malformed: ``bad-proof``: it was mined, or is no identity; ``unknown-day``: it cannot be
                said here, where the beacon of its day is not known for certain.
        """
        if not isinstance(row.body, IdentityBody) or admission.is_free:
            raise Malformed("not an identity that had to be mined", code="bad-proof")
        if not admission.is_certain(row.body.day):
            raise Malformed("the beacon of that day is not known here", code="unknown-day")
        puzzle = admission.puzzle(row.owner, Role(row.key_suffix[0]), row.body.day)
        if puzzle.holds(row.body.nonce):
            raise Malformed("the identity was mined", code="bad-proof")
        return cls._made(ProofKind.IDENTITY, row.table, row.owner, row.period, row.raw, b"")

    @classmethod
    def of_claim(cls, kind: ClaimKind, manifest: bytes, claim: bytes) -> Proof:
        """Return the proof that a node's signed claim makes which a manifest refutes.

        Raises:
            Malformed: ``bad-proof``, ``bad-signature``: the manifest does not refute it, or the
                node did not say it.
        """
        accused = refute(kind, manifest, claim)
        proof_kind = ProofKind(kind.value)
        return cls._made(proof_kind, Table.NODE, accused.node, accused.period, manifest, claim)

    @classmethod
    def parse(cls, raw: bytes, admission: Admission, rules: Rules = rule_of) -> Proof:
        """Return the proof in ``raw`` after checking all of it, signatures included.

        Raises:
            Malformed: it proves nothing.
        """
        value = encoding.decode(raw, max_bytes=MAX_PROOF_BYTES)
        if not isinstance(value, list) or len(value) != 3:
            raise Malformed("a proof is a list of three", code="bad-proof")
        kind, first, second = value
        if not isinstance(first, bytes) or not isinstance(second, bytes):
            raise Malformed("a proof holds two pieces of bytes", code="bad-proof")
        if isinstance(kind, str) and kind in _CLAIMS:
            proof = cls.of_claim(ClaimKind(kind), first, second)
        elif kind == ProofKind.IDENTITY:
            row = SignedRow.parse(first, rules)
            proof = cls.of_identity(row, admission)
            row.verify()
        else:
            rows = [SignedRow.parse(first, rules), SignedRow.parse(second, rules)]
            if not all_public(rows, rules):
                raise Malformed("rows that not everybody may see", code="bad-proof")
            proof = cls.of(*rows)
            for row in rows:
                row.verify()
        if proof.raw != raw:
            raise Malformed("a proof in another form than ours", code="bad-proof")
        return proof

    def bans_until(self, rules: Rules) -> int:
        """Return the last period of the ban that the proof means; 0 where it means none, as for
        rows that people write.
        """
        return _bans_until(self.kind, self.table, self.period, rules)

    @classmethod
    def _made(
        cls, kind: ProofKind, table: int, owner: bytes, period: int, first: bytes, second: bytes
    ) -> Proof:
        raw = encoding.encode([kind.value, first, second])
        return cls(
            kind=kind,
            table=table,
            owner=owner,
            period=period,
            id=blake3(raw, derive_key_context=_ID_CONTEXT).digest(),
            raw=raw,
        )


def all_public(rows: Iterable[SignedRow], rules: Rules) -> bool:
    """Whether everybody may see all of these rows, and so a proof that they make."""
    return all(audience_of(row, rules(row.table)) is EVERYBODY for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What keeping a proof changed."""

    gone: tuple[tuple[bytes, int, bytes], ...]  # owner, period and id of those it took the place of


def record(connection: sqlite3.Connection, proof: Proof, rules: Rules) -> Recorded | None:
    """Keep a proof; None when the owner is convicted already by it or a better one: one that bans
    for longer, or for as long and with a smaller id. So nobody can hide a fraud behind a small one.

    Keys that are no nodes cost nothing, and so do proofs against them: where there are too many,
    they make room for those against nodes.

    Raises:
        Malformed: ``proofs-full``.
    """
    held = connection.execute(
        "SELECT period, id, kind, tbl FROM np_proof WHERE owner = ?", (proof.owner,)
    ).fetchone()
    gone: list[tuple[bytes, int, bytes]] = []
    was_node = _is_node(connection, proof.owner)
    if held is not None:
        period, held_id, kind, table = held
        held_until = _bans_until(ProofKind(kind), table, period, rules)
        if (-held_until, held_id) <= (-proof.bans_until(rules), proof.id):
            return None
        gone.append((proof.owner, period, held_id))
    elif _is_full(connection):
        gone.append(_make_room(connection, was_node=was_node))
    connection.execute(
        "INSERT OR REPLACE INTO np_proof VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            proof.owner,
            proof.table,
            proof.id,
            proof.kind.value,
            proof.period,
            proof.raw,
            int(was_node),
        ),
    )
    return Recorded(gone=tuple(gone))


def _is_node(connection: sqlite3.Connection, owner: bytes) -> bool:
    found = connection.execute("SELECT 1 FROM node WHERE key = ?", (owner,)).fetchone()
    return found is not None


def _is_full(connection: sqlite3.Connection) -> bool:
    (count,) = connection.execute("SELECT count(*) FROM np_proof").fetchone()
    return bool(count >= MAX_PROOFS)


def _make_room(connection: sqlite3.Connection, *, was_node: bool) -> tuple[bytes, int, bytes]:
    found = connection.execute(
        "SELECT owner, period, id FROM np_proof WHERE was_node = 0 ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if not was_node or found is None:
        raise Malformed("too many proofs", code="proofs-full")
    connection.execute("DELETE FROM np_proof WHERE owner = ?", found[:1])
    owner, period, proof_id = found
    return owner, period, proof_id


def _bans_until(kind: ProofKind, table: int, period: int, rules: Rules) -> int:
    # A slot is also used twice by who sets a machine up again within ten minutes.
    if kind is ProofKind.SLOT or not _is_written_by_nodes(table, rules):
        return 0
    # An identity that was not mined will not have been mined tomorrow either.
    length = PROOF_LIFE_PERIODS if kind is ProofKind.IDENTITY else FRAUD_BAN_PERIODS
    return period + length


def _is_written_by_nodes(table: int, rules: Rules) -> bool:
    """Whether only nodes write a table: what people sign bans nobody."""
    try:
        writers = rules(table).writers
        return bool(writers & Role.NODE) and not writers & Role.USER
    except Malformed:  # of an application that was removed
        return False


def _contradiction(first: SignedRow, second: SignedRow) -> ProofKind:
    if first.id == second.id or first.owner != second.owner or first.table != second.table:
        raise Malformed("two rows that do not contradict each other", code="bad-proof")
    if (first.key, first.seq) == (second.key, second.seq):
        return ProofKind.NUMBER
    if (first.period, first.slot) == (second.period, second.slot):
        return ProofKind.SLOT
    raise Malformed("two rows that do not contradict each other", code="bad-proof")
