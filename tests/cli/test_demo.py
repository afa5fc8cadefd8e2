"""The demonstration on a fake grid, and the comparison that its verdict rests on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bitcloud_net.cli import demo
from bitcloud_net.cli.compare import compare
from bitcloud_net.testing.fake_client import FakeClient, grid_of


class FakeGrid:
    def __init__(self, client: FakeClient) -> None:
        self._client = client

    async def set_running(self, count: int) -> Any:
        return await self._client.set_running_nodes(count)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    client = FakeClient()
    client.grid = grid_of(10)

    @asynccontextmanager
    async def run_test_grid(home: Path, nodes: int) -> AsyncIterator[FakeGrid]:
        yield FakeGrid(client)

    @asynccontextmanager
    async def open_person(grid: FakeGrid, **_: object) -> AsyncIterator[FakeClient]:
        yield client

    monkeypatch.setattr(demo, "run_test_grid", run_test_grid)
    monkeypatch.setattr(demo, "open_person", open_person)
    return client


def test_the_story_ends_well(bitcloud: Any, client: FakeClient, tmp_path: Path) -> None:
    source = tmp_path / "film.webm"
    source.write_bytes(b"film" * 1000)
    result = bitcloud("demo", "--nodes", 10, "--off", 7, source)
    assert result.status == 0
    assert "3 nodes are left" in result.out
    assert "1 file survived 7 of 10 nodes going dark" in result.out
    assert ("set_running_nodes", 3) in client.calls


def test_json_has_the_figures_and_the_story_goes_to_stderr(
    bitcloud: Any, client: FakeClient, tmp_path: Path
) -> None:
    source = tmp_path / "film.webm"
    source.write_bytes(b"film" * 1000)
    result = bitcloud("demo", source, "--json")
    assert result.document["equal"] is True
    assert result.document["off"] == 7
    assert result.document["size_bytes"] == 4000
    assert "Publishing" in result.err


def test_a_changed_byte_fails_the_demonstration(
    bitcloud: Any, client: FakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "film.webm"
    source.write_bytes(b"film" * 1000)
    monkeypatch.setattr(client, "_content", lambda target: b"film" * 999 + b"fine")
    result = bitcloud("demo", source, "--json")
    assert result.status == 1
    assert result.document["equal"] is False
    assert result.document["differences"] == ["all nodes on: film.webm", "7 nodes off: film.webm"]


@pytest.mark.parametrize("words", [["--nodes", 3, "--off", 3], ["nowhere"]])
def test_what_cannot_work_is_refused_before_anything_starts(
    bitcloud: Any, client: FakeClient, words: list[Any]
) -> None:
    assert bitcloud("demo", *words).status == 1
    assert client.calls == []


def test_the_bundled_sample_is_there() -> None:
    assert {path.name for path in demo.SAMPLE.iterdir()} >= {"Dive.webm", "Pictures"}


def test_compare_finds_what_is_missing_too_much_or_changed(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        (folder / "deep").mkdir(parents=True)
        (folder / "same").write_bytes(b"x" * 3_000_000)
        (folder / "deep" / "changed").write_bytes(b"a" * 2_000_000)
    assert compare(one, two).differing == ()
    (two / "deep" / "changed").write_bytes(b"a" * 1_999_999 + b"b")
    (two / "longer").write_bytes(b"")
    (one / "missing").write_bytes(b"")
    (one / "link").symlink_to(one / "same")
    found = compare(one, two)
    assert found.differing == ("deep/changed", "longer", "missing")
    assert found.files == 3
    assert compare(one / "same", two / "same").differing == ()
    assert compare(one / "same", two / "deep" / "changed").differing == ("same",)
