"""``sql`` and ``simulate`` as somebody types them."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from bitcloud_net.api import SyncHealth


@pytest.fixture
def nodepool(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "nodepool"
    folder.mkdir(parents=True)
    path = folder / "nodepool.db"
    connection = sqlite3.connect(path)
    schema = resources.files("bitcloud_net.nodepool").joinpath("schema/nodepool.sql")
    connection.executescript(schema.read_text("utf-8"))
    rows = [(bytes([at]) * 32, name, 1, 1, 1) for at, name in enumerate(("Mary", "Bo\x1b[2Jb"))]
    connection.executemany("INSERT INTO user VALUES (?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


def test_sql_in_three_forms(bitcloud: Any, nodepool: Path, opened: Any) -> None:
    statement = "SELECT nickname, substr(key, 1, 2) AS start FROM user ORDER BY key"
    result = bitcloud("sql", statement)
    assert result.status == 0
    assert ["Mary", "0000"] in [line.split() for line in result.out.splitlines()]
    assert "\x1b" not in result.out
    assert "2 rows" in result.out
    objects = bitcloud("sql", "--json", statement).document
    assert objects[0] == {"nickname": "Mary", "start": "0000"}
    assert opened.options == []  # no node was opened for it


def test_sql_as_csv(bitcloud: Any, nodepool: Path) -> None:
    result = bitcloud("sql", "--csv", "SELECT nickname, seq FROM user ORDER BY key LIMIT 1")
    assert list(csv.reader(io.StringIO(result.out))) == [["nickname", "seq"], ["Mary", "1"]]


def test_csv_on_a_screen_moves_no_cursor(
    bitcloud: Any, nodepool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bitcloud_net.cli.output.Output.is_terminal", True)
    result = bitcloud("sql", "--csv", "SELECT 'a\x1b[2J\u202e' AS b")
    assert not {"\x1b", "\u202e", "\r"} & set(result.out)
    assert result.out.startswith("b\n")
    assert "[2J" in result.out


def test_sql_into_a_file(bitcloud: Any, nodepool: Path, tmp_path: Path) -> None:
    statement = "SELECT nickname, key, NULL AS none, 9007199254740993 AS big FROM user ORDER BY key"
    table, document = tmp_path / "people.csv", tmp_path / "people.json"
    result = bitcloud("sql", "--output", table, statement)
    assert (result.status, result.out) == (0, "")
    assert "saved 2 rows" in result.err
    with open(table, newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1] == ["Mary", "00" * 32, "", "9007199254740993"]
    assert bitcloud("sql", "-o", document, statement).status == 0
    first = json.loads(document.read_text("utf-8"))[0]
    expected = {"nickname": "Mary", "key": "00" * 32, "none": None, "big": "9007199254740993"}
    assert first == expected
    other = tmp_path / "people"
    assert bitcloud("sql", "--csv", "-o", other, statement).status == 0
    assert other.read_bytes() == table.read_bytes()


def test_sql_never_leaves_half_a_file(bitcloud: Any, nodepool: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine")
    result = bitcloud("sql", "-o", there, "SELECT 1")
    assert (result.status, there.read_text()) == (1, "mine")
    assert "--force" in result.err
    assert bitcloud("sql", "-o", there, "SELECT nonsense", "--force").status == 1
    assert there.read_text() == "mine"
    assert bitcloud("sql", "-o", there, "SELECT 1 AS one", "--force").status == 0
    assert there.read_text() == "one\n1\n"
    nowhere = bitcloud("sql", "-o", tmp_path / "no" / "x.csv", "SELECT 1")
    assert (nowhere.status, nowhere.err.count("\n")) == (1, 1)
    unclear = bitcloud("sql", "-o", tmp_path / "x.txt", "SELECT 1")
    assert (unclear.status, "--csv or --json" in unclear.err) == (1, True)
    assert bitcloud("sql", "--csv", "--json", "SELECT 1").status == 1
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["home", "there.csv"]


def test_sql_help_says_what_becomes_of_values(bitcloud: Any) -> None:
    text = bitcloud("sql", "--help").out
    for word in ("hexadecimal", "2^53", "NULL", "apostrophe", "--output people.csv"):
        assert word in text


def test_sql_refuses_all_else(bitcloud: Any, nodepool: Path) -> None:
    for statement in ("DELETE FROM user", "DROP TABLE user", "SELECT", "ATTACH 'x' AS y"):
        result = bitcloud("sql", statement)
        assert result.status == 1
        assert result.err.startswith("bitcloud: ")
        assert result.err.count("\n") == 1
    assert bitcloud("sql", "--json", "SELECT count(*) AS n FROM user").document == [{"n": 2}]


def test_sql_without_a_nodepool(bitcloud: Any) -> None:
    result = bitcloud("sql", "SELECT 1")
    assert (result.status, result.err.count("\n")) == (1, 1)


def test_simulate(bitcloud: Any, tmp_path: Path) -> None:
    picture = tmp_path / "curve.svg"
    result = bitcloud(
        "simulate", "--nodes", "60", "--rows", "30", "--off", "50", "--push", "--svg", picture
    )
    assert result.status == 0
    assert "everywhere after" in result.out
    assert picture.read_text().startswith("<svg")
    document = bitcloud("simulate", "--json", "--nodes", "40", "--rows", "10").document
    assert document["steps"][-1]["complete"] == 1.0
    assert document["scenario"]["nodes"] == 40


def test_simulate_shards(bitcloud: Any, tmp_path: Path) -> None:
    picture = tmp_path / "shards.svg"
    result = bitcloud("simulate", "--shards", "--nodes", "20", "--rows", "120", "--svg", picture)
    assert result.status == 0
    assert "depth" in result.out
    assert picture.read_text("utf-8").startswith("<svg")
    assert bitcloud("simulate", "--shards", "--nodes", "5").status == 1


def test_simulate_says_when_rows_do_not_get_everywhere(bitcloud: Any) -> None:
    result = bitcloud("simulate", "--nodes", "200", "--rows", "10", "--steps", "2")
    assert result.status == 1
    assert "not everywhere" in result.out
    assert bitcloud("simulate", "--nodes", "1").status == 1


def test_row_put(bitcloud: Any, opened: Any) -> None:
    result = bitcloud("row", "put", "chess.moves", "--key", "0001", '{"number": 1}')
    assert (result.status, result.out) == (0, "wrote chess.moves 0001, number 1\n")
    assert opened.client.calls[-1] == ("put_row", "chess.moves", "0001", '{"number": 1}')
    assert bitcloud("row", "put", "user", "null", "--json").document["table"] == "user"
    assert bitcloud("row").status == 2


def test_row_form(bitcloud: Any, opened: Any) -> None:
    assert {"user", "trust", "bid"} <= set(bitcloud("row", "form").out.split())
    result = bitcloud("row", "form", "trust")
    assert "--key  publisher" in result.out
    document = bitcloud("row", "form", "user", "--json").document
    assert document["fields"] == [{"name": "nickname", "about": "text, 64"}]
    assert json.loads(document["blank"]) == {"nickname": ""}
    wrong = bitcloud("row", "form", "usr")
    assert (wrong.status, wrong.err.count("\n")) == (1, 1)
    assert opened.options == []


def test_apps(bitcloud: Any, opened: Any, tmp_path: Path) -> None:
    definition = tmp_path / "chess.json"
    definition.write_text('{"name": "chess"}')
    assert bitcloud("app", "list").out == "no applications\n"
    assert bitcloud("app", "install", definition).out.startswith("installed chess abababab")
    assert opened.client.calls[-1] == ("install_app", '{"name": "chess"}')
    assert "app_ab_moves" in bitcloud("app", "list").out
    assert bitcloud("app", "list", "--json").document[0]["name"] == "chess"
    assert bitcloud("app", "remove", "chess").status == 0
    result = bitcloud("app", "install", tmp_path / "nothing.json")
    assert (result.status, result.err.count("\n")) == (1, 1)


def test_status_tells_how_well_the_database_is_in_step(bitcloud: Any, opened: Any) -> None:
    assert "not compared with anybody yet" in bitcloud("status").out
    opened.client.sync = SyncHealth(
        partners=16, in_step=15, oldest_s=240, last_s=1, waiting=2, period_bytes=48_000
    )
    lines = dict(line.split(None, 1) for line in bitcloud("status").out.splitlines())
    assert lines["database"] == "12 rows, 15 of 16 partners in step"
    differences = "oldest 4 min 0 s, 2 rows wait for others, 48 KB exchanged in these ten minutes"
    assert lines["differences"] == differences
    assert lines["clock"] == "as the partners'"
    assert bitcloud("status", "--json").document["sync"]["in_step"] == 15
    opened.client.sync = SyncHealth(partners=1, in_step=1, last_s=1, owners_lacking=3)
    assert "rows of 3 owners are missing" in bitcloud("status").out


@pytest.mark.parametrize(
    ("behind", "words"),
    [
        (4, "4 s behind the partners'"),
        (5, "5 s behind the partners': set it right"),
        (-7, "7 s ahead of the partners': set it right"),
    ],
)
def test_status_warns_of_a_wrong_clock(bitcloud: Any, opened: Any, behind: int, words: str) -> None:
    opened.client.sync = SyncHealth(partners=1, in_step=1, last_s=1, clock_behind_s=behind)
    lines = dict(line.split(None, 1) for line in bitcloud("status").out.splitlines())
    assert lines["clock"] == words
    assert lines["differences"].startswith("oldest none, 0 bytes exchanged")
