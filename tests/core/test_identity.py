"""Mined identities: what holds, what does not, and how often a search succeeds."""

from __future__ import annotations

import pytest

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.nodepool.table_rules import Role
from bitcloud_net.core.trust.identity import (
    PRIVATE_DIFFICULTY,
    PUBLIC_DIFFICULTY,
    Difficulty,
    Puzzle,
    Service,
    check,
    day_of,
    in_sample,
    must_mine_again,
    network_id,
    puzzle_for,
)

KEY = b"k" * 32
BEACON = b"b" * 32
EASY = Difficulty(bits=4, memory_kib=8)
NOW = 20_000 * 144


def easy(role: Role = Role.NODE, day: int = 20_000, beacon: bytes = BEACON) -> Puzzle:
    return puzzle_for(KEY, role, day, beacon, EASY)


def mine(puzzle: Puzzle) -> int:
    return next(nonce for nonce in range(10_000) if puzzle.holds(nonce))


def test_a_mined_identity_holds_on_its_day_and_a_week_after() -> None:
    nonce = mine(easy())
    for days in range(8):
        check(easy(), nonce, registered=NOW + days * 144)
    for registered in (NOW - 1, NOW + 8 * 144):
        with pytest.raises(Malformed) as caught:
            check(easy(), nonce, registered=registered)
        assert caught.value.code == "bad-identity"


def test_it_is_bound_to_key_role_and_day() -> None:
    nonces = [nonce for nonce in range(2_000) if easy().holds(nonce)]
    for other in (
        puzzle_for(b"x" * 32, Role.NODE, 20_000, BEACON, EASY),
        easy(role=Role.PUBLISHER),
        easy(beacon=b"c" * 32),
    ):
        assert not all(other.holds(nonce) for nonce in nonces)


def test_a_nonce_that_was_not_mined_is_refused() -> None:
    bad = next(nonce for nonce in range(10_000) if not easy().holds(nonce))
    for nonce in (bad, -1, 2**64):
        with pytest.raises(Malformed):
            check(easy(), nonce, registered=NOW)


def test_one_try_in_two_to_the_bits_succeeds() -> None:
    found = sum(easy().holds(nonce) for nonce in range(4_000))
    assert 180 < found < 330  # 250 expected
    free = puzzle_for(KEY, Role.NODE, 20_000, BEACON, Difficulty(bits=0, memory_kib=8))
    assert all(free.holds(nonce) for nonce in range(20))


@pytest.mark.parametrize(("bits", "memory"), [(-1, 8), (41, 8), (1, 7), (1, 2**21)])
def test_impossible_difficulties(bits: int, memory: int) -> None:
    with pytest.raises(BadInput):
        Difficulty(bits=bits, memory_kib=memory)


@pytest.mark.parametrize(
    ("public", "role", "beacon"),
    [
        (b"short", Role.NODE, BEACON),
        (KEY, Role.NODE | Role.GATEWAY, BEACON),
        (KEY, Role(0), BEACON),
        (KEY, Role.NODE, b"short"),
    ],
)
def test_impossible_puzzles(public: bytes, role: Role, beacon: bytes) -> None:
    with pytest.raises(Malformed):
        puzzle_for(public, role, 1, beacon, EASY)


def test_each_stranger_is_checked_by_one_node_in_a_hundred() -> None:
    checked = sum(in_sample(at.to_bytes(32, "big"), b"row" * 10) for at in range(20_000))
    assert 140 < checked < 260
    assert day_of(NOW) == 20_000
    assert PUBLIC_DIFFICULTY.mean_tries == 131_072
    assert PRIVATE_DIFFICULTY.mean_tries == 256


def test_a_network_is_its_name_and_its_rules() -> None:
    rules = [Difficulty(bits=bits, memory_kib=kib) for bits in (0, 1, 8) for kib in (64, 1024)]
    ids = [network_id(name, each) for name in ("a", "b", "bitcloud") for each in rules]
    assert all(len(each) == 32 for each in ids)
    assert len(set(ids)) == 3 * 5, "where nobody mines, memory is no rule"


DAY = 144


@pytest.mark.parametrize(
    ("registered", "until", "convicted", "now", "again"),
    [
        (100, None, None, 10_000, False),  # nothing is known of it
        (100, 500, None, 500 + 3 * DAY, False),  # away for three days
        (100, 500, None, 501 + 3 * DAY, True),  # and a period more
        (501, 500, None, 9_999, False),  # has mined since
        (500, 500, None, 9_999, True),
        (100, None, 100, 101, True),  # a fraud
        (101, None, 100, 102, False),  # mined after it
        (101, 99, 100, 9_999, False),
        (101, 200, 100, 9_999, True),
    ],
)
def test_once_is_enough_but_for_two_things(
    registered: int, until: int | None, convicted: int | None, now: int, *, again: bool
) -> None:
    service = Service(until=until, convicted=convicted)
    assert must_mine_again(registered, service, now) is again
