"""Every command that a document or a help text shows can be typed as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bitcloud_net.cli import main
from bitcloud_net.cli.arguments import parser

README = Path(__file__).parents[2] / "README.md"
VERBS = re.compile(r"^    ([a-z]+) ", re.MULTILINE)


def _commands(text: str) -> list[list[str]]:
    """Return the words of each line that calls ``bitcloud``, without what a shell does with it."""
    found = []
    for line in text.splitlines():
        inner = re.search(r"\$\((bitcloud [^)]*)\)", line)
        words = shlex.split(inner[1] if inner else line, comments=True)
        if words[:1] == ["bitcloud"]:
            end = next((i for i, word in enumerate(words) if word in ("|", "&", ">")), len(words))
            found.append(words[1:end])
    return found


def _help(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main([*words, "--help"]) == 0
    return capsys.readouterr().out


def test_the_examples_of_every_verb_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    verbs = VERBS.findall(_help([], capsys).partition("VERB\n")[2].partition("options:")[0])
    assert len(verbs) >= 18
    examples = _commands(_help([], capsys).partition("examples:\n")[2])
    for verb in verbs:
        text = _help([verb], capsys)
        inner = VERBS.findall(text.partition("VERB\n")[2].partition("options:")[0])
        pages = [_help([verb, name], capsys) for name in inner] or [text]
        for page in pages:
            shown = _commands(page.partition("examples:\n")[2])
            assert shown, f"{verb} shows no example"
            examples += shown
    for example in examples:
        parser().parse_args(example)


def test_the_commands_of_the_readme_are_right() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    commands = [command for block in blocks for command in _commands(block)]
    assert len(commands) >= 8
    for command in commands:
        parser().parse_args(command)
