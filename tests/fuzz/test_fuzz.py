"""A short run of every target; ``long_run.py`` does a million inputs each, guided by coverage."""

from __future__ import annotations

import time

import pytest
from fuzz_mutations import inputs
from fuzz_targets import TARGETS

INPUTS = 1500
MAX_INPUT_CPU_S = 0.1


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_raises_or_takes_long(name: str, seed: int):
    for number, data in enumerate(inputs(seed, INPUTS)):
        began = time.thread_time()
        try:
            TARGETS[name](data)
        except Exception as error:
            raise AssertionError(f"input {number} of seed {seed}: {data.hex()}") from error
        spent = time.thread_time() - began
        assert spent < MAX_INPUT_CPU_S, f"{spent} s for {data.hex()}"


def test_an_endless_input_costs_time_in_proportion():
    """64 KiB of the smallest frames there are: what one record can hold."""
    from bitcloud_net.wire.yamux_frames import pack_header

    wire = b"".join(pack_header(1, 0, 1, 0) for _ in range(5000))
    began = time.thread_time()
    TARGETS["frames"](b"\x00" + wire)
    assert time.thread_time() - began < MAX_INPUT_CPU_S * 5
