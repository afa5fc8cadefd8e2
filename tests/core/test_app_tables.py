"""Definitions of applications' tables: what is taken, what is refused, what decides the number."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bitcloud_net.core.errors import BadInput, Malformed
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.app_tables import FIRST_NUMBER, parse_definition, table_number
from bitcloud_net.core.nodepool.row_bodies import AppBody, app_body
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import Column, ColumnType, Exposure, Role

CHESS: dict[str, Any] = {
    "name": "chess",
    "tables": [
        {
            "name": "moves",
            "writers": "user",
            "exposure": "global",
            "key_bytes": 16,
            "slots": 100,
            "max_rows": 10_000,
            "life_days": 30,
            "max_row_bytes": 1_024,
            "check": "new.number >= 0",
            "columns": [
                {"name": "number", "type": "integer"},
                {"name": "move", "type": "text", "max": 8},
                {"name": "proof", "type": "bytes", "max": 64, "optional": True},
                {"name": "check", "type": "flag"},
            ],
        },
        {"name": "games", "columns": [{"name": "title", "type": "text"}]},
    ],
}


def changed(path: list[Any], value: Any) -> str:
    document = json.loads(json.dumps(CHESS))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document)


def test_a_definition() -> None:
    app = parse_definition(json.dumps(CHESS))
    moves, games = app.rules
    assert app.name == "chess"
    assert app.number("moves") == moves.table == table_number(app.id, "moves") >= FIRST_NUMBER
    assert moves.table != games.table
    assert (moves.exposure, moves.writers) == (Exposure.GLOBAL, Role.USER)
    assert (moves.slots_per_period, moves.max_life_periods) == (100, 30 * 144)
    assert moves.columns[2] == Column(name="proof", type=ColumnType.BYTES, most=64, optional=True)
    assert games.max_rows_per_owner == 1_024
    assert moves.name == f"app_{app.id[:6].hex()}_moves"
    with pytest.raises(BadInput):
        app.number("nothing")


def test_the_form_does_not_matter_the_content_does() -> None:
    app = parse_definition(json.dumps(CHESS))
    assert parse_definition(json.dumps(CHESS, indent=4, sort_keys=True)).id == app.id
    other = parse_definition(changed(["tables", 0, "slots"], 101))
    assert other.id != app.id
    assert {rule.table for rule in other.rules}.isdisjoint(rule.table for rule in app.rules)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["name"], "Chess!"),
        (["name"], ""),
        (["name"], 5),
        (["extra"], 1),
        (["tables"], []),
        (["tables"], {}),
        (["tables"], [CHESS["tables"][1]] * 17),
        (["tables"], [CHESS["tables"][1]] * 2),
        (["tables", 0, "name"], "moves; DROP TABLE user"),
        (["tables", 0, "name"], 'a"b'),
        (["tables", 0, "name"], "x" * 32),
        (["tables", 0, "writers"], "everybody"),
        (["tables", 0, "exposure"], None),
        (["tables", 0, "key_bytes"], 33),
        (["tables", 0, "key_bytes"], True),
        (["tables", 0, "slots"], 0),
        (["tables", 0, "slots"], 1.5),
        (["tables", 0, "max_rows"], 2**40),
        (["tables", 0, "life_days"], 366),
        (["tables", 0, "max_row_bytes"], 10**6),
        (["tables", 0, "check"], 5),
        (["tables", 0, "check"], "x" * 1_001),
        (["tables", 0, "trigger"], "DELETE FROM user"),
        (["tables", 0, "columns"], []),
        (["tables", 0, "columns"], [{"name": f"c{at}", "type": "flag"} for at in range(33)]),
        (["tables", 0, "columns"], [{"name": "a", "type": "flag"}] * 2),
        (["tables", 0, "columns", 0, "name"], "owner"),
        (["tables", 0, "columns", 0, "name"], "A"),
        (["tables", 0, "columns", 0, "type"], "real"),
        (["tables", 0, "columns", 0, "optional"], 1),
        (["tables", 0, "columns", 0, "default"], 1),
    ],
)
def test_what_a_definition_may_not_say(path: list[Any], value: Any) -> None:
    with pytest.raises(BadInput) as caught:
        parse_definition(changed(path, value))
    assert caught.value.code == "bad-definition"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "1e400", "[" * 5_000, "x" * 70_000, '"\\ud800"']
)
def test_what_is_no_definition(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_definition(text)
    assert caught.value.code == "bad-definition"


GOOD = {"number": 1, "move": "e4", "proof": None, "check": False}


@pytest.mark.parametrize(
    "change",
    [
        {"number": "1"},
        {"number": True},
        {"number": None},
        {"move": "x" * 9},
        {"move": b"e4"},
        {"proof": b"x" * 65},
        {"check": 0},
        {"extra": 1},
    ],
)
def test_rows_must_fit_the_columns(change: dict[str, Any]) -> None:
    rule = parse_definition(json.dumps(CHESS)).rules[0]
    assert app_body(rule, GOOD).values == (1, "e4", None, False)
    with pytest.raises(Malformed) as caught:
        app_body(rule, GOOD | change)
    assert caught.value.code == "bad-body"


def test_a_row_is_known_only_where_the_application_is() -> None:
    app = parse_definition(json.dumps(CHESS))
    rules = {rule.table: rule for rule in app.rules}.__getitem__
    body = AppBody(names=tuple(GOOD), values=tuple(GOOD.values()))  # type: ignore[arg-type]
    row = make_row(
        app.number("moves"),
        b"k" * 16,
        body,
        signer=SigningKey(b"s" * 32),
        seq=1,
        period=1,
        slot=0,
        expires=2,
        rules=rules,
    )
    assert SignedRow.parse(row.raw, rules) == row
    with pytest.raises(Malformed) as caught:
        SignedRow.parse(row.raw)
    assert caught.value.code == "unknown-table"
