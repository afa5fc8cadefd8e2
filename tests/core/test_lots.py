"""Drawing auditors: by lot, spread, foreseen by nobody."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.lots import Candidate, Electorate, draw, neighbourhood_of

NOW = 10_000


def nodes(count: int, *, seed: int = 1, since: int = 0, hood: int = 0) -> list[Candidate]:
    chance = Random(seed)
    return [
        Candidate(
            node=NodeId(chance.randbytes(32)),
            since=since,
            neighbourhood=f"net {at % hood}" if hood else "",
        )
        for at in range(count)
    ]


def test_sixteen_seats_of_which_eleven_decide() -> None:
    candidates = nodes(500)
    target = candidates[0].node
    lot = draw(b"beacon", target, candidates, period=NOW)
    assert (len(set(lot.seats)), lot.quorum) == (16, 11)
    assert target not in lot.seats
    assert lot == draw(b"beacon", target, reversed(candidates), period=NOW)


def test_another_beacon_or_target_draws_others() -> None:
    candidates = nodes(500)
    one = draw(b"a", candidates[0].node, candidates, period=NOW)
    for other in (
        draw(b"b", candidates[0].node, candidates, period=NOW),
        draw(b"a", candidates[1].node, candidates, period=NOW),
    ):
        assert len(set(one.seats) & set(other.seats)) < 6


def test_seats_are_spread_evenly() -> None:
    candidates = nodes(60)
    seats = Counter(
        seat
        for period in range(400)
        for seat in draw(b"%d" % period, candidates[0].node, candidates, period=NOW).seats
    )
    assert len(seats) == 59
    assert 60 < min(seats.values()) < max(seats.values()) < 170  # 108 expected


def test_one_seat_for_each_neighbourhood() -> None:
    candidates = nodes(300, hood=5) + nodes(30, seed=2)
    lot = draw(b"beacon", candidates[0].node, candidates, period=NOW)
    hoods = [c.neighbourhood for c in candidates if c.node in lot.seats and c.neighbourhood]
    assert len(hoods) == len(set(hoods)) <= 5


def test_new_nodes_have_no_seat() -> None:
    old, new = nodes(40), nodes(400, seed=2, since=NOW - 431)
    lot = draw(b"beacon", old[0].node, old + new, period=NOW)
    assert set(lot.seats) <= {item.node for item in old}


def test_two_views_that_differ_a_little_agree_about_nearly_all_seats() -> None:
    candidates = nodes(1_000)
    common = []
    for item in candidates[:50]:
        view = [other for i, other in enumerate(candidates) if i % 25]
        theirs = draw(b"beacon", item.node, view, period=NOW)
        ours = draw(b"beacon", item.node, candidates, period=NOW)
        common.append(len(set(theirs.seats) & set(ours.seats)))
    assert min(common) >= 12
    assert sum(common) / len(common) > 15


@pytest.mark.parametrize(
    ("count", "seats", "quorum"), [(23, 22, 15), (10, 9, 6), (3, 2, 2), (1, 0, 0)]
)
def test_in_a_small_network_all_are_auditors(count: int, seats: int, quorum: int) -> None:
    candidates = nodes(count, since=NOW)
    lot = draw(b"beacon", candidates[0].node, candidates, period=NOW)
    assert (len(lot.seats), lot.quorum) == (seats, quorum)


@pytest.mark.parametrize(
    ("address", "neighbourhood"),
    [
        ("/ip4/8.8.8.8/tcp/1", "8.8.8.0/24"),
        ("/ip6/2606:4700:4700::1111/tcp/1/p2p/x", "2606:4700:4700::/48"),
        ("/ip4/127.0.0.1/tcp/1", ""),
        ("/ip4/192.168.1.5/tcp/1", ""),
        ("/ip6/fe80::1/tcp/1", ""),
        ("/dns4/example.org/tcp/1", ""),
        ("/ip4/999.1.1.1/tcp/1", ""),
        ("garbage", ""),
        ("", ""),
    ],
)
def test_neighbourhoods(address: str, neighbourhood: str) -> None:
    assert neighbourhood_of(address) == neighbourhood


def test_one_crowded_neighbourhood_leaves_the_seats_to_the_others() -> None:
    """However many of one network come first, seats are looked for behind them."""
    crowd = nodes(2_000, seed=2, hood=1)
    others = nodes(31, seed=3)
    lot = draw(b"beacon", others.pop().node, [*crowd, *others], period=NOW)
    assert len(lot.seats) == 16
    assert len({*lot.seats} & {item.node for item in crowd}) <= 1


def test_many_draws_of_one_electorate_are_as_single_ones() -> None:
    candidates = [*nodes(40), *nodes(30, seed=2, since=NOW)]
    electorate = Electorate(candidates)
    for item in candidates[:20]:
        for period in (NOW, NOW + 600):
            lot = draw(b"b", item.node, candidates, period=period)
            assert electorate.draw(b"b", item.node, period) == lot
            assert item.node not in lot.seats
