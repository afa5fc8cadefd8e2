"""Assigned partners: the nearest really are the nearest, random ones are spread, dead ones
replaced.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.partners import NodeRing, assign, may_ask, position_of

NODES = st.sets(st.binary(min_size=32, max_size=32).map(NodeId), max_size=60)


def some_nodes(count: int, seed: int = 1) -> list[NodeId]:
    chance = Random(seed)
    return [NodeId(chance.randbytes(32)) for _ in range(count)]


@settings(deadline=None)
@given(NODES, st.integers(0, 2**256 - 1))
def test_nearest_first(nodes: set[NodeId], place: int) -> None:
    expected = sorted(nodes, key=lambda node: position_of(node) ^ place)
    assert list(NodeRing(nodes).nearest(place)) == expected


def test_twelve_near_and_four_random_all_different() -> None:
    nodes = some_nodes(200)
    ring = NodeRing(nodes)
    for own in nodes[:20]:
        chosen = assign(ring, own, b"beacon")
        assert (len(chosen.near), len(chosen.random)) == (12, 4)
        assert len({*chosen.all, own}) == 17
        order = sorted(nodes, key=lambda node: position_of(node) ^ position_of(own))
        assert list(chosen.near) == order[1:13]


def test_in_a_small_network_everybody_is_a_partner() -> None:
    nodes = some_nodes(10)
    chosen = assign(NodeRing(nodes), nodes[0], b"beacon")
    assert set(chosen.all) == set(nodes[1:])


def test_random_ones_change_with_the_beacon_and_reach_everybody() -> None:
    nodes = some_nodes(60)
    ring = NodeRing(nodes)
    seen = set()
    for period in range(200):
        chosen = assign(ring, nodes[0], period.to_bytes(8, "big"))
        assert chosen.near == assign(ring, nodes[0], b"x").near
        seen.update(chosen.random)
    assert len(seen) == 60 - 1 - 12


def test_dead_ones_are_replaced() -> None:
    nodes = some_nodes(300)
    dead = set(nodes[1:211])
    chosen = assign(NodeRing(nodes), nodes[0], b"beacon", is_dead=dead.__contains__)
    assert len(chosen.all) == 16
    assert not dead & set(chosen.all)


def test_who_is_assigned_may_ask_even_when_views_differ_a_little() -> None:
    nodes = some_nodes(400)
    for at, own in enumerate(nodes[:40]):
        theirs = NodeRing(nodes)
        ours = NodeRing([node for i, node in enumerate(nodes) if i % 20 or node == own])
        for partner in assign(theirs, own, b"beacon").all:
            if partner in nodes[1:] and nodes.index(partner) % 20:
                assert may_ask(ours, partner, own, b"beacon"), at


def test_a_stranger_may_not_ask() -> None:
    nodes = some_nodes(2_000)
    ring = NodeRing(nodes)
    allowed = sum(may_ask(ring, nodes[0], asking, b"beacon") for asking in nodes[1:])
    assert allowed < 200
