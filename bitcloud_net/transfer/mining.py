"""Mining an identity: on all cores but one, with progress, and going on after a kill.

Nonces are tried in order, several at a time. Where the search stands is written down every few
seconds, so a killed process loses that much and no more. A search is bound to its puzzle (key,
role, day, difficulty): another one begins at its own first nonce.

Each try runs in a thread of the lowest priority, and Argon2id holds no lock of the interpreter: the
node and the window stay as quick as before. What the person runs beside it comes first.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import trio

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.core.trust.identity import Puzzle
from bitcloud_net.tasks import open_tasks

REPORT_S: Final = 1.0
"""Time between two progress reports."""
SAVE_S: Final = 5.0
"""Time between two notes of where the search stands: what a kill costs at most."""
LOWEST_PRIORITY: Final = 19
MAX_NOTE_BYTES: Final = 4096
MAX_NOTED: Final = 2**53
"""A note that counts further was not written by us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningProgress:
    """Where a search stands."""

    tried: int  # since its beginning, over all runs
    mean_tries: int
    per_s: float  # in this run
    seconds_left: float | None  # on average, whatever was tried before: the search has no memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A search that was noted and is not over."""

    puzzle: str  # names the puzzle, see ``_fingerprint``
    day: int
    tried: int
    held: bool = False  # by a person, who has to ask for it again


class IdentityMiner:
    """One search at a time, noted in one file."""

    def __init__(self, state: Path, *, workers: int | None = None) -> None:
        """``state`` is the file in which the search is noted; ``workers`` None: all cores but
        one.
        """
        self._state = state
        self.workers = workers or max(1, _cores() - 1)

    async def mine(self, puzzle: Puzzle, on_progress: Callable[[MiningProgress], None]) -> int:
        """Search until found and return the nonce. Goes on where an earlier run of the same puzzle
        stopped. Cancel: safe; the next run goes on from there.

        Raises:
            LocalFault: ``cannot-write``: the state file; ``out-of-memory``.
        """
        noted = self.unfinished()
        known = noted is not None and noted.puzzle == _fingerprint(puzzle)
        search = _Search(puzzle, noted.tried if noted is not None and known else 0)
        self._save(search)  # says at once whether it can be noted at all
        try:
            async with open_tasks() as nursery, _patient_threads(self.workers) as attempt:
                nursery.start_soon(self._report, search, on_progress)
                nursery.start_soon(self._save_often, search)
                async with open_tasks() as tries:
                    for _ in range(self.workers):
                        tries.start_soon(_try_all, search, attempt)
                nursery.cancel_scope.cancel()
        finally:
            self._save(search)
        assert search.found is not None
        return search.found

    def unfinished(self) -> Unfinished | None:
        """Return the search that was noted, if there is one that can be read."""
        with suppress(OSError, ValueError, TypeError):
            with self._state.open("rb") as file:
                note = Unfinished(**json.loads(file.read(MAX_NOTE_BYTES)))
            if all(type(each) is int and 0 <= each < MAX_NOTED for each in (note.day, note.tried)):
                return note
        return None

    def hold(self) -> None:
        """Note that a person stopped the search (even one that has not begun), which then does not
        go on by itself.

        Raises:
            LocalFault: ``cannot-write``.
        """
        note = self.unfinished() or Unfinished(puzzle="", day=0, tried=0)
        self._write(replace(note, held=True))

    def forget(self) -> None:
        """Drop the note, once the identity is safe elsewhere."""
        self._state.unlink(missing_ok=True)

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
                )
            )
            await trio.sleep(REPORT_S)

    async def _save_often(self, search: _Search) -> None:
        while True:
            await trio.sleep(SAVE_S)
            self._save(search)

    def _save(self, search: _Search) -> None:
        puzzle = search.puzzle
        self._write(
            Unfinished(puzzle=_fingerprint(puzzle), day=puzzle.day, tried=search.tried, held=False)
        )

    def _write(self, note: Unfinished) -> None:
        fresh = self._state.with_name(self._state.name + ".new")
        try:
            self._state.parent.mkdir(mode=0o700, exist_ok=True)
            fresh.write_text(json.dumps(asdict(note)), "utf-8")
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


async def _try_all(search: _Search, attempt: Callable[[int, Puzzle], bool]) -> None:
    limiter = trio.CapacityLimiter(1)
    while search.found is None:
        nonce = search.take()
        if await trio.to_thread.run_sync(attempt, nonce, search.puzzle, limiter=limiter):
            search.succeed(nonce)
        else:
            search.fail(nonce)


@asynccontextmanager
async def _patient_threads(count: int) -> AsyncIterator[Callable[[int, Puzzle], bool]]:
    """Open threads that yield to everything else. Trio's own are shared with the rest of the node,
    and a thread that has lowered its priority cannot raise it again.
    """
    with ThreadPoolExecutor(count, "mining", initializer=_step_back) as threads:
        yield lambda nonce, puzzle: threads.submit(puzzle.holds, nonce).result()


def _cores() -> int:
    """Return how many cores this process may use: a container may be given a few of many."""
    may_use = getattr(os, "sched_getaffinity", None)  # Linux
    return len(may_use(0)) if may_use is not None else os.cpu_count() or 1


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def _fingerprint(puzzle: Puzzle) -> str:
    difficulty = puzzle.difficulty
    limits = f"{puzzle.role}/{puzzle.day}/{difficulty.bits}/{difficulty.memory_kib}"
    return f"{puzzle.public.hex()}/{puzzle.salt.hex()}/{limits}"
