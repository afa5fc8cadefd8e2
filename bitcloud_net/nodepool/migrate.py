"""Schemas and versions of the databases.

``application_id`` says whose file it is, ``user_version`` = major * 65536 + minor which form it
has. A new file is made from ``schema/<name>.sql``, which always is the newest form; an older one
runs the steps ``migrations/<name>_<minor>.sql`` up to it; one of a higher major version is refused.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from importlib import resources

from bitcloud_net.core.errors import LocalFault

_MAJOR = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a database file must be."""

    name: str  # of the schema file
    application_id: int
    version: int  # major * 65536 + minor


NODEPOOL = Schema(name="nodepool", application_id=0x42434E50, version=1 * _MAJOR + 4)  # "BCNP"
OWN_ROWS = Schema(name="own_rows", application_id=0x42434F52, version=1 * _MAJOR + 1)  # "BCOR"


def migrate(connection: sqlite3.Connection, schema: Schema) -> None:
    """Bring a new or older database to the form of ``schema``, in one transaction.

    Raises:
        LocalFault: ``database-foreign`` (another program's file) or ``database-too-new``.
    """
    application_id = _pragma(connection, "application_id")
    version = _pragma(connection, "user_version")
    if application_id == 0 and version == 0 and _is_empty(connection):
        _run(connection, schema, _sql(f"schema/{schema.name}.sql"), schema.version)
        return
    if application_id != schema.application_id:
        raise LocalFault("the file is the database of another program", code="database-foreign")
    if version // _MAJOR > schema.version // _MAJOR:
        raise LocalFault(
            "the database was made by a newer version of Bitcloud; install that version",
            code="database-too-new",
        )
    for step in range(version + 1, schema.version + 1):
        _run(connection, schema, _sql(f"migrations/{schema.name}_{step % _MAJOR:03}.sql"), step)


def _run(connection: sqlite3.Connection, schema: Schema, sql: str, version: int) -> None:
    connection.executescript(
        f"BEGIN IMMEDIATE; {sql}"
        f"PRAGMA application_id = {schema.application_id}; PRAGMA user_version = {version}; COMMIT;"
    )


def _sql(path: str) -> str:
    return resources.files(__package__).joinpath(path).read_text("utf-8")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _is_empty(connection: sqlite3.Connection) -> bool:
    return not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
