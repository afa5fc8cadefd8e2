"""Owner heads: what is missing is noticed, and what is only newer is not called missing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.audience import audience_of
from bitcloud_net.core.nodepool.bodies.heads import (
    MAX_HEAD_TABLES,
    PUBLIC_HEAD,
    HeadBody,
    TableHead,
)
from bitcloud_net.core.nodepool.heads import (
    COUNTED_TABLES,
    Completeness,
    CountedRow,
    RowSum,
    audience_of_head,
    compare,
    table_head,
)
from bitcloud_net.core.nodepool.row_bodies import body_value, parse_body
from bitcloud_net.core.nodepool.table_rules import RULES, Exposure, Table

from .properties import hashes, quick

rows = st.dictionaries(hashes, st.integers(0, 50), max_size=30).map(
    lambda found: [CountedRow(seq=seq, id=row_id) for row_id, seq in found.items()]
)


@quick
@given(rows, st.randoms(use_true_random=False))
def test_a_sum_does_not_depend_on_the_way_there(held: list[CountedRow], chance: object) -> None:
    chance.shuffle(shuffled := list(held))  # type: ignore[attr-defined]
    kept, gone = shuffled[: len(held) // 2], shuffled[len(held) // 2 :]
    rest = RowSum(shuffled).minus(RowSum(gone))
    assert (rest.count, rest.fingerprint) == (len(kept), RowSum(kept).fingerprint)
    for row in gone:
        rest.add(row.id)
    assert rest.fingerprint == RowSum(held).fingerprint


@quick
@given(rows)
def test_who_holds_the_same_rows_is_whole(held: list[CountedRow]) -> None:
    assume(held)
    assert compare(table_head(4, held), reversed(held)).state is Completeness.WHOLE


@quick
@given(rows, st.data())
def test_whatever_is_left_out_is_noticed(held: list[CountedRow], data: st.DataObject) -> None:
    assume(held)
    left_out = data.draw(st.sets(st.sampled_from(range(len(held))), min_size=1))
    kept = [row for at, row in enumerate(held) if at not in left_out]
    found = compare(table_head(4, held), kept)
    assert (found.state, found.missing) == (Completeness.LACKING, len(left_out))


@quick
@given(rows, rows)
def test_newer_rows_beside_the_counted_ones_change_nothing(
    held: list[CountedRow], more: list[CountedRow]
) -> None:
    assume(held)
    newer = [replace(row, seq=row.seq + 51) for row in more]
    assert compare(table_head(4, held), [*held, *newer]).state is Completeness.WHOLE


def row(number: int, seq: int) -> CountedRow:
    return CountedRow(seq=seq, id=bytes([number]) * 32)


def test_an_older_row_in_the_place_of_a_counted_one_is_noticed() -> None:
    head = table_head(4, [row(1, 5), row(2, 9)])
    found = compare(head, [row(1, 5), row(3, 7)])
    assert (found.state, found.missing) == (Completeness.LACKING, 1)


def test_a_newer_row_in_the_place_of_a_counted_one_may_be_all_there_is() -> None:
    head = table_head(4, [row(1, 5), row(2, 9)])
    assert compare(head, [row(1, 5), row(3, 12)]).state is Completeness.UNSURE


def test_what_newer_rows_cannot_hide_is_noticed_all_the_same() -> None:
    head = table_head(4, [row(1, 5), row(2, 9), row(3, 9)])
    found = compare(head, [row(4, 12)])
    assert (found.state, found.missing) == (Completeness.LACKING, 2)


def test_rows_that_another_machine_wrote_are_not_called_missing() -> None:
    head = table_head(4, [row(1, 5)])
    assert compare(head, [row(1, 5), row(2, 4)]).state is Completeness.UNSURE


def test_heads_do_not_tell_of_tables_that_only_few_may_see() -> None:
    everybodys = {Table.USER, Table.FOLDER, Table.FILE, Table.PLACEMENT, Table.APP, Table.GRID}
    assert everybodys <= set(COUNTED_TABLES)
    narrow = {Table.NODE_CONTRACT, Table.PUBLISHER_CONTRACT, Table.BID, Table.USER_REQUEST}
    assert not {Table.NODE, Table.FAULT, Table.HEAD, *narrow} & set(COUNTED_TABLES)
    assert len(COUNTED_TABLES) <= MAX_HEAD_TABLES
    assert all(RULES[table].exposure is not Exposure.PARTICIPANTS for table in COUNTED_TABLES)


@pytest.mark.parametrize("table", COUNTED_TABLES)
def test_a_row_is_counted_for_those_who_may_see_it(table: int) -> None:
    """Whatever its key and signers: the head that counts it has the same audience, or a narrower
    one that all see who see the row through its publisher.
    """
    owner, shop, rule = b"o" * 32, b"p" * 32, RULES[table]
    for suffix in (bytes(rule.key_suffix_bytes), bytes([255]) * rule.key_suffix_bytes):
        for co_owners in ((), (shop,)):
            row = Named(table, owner, suffix, co_owners)
            last = co_owners[0] if co_owners else owner
            audience = audience_of_head(table, owner + suffix, last)
            seen_by = audience_of(row, rule)
            if audience == PUBLIC_HEAD:
                assert seen_by is None
            elif audience is not None:
                assert seen_by == {owner, shop}
                head = Named(Table.HEAD, owner, audience, ())
                assert audience_of(head, RULES[Table.HEAD]) == seen_by


@dataclass(frozen=True)
class Named:
    table: int
    owner: bytes
    key_suffix: bytes
    co_owners: tuple[bytes, ...]


def head(**changes: object) -> dict[str, object]:
    return {"table": 2, "count": 1, "fingerprint": bytes(16), "latest": 5} | changes


@pytest.mark.parametrize(
    "tables",
    [
        [],
        [head(), head()],
        [head(table=4), head()],
        [head(count=0)],
        [head(count=-1)],
        [head(latest=2**63)],
        [head(fingerprint=bytes(15))],
        [head(table=2**31)],
        [head(table=True)],
        [head(more=1)],
        [[2, 1, bytes(16), 5]],
        [head(table=2 + at) for at in range(MAX_HEAD_TABLES + 1)],
        {},
    ],
)
def test_what_is_no_head(tables: object) -> None:
    with pytest.raises(Malformed) as caught:
        parse_body(RULES[Table.HEAD], {"tables": tables})
    assert caught.value.code == "bad-body"


def test_a_head_travels() -> None:
    said = tuple(
        TableHead(table=2 + at, count=2**63 - 1, fingerprint=b"f" * 16, latest=2**63 - 1)
        for at in range(MAX_HEAD_TABLES)
    )
    body = HeadBody(tables=said)
    assert parse_body(RULES[Table.HEAD], body_value(body)) == body
