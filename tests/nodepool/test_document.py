"""The nodepool's README says what the code does: its tables are generated, and the SQL fits."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.bodies.fields import fields_of
from bitcloud_net.core.nodepool.row_bodies import KINDS, parse_body
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.nodepool.outcome import SENDERS_FAULT
from bitcloud_net.nodepool.typed_tables import apply_row, remove_row
from tests.core.row_samples import SAMPLES, plain_body
from tests.core.row_strategies import near, of_length
from tests.vectors import make_nodepool_tables as document

SCHEMA = resources.files("bitcloud_net.nodepool").joinpath("schema/nodepool.sql").read_text("utf-8")


def test_the_readme_has_the_tables_of_the_code() -> None:
    text = document.README.read_text("utf-8")
    assert document.written(text) == text, "run python -m tests.vectors.make_nodepool_tables"


def test_every_column_has_the_name_of_its_field_and_can_be_asked_for() -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    for kind in KINDS.values():
        columns = [part.name for part in kind.key] + list(fields_of(kind.body))
        always = ["key", *columns, "seq", "period", "expires"]
        db.execute(f"SELECT {', '.join(always)} FROM {kind.rule.name}")
        cursor = db.execute(f"SELECT * FROM {kind.rule.name}")
        names = [column[0] for column in cursor.description]
        assert len(names) == len(always) + bool(kind.key)


def test_every_table_is_strict_and_every_question_has_its_index() -> None:
    """Who owns rows, whom they are for, and what they answer is found without reading all."""
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    for kind in KINDS.values():
        name = kind.rule.name
        (sql,) = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        assert re.search(r"\bSTRICT\b", sql)
        asked = [part.name for part in kind.key if part.is_party]
        asked += [field for field in fields_of(kind.body) if field == "answers"]
        for column in asked if name != "head" else ():  # a head is looked up by its owner
            plan = db.execute(
                f"EXPLAIN QUERY PLAN SELECT 1 FROM {name} WHERE {column} = ?", (b"",)
            ).fetchall()
            assert any("USING" in step[3] and "SEARCH" in step[3] for step in plan), (name, column)


def test_every_code_that_costs_the_sender_is_in_the_readme() -> None:
    text = document.README.read_text("utf-8")
    for code in SENDERS_FAULT - {"malformed"}:
        assert f"`{code}`" in text, code


@pytest.mark.parametrize("table", list(SAMPLES))
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_every_row_that_parses_fits_its_columns(table: Table, data: st.DataObject) -> None:
    """Whatever a stranger signs is refused by its form, or SQL can hold it."""
    sample, kind = SAMPLES[table], KINDS[table]
    parts = [
        item if part.signs else data.draw(of_length(part.length))
        for part, item in zip(kind.key, kind.cut(sample.suffix), strict=True)
    ]
    value = data.draw(near(plain_body(table), kind.body))
    try:
        body = parse_body(kind.rule, value)
        row = replace(sample, suffix=b"".join(parts)).row(body, seq=2**63 - 1, slot=2**63 - 1)
    except Malformed:
        return
    apply_row(DB, kind.rule, row)
    (count,) = DB.execute(
        f"SELECT count(*) FROM {kind.rule.name} WHERE key = ?", (row.key,)
    ).fetchone()
    assert count == 1
    remove_row(DB, kind.rule, row.key)


DB = sqlite3.connect(":memory:")
DB.executescript(SCHEMA)
