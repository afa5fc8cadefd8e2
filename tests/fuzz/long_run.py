"""A long, coverage-guided run: ``python tests/fuzz/long_run.py TARGET [RUNS] [CORPUS]``.

Needs atheris, which is no dependency of ours: ``pip install atheris`` (Linux and macOS). An input
that breaks a target is written to a file ``crash-…`` in the current directory. One that takes too
long fails as well; the limit leaves room for the instrumentation, which makes Python much slower.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
with atheris.instrument_imports(include=["bitcloud_net.wire", "bitcloud_net.core", "fuzz_targets"]):
    from fuzz_targets import LONGEST_INPUT_BYTES, TARGETS

MAX_INPUT_CPU_S = 1.0


def main() -> None:
    name, runs, *corpus = [*sys.argv[1:], "1000000"][: max(2, len(sys.argv) - 1)]
    target = TARGETS[name]
    slowest = 0.0

    def one_input(data: bytes) -> None:
        nonlocal slowest
        began = time.thread_time()
        target(data)
        slowest = max(slowest, time.thread_time() - began)
        assert slowest < MAX_INPUT_CPU_S, f"{slowest} s of CPU"

    options = [f"-runs={runs}", f"-max_len={LONGEST_INPUT_BYTES}", "-rss_limit_mb=1024"]
    options += ["-len_control=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, *corpus], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
