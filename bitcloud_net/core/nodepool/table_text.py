"""An answer of SQL as CSV and JSON: what a person takes along to other programs.

JSON is exact, for programs. CSV is for spreadsheets, which take some text for a formula; and text
in the nodepool comes from strangers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

Cell: TypeAlias = int | float | str | bytes | None
"""What SQLite keeps."""
PlainCell: TypeAlias = int | float | str | None
"""The same without blobs, which are written in hexadecimal."""

MAX_EXACT_INTEGER: Final = 2**53 - 1
"""Larger numbers lose digits in programs that keep all of them as floats (RFC 7493, 2.2)."""
FORMULA_STARTS: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""With one of these a spreadsheet begins to calculate (OWASP, "CSV injection"); the last four are
the wide forms of the first four."""


def plain_cell(cell: Cell) -> PlainCell:
    """Return a cell as JSON and people can hold it: a blob in hexadecimal, infinity as a word."""
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, float) and not math.isfinite(cell):
        return "Infinity" if cell > 0 else "-Infinity"  # SQLite has no NaN: it becomes NULL
    return cell


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return column names in which a repeated one carries a number: ``key``, ``key:2``."""
    found: dict[str, None] = {}
    for name in names:
        fresh, count = name, 1
        while fresh in found:
            count += 1
            fresh = f"{name}:{count}"
        found[fresh] = None
    return tuple(found)


def json_objects(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> list[dict[str, PlainCell]]:
    """Return one object for each row. Integers beyond ``MAX_EXACT_INTEGER`` are text in it."""
    names = distinct(columns)
    return [dict(zip(names, map(_exact, row), strict=True)) for row in rows]


def json_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return ``json_objects`` as a JSON list with one object on each line."""
    lines = (json.dumps(item, ensure_ascii=False) for item in json_objects(columns, rows))
    inside = ",\n".join(lines)
    return f"[\n{inside}\n]\n" if inside else "[]\n"


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return CSV with a header line.

    NULL is an empty field and empty text a pair of quotes. Text that a spreadsheet would take for a
    formula gets an apostrophe in front; numbers never do.
    """
    lines = (",".join(map(_field, row)) for row in (columns, *rows))
    return "".join(f"{line}\n" for line in lines)


def _exact(cell: Cell) -> PlainCell:
    if isinstance(cell, int) and abs(cell) > MAX_EXACT_INTEGER:
        return str(cell)
    return plain_cell(cell)


def _field(cell: Cell) -> str:
    plain = plain_cell(cell)
    if plain is None:
        return ""
    if not isinstance(plain, str):
        return str(plain)
    if plain.startswith(FORMULA_STARTS):
        plain = f"'{plain}"
    needs_quotes = not plain or plain != plain.strip() or any(sign in plain for sign in '",\r\n')
    return '"{}"'.format(plain.replace('"', '""')) if needs_quotes else plain
