"""What is made from the database at each start and then kept in memory beside it."""

from __future__ import annotations

import sqlite3

from bitcloud_net.core.shards import EVERYWHERE
from bitcloud_net.core.tables import PROOFS
from bitcloud_net.nodepool.app_registry import AppRegistry
from bitcloud_net.nodepool.keeping import Keeping
from bitcloud_net.nodepool.synced_set import Entry, SyncedSet
from bitcloud_net.nodepool.tally import Tally
from bitcloud_net.wire.range_index import item_of


def load_tally(db: sqlite3.Connection, registry: AppRegistry) -> Tally:
    """Count what is held."""
    tally = Tally()
    for number, owner, rows in db.execute(
        "SELECT tbl, owner, count(*) FROM np_row WHERE owner != key GROUP BY owner, tbl"
    ):
        tally.add(registry.rule_of(number), owner, rows, 0)
    for rule in registry.rules:
        if rule.columns:
            sql = "SELECT coalesce(sum(length(raw)), 0) FROM np_row WHERE tbl = ?"
            tally.add(rule, b"", 0, db.execute(sql, (rule.table,)).fetchone()[0])
    (tally.size,) = db.execute("SELECT coalesce(sum(length(raw)), 0) FROM np_row").fetchone()
    return tally


def load_sets(
    db: sqlite3.Connection, registry: AppRegistry, keeping: Keeping
) -> dict[int, SyncedSet]:
    """Return the reconciled sets of all tables, and of the proofs."""
    spans = {rule.table: keeping.span(rule) for rule in registry.rules}
    cut = {number for number, span in spans.items() if span != EVERYWHERE}
    entries = _entries(db, cut)
    sets = {
        number: SyncedSet(number, entries.get(number, ()), span=span)
        for number, span in {PROOFS: EVERYWHERE, **spans}.items()
    }
    sql = "SELECT tbl, count(DISTINCT key) FROM np_audience GROUP BY tbl"
    for number, count in db.execute(sql):
        sets[number].narrow = count
    return sets


def _entries(db: sqlite3.Connection, cut: set[int]) -> dict[int, list[Entry]]:
    """Return the public rows of each set; with their keys only where a set is cut by place, because
    an index has everything else.
    """
    narrow = {row_id for (row_id,) in db.execute("SELECT id FROM np_audience")}
    entries: dict[int, list[Entry]] = {}
    for number, period, row_id in db.execute("SELECT tbl, period, id FROM np_row"):
        if number not in cut and row_id not in narrow:
            entries.setdefault(number, []).append(Entry(b"", item_of(period, row_id)))
    for number in cut:
        found = db.execute("SELECT key, period, id FROM np_row WHERE tbl = ?", (number,))
        entries[number] = [Entry.of(*row) for row in found if row[2] not in narrow]
    for owner, period, proof_id in db.execute("SELECT owner, period, id FROM np_proof"):
        entries.setdefault(PROOFS, []).append(Entry.of(owner, period, proof_id))
    return entries
