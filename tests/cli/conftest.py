"""The command line in this process, on a fake node."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bitcloud_net import api
from bitcloud_net.cli import main
from bitcloud_net.testing.fake_client import FakeClient


@dataclass(frozen=True, kw_only=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(kw_only=True)
class Opened:
    """The fake node and how it was opened."""

    client: FakeClient = field(default_factory=FakeClient)
    options: list[dict[str, Any]] = field(default_factory=list)
    asks_passphrase: bool = False
    passphrases: list[str] = field(default_factory=list)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Opened:
    """Make every node that a verb opens the fake one, and the home a fresh folder."""
    state = Opened()

    @asynccontextmanager
    async def open_client(**options: Any) -> AsyncIterator[FakeClient]:
        state.options.append(options)
        if state.asks_passphrase:
            state.passphrases.append(options["passphrase"]())
        yield state.client

    monkeypatch.setattr(api, "open_client", open_client, raising=False)
    monkeypatch.setenv("BITCLOUD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BITCLOUD_PASSPHRASE", raising=False)
    return state


Run = Callable[..., Result]


@pytest.fixture
def bitcloud(opened: Opened, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs one command line."""

    def run(*arguments: object) -> Result:
        status = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Result(status=status, out=captured.out, err=captured.err)

    return run
