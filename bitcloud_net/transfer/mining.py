"""Mining an identity: on all cores but one, with progress, pause, and resume after a kill.

Nonces are tried in order, several at a time. Where the search stands is written down every few
seconds, so a killed process loses that much and no more. A search is bound to its day's salt: when
the day is too old, it begins anew with a fresh one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.identity import Puzzle

REPORT_S: Final = 1.0
"""Time between two progress reports."""
SAVE_S: Final = 5.0
"""Time between two notes of where the search stands: what a kill costs at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningProgress:
    """Where a search stands."""

    tried: int  # since its beginning, over all runs
    mean_tries: int
    per_s: float  # in this run
    seconds_left: float | None  # on average, whatever was tried before: the search has no memory
    paused: bool


class IdentityMiner:
    """One search at a time. ``pause`` and ``resume`` may be called while it runs."""

    def __init__(self, state: Path, *, workers: int | None = None) -> None:
        """``state`` is the file in which the search is noted; ``workers`` None: all cores but
        one.
        """
        self._state = state
        self._workers = workers or max(1, (os.cpu_count() or 2) - 1)
        self._go = trio.Event()
        self._go.set()

    @property
    def paused(self) -> bool:
        """Whether the search is held."""
        return not self._go.is_set()

    def pause(self) -> None:
        """Hold the search after the tries under way; it stays held until ``resume``."""
        if self._go.is_set():
            self._go = trio.Event()

    def resume(self) -> None:
        """Go on."""
        self._go.set()

    async def mine(self, puzzle: Puzzle, on_progress: Callable[[MiningProgress], None]) -> int:
        """Search until found and return the nonce. Goes on where an earlier run of the same puzzle
        stopped. Cancel: safe; the next run goes on from there.

        Raises:
            LocalFault: ``cannot-write``: the state file.
        """
        search = _Search(puzzle, self._load(puzzle))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._report, search, on_progress)
                nursery.start_soon(self._save_often, search)
                async with trio.open_nursery() as tries:
                    for _ in range(self._workers):
                        tries.start_soon(self._try_all, search)
                nursery.cancel_scope.cancel()
        finally:
            self._save(search)
        assert search.found is not None
        return search.found

    def forget(self) -> None:
        """Drop the note, once the identity is safe elsewhere."""
        self._state.unlink(missing_ok=True)

    async def _try_all(self, search: _Search) -> None:
        while search.found is None:
            await self._go.wait()
            nonce = search.take()
            if await trio.to_thread.run_sync(search.puzzle.holds, nonce):
                search.succeed(nonce)
            else:
                search.fail(nonce)

    async def _report(self, search: _Search, on_progress: Callable[[MiningProgress], None]) -> None:
        start, before = trio.current_time(), search.tried
        while True:
            seconds = trio.current_time() - start
            per_s = (search.tried - before) / seconds if seconds else 0.0
            mean = search.puzzle.difficulty.mean_tries
            on_progress(
                MiningProgress(
                    tried=search.tried,
                    mean_tries=mean,
                    per_s=per_s,
                    seconds_left=mean / per_s if per_s else None,
                    paused=self.paused,
                )
            )
            await trio.sleep(REPORT_S)

    async def _save_often(self, search: _Search) -> None:
        while True:
            await trio.sleep(SAVE_S)
            self._save(search)

    def _load(self, puzzle: Puzzle) -> int:
        with suppress(OSError, ValueError, TypeError, KeyError):
            note = json.loads(self._state.read_text("utf-8"))
            if note["puzzle"] == _fingerprint(puzzle):
                return max(0, int(note["tried"]))
        return 0

    def _save(self, search: _Search) -> None:
        note = json.dumps({"puzzle": _fingerprint(search.puzzle), "tried": search.tried})
        fresh = self._state.with_name(self._state.name + ".new")
        try:
            fresh.write_text(note, "utf-8")
            fresh.replace(self._state)
        except OSError as error:
            raise LocalFault(f"cannot note the search: {error}", code="cannot-write") from error


class _Search:
    """Which nonces are done: all below ``tried``, and some beyond that are still under way."""

    def __init__(self, puzzle: Puzzle, tried: int) -> None:
        self.puzzle = puzzle
        self.found: int | None = None
        self._next = tried
        self._under_way: set[int] = set()

    @property
    def tried(self) -> int:
        """Nonces that need not be tried again."""
        return min(self._under_way, default=self._next)

    def take(self) -> int:
        """Take the next nonce to try."""
        nonce = self._next
        self._next += 1
        self._under_way.add(nonce)
        return nonce

    def fail(self, nonce: int) -> None:
        """Note that a nonce does not hold."""
        self._under_way.discard(nonce)

    def succeed(self, nonce: int) -> None:
        """Note that a nonce holds; it stays to be tried first by a run that has to find it
        again.
        """
        self.found = nonce


def _fingerprint(puzzle: Puzzle) -> str:
    difficulty = puzzle.difficulty
    limits = f"{puzzle.role}/{puzzle.day}/{difficulty.bits}/{difficulty.memory_kib}"
    return f"{puzzle.public.hex()}/{puzzle.salt.hex()}/{limits}"
