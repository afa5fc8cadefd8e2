"""A small shared database with the real tables, for the scripted client."""

from __future__ import annotations

import sqlite3
import time
from importlib import resources
from typing import Any

from bitcloud_net.api import BadInput, SqlAnswer

PEOPLE = ("Mary", "Alice", "Bob", "Grace", "Ken", "Ada", "Linus", "Barbara")
NODES = 10
PERIOD = 2_900_000
MAX_ROWS = 10_000


def fake_database() -> sqlite3.Connection:
    """Return the tables of the nodepool with some people, nodes and files in them."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    schema = resources.files("bitcloud_net.nodepool").joinpath("schema/nodepool.sql")
    database.executescript(schema.read_text("utf-8"))
    database.create_function("now_period", 0, lambda: PERIOD + 3)
    for at, name in enumerate(PEOPLE):
        _insert(database, "user", key=_key(at), nickname=name)
    for at in range(NODES):
        capacity = (10 + 7 * at) * 10**9
        _insert(
            database,
            "node",
            key=_key(100 + at),
            name=f"Node {at + 1}",
            roles=5 if at < 2 else 1,
            addresses=f'["/ip4/192.0.2.{at + 1}/tcp/4001"]',
            capacity=capacity,
            used=capacity * (at + 3) // 17,
        )
    for at in range(40):
        owner, ident = _key(at % 3), bytes([at]) * 16
        values = {"folder": b"f" * 16, "sealed": bytes(60)}
        _insert(database, "file", key=owner + ident, owner=owner, id=ident, **values)
    database.commit()
    return database


def _insert(database: sqlite3.Connection, table: str, **values: Any) -> None:
    row = {**values, "seq": 1, "period": PERIOD, "expires": PERIOD + 1000}
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


def _key(number: int) -> bytes:
    return bytes([number, 7 * number % 256, 29 * number % 256]) + bytes(range(29))


def answer(database: sqlite3.Connection, statement: str) -> SqlAnswer:
    """Answer as the node's console does."""
    start = time.monotonic()
    try:
        cursor = database.execute(statement)
        if cursor.description is None:
            raise BadInput("only SELECT is possible here", code="sql-not-allowed")
        found = cursor.fetchmany(MAX_ROWS + 1)
    except sqlite3.Error as error:
        raise BadInput(f"SQL: {error}", code="sql-error") from error
    rows = tuple(
        tuple(cell.hex() if isinstance(cell, bytes) else cell for cell in row)
        for row in found[:MAX_ROWS]
    )
    return SqlAnswer(
        columns=tuple(column[0] for column in cursor.description),
        rows=rows,
        cut_off=len(found) > MAX_ROWS,
        seconds=time.monotonic() - start,
    )
