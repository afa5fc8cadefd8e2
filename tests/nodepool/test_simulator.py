"""Whole networks in virtual time: how fast and at what cost everybody ends with the same rows."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from bitcloud_net.protocols.row_push import RELAY_PEERS
from bitcloud_net.simulator.curve import draw, draw_shards
from bitcloud_net.simulator.scenario import Scenario
from bitcloud_net.simulator.shards import ShardScenario, simulate_shards
from bitcloud_net.simulator.world import ROW_BYTES, simulate


def test_a_new_row_is_everywhere_within_16_pull_steps() -> None:
    outcome = simulate(Scenario(nodes=1_000, rows=100, fresh=1, seed=5))
    steps = outcome.steps_to(1.0)
    assert steps is not None
    assert steps <= 16
    assert outcome.longest <= 4


def test_with_70_percent_off_the_rest_has_it_within_24_steps() -> None:
    outcome = simulate(Scenario(nodes=1_000, rows=100, fresh=3, off=0.7, seed=6))
    steps = outcome.steps_to(1.0)
    assert steps is not None
    assert steps <= 24


@pytest.mark.parametrize("seed", [7, 8, 9])
@pytest.mark.parametrize("off", [0.0, 0.7])
def test_push_brings_it_to_99_percent_of_1000_nodes_within_30_seconds(
    off: float, seed: int
) -> None:
    """With the numbers that nodes use: five copies of a row is all that it costs each of them."""
    scenario = Scenario(nodes=1_000, rows=50, fresh=5, off=off, push=True, seed=seed)
    outcome = simulate(scenario)
    spread = outcome.seconds_to_spread(0.99)
    assert spread is not None
    assert spread <= 30
    assert outcome.seconds_to(1.0) is not None
    pushed = [step for step in outcome.steps if step.seconds <= 30][-1]
    assert pushed.row_bytes <= (RELAY_PEERS + 0.2) * ROW_BYTES * scenario.fresh


def test_nodes_that_keep_rows_back_only_slow_it_down() -> None:
    outcome = simulate(Scenario(nodes=200, rows=50, liars=0.4, seed=8))
    steps = outcome.steps_to(1.0)
    assert steps is not None
    assert steps <= 32


def test_a_split_network_heals() -> None:
    outcome = simulate(Scenario(nodes=200, rows=50, split_steps=16, seed=9))
    assert all(step.complete < 1 for step in outcome.steps[:16])
    steps = outcome.steps_to(1.0)
    assert steps is not None
    assert steps <= 16 + 12


def test_the_same_seed_gives_the_same_run() -> None:
    scenario = Scenario(nodes=100, rows=50, off=0.3, push=True, seed=10)
    assert simulate(scenario).steps == simulate(scenario).steps


def test_the_curve_is_a_picture() -> None:
    outcome = simulate(Scenario(nodes=50, rows=20, seed=11))
    picture = ET.fromstring(draw(outcome))
    assert picture.tag.endswith("svg")
    assert len(picture.findall("{*}polyline")) == 2


@pytest.mark.parametrize("off", [0.0, 0.7])
def test_a_table_is_cut_deeper_and_grows_together_again_without_losing_a_row(off: float) -> None:
    """Under load: rows come and go all the time, and where 70 % switch off it is at the worst."""
    outcome = simulate_shards(ShardScenario(nodes=60, rows=1_200, off=off, seed=3))
    assert outcome.deepest == 3.0
    assert outcome.lost == 0
    largest = [stand for stand in outcome.stands if stand.rows == 1_200]
    assert min(stand.kept for stand in largest) < 0.35, "a node holds a quarter, and its own"
    end = outcome.stands[-1]
    assert (end.rows, end.depth) == (240, 1.0)
    assert end.kept > 0.98, "at depth 1 everybody holds everything again"
    picture = ET.fromstring(draw_shards(outcome))
    assert len(picture.findall("{*}polyline")) == 2
