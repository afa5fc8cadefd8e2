"""Every kind of row: what is signed comes back, every bit counts, hostile bodies are refused."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core import keys
from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.nodepool.bodies.fields import (
    Body,
    Integer,
    fields_of,
)
from bitcloud_net.core.nodepool.row_bodies import KINDS, body_value, parse_body
from bitcloud_net.core.nodepool.row_json import body_from_json
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import RULES, Table
from tests.core.row_samples import SAMPLES, as_json, plain_body
from tests.core.row_strategies import near

TABLES = [Table(table) for table in KINDS]
FIELDS = [(Table(table), name) for table in KINDS for name in fields_of(KINDS[table].body)]


def test_every_table_has_a_sample() -> None:
    """Who adds a table adds a sample of its rows to ``row_samples``."""
    assert set(SAMPLES) == set(RULES)


@pytest.mark.parametrize("table", TABLES)
def test_what_is_signed_comes_back(table: Table) -> None:
    row = SAMPLES[table].row()
    again = SignedRow.parse(row.raw)
    again.verify()
    assert again == row
    assert again.body == SAMPLES[table].body


@pytest.mark.parametrize("table", TABLES)
def test_every_changed_byte_is_refused(table: Table) -> None:
    """Every bit of short rows, in another test; here every byte, one bit of it."""
    raw = SAMPLES[table].row().raw
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1 << at % 8
        with pytest.raises(Malformed):
            SignedRow.parse(bytes(changed)).verify()


@pytest.mark.parametrize("table", TABLES)
def test_keys_have_the_parts_that_the_rule_says(table: Table) -> None:
    kind = KINDS[table]
    assert sum(part.length for part in kind.key) == kind.rule.key_suffix_bytes
    assert all(part.length == 32 for part in kind.key if part.is_party)
    assert all(part.is_party for part in kind.key if part.signs)


NUMBERED = [table for table in TABLES if any(part.is_number for part in KINDS[table].key)]


@pytest.mark.parametrize("table", NUMBERED)
def test_a_number_in_a_key_fits_a_column(table: Table) -> None:
    """2^63 in the key, too: SQL has no such number."""
    sample, kind = SAMPLES[table], KINDS[table]
    parts = list(kind.cut(sample.suffix))
    for at, part in enumerate(kind.key):
        if part.is_number and part.length == 8:
            most = [*parts[:at], (2**63 - 1).to_bytes(8, "big"), *parts[at + 1 :]]
            assert replace(sample, suffix=b"".join(most)).row().key_suffix == b"".join(most)
            beyond = [*parts[:at], (2**63).to_bytes(8, "big"), *parts[at + 1 :]]
            with pytest.raises(Malformed) as caught:
                replace(sample, suffix=b"".join(beyond)).row()
            assert caught.value.code == "bad-key"
        elif part.is_number:
            assert part.length < 8


def refusal_or_body(table: Table, value: object) -> Malformed | Body:
    try:
        return parse_body(RULES[table], value)
    except Malformed as error:
        return error


@pytest.mark.parametrize("table", TABLES)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_random_bodies_come_back_or_are_refused(table: Table, data: st.DataObject) -> None:
    """Fields by themselves are good; some do not go together, and then one of them is named."""
    value = data.draw(near(plain_body(table), KINDS[table].body))
    body = refusal_or_body(table, value)
    if isinstance(body, Malformed):
        assert body.code == "bad-body"
        assert any(name in body.message for name in value)
        return
    assert body_value(body) == value
    row = SAMPLES[table].row(body)
    assert SignedRow.parse(row.raw).body == body


HOSTILE: list[Any] = [
    None,
    True,
    -1,
    2**63 - 1,
    1.5,
    "x" * 5_000,
    "a\nb",
    "a\0b",
    "a\u2028b",
    b"",
    b"x",
    b"x" * 5_000,
    b"\0" * 17,
    [],
    [None],
    [[]],
    [b"x"] * 300,
    {},
    {"x": 1},
    "'; DROP TABLE np_row; --",
]


@pytest.mark.parametrize(("table", "name"), FIELDS)
def test_a_hostile_value_is_refused_by_the_name_of_its_field(table: Table, name: str) -> None:
    """Or it is one that the field may hold; then it comes back as it was."""
    refused = 0
    for hostile in HOSTILE:
        value = plain_body(table) | {name: hostile}
        body = refusal_or_body(table, value)
        if isinstance(body, Malformed):
            assert body.code == "bad-body"
            refused += 1
            continue
        assert body_value(body)[name] == hostile
        assert type(body_value(body)[name]) is type(hostile)
    assert refused >= len(HOSTILE) // 2
    with pytest.raises(Malformed, match=name) as caught:
        parse_body(RULES[table], plain_body(table) | {name: object()})
    assert caught.value.code == "bad-body"


@pytest.mark.parametrize("table", TABLES)
def test_a_field_too_many_or_too_few_is_refused(table: Table) -> None:
    good = plain_body(table)
    bad: list[object] = [good | {"admin": True}, {}, [], b"", "x", 5]
    bad += [{key: item for key, item in good.items() if key != name} for name in good]
    for value in bad:
        with pytest.raises(Malformed) as caught:
            parse_body(RULES[table], value)
        assert caught.value.code == "bad-body"


@pytest.mark.parametrize(
    ("table", "name"),
    [item for item in FIELDS if isinstance(fields_of(KINDS[item[0]].body)[item[1]], Integer)],
)
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 2**200])
def test_a_number_beyond_64_bits_is_no_number(table: Table, name: str, number: int) -> None:
    with pytest.raises(Malformed, match=name):
        parse_body(RULES[table], plain_body(table) | {name: number})
    sample = SAMPLES[table]
    content, _ = cbor2.loads(sample.row().raw)
    content[8] = plain_body(table) | {name: number}
    row_id = keys.derive(cbor2.dumps(content, canonical=True), "row")
    signed = [[sample.signer.public, sample.signer.sign("row", row_id)]]
    signed += [[other.public, other.sign("row", row_id)] for other in sample.co_signers]
    with pytest.raises(Malformed) as caught:
        SignedRow.parse(cbor2.dumps([content, signed], canonical=True))
    assert caught.value.code == "row-not-canonical"


def json_of(table: Table) -> dict[str, Any]:
    fields = fields_of(KINDS[table].body)
    return {name: as_json(item, fields[name]) for name, item in plain_body(table).items()}


@pytest.mark.parametrize("table", TABLES)
def test_a_person_can_write_it_in_json(table: Table) -> None:
    assert body_from_json(RULES[table], json.dumps(json_of(table))) == SAMPLES[table].body
    assert body_from_json(RULES[table], "null") is None


@pytest.mark.parametrize(("table", "name"), FIELDS)
def test_json_that_does_not_fit_is_bad_input(table: Table, name: str) -> None:
    for wrong in ("zz", 1.5, -1, 10**400, None, [{}], {"a": 1}, "x" * 3_000):
        with suppress(BadInput):
            assert body_from_json(RULES[table], json.dumps(json_of(table) | {name: wrong}))
