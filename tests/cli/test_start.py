"""How the command line starts: fast, and on the node that already runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from bitcloud_net.cli import main
from bitcloud_net.cli.arguments import parser
from bitcloud_net.protocols.control_socket import control_path
from bitcloud_net.services.control_server import ControlServer
from bitcloud_net.testing.fake_client import FakeClient


def test_help_imports_neither_trio_nor_libp2p() -> None:
    code = (
        "import sys\nfrom bitcloud_net.cli import main\nassert main(['--help']) == 0\n"
        "heavy = {'trio', 'libp2p', 'nacl', 'cbor2', 'PySide6'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "publish" in done.stdout


VERBS = [
    "init",
    "recover",
    "join",
    "avoid",
    "publish",
    "ls",
    "fetch",
    "share",
    "url",
    "check",
    "repair",
    "status",
    "contribute",
    "gateway",
    "transfers",
    "testgrid",
    "demo",
    "version",
]


def _verbs() -> list[list[str]]:
    return [*([verb] for verb in VERBS), ["node", "run"]]


@pytest.mark.parametrize("words", _verbs(), ids=" ".join)
def test_every_verb_has_help_with_examples(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "examples:" in shown
    assert "--json" in shown
    assert "--home" in shown


def test_every_verb_names_a_function_that_exists() -> None:
    from importlib import import_module

    samples = {"fetch": ["x"], "share": ["x"], "url": ["x"], "check": ["x"], "repair": ["x"]}
    samples["publish"] = ["x"]
    for words in _verbs():
        chosen = parser().parse_args([*words, *samples.get(words[0], [])])
        module, function = chosen.verb.split(":")
        assert callable(getattr(import_module(f"bitcloud_net.cli.{module}"), function))


async def test_a_running_node_is_used(opened: Any, tmp_path: Path, capfd: Any) -> None:
    home = tmp_path / "home"
    running = FakeClient()
    async with trio.open_nursery() as nursery:
        await nursery.start(ControlServer(running, control_path(home)).run)
        status = await trio.to_thread.run_sync(main, ["status", "--json"])
        url = await trio.to_thread.run_sync(main, ["url", "Public/none", "--json"])
        twice = await trio.to_thread.run_sync(main, ["node", "run"])
        nursery.cancel_scope.cancel()
    assert (status, url, twice) == (0, 1, 1)
    assert opened.options == []
    assert running.calls[1] == ("status",)
    assert "already runs" in capfd.readouterr().err
