"""Two real grids on one machine that are led to each other on purpose never mix."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real_program import Program, first_line, stop

pytestmark = pytest.mark.e2e

NODES = 2
"""Of each grid, beside one that was sent to the wrong one."""
OTHER_RULES = "identity_bits = 1\nidentity_memory_mib = 1\n"
KNOCKS_S = 5.0
"""The connector's pauses are 0.25, 1, 2, 4 … seconds: so a lost node has knocked four times."""


@dataclass(frozen=True)
class RealGrid:
    person: Program
    addresses: list[str]

    def nodes(self) -> list[Program]:
        return [Program(home=self.person.home / "testgrid" / f"{n:02}") for n in range(NODES)]


@contextmanager
def real_grid(home: Path, network: str) -> Iterator[RealGrid]:
    person = Program(home=home)
    person.run("init", "--name", home.name, "--no-passphrase", "--network", network)
    process = person.start("testgrid", "--nodes", NODES)
    try:
        yield RealGrid(person, first_line(process)["addresses"])
    finally:
        assert stop(process) == 0


@contextmanager
def lost_node(home: Path, addresses: list[str], rules: str = "") -> Iterator[Program]:
    """Run a node of the network of the apples that was given the addresses of both."""
    program = Program(home=home)
    program.run("init", "--name", home.name, "--no-passphrase", "--network", "test-apples")
    with (home / "settings.toml").open("a") as settings:
        settings.write(rules)
    words = [word for address in addresses for word in ("--bootstrap", address)]
    listen = ("--listen", "/ip4/127.0.0.1/tcp/0")
    process = program.start("node", "run", "--contribute", "1GB", *listen, *words)
    try:
        first_line(process)
        yield program
    finally:
        assert stop(process) == 0


def owners(program: Program) -> set[str]:
    rows: Any = program.run("sql", "SELECT DISTINCT hex(owner) AS owner FROM np_row")
    return {row["owner"] for row in rows}


def peers(program: Program) -> int:
    found: int = program.run("status")["peers"]
    return found


def test_grids_share_neither_rows_nor_connections(tmp_path: Path) -> None:
    with ExitStack() as stack:
        apples = stack.enter_context(real_grid(tmp_path / "Mary", "test-apples"))
        pears = stack.enter_context(real_grid(tmp_path / "John", "test-pears"))
        both = [*apples.addresses, *pears.addresses]
        lost = stack.enter_context(lost_node(tmp_path / "Lost", both))
        odd = stack.enter_context(lost_node(tmp_path / "Odd", both, OTHER_RULES))
        for grid in (apples, pears):
            source = tmp_path / f"of-{grid.person.home.name}"
            source.write_bytes(b"for my own network" * 1_000)
            grid.person.run("publish", source)
        time.sleep(KNOCKS_S)  # real processes: there is no event of not being let in
        ours = [owners(program) for program in (*apples.nodes(), lost)]
        theirs = [owners(program) for program in pears.nodes()]
        apart = owners(odd)
        assert ours == [ours[0]] * len(ours)
        assert theirs == [theirs[0]] * len(theirs)
        assert len(ours[0]) == NODES + 2  # its nodes, the one that was led astray, and Mary
        assert len(theirs[0]) == NODES + 1
        assert len(apart) <= 1  # itself, once it is mined: one name, but other rules
        assert not ours[0] & theirs[0]
        assert not apart & (ours[0] | theirs[0])
        assert [peers(program) for program in apples.nodes()] == [NODES] * NODES
        assert [peers(program) for program in pears.nodes()] == [NODES - 1] * NODES
        assert (peers(lost), peers(odd)) == (NODES, 0)
