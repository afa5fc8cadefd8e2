"""The order in which trio runs its tasks, from a seed.

Trio lets chance decide which of the tasks that are ready goes first, so that programs do not come
to rely on an order. Tests want that as well, but the same way again when one has failed. The hook
is trio's own, made for hypothesis and not part of its public face; a test notices when it vanishes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def seeded_scheduling(seed: int) -> Iterator[None]:
    """Let ``seed`` decide the order of tasks until the block ends.

    For a whole process: no other trio program may run in it meanwhile.
    """
    run: Any = importlib.import_module("trio._core._run")
    before, state = run._ALLOW_DETERMINISTIC_SCHEDULING, run._r.getstate()
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    run._r.seed(seed)
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = before
        run._r.setstate(state)
