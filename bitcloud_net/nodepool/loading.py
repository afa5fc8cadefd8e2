"""What is made from the database at each start and then kept in memory beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from bitcloud_net.core.nodepool.shards import EVERYWHERE, Depth, Span
from bitcloud_net.core.nodepool.tables import PROOFS
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
    for number, size in db.execute("SELECT tbl, sum(length(raw)) FROM np_row GROUP BY tbl"):
        tally.add(registry.rule_of(number), b"", 0, size)
    return tally


def load_depths(db: sqlite3.Connection) -> dict[int, Depth]:
    """Return how deep each table was cut here at last."""
    found = db.execute("SELECT tbl, depth, over, under FROM np_depth")
    return {at: Depth(value=value, over=over, under=under) for at, value, over, under in found}


def keep_depths(db: sqlite3.Connection, depths: Mapping[int, Depth]) -> None:
    """Keep how deep each table is cut here."""
    rows = [(at, depth.value, depth.over, depth.under) for at, depth in depths.items()]
    db.executemany("INSERT OR REPLACE INTO np_depth VALUES (?, ?, ?, ?)", rows)


def load_set(db: sqlite3.Connection, number: int, span: Span | None) -> SyncedSet:
    """Return one table's set, cut by place."""
    entries = public_entries(db, number)
    made = SyncedSet(number, entries, span=span)
    sql = "SELECT count(DISTINCT key) FROM np_audience WHERE tbl = ?"
    (made.narrow,) = db.execute(sql, (number,)).fetchone()
    return made


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
        entries[number] = public_entries(db, number)
    for owner, period, proof_id in db.execute("SELECT owner, period, id FROM np_proof"):
        entries.setdefault(PROOFS, []).append(Entry.of(owner, period, proof_id))
    return entries


def public_entries(db: sqlite3.Connection, number: int) -> list[Entry]:
    """Return the rows of a table that everybody may see."""
    narrow = {key for (key,) in db.execute("SELECT key FROM np_audience WHERE tbl = ?", (number,))}
    found = db.execute("SELECT key, period, id FROM np_row WHERE tbl = ?", (number,))
    return [Entry.of(*row) for row in found if row[0] not in narrow]
