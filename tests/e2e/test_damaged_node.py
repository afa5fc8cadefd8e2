"""A real node whose database was damaged while it was off: it starts, and has everything again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from real_program import DEADLINE_S, Program, first_line, stop

pytestmark = pytest.mark.e2e

NETWORK = ("--network", "test-damage")


@contextmanager
def node_of(program: Program, *bootstrap: str) -> Iterator[str]:
    """Run a node; yield its address."""
    words = [word for address in bootstrap for word in ("--bootstrap", address)]
    listen = ("--listen", "/ip4/127.0.0.1/tcp/0")
    process = program.start("node", "run", "--contribute", "1GB", *listen, *words)
    try:
        yield first_line(process)["addresses"][0]
    finally:
        assert stop(process) == 0


def lasting_rows(program: Program) -> set[str]:
    """Return the ids of people's rows; nodes sign theirs anew now and then."""
    found: list[Any] = program.run(
        "sql", "SELECT hex(id) AS id FROM np_row WHERE tbl BETWEEN 2 AND 5"
    )
    return {row["id"] for row in found}


def flip_three_bits(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(3):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def zero_a_page(data: bytearray, chance: random.Random) -> bytes:
    at = 4096 * chance.randrange(1, len(data) // 4096)
    return bytes(data[:at]) + bytes(4096) + bytes(data[at + 4096 :])


def wrong_header(data: bytearray, chance: random.Random) -> bytes:
    return chance.randbytes(100) + bytes(data[100:])


def cut_short(data: bytearray, chance: random.Random) -> bytes:
    return bytes(data[: chance.randrange(1, len(data))])


DAMAGES: list[Callable[[bytearray, random.Random], bytes]] = [
    flip_three_bits,
    zero_a_page,
    wrong_header,
    cut_short,
]


@contextmanager
def someone_elses_node(home: Path) -> Iterator[str]:
    other = Program(home=home)
    other.run("init", "--name", "Other", "--no-passphrase", *NETWORK)
    with node_of(other) as address:
        (home / "theirs.txt").write_text("somebody else's words")
        other.run("publish", home / "theirs.txt")
        yield address


def test_a_damaged_node_is_whole_again(tmp_path: Path, rng: random.Random) -> None:
    mary = Program(home=tmp_path / "mary")
    mary.run("init", "--name", "Mary", "--no-passphrase", *NETWORK)
    note = tmp_path / "note.txt"
    note.write_text("mine, and mine alone")
    database = mary.home / "nodepool" / "nodepool.db"
    aside = database.with_name("nodepool.db.damaged")
    with someone_elses_node(tmp_path / "other") as address:
        with node_of(mary, address):
            (published,) = mary.run("publish", note)
            before = lasting_rows(mary)
            node = mary.run("status")["node"]
        assert len(before) == 8  # of two people, each with a folder and a file: four rows
        for damage in DAMAGES:
            database.write_bytes(damage(bytearray(database.read_bytes()), rng))
            with node_of(mary, address):
                assert aside.exists(), damage.__name__
                aside.unlink()
                await_rows(mary, before, damage.__name__)
                mary.run("fetch", published["path"], "-o", tmp_path / "back.txt", "--force")
                assert (tmp_path / "back.txt").read_text() == note.read_text()
                assert mary.run("status")["node"] == node


def await_rows(program: Program, wanted: set[str], damage: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while missing := wanted - lasting_rows(program):
        assert time.monotonic() < deadline, f"{damage}: {len(missing)} of {len(wanted)} missing"
        time.sleep(0.2)  # another process syncs; there is no event of it here
