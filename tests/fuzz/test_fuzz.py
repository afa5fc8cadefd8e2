"""A short run of every target; ``long_run.py`` does a million inputs each, guided by coverage."""

from __future__ import annotations

import time

import pytest
from fuzz_mutations import inputs
from fuzz_targets import TARGETS

INPUTS = 1500
MAX_INPUT_CPU_S = 0.1


def cpu_s(name: str, data: bytes) -> float:
    began = time.thread_time()
    TARGETS[name](data)
    return time.thread_time() - began


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_raises_or_takes_long(name: str, seed: int):
    for number, data in enumerate(inputs(seed, INPUTS)):
        try:
            spent = cpu_s(name, data)
            if spent > MAX_INPUT_CPU_S:  # once more: the collector of garbage may have had its turn
                spent = cpu_s(name, data)
        except Exception as error:
            raise AssertionError(f"input {number} of seed {seed}: {data.hex()}") from error
        assert spent < MAX_INPUT_CPU_S, f"{spent} s for {data.hex()}"


def test_an_endless_input_costs_time_in_proportion():
    """64 KiB of the smallest frames there are: what one record can hold."""
    from bitcloud_net.wire.yamux_frames import pack_header

    wire = b"".join(pack_header(1, 0, 1, 0) for _ in range(5000))
    assert min(cpu_s("frames", b"\x00" + wire) for _ in range(3)) < MAX_INPUT_CPU_S
