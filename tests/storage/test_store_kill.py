"""R3: kill -9 of a real process at a random instant loses no acknowledged share."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import trio

from bitcloud_net.core.units import GIB
from bitcloud_net.storage.share_store import open_share_store
from tests.storage.writer import file_number

KILLS = 30
MAX_LIFE_S = 0.25
"""Longest life after the store is open: some 50 group commits."""
SEED = random.SystemRandom().getrandbits(32)


def live_and_die(directory: Path, seed: int, life_s: float) -> set[tuple[int, int]]:
    """Let a writer run for so long, kill it, and return what it had acknowledged."""
    command = [sys.executable, "-m", "tests.storage.writer", str(directory), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
        timer = threading.Timer(life_s, writer.kill)
        timer.start()
        lines = writer.stdout.read().split("\n")
        timer.join()
    whole = lines[:-1]  # behind the last line end there may be half a line
    return {(int(number), int(share)) for number, share in map(str.split, whole)} - {(0, 0)}


async def check(directory: Path, owed: set[tuple[int, int]]) -> float:
    started = time.perf_counter()
    async with open_share_store(directory, capacity_bytes=GIB) as store:
        opened_s = time.perf_counter() - started
        for number, share_no in owed:
            await file_number(number).check(store, share_no)
    return opened_s


def test_no_acknowledged_share_is_lost(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201 - shown when the test fails
    dice = random.Random(SEED)
    owed: set[tuple[int, int]] = set()
    for _ in range(KILLS):
        life_s = dice.random() * MAX_LIFE_S
        owed |= live_and_die(tmp_path, dice.getrandbits(32), life_s)
        opened_s = trio.run(check, tmp_path, owed)
        assert opened_s < 5
    assert len(owed) > 30
