"""Accepting rows: the checks in order, cheap ones first, and the writing.

Order: form (``SignedRow.parse``) → time → slot and number → signatures → contradictions → the rows
it belongs to → room. The first failure decides. Everything here runs inside one transaction of the
writer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.bodies.kinds import Parents
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import PROOFS, Role, Table, rule_of
from bitcloud_net.core.trust.identity import Admission
from bitcloud_net.core.trust.verdicts import FRAUD, MEMORY_PERIODS, WINDOW_PERIODS, Ban
from bitcloud_net.core.units import GIB, MIB
from bitcloud_net.nodepool.app_registry import AppRegistry
from bitcloud_net.nodepool.belonging import Belonging
from bitcloud_net.nodepool.fault_room import FaultRoom
from bitcloud_net.nodepool.keeping import Keeper
from bitcloud_net.nodepool.node_age import forget_ages, note_age
from bitcloud_net.nodepool.outcome import Fate, Outcome
from bitcloud_net.nodepool.proofs import PROOF_LIFE_PERIODS, Proof, all_public, record
from bitcloud_net.nodepool.row_alone import EARLY_PERIODS, SLACK_PERIODS, check_alone
from bitcloud_net.nodepool.row_writer import Held, RowWriter
from bitcloud_net.nodepool.service_record import check_service, forget_service, note_service
from bitcloud_net.nodepool.synced_set import Entry
from bitcloud_net.nodepool.tally import Tally
from bitcloud_net.nodepool.waiting_room import WaitingRoom

MAX_SHARING_SLOT = 4
"""Rows that one slot may have. More than one convicts the owner, but all nodes must hold the same
rows whatever came first, and a person who uses one key on a few computers is not cut off."""
LASTING = (Table.IDENTITY, Table.CERTIFICATE)
"""What a node says once and for long: only a fraud takes it away, and not some hours of faults."""
MAX_APP_TABLE_BYTES = 64 * MIB
"""Rows of one table of an application."""
MAX_POOL_BYTES = 4 * GIB
"""Rows of everybody together; beyond it only own rows are taken."""


class Acceptance:
    """One batch. What it changes beside the database is in ``writer``."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        waiting: WaitingRoom,
        tally: Tally,
        *,
        now: int,
        admission: Admission,
        registry: AppRegistry,
        beacon: Callable[[int], bytes],
        keeper: Keeper | None = None,
    ) -> None:
        """``beacon`` is that of a period. ``keeper`` says what of the rows of others is kept here;
        None: these are our own.
        """
        self.db = self._db = connection
        self._waiting = waiting
        self._tally = tally
        self.now = now
        self.admission = admission
        self.registry = registry
        self._keeper = keeper
        self._fault_room = FaultRoom(connection, now, beacon)
        self.writer = RowWriter(connection, registry)
        self._belonging = Belonging(connection, admission)
        self.unparked: list[Outcome] = []

    def accept(self, row: SignedRow, *, own: bool = False) -> Outcome:
        """Check one parsed row and write it where it deserves it, with all that waited for it."""
        try:
            outcome = self._decide(row, own)
        except Malformed as error:
            return Outcome(fate=Fate.REFUSED, row=row, code=error.code, reason=error.message)
        if outcome.fate is Fate.ACCEPTED:
            self.unparked += self._take_waiting(row)
        return outcome

    def _take_waiting(self, row: SignedRow) -> Iterable[Outcome]:
        for child in self._waiting.take((row.table, row.key)):
            yield self.accept(child)

    def _decide(self, row: SignedRow, own: bool) -> Outcome:  # noqa: FBT001 - private
        check_alone(row, self.registry.rule_of(row.table), self.now)
        held = self.writer.held(row)
        if held is not None and held.id == row.id:
            return Outcome(fate=Fate.KNOWN, row=row)
        if held is not None and not _may_replace(row, held):
            return Outcome(fate=Fate.STALE, row=row)
        self._check_right(row, held)
        missing = self._missing_rows(row)
        if not missing and not self.admission.is_free:
            check_service(self._db, row)
        if own and missing:
            raise Malformed(_what_is_missing(missing), code="missing-parent")
        if missing:
            return self._park(row, missing)
        if not own:
            self._check_room(row, held)
        if row.table is Table.FAULT:
            self._make_room_among_faults(row)
        self._write(row, held)
        return Outcome(fate=Fate.ACCEPTED, row=row)

    def _check_right(self, row: SignedRow, held: Held | None) -> None:
        """Refuse what is not ours to keep, or not its owner's to say."""
        if self._keeper is not None:
            self._keeper.check(row, self.registry.rule_of(row.table))
        self._check_standing(row)
        row.verify()
        self.registry.check(row)
        self._check_contradictions(row, held)

    def _write(self, row: SignedRow, held: Held | None) -> None:
        self.writer.write(row, held)
        if row.table is Table.USER:
            self._belonging.forget()
        note_age(self._db, row)
        if not self.admission.is_free:
            note_service(self._db, row)

    def _check_standing(self, row: SignedRow) -> None:
        """Refuse what a banned node says as a node. A person's files are not touched by bans, and
        ``LASTING`` rows by fraud alone.
        """
        if not self.registry.rule_of(row.table).writers & Role.NODE:
            return
        sql = "SELECT 1 FROM np_ban WHERE target = ? AND until >= ? AND (reason = ? OR ?)"
        any_reason = row.table not in LASTING
        if self._db.execute(sql, (row.owner, self.now, FRAUD, any_reason)).fetchone():
            raise Malformed("the node is banned", code="owner-banned")

    def _check_contradictions(self, row: SignedRow, held: Held | None) -> None:
        """Keep proofs against the owner; refuse the row that must not win."""
        if held is not None and held.seq == row.seq:
            self._convict(row, "SELECT raw FROM np_row WHERE id = ?", (held.id,))
            if not row.beats(held.seq, held.id, held.co_owners):
                raise Malformed("another row has its number", code="number-reused")
            return
        sharing = self._convict(
            row,
            "SELECT raw FROM np_row WHERE owner = ? AND tbl = ? AND period = ? AND slot = ?",
            (row.owner, row.table, row.period, row.slot),
        )
        if sharing >= MAX_SHARING_SLOT:
            raise Malformed("too many rows have its slot", code="slot-reused")

    def _convict(self, row: SignedRow, sql: str, values: Sequence[object]) -> int:
        found = self._db.execute(sql, tuple(values)).fetchmany(MAX_SHARING_SLOT)
        for (raw,) in found:
            other = SignedRow.parse(raw, self.registry.rule_of)
            if all_public((row, other), self.registry.rule_of):
                self.convict(Proof.of(row, other))
        if found:
            self._check_standing(row)  # it may have brought its owner a ban
        return len(found)

    def convict(self, proof: Proof) -> bool:
        """Keep a proof that was checked; False when it adds nothing.

        Raises:
            Malformed: ``from-future``, ``expired``, ``proofs-full``.
        """
        if proof.period > self.now + EARLY_PERIODS:
            raise Malformed("the proof is from the future", code="from-future")
        if proof.period < self.now - PROOF_LIFE_PERIODS:
            raise Malformed("the proof has expired", code="expired")
        recorded = record(self._db, proof, self.registry.rule_of)
        if recorded is None:
            return False
        change = self.writer.change(PROOFS)
        for entry in recorded.gone:
            change.leave(Entry.of(*entry))
        change.enter(Entry.of(proof.owner, proof.period, proof.id))
        if until := proof.bans_until(self.registry.rule_of):
            node = NodeId(proof.owner)
            ban = Ban(target=node, since=proof.period, until=until, reason=FRAUD)
            self.ban(ban, proof=proof.kind.value)
        return True

    def _make_room_among_faults(self, row: SignedRow) -> None:
        outdone = self._fault_room.make(row)
        if outdone is not None:
            self._drop("tbl = ? AND key = ?", (Table.FAULT, outdone))

    def ban(self, ban: Ban, *, proof: str = "") -> bool:
        """Note a ban and what it rests on (auditors' words, or a proof of some kind), and drop what
        the node said as a node; False when it is known.
        """
        known = self._db.execute(
            "SELECT 1 FROM np_ban WHERE target = ? AND until >= ?", (ban.target, ban.until)
        ).fetchone()
        if known or ban.until < self.now - MEMORY_PERIODS:
            return False
        name = self._db.execute("SELECT name FROM node WHERE key = ?", (ban.target,)).fetchone()
        values = (ban.target, ban.since, ban.until, ban.reason, name[0] if name else "", proof)
        self._db.execute("INSERT OR REPLACE INTO np_ban VALUES (?, ?, ?, ?, ?, ?)", values)
        if not proof:
            window = (ban.since - WINDOW_PERIODS + 1, self.now)
            self._db.execute(_KEEP_WORDS, (ban.since, ban.target, *window))
        if ban.until >= self.now:
            self._drop_words_of(ban)
        return True

    def _drop_words_of(self, ban: Ban) -> None:
        for rule in self.registry.rules:
            keeps = rule.table in LASTING and ban.reason != FRAUD
            if rule.writers & Role.NODE and not keeps:
                self._drop("owner = ? AND tbl = ?", (ban.target, rule.table))

    def _missing_rows(self, row: SignedRow) -> Parents:
        """Return the rows of which one has to come first. Where one may lie at a place that others
        keep, they have seen to it.
        """
        rules = self.registry.rule_of
        missing = self._belonging.missing_rows(row, rules(row.table))
        keeper = self._keeper
        if keeper and not all(keeper.keeps_place(key, rules(table)) for table, key in missing):
            return ()
        return missing

    def _drop(self, condition: str, values: tuple[object, ...]) -> None:
        self.writer.drop(condition, values)
        self._belonging.forget()

    def _park(self, row: SignedRow, missing: Parents) -> Outcome:
        if not self._waiting.park(row, missing, self.now):
            raise Malformed("too many rows wait for another", code="waiting-full")
        return Outcome(fate=Fate.PARKED, row=row)

    def _check_room(self, row: SignedRow, held: Held | None) -> None:
        rule = self.registry.rule_of(row.table)
        rows = self._tally.rows(row.table, row.owner) + self.writer.gains.rows(row.table, row.owner)
        if held is None and rows >= rule.max_rows_per_owner:
            raise Malformed(
                f"an owner has at most {rule.max_rows_per_owner} {rule.name} rows",
                code="owner-full",
            )
        held_bytes = self._tally.bytes_of(rule.table) + self.writer.gains.bytes_of(rule.table)
        most = MAX_APP_TABLE_BYTES if rule.columns else rule.max_table_bytes
        if held_bytes + len(row.raw) > most:
            raise Malformed(
                f"the table {rule.name} has reached its size limit",
                code="app-full" if rule.columns else "table-full",
            )
        if self._tally.size + self.writer.gains.size + len(row.raw) > MAX_POOL_BYTES:
            raise Malformed("the nodepool has reached its size limit", code="pool-full")

    def drop_row(self, table: int, key: bytes, row_id: bytes) -> None:
        """Drop one row if it is still the one that is held under its key."""
        self._drop("tbl = ? AND key = ? AND id = ?", (table, key, row_id))

    def sweep(self) -> None:
        """Drop rows that expired more than ``SLACK_PERIODS`` ago."""
        self._drop("expires < ?", (self.now - SLACK_PERIODS,))
        for key in self._fault_room.outlived():
            self._drop("tbl = ? AND key = ?", (Table.FAULT, key))
        self._sweep_proofs()
        self._db.execute("DELETE FROM np_ban WHERE until < ?", (self.now - MEMORY_PERIODS,))
        forget_service(self._db, self.now)
        self._db.execute(
            "DELETE FROM np_ban_word"
            " WHERE (target, since) NOT IN (SELECT target, since FROM np_ban)"
        )
        forget_ages(self._db, self.now)

    def _sweep_proofs(self) -> None:
        limit = self.now - PROOF_LIFE_PERIODS
        old = self._db.execute("SELECT owner, period, id FROM np_proof WHERE period < ?", (limit,))
        for proof in old.fetchall():
            self.writer.change(PROOFS).leave(Entry.of(*proof))
        self._db.execute("DELETE FROM np_proof WHERE period < ?", (limit,))

    def seq(self, table: int, key: bytes) -> int:
        """Return the number of the row held under a key; 0 when there is none."""
        found = self._db.execute(
            "SELECT seq FROM np_row WHERE tbl = ? AND key = ?", (table, key)
        ).fetchone()
        return int(found[0]) if found else 0

    def next_slot(self, table: int, owner: bytes) -> int:
        """Return the first slot of this period above all that held rows use."""
        (slot,) = self._db.execute(
            "SELECT coalesce(max(slot) + 1, 0) FROM np_row"
            " WHERE owner = ? AND tbl = ? AND period = ?",
            (owner, table, self.now),
        ).fetchone()
        return int(slot)


def _may_replace(row: SignedRow, held: Held) -> bool:
    """Whether a row may take a held one's place, or contradicts it."""
    same = row.seq == held.seq and len(row.co_owners) == held.co_owners
    return same or row.beats(held.seq, held.id, held.co_owners)


def _what_is_missing(places: Parents) -> str:
    names = " or ".join(rule_of(table).name for table, _ in places)
    for table, key in places:
        if table is Table.IDENTITY:
            role = str(Role(key[-1]).name).lower().replace("_", "-")
            return f"who writes it has to be mined first: bitcloud join --role {role}"
    return f"it belongs to a row that is not there: {names}"


_KEEP_WORDS = """
INSERT OR REPLACE INTO np_ban_word
SELECT target, ?, auditor, reason, recent, period FROM fault
WHERE target = ? AND period BETWEEN ? AND ?
"""
