"""Range-based reconciliation: exactly the difference, in the published format, within its
limits."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire import negentropy
from bitcloud_net.wire.range_index import RangeIndex, id_of, item_of


def items_of(count: int, seed: int, periods: int = 6) -> list[bytes]:
    chance = random.Random(seed)
    return [
        item_of(chance.randrange(1000, 1000 + periods), chance.randbytes(32)) for _ in range(count)
    ]


def reconcile(
    ours: RangeIndex, theirs: RangeIndex, max_bytes: int = 65_536
) -> tuple[list[bytes], list[bytes], int, int]:
    """Return what the initiator has and needs, the rounds and the bytes both ways."""
    have: list[bytes] = []
    need: list[bytes] = []
    query: bytes | None = negentropy.initiate(ours, max_bytes=max_bytes)
    rounds = sent = 0
    while query is not None:
        answer = negentropy.respond(theirs, query, max_bytes=max_bytes)
        assert len(query) <= max_bytes
        assert len(answer) <= max_bytes
        sent += len(query) + len(answer)
        rounds += 1
        step = negentropy.proceed(ours, answer, max_bytes=max_bytes)
        have += step.have
        need += step.need
        query = step.message
        assert rounds < 10_000
    return have, need, rounds, sent


def assert_exact(ours: set[bytes], theirs: set[bytes], max_bytes: int = 65_536) -> tuple[int, int]:
    have, need, rounds, sent = reconcile(RangeIndex(ours), RangeIndex(theirs), max_bytes)
    assert set(have) == set(map(id_of, ours - theirs))
    assert set(need) == set(map(id_of, theirs - ours))
    return rounds, sent


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 2**32),
    st.integers(0, 600),
    st.integers(0, 90),
    st.integers(0, 90),
    st.sampled_from([1, 3, 500]),
)
def test_it_finds_exactly_the_difference(
    seed: int, common: int, mine: int, yours: int, periods: int
) -> None:
    items = items_of(common + mine + yours, seed, periods)
    both, rest = set(items[:common]), items[common:]
    assert_exact(both | set(rest[:mine]), both | set(rest[mine:]))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 1_500), st.integers(0, 1_500))
def test_it_finds_exactly_the_difference_in_small_frames(seed: int, mine: int, yours: int) -> None:
    items = items_of(500 + mine + yours, seed)
    both, rest = set(items[:500]), items[500:]
    assert_exact(both | set(rest[:mine]), both | set(rest[mine:]), max_bytes=4_096)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=80), st.data())
def test_ids_that_share_long_prefixes(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    items = {item_of(period, bytes(30) + bytes([period, last])) for period, last in pairs}
    other = {item for item in items if data.draw(st.booleans())}
    assert_exact(items, other)


def test_equal_sets_cost_one_round_trip_and_at_most_600_bytes() -> None:
    items = set(items_of(20_000, 1))
    rounds, sent = assert_exact(items, items)
    assert rounds == 1
    assert sent <= 600


def test_a_hundred_fresh_rows_among_100_000_cost_at_most_20_kb_and_4_round_trips() -> None:
    old = set(items_of(100_000, 2, periods=400))
    fresh = {item_of(1_400, id_of(item)) for item in items_of(100, 3)}
    rounds, sent = assert_exact(old, old | fresh)
    assert rounds <= 4
    assert sent <= 20_000


def test_fingerprint_of_the_published_algorithm() -> None:
    ids = [bytes([1]) + bytes(31), bytes([255]) * 32]
    total = sum(int.from_bytes(row_id, "little") for row_id in ids) % 2**256
    index = RangeIndex(item_of(7, row_id) for row_id in ids)
    expected = hashlib.sha256(total.to_bytes(32, "little") + b"\x02").digest()[:16]
    assert negentropy.fingerprint(index, 0, 2) == expected


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8100"),
        (300, "822c"),
        (2**64 - 1, "81" + "ff" * 8 + "7f"),
    ],
)
def test_varint(number: int, digits: str) -> None:
    assert negentropy.varint(number).hex() == digits


def test_two_empty_sets() -> None:
    assert negentropy.initiate(RangeIndex()).hex() == "6100000200"
    assert assert_exact(set(), set())[0] == 1


@pytest.mark.parametrize(
    "message",
    [
        "",  # nothing
        "60",  # another version
        "62",
        "61ff",  # a number that ends too early
        "6100",  # a bound without a length
        "610000",  # no mode
        "61000003",  # unknown mode
        "61000001" + "00" * 15,  # fingerprint too short
        "6100000201",  # one id promised, none there
        "6100000201" + "00" * 31,
        "61000002ffffffffffffffffff7f",  # 2^63 ids
        "6100000282" + "80" * 9 + "00",  # beyond 64 bits
        "610121" + "00" * 33 + "00",  # bound longer than an id
    ],
)
def test_malformed_messages_are_refused(message: str) -> None:
    index = RangeIndex(items_of(50, 4))
    for read in (negentropy.respond, negentropy.proceed):
        with pytest.raises(Malformed):
            read(index, bytes.fromhex(message))


def test_too_large_a_message_is_refused() -> None:
    with pytest.raises(Malformed):
        negentropy.respond(RangeIndex(), b"\x61" + bytes(negentropy.MAX_MESSAGE_BYTES))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_random_bytes_are_answered_or_refused(data: bytes) -> None:
    codes = {"bad-reconciliation"}
    index = RangeIndex(items_of(100, 5))
    for read in (negentropy.respond, negentropy.proceed):
        try:
            read(index, b"\x61" + data)
        except Malformed as error:
            codes.add(error.code)
    assert codes == {"bad-reconciliation"}


VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "negentropy.json").read_text())


def hashed_items(case: dict[str, int], name: str) -> list[bytes]:
    items = []
    for at in range(case[name]):
        text = f"{case['seed']}/{name}/{at}".encode()
        shift = int.from_bytes(hashlib.sha256(text + b"/t").digest()[:4], "big")
        items.append(item_of(1000 + shift % case["periods"], hashlib.sha256(text).digest()))
    return items


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["seed"])
def test_published_vectors(case: dict) -> None:  # type: ignore[type-arg]
    common = hashed_items(case, "common")
    ours = RangeIndex(common + hashed_items(case, "ours"))
    theirs = RangeIndex(common + hashed_items(case, "theirs"))
    limit = case["max_bytes"]
    messages = [bytes.fromhex(message) for message in case["messages"]]
    assert negentropy.initiate(ours, max_bytes=limit) == messages[0]
    for query, answer, following in zip(
        messages[::2], messages[1::2], [*messages[2::2], None], strict=True
    ):
        assert negentropy.respond(theirs, query, max_bytes=limit) == answer
        assert negentropy.proceed(ours, answer, max_bytes=limit).message == following
