"""Whether a database is, byte for byte, what was left when it was closed.

SQLite notices broken pages, not a wrong bit in a value; and a row with a wrong bit would be offered
to others, who take its sender for a liar. So a database that is closed in good order gets a *seal*:
the hash of its file, in a file beside it. It is broken before the database is opened again. After a
crash there is none, and the rows themselves are looked at: each must still be the one that its id
names. A wrong bit in a signature or a typed table then stays unnoticed.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from blake3 import blake3

from bitcloud_net.core.errors import LocalFault, Malformed
from bitcloud_net.core.nodepool.rows import Rules, SignedRow
from bitcloud_net.core.units import MIB

SUFFIX: Final = ".seal"
PIECE_BYTES: Final = MIB
_DAMAGED: Final = "database-damaged"
_CONTEXT: Final = "bitcloud v1 database seal"
_COLUMNS: Final = "tbl, key, owner, seq, period, slot, expires, id"


def seal(path: Path) -> None:
    """Seal the database at ``path``, which nobody has open. One that has not written everything
    back, because another program reads it, is left without."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        return
    _seal_of(path).write_bytes(_hash(path))


def break_seal(path: Path) -> bool:
    """Remove the seal before the database is opened; return whether there was one.

    Raises:
        LocalFault: ``database-damaged``: the file is not what was sealed.
    """
    sealed = _seal_of(path)
    try:
        expected = sealed.read_bytes()
    except FileNotFoundError:
        return False
    sealed.unlink()
    if not path.exists():
        return False  # somebody has removed it, to begin anew
    if expected != _hash(path):
        raise LocalFault("the database is not what it was when it was closed", code=_DAMAGED)
    return True


def check_rows(db: sqlite3.Connection, rules: Rules) -> None:
    """Return when every row is the one that its id and its columns name. 30 µs a row.

    Raises:
        LocalFault: ``database-damaged``.
    """
    for raw, *columns in db.execute(f"SELECT raw, {_COLUMNS} FROM np_row"):
        try:
            row = SignedRow.parse(raw, rules)
        except Malformed as error:
            raise LocalFault(f"a row is damaged: {error.message}", code=_DAMAGED) from error
        held = row.table, row.key, row.owner, row.seq, row.period, row.slot, row.expires, row.id
        if held != tuple(columns):
            raise LocalFault("a row is not the one that its columns name", code=_DAMAGED)


def _seal_of(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)


def _hash(path: Path) -> bytes:
    """Read piece by piece: a mapped file would count as our memory."""
    hasher = blake3(derive_key_context=_CONTEXT)
    with path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE_BYTES):
            hasher.update(piece)
    return hasher.digest()
