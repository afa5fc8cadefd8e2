"""Answers as CSV and JSON: complete, exact where promised, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.nodepool.table_text import (
    csv_text,
    distinct,
    json_objects,
    json_text,
    plain_cell,
)

CELLS = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.binary(max_size=20),
)


def test_every_kind_of_cell() -> None:
    columns = ("text", "blob", "none", "empty", "half", "two")
    rows = [('a,"b"', b"\x00\xff", None, "", 1.5, 2)]
    assert csv_text(columns, rows) == 'text,blob,none,empty,half,two\n"a,""b""",00ff,,"",1.5,2\n'
    assert json.loads(json_text(columns, rows)) == [
        {"text": 'a,"b"', "blob": "00ff", "none": None, "empty": "", "half": 1.5, "two": 2}
    ]


def test_nothing_found_is_still_a_table() -> None:
    assert csv_text(("a", "b"), []) == "a,b\n"
    assert json.loads(json_text(("a", "b"), [])) == []


@pytest.mark.parametrize(
    ("number", "exported"),
    [
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**63), "-9223372036854775808"),
        (1 - 2**53, 1 - 2**53),
    ],
)
def test_no_number_loses_a_digit_in_json(number: int, exported: object) -> None:
    assert json_objects(("n",), [(number,)]) == [{"n": exported}]
    assert csv_text(("n",), [(number,)]) == f"n\n{number}\n"


def test_infinity_is_a_word_and_the_json_stays_json() -> None:
    text = json_text(("up", "down"), [(float("inf"), float("-inf"))])
    found = json.loads(text, parse_constant=lambda word: pytest.fail(f"not JSON: {word}"))
    assert found == [{"up": "Infinity", "down": "-Infinity"}]


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_text_becomes_a_formula_in_a_spreadsheet(start: str) -> None:
    name = f'{start}HYPERLINK("http://evil","click")'
    ((cell,),) = list(csv.reader(io.StringIO(csv_text(("n",), [(name,)]), newline="")))[1:]
    assert cell == f"'{name}"
    assert json.loads(json_text(("n",), [(name,)])) == [{"n": name}]


def test_numbers_below_zero_stay_numbers() -> None:
    assert csv_text(("n", "x"), [(-5, -1.5)]) == "n,x\n-5,-1.5\n"


def test_no_column_is_lost_when_two_have_one_name() -> None:
    assert distinct(("key", "key", "key:2", "n")) == ("key", "key:2", "key:2:2", "n")
    assert json_objects(("n", "n"), [(1, 2)]) == [{"n": 1, "n:2": 2}]


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8))
def test_readers_find_what_was_written(rows: list[tuple[object, ...]]) -> None:
    columns = ("a", "b", "c")
    found = list(csv.reader(io.StringIO(csv_text(columns, rows), newline="")))  # type: ignore[arg-type]
    assert found[0] == ["a", "b", "c"]
    for row, read in zip(rows, found[1:], strict=True):
        for cell, text in zip(row, read, strict=True):
            plain = "" if cell is None else str(plain_cell(cell))  # type: ignore[arg-type]
            assert text in (plain, f"'{plain}")
    objects = json.loads(json_text(columns, rows))  # type: ignore[arg-type]
    for row, item in zip(rows, objects, strict=True):
        for cell, value in zip(row, item.values(), strict=True):
            plain = plain_cell(cell)  # type: ignore[arg-type]
            assert value == plain or value == str(plain)
