"""Which places a node keeps, what two nodes compare, and when a table is cut deeper."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.shards import (
    EVERYWHERE,
    LIGHT,
    MAX_DEPTH,
    Depth,
    DepthRule,
    Span,
    is_sharded,
    kept_span,
    neighbour_of,
    place_of,
    shard_of,
    shared_span,
)
from bitcloud_net.core.nodepool.table_rules import RULES, Exposure, Table

PLACES = st.integers(0, 2**256 - 1)
DEPTHS = st.integers(0, MAX_DEPTH)
RULE = DepthRule(rise_bytes=1000, rise_periods=6, fall_bytes=400, fall_periods=144)


@given(PLACES, DEPTHS)
def test_a_node_keeps_its_shard_and_the_one_that_differs_in_the_last_bit(
    position: int, depth: int
) -> None:
    kept, own = kept_span(position, depth), shard_of(position, depth)
    assert kept is not None
    assert position in own
    assert position in kept
    across = neighbour_of(position, depth)
    if depth == 0:
        assert kept == own == EVERYWHERE
        assert across is None
    else:
        assert across is not None
        assert across not in own
        assert across in kept
        assert kept.bits == depth - 1, "these two and no other"


@given(PLACES, DEPTHS, PLACES, DEPTHS, PLACES)
def test_two_nodes_compare_exactly_what_both_keep(
    one: int, one_depth: int, other: int, other_depth: int, place: int
) -> None:
    shared = shared_span(one, one_depth, other, other_depth)
    assert shared == shared_span(other, other_depth, one, one_depth)
    ours, theirs = kept_span(one, one_depth), kept_span(other, other_depth)
    assert ours is not None
    assert theirs is not None
    for each in (one, other, place):
        both = each in ours and each in theirs
        assert both == (shared is not None and each in shared)


@given(PLACES, PLACES, st.integers(0, 40))
def test_nodes_with_near_positions_share_the_deeper_ones_places(
    position: int, place: int, depth: int
) -> None:
    """At every pair of depths: the same first bits, another rest."""
    depth = min(depth, MAX_DEPTH)
    low = 256 - depth
    near = position >> low << low | place & ((1 << low) - 1)
    for other_depth in range(depth + 1):
        assert shared_span(position, depth, near, other_depth) == kept_span(position, depth)


@given(PLACES, DEPTHS, PLACES)
def test_a_light_node_shares_no_place(position: int, depth: int, other: int) -> None:
    assert kept_span(other, LIGHT) is None
    assert shared_span(position, depth, other, LIGHT) is None


@given(st.lists(st.integers(0, 2000), max_size=60), DEPTHS)
def test_depth_moves_by_one_and_only_after_long_agreement(sizes: list[int], start: int) -> None:
    depth = Depth(value=start)
    history = [depth.value]
    for size in sizes:
        depth = depth.after(size, RULE)
        history.append(depth.value)
    for at in range(1, len(history)):
        step = history[at] - history[at - 1]
        assert step in (-1, 0, 1)
        if step > 0:
            assert all(size > RULE.rise_bytes for size in sizes[at - RULE.rise_periods : at])
            assert at >= RULE.rise_periods
    assert all(0 <= value <= MAX_DEPTH for value in history)


@settings(max_examples=50)
@given(st.integers(0, 2_000_000))
def test_a_table_of_one_size_comes_to_rest(size: int) -> None:
    """Whatever its size, the depth stops moving: what makes it rise does not make it fall again."""
    depth = Depth()
    values = []
    for _ in range(4000):
        depth = depth.after(size >> depth.value, RULE)
        values.append(depth.value)
    assert len(set(values[-400:])) == 1
    assert size >> depth.value <= RULE.rise_bytes


def test_who_comes_new_begins_where_the_others_are() -> None:
    fresh = Depth()
    assert fresh.among([7] * 4, 0, RULE) == fresh, "too few to be believed"
    assert fresh.among([7] * 5, 0, RULE) == Depth(value=7)
    assert fresh.among([0, 0, 6, 7, 30], 0, RULE) == Depth(value=6), "the middle one"
    assert fresh.among([32] * 3 + [0] * 4, 0, RULE) == fresh, "three liars of seven"
    assert fresh.among([1] * 9, 0, RULE) == fresh, "one more comes by itself"
    assert fresh.among([7] * 9, RULE.fall_bytes, RULE) == fresh, "who holds much decides alone"
    assert Depth(value=9).among([7] * 9, 0, RULE) == Depth(value=9)
    assert Depth(value=LIGHT).among([7] * 9, 0, RULE) == Depth(value=LIGHT)


def test_a_small_table_is_never_cut() -> None:
    depth = Depth()
    for _ in range(1000):
        depth = depth.after(RULE.rise_bytes, RULE)
    assert depth == Depth()


def test_a_short_peak_or_a_short_lull_changes_nothing() -> None:
    depth = Depth(value=3)
    for _ in range(50):
        for size in [1001] * 5 + [500] + [399] * 143 + [400]:
            depth = depth.after(size, RULE)
            assert depth.value == 3


def test_rows_of_one_owner_lie_together_and_faults_with_their_target() -> None:
    owner, target = (SigningKey(bytes([at]) * 32).public for at in (1, 2))
    assert place_of(Table.NODE, owner) == position_of(owner)
    assert place_of(Table.IDENTITY, owner + b"\1") == position_of(owner)
    assert place_of(Table.FAULT, owner + target) == position_of(target)


def test_only_what_everybody_holds_is_cut() -> None:
    assert is_sharded(RULES[Table.NODE])
    for rule in RULES.values():
        assert not is_sharded(rule) or rule.exposure is Exposure.GLOBAL
    assert Span(1, 1) != Span(1, 0)
