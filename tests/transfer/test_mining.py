"""The search for an identity: progress, pause, and going on after it was stopped."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import nacl.exceptions
import nacl.pwhash
import pytest
import trio

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.nodepool.table_rules import Role
from bitcloud_net.core.trust.identity import Difficulty, Puzzle, puzzle_for
from bitcloud_net.transfer.mining import IdentityMiner, MiningProgress, Unfinished


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
    await IdentityMiner(state).mine(puzzle(3), lambda _: None)
    true = json.loads(state.read_text())
    notes = [true | {"tried": tried} for tried in (-1, 2**63, 2**64, 1e3, True, None, "y")]
    notes += [true | {"day": "x"}, true | {"more": 1}, {"puzzle": 1}, [], 5]
    for note in ("", "{", "\xff", *map(json.dumps, notes)):
        state.write_text(note)
        assert puzzle(3).holds(await IdentityMiner(state).mine(puzzle(3), lambda _: None))


async def test_a_search_that_was_held_says_so_until_it_goes_on(tmp_path: Path) -> None:
    miner = IdentityMiner(tmp_path / "search.json", workers=1)
    miner.hold()
    assert IdentityMiner(tmp_path / "search.json").unfinished() == Unfinished(
        puzzle="", day=0, tried=0, held=True
    )
    with trio.move_on_after(0.1):
        await miner.mine(puzzle(30), lambda _: None)
    again = IdentityMiner(tmp_path / "search.json", workers=1)
    before = again.unfinished()
    assert before is not None
    assert not before.held
    again.hold()
    held = again.unfinished()
    assert held is not None
    assert held.held
    assert (held.day, held.tried) == (20_000, before.tried)
    assert await again.mine(puzzle(0), lambda _: None) == 0
    assert again.unfinished() is not None
    again.forget()
    assert again.unfinished() is None


async def test_a_full_disk_is_told_before_hours_are_spent(tmp_path: Path) -> None:
    (tmp_path / "mining").write_text("a file where the folder should be")
    with trio.fail_after(5), pytest.raises(LocalFault, match="cannot note"):
        await IdentityMiner(tmp_path / "mining" / "node.json").mine(puzzle(30), lambda _: None)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a priority belongs to a process")
async def test_tries_step_back_and_leave_the_rest_of_the_node_alone(tmp_path: Path) -> None:
    before = os.nice(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            IdentityMiner(tmp_path / "search.json", workers=2).mine, puzzle(30), lambda _: None
        )
        with trio.fail_after(5):
            while _priorities("mining") != [19, 19]:  # noqa: ASYNC110
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert await trio.to_thread.run_sync(os.nice, 0) == before


def _priorities(name: str) -> list[int]:
    threads = [each for each in threading.enumerate() if each.name.startswith(name)]
    return [os.getpriority(os.PRIO_PROCESS, each.native_id or 0) for each in threads]


async def test_too_little_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> bytes:
        raise nacl.exceptions.RuntimeError("crypto_pwhash")

    monkeypatch.setattr(nacl.pwhash.argon2id, "kdf", no_memory)
    with trio.fail_after(5), pytest.raises(LocalFault) as caught:
        await IdentityMiner(tmp_path / "search.json").mine(puzzle(30), lambda _: None)
    assert caught.value.code == "out-of-memory"
