"""Rows of committees in the nodepool: what is refused, and that what is kept reads as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from grids import NOW, FixedClock, key_of, on_the_spot

from bitcloud_net.core.nodepool.row_bodies import BeaconBody, NodeBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import NODE_LIFE_PERIODS, Role, Table
from bitcloud_net.core.trust.beacons import WORD_LIFE_PERIODS, Word
from bitcloud_net.core.trust.identity import day_of
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.queries import Queries, word_of
from bitcloud_net.nodepool.row_store import RowStore, open_row_store

MEMBER = key_of("member")
NODE = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
CHUNK = 1 + day_of(NOW) // 256


def word(**changes: Any) -> BeaconBody:
    fields: dict[str, Any] = {
        "promise": b"p" * 32,
        "secret": b"s" * 32,
        "seen": (b"mark 1", b"mark 2"),
        "value": b"v" * 32,
        "days": b"",
    }
    return BeaconBody(**fields | changes)


def days(count: int) -> BeaconBody:
    values = b"".join(at.to_bytes(32, "big") for at in range(count))
    return BeaconBody(promise=b"", secret=b"", seen=(), value=b"", days=values)


def row(body: BeaconBody, number: int, *, life: int = WORD_LIFE_PERIODS) -> SignedRow:
    suffix = number.to_bytes(4, "big")
    numbers = {"seq": 1, "period": NOW, "slot": 0, "expires": NOW + life}
    return make_row(Table.BEACON, suffix, body, signer=MEMBER, **numbers)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as opened:
        await opened.write(Table.NODE, b"", NODE, signer=MEMBER)
        yield opened


async def code(store: RowStore, offered: SignedRow) -> str | None:
    outcome = await store.accept(offered.raw, source=key_of("peer").node_id)
    assert (outcome.fate is Fate.ACCEPTED) == (outcome.code is None)
    assert outcome.code is None or outcome.is_senders_fault
    return outcome.code


async def test_words_and_days_are_kept_and_read_as_they_were(store: RowStore) -> None:
    said = row(word(), NOW)
    assert await code(store, said) is None
    assert await code(store, row(days(9), CHUNK, life=NODE_LIFE_PERIODS)) is None
    queries = Queries(store.database)
    (read,) = await queries.words(NOW - 5)
    assert isinstance(said.body, BeaconBody)
    assert read == word_of(said, said.body)
    assert read == Word(
        member=MEMBER.node_id,
        period=NOW,
        promise=b"p" * 32,
        secret=b"s" * 32,
        seen=frozenset({b"mark 1", b"mark 2"}),
        value=b"v" * 32,
        seq=1,
    )
    assert await queries.words(NOW + 1) == ()
    today = day_of(NOW)
    expected = {today - 8 + at: at.to_bytes(32, "big") for at in range(9)}
    assert await queries.memories() == {MEMBER.node_id: expected}


@pytest.mark.parametrize("number", [0, 1, NOW - 1, NOW + 1, CHUNK, 2**32 - 1])
async def test_a_word_names_its_own_period(store: RowStore, number: int) -> None:
    assert await code(store, row(word(), number)) == "bad-beacon"


@pytest.mark.parametrize("number", [0, CHUNK + 1, NOW])
async def test_nobody_remembers_the_future(store: RowStore, number: int) -> None:
    assert await code(store, row(days(1), number)) == "bad-beacon"


async def test_words_do_not_outlive_what_they_are_for(store: RowStore) -> None:
    long = row(word(), NOW, life=WORD_LIFE_PERIODS + 1)
    assert await code(store, long) == "lives-too-long"


@pytest.mark.parametrize(
    "changes",
    [
        {"promise": b"short"},
        {"seen": (b"mark 2", b"mark 1")},
        {"seen": (b"mark 1", b"mark 1")},
        {"seen": (b"no mark",)},
        {"seen": tuple(b"%06d" % at for at in range(65))},
        {"value": bytes(31)},
        {"days": bytes(32)},
    ],
)
def test_other_forms_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"bad-body|promise|seen|value|days"):
        row(word(**changes), NOW)


@pytest.mark.parametrize("length", [31, 33, 257 * 32])
def test_days_come_whole_and_at_most_256(length: int) -> None:
    with pytest.raises(Exception, match="days"):
        row(BeaconBody(promise=b"", secret=b"", seen=(), value=b"", days=bytes(length)), CHUNK)


async def test_the_largest_rows_fit(store: RowStore) -> None:
    marks = tuple(b"%06d" % at for at in range(64))
    assert await code(store, row(word(seen=marks), NOW)) is None
    assert len(row(word(seen=marks), NOW).raw) < 1_024
    assert await code(store, row(days(256), CHUNK - 1, life=NODE_LIFE_PERIODS)) is None


async def test_who_is_no_node_says_nothing(tmp_path: Path) -> None:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as store:
        outcome = await store.accept(row(word(), NOW).raw, source=key_of("peer").node_id)
        assert outcome.fate is Fate.PARKED
