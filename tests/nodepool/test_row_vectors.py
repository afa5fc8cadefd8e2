"""The published rows of every table: the file is up to date, and the library agrees with it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.nodepool.row_json import body_from_json
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import RULES
from tests.vectors import make_row_vectors as program

VECTORS: dict[str, Any] = json.loads(program.PATH.read_text("utf-8"))


def test_the_file_is_what_its_program_writes() -> None:
    assert json.loads(json.dumps(program.vectors())) == VECTORS


@pytest.mark.parametrize("vector", VECTORS["rows"], ids=lambda vector: vector["about"])
def test_good_rows_of_every_table(vector: dict[str, Any]) -> None:
    row = SignedRow.parse(bytes.fromhex(vector["wire"]))
    row.verify()
    assert (row.table, row.key.hex(), row.id.hex()) == (
        vector["table"],
        vector["key"],
        vector["id"],
    )
    assert row.body == body_from_json(RULES[row.table], json.dumps(vector["body"]))


@pytest.mark.parametrize("vector", VECTORS["refused_rows"], ids=lambda vector: vector["about"])
def test_refused_rows_of_every_table(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as caught:
        SignedRow.parse(bytes.fromhex(vector["wire"])).verify()
    assert caught.value.code == vector["code"]


def test_every_table_has_good_and_refused_ones() -> None:
    good = Counter(vector["table"] for vector in VECTORS["rows"])
    refused = Counter(vector["about"].split(":")[0] for vector in VECTORS["refused_rows"])
    assert set(good) == set(RULES)
    assert min(good.values()) >= 2
    assert all(refused[rule.name] >= 2 for rule in RULES.values())
