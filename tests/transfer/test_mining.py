"""The search for an identity: progress, pause, and going on after it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import trio

from bitcloud_net.core.identity import Difficulty, Puzzle, puzzle_for
from bitcloud_net.core.table_rules import Role
from bitcloud_net.transfer.mining import IdentityMiner, MiningProgress


def puzzle(bits: int) -> Puzzle:
    difficulty = Difficulty(bits=bits, memory_kib=8)
    return puzzle_for(b"k" * 32, Role.NODE, 20_000, b"b" * 32, difficulty)


async def test_it_finds_a_nonce_that_holds(tmp_path: Path) -> None:
    seen: list[MiningProgress] = []
    for workers in (1, 3):
        miner = IdentityMiner(tmp_path / f"{workers}.json", workers=workers)
        nonce = await miner.mine(puzzle(6), seen.append)
        assert puzzle(6).holds(nonce)
        miner.forget()
        assert not list(tmp_path.iterdir())
    assert seen[0].mean_tries == 64


async def test_a_stopped_search_goes_on_where_it_was(tmp_path: Path) -> None:
    state = tmp_path / "search.json"
    hard = puzzle(30)
    with trio.move_on_after(0.3):
        await IdentityMiner(state, workers=2).mine(hard, lambda _: None)
    tried = json.loads(state.read_text())["tried"]
    assert tried > 10
    seen: list[MiningProgress] = []
    with trio.move_on_after(0.1):
        await IdentityMiner(state, workers=2).mine(hard, seen.append)
    assert seen[0].tried == tried
    with trio.move_on_after(0.1):
        await IdentityMiner(state, workers=1).mine(puzzle(29), seen.append)
    assert seen[-1].tried < tried + 10_000
    assert seen[-1].mean_tries == 2**29


async def test_damaged_notes_only_cost_time(tmp_path: Path) -> None:
    state = tmp_path / "search.json"
    for note in ("", "{", "[]", '{"puzzle": 1}', '{"puzzle": "x", "tried": "y"}'):
        state.write_text(note)
        assert puzzle(3).holds(await IdentityMiner(state).mine(puzzle(3), lambda _: None))


async def test_pause_holds_it(tmp_path: Path) -> None:
    miner = IdentityMiner(tmp_path / "search.json", workers=1)
    miner.pause()
    seen: list[MiningProgress] = []
    with trio.move_on_after(0.1):
        await miner.mine(puzzle(0), seen.append)
    assert seen[0].paused
    assert seen[0].tried == 0
    miner.resume()
    assert await miner.mine(puzzle(0), seen.append) == 0
