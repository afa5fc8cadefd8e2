"""SQLite files of this package: opened alike, used in whole transactions."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from bitcloud_net.storage.disk import FILE_MODE

BUSY_MS = 5000
"""How long to wait for another program that holds the file, such as a backup."""
_SUFFIXES = ("", "-wal", "-shm", "-journal")


def connect(path: Path, synchronous: Literal["NORMAL", "FULL"]) -> sqlite3.Connection:
    """Open or make a private database in WAL mode; transactions are begun by hand.

    ``FULL`` makes every commit durable. ``NORMAL`` may lose the last ones with the power, and never
    damages the file.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "journal_mode = WAL",
        f"synchronous = {synchronous}",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "cell_size_check = ON",
    ):
        database.execute(f"PRAGMA {pragma}").fetchall()
    return database


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Make all of the block happen, or none of it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def marks(database: sqlite3.Connection) -> tuple[int, int]:
    """Return the file's application id and user version."""
    [(application_id,)] = database.execute("PRAGMA application_id").fetchall()
    [(user_version,)] = database.execute("PRAGMA user_version").fetchall()
    return application_id, user_version


def is_whole(database: sqlite3.Connection) -> bool:
    """Return whether SQLite finds no damage."""
    answer: list[tuple[str]] = database.execute("PRAGMA quick_check(1)").fetchall()
    return answer == [("ok",)]


def make_schema(
    database: sqlite3.Connection, schema: str, application_id: int, version: int
) -> None:
    """Run the statements of ``schema`` and mark the file, all at once."""
    with transaction(database):
        for statement in schema.split(";"):
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {application_id}")
        database.execute(f"PRAGMA user_version = {version}")


def remove(path: Path) -> None:
    """Remove a closed database with all that belongs to it."""
    for suffix in _SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def move_aside(path: Path) -> Path:
    """Rename a closed, damaged database to ``<name>.damaged``, and return that path."""
    aside = path.with_name(path.name + ".damaged")
    remove(aside)
    for suffix in _SUFFIXES:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside
