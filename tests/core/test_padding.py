"""Padding: never falls, settles at once, hides the size, costs little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.files.padding import MAX_FILE_BYTES, inline_padded_size, padded_size
from bitcloud_net.core.units import SEGMENT_BYTES
from tests.core.properties import quick


@quick
@given(st.integers(0, MAX_FILE_BYTES), st.integers(0, MAX_FILE_BYTES))
def test_never_falls_and_settles_at_once(one: int, two: int) -> None:
    small, large = sorted((one, two))
    assert padded_size(small) <= padded_size(large)
    assert one <= padded_size(one) == padded_size(padded_size(one))


@quick
@given(st.integers(SEGMENT_BYTES + 1, MAX_FILE_BYTES))
def test_large_files_grow_by_at_most_12_percent(size: int) -> None:
    assert padded_size(size) <= size * 1.12


def test_sizes_are_few() -> None:
    """A thousand million possible sizes fall into some 330 classes."""
    classes, size = 0, 0
    while size <= 1 << 30:
        classes += 1
        size = padded_size(size) + 1
    assert classes < 350


def test_small_files_have_nine_sizes() -> None:
    assert len({padded_size(size) for size in range(0, SEGMENT_BYTES + 1, 1000)}) == 9


def test_inline_sizes() -> None:
    assert {inline_padded_size(size) for size in range(4097)} == {512, 1024, 2048, 4096}
