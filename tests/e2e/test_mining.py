"""Mining in real processes: killed, held with Ctrl-C, gone on with, and let in at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from real_program import Program, first_line, stop

from bitcloud_net.settings import load_settings, save_settings

pytestmark = pytest.mark.e2e

PATIENCE_S = 30.0
ENDLESS_BITS = 40


@pytest.fixture
def program(tmp_path: Path) -> Program:
    program = Program(home=tmp_path / "home")
    program.run("init", "--name", "Mary", "--no-passphrase", "--network", "test-mining")
    return program


def ask_for(program: Program, *, bits: int) -> None:
    """Let the home live on a network whose identities cost so much."""
    settings = load_settings(program.home)
    rules = replace(settings, identity_bits=bits, identity_memory_mib=1)
    save_settings(program.home, rules)


def noted(program: Program) -> dict[str, Any]:
    """Return what is noted of the search."""
    try:
        note = json.loads((program.home / "mining" / "node.json").read_text())
    except FileNotFoundError:
        return {"tried": 0}
    return dict(note)


def until_noted(program: Program, more_than: int) -> int:
    deadline = time.monotonic() + PATIENCE_S
    while noted(program)["tried"] <= more_than:
        assert time.monotonic() < deadline, "the search was not noted"
        time.sleep(0.1)
    return int(noted(program)["tried"])


def identities(program: Program) -> int:
    (row,) = program.run("sql", "SELECT count(*) AS held FROM identity")
    return int(row["held"])


def test_a_killed_search_goes_on_where_it_was(program: Program) -> None:
    ask_for(program, bits=ENDLESS_BITS)
    node = program.start("node", "run", "--contribute", "64MiB")
    try:
        first_line(node)  # the node is there long before its identity is
        status = program.run("join", "--status")
        assert status["state"] == "mining"
        before = until_noted(program, 10)
    finally:
        os.kill(node.pid, signal.SIGKILL)
        node.wait(PATIENCE_S)
        assert node.stdout is not None
        node.stdout.close()
    kept = noted(program)["tried"]
    assert kept >= before
    node = program.start("node", "run", "--contribute", "64MiB")
    try:
        first_line(node)
        assert program.run("join", "--status")["tries"] >= kept
        held = program.run("join", "--pause")
        assert (held["state"], held["tries"] >= kept) == ("paused", True)
    finally:
        assert stop(node) == 0
    assert program.run("join", "--status")["state"] == "paused", "a restart does not change that"
    ask_for(program, bits=3)
    assert program.run("join")["state"] == "joined"
    assert identities(program) == 1


def test_ctrl_c_holds_the_search_and_says_how_to_go_on(program: Program) -> None:
    ask_for(program, bits=ENDLESS_BITS)
    search = program.start("join", stderr=subprocess.PIPE)
    until_noted(program, 10)
    search.send_signal(signal.SIGINT)
    _, err = search.communicate(timeout=PATIENCE_S)
    assert search.returncode == 130
    assert "held after" in err
    assert "go on with: bitcloud join" in err
    assert noted(program)["held"]


def test_a_node_is_let_in_when_it_has_mined(program: Program, tmp_path: Path) -> None:
    """Two computers: the first lets the second in once it has an identity."""
    ask_for(program, bits=4)
    other = Program(home=tmp_path / "other")
    other.run("init", "--name", "John", "--no-passphrase", "--network", "test-mining")
    ask_for(other, bits=4)
    listen = ("--listen", "/ip4/127.0.0.1/tcp/0")
    first = program.start("node", "run", *listen, "--contribute", "64MiB")
    address = first_line(first)["addresses"][0]
    second = other.start("node", "run", *listen, "--bootstrap", address, "--contribute", "64MiB")
    first_line(second)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while len(program.run("status")["nodes"]) < 2 or len(other.run("status")["nodes"]) < 2:
            assert time.monotonic() < deadline, "they do not know each other"
            time.sleep(0.2)
        assert identities(program) == identities(other) == 2
    finally:
        for node in (first, second):
            assert stop(node) == 0


def test_ctrl_c_holds_the_search_of_a_node_that_runs(program: Program) -> None:
    """Also when it was asked for over the control socket, and the node goes on."""
    ask_for(program, bits=ENDLESS_BITS)
    node = program.start("node", "run")
    try:
        first_line(node)
        asking = program.start("join", stderr=subprocess.PIPE)
        until_noted(program, 10)
        asking.kill()  # the search is the node's: it goes on without who asked for it
        asking.communicate(timeout=PATIENCE_S)
        assert program.run("join", "--status")["state"] == "mining"
        asking = program.start("join", stderr=subprocess.PIPE)
        assert asking.stderr is not None
        assert "Ctrl-C holds it" in asking.stderr.readline()
        asking.send_signal(signal.SIGINT)
        _, err = asking.communicate(timeout=PATIENCE_S)
        assert "go on with: bitcloud join" in err
        assert program.run("join", "--status")["state"] == "paused"
    finally:
        assert stop(node) == 0


def test_one_command_from_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    words = ("--name", "Mary", "--no-passphrase", "--network", "test-one", "--capacity", "64MiB")
    program = Program(home=home)
    made = program.start("join", *words)
    out, _ = made.communicate(timeout=PATIENCE_S)
    assert made.returncode == 0
    identity, member = map(json.loads, out.splitlines())
    assert len(identity["words"]) == 24
    assert member["state"] == "open"
    node = program.start("node", "run")
    try:
        first_line(node)
        assert program.run("status")["contribution"]["on"], "what was asked for is remembered"
    finally:
        assert stop(node) == 0
