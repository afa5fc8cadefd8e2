"""The sorted set behind reconciliation, against a plain sorted list."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.wire.range_index import RangeIndex, id_of, item_of

ITEMS = st.builds(
    lambda period, number: item_of(period, number.to_bytes(32, "big")),
    st.integers(0, 9),
    st.integers(0, 400),
)
CHANGES = st.lists(
    st.tuples(st.sets(ITEMS, max_size=300), st.sets(ITEMS, max_size=300)), max_size=8
)


@settings(deadline=None, max_examples=80)
@given(CHANGES, st.integers(0, 3000), st.integers(0, 3000), ITEMS)
def test_it_behaves_like_a_sorted_list(
    changes: list[tuple[set[bytes], set[bytes]]], low: int, high: int, probe: bytes
) -> None:
    index = RangeIndex()
    model: set[bytes] = set()
    for add, remove in changes:
        before, untouched = index.copy(), sorted(model)
        index.change(add=add, remove=remove)
        model = (model - remove) | add
        assert before.items(0, len(before)) == untouched
    expected = sorted(model)
    assert len(index) == len(expected)
    assert index.items(0, len(index)) == expected
    lower, upper = sorted((min(low, len(expected)), min(high, len(expected))))
    part = expected[lower:upper]
    assert index.items(lower, upper) == part
    assert index.total(lower, upper) == sum(int.from_bytes(id_of(item), "little") for item in part)
    assert index.lower_bound(probe) == bisect_left(expected, probe)
    assert (probe in index) == (probe in model)
    assert [index.item(at) for at in range(len(index))] == expected


def test_removing_almost_everything_leaves_no_crumbs() -> None:
    items = [item_of(1, number.to_bytes(32, "big")) for number in range(20_000)]
    index = RangeIndex(items)
    index.change(remove=[item for at, item in enumerate(items) if at % 128])
    assert len(index) == 157
    assert len(index._blocks) < 25
