"""Real node processes in two network namespaces: cut in half, healed, nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

TOOLS = Path(__file__).parents[2] / "tools"
NODES, PERIODS = 6, 2


def why_not() -> str:
    command = [sys.executable, "-c", "from halves import why_not; print(why_not())"]
    done = subprocess.run(command, cwd=TOOLS, env=ENVIRONMENT, capture_output=True, check=True)
    return done.stdout.decode().strip()


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(TOOLS.parent)}


def test_a_grid_that_was_split_for_some_periods_loses_nothing(seed: int) -> None:
    if reason := why_not():
        pytest.skip(f"no network namespaces here: {reason}")
    options = ["--nodes", str(NODES), "--periods", str(PERIODS), "--seed", str(seed)]
    done = subprocess.run(
        [sys.executable, str(TOOLS / "split_grid.py"), *options],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["files"] == 4 * (1 + PERIODS)
    assert found["rows_only_one_half_has"] >= 8 * PERIODS  # so they were really apart
    assert (found["rows_lost"], found["files_lost"], found["bans"]) == (0, 0, 0)
