"""Every verb on a fake node: what is asked of the node, what is answered, and how it exits."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bitcloud_net.api import (
    BadInput,
    Entry,
    EntryKind,
    Health,
    HealthState,
    LocalFault,
    Unavailable,
)
from bitcloud_net.cli.files import _row as row_of
from bitcloud_net.testing.fake_client import CAP, HEALTH

VIDEO = "Public/Mary/Dawn.webm"


@pytest.fixture(autouse=True)
def _a_file(opened: Any) -> None:
    opened.client.files[VIDEO] = bytes(range(256)) * 20


@pytest.mark.parametrize("json_first", [True, False])
def test_publish(bitcloud: Any, opened: Any, tmp_path: Path, json_first: bool) -> None:
    source = tmp_path / "a b.txt"
    source.write_bytes(b"hello")
    words = ["publish", source, "--to", "Public/Mary/New"]
    result = bitcloud("--json", *words) if json_first else bitcloud(*words, "--json")
    assert result.status == 0
    (published,) = result.document
    assert published["path"] == "Public/Mary/New/a b.txt"
    assert published["health"]["may_fail"] == 7
    assert opened.client.calls[-1] == ("publish", (source,), "Public/Mary/New", True)


def test_publish_in_text_counts_files(bitcloud: Any, tmp_path: Path) -> None:
    sources = [tmp_path / f"{i}.txt" for i in range(25)]
    for source in sources:
        source.write_bytes(b"x" * 1000)
    result = bitcloud("publish", *sources)
    assert "… and 5 more" in result.out
    assert result.out.endswith("published 25 files, 25 KB\n")


def test_publish_of_a_missing_file_opens_no_node(bitcloud: Any, opened: Any) -> None:
    result = bitcloud("publish", "nowhere.txt")
    assert result.status == 1
    assert result.err == "bitcloud: there is no file or folder nowhere.txt\n"
    assert opened.options == []


def test_ls(bitcloud: Any, opened: Any) -> None:
    opened.client.files["Public/Mary/\x1b[2Jevil"] = b""
    assert [entry["name"] for entry in bitcloud("ls", "--json").document] == ["Public"]
    result = bitcloud("ls", "Public/Mary")
    assert "5.12 KB" in result.out
    assert "Dawn.webm" in result.out
    assert "\x1b" not in result.out


def test_ls_warns_of_people_who_contradict_themselves() -> None:
    person = Entry(kind=EntryKind.PERSON, path="Public/Mary", name="Mary", fingerprint="abcd")
    assert row_of(person)[-1] == "Mary/"
    assert "conflicting" in row_of(dataclasses.replace(person, conflicting=True))[-1]


def test_fetch_into_a_folder_and_to_a_name(bitcloud: Any, opened: Any, tmp_path: Path) -> None:
    result = bitcloud("fetch", VIDEO, "-o", tmp_path, "--json")
    assert result.document == {"saved": str(tmp_path / "Dawn.webm")}
    assert (tmp_path / "Dawn.webm").read_bytes() == opened.client.files[VIDEO]
    assert bitcloud("fetch", VIDEO, "-o", tmp_path / "other").status == 0
    assert (tmp_path / "other").exists()


def test_fetch_keeps_a_file_that_is_there(bitcloud: Any, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(b"mine")
    result = bitcloud("fetch", VIDEO, "-o", there, "--json")
    assert result.status == 1
    assert result.document["error"]["code"] == "file-exists"
    assert there.read_bytes() == b"mine"
    assert bitcloud("fetch", VIDEO, "-o", there, "--force").status == 0


def test_fetch_a_range(bitcloud: Any, opened: Any, tmp_path: Path) -> None:
    part = tmp_path / "part"
    assert bitcloud("fetch", VIDEO, "--range", "1000-2999", "-o", part).status == 0
    assert part.read_bytes() == opened.client.files[VIDEO][1000:3000]
    assert [path.name for path in tmp_path.iterdir()] == ["part"]
    assert bitcloud("fetch", VIDEO, "--range", "5-").status == 1
    assert bitcloud("fetch", VIDEO, "--range", "5-", "-o", tmp_path).status == 1


def test_fetch_to_stdout(capfdbinary: pytest.CaptureFixture[bytes], opened: Any) -> None:
    from bitcloud_net.cli import main

    assert main(["fetch", VIDEO, "-o", "-"]) == 0
    assert capfdbinary.readouterr().out == opened.client.files[VIDEO]


def test_share_url_and_repair(bitcloud: Any, opened: Any) -> None:
    assert bitcloud("share", VIDEO).out == f"{CAP}\n"
    assert bitcloud("repair", VIDEO, "--json").document["health"]["alive"] == 10
    assert opened.client.calls[-1] == ("repair", VIDEO)


def test_check(bitcloud: Any, opened: Any) -> None:
    result = bitcloud("check", VIDEO, "--verify")
    assert result.status == 0
    assert "10 of 10 shares answer, 3 needed, 7 more may fail" in result.out
    assert opened.client.calls[-1] == ("check", VIDEO, True)


def test_check_of_an_unreadable_file_fails_with_the_reason(
    bitcloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: Health = dataclasses.replace(HEALTH, state=HealthState.UNREADABLE, alive=1)
    monkeypatch.setattr("bitcloud_net.testing.fake_client.HEALTH", lost)
    result = bitcloud("check", VIDEO, "--json")
    assert result.status == 1
    assert result.document["health"]["alive"] == 1
    assert "2 more of its nodes" in result.err


def test_status(bitcloud: Any) -> None:
    assert bitcloud("status", "--json").document["promise"]["needed"] == 3
    assert "3 of 10 shares are enough" in bitcloud("status").out


def test_contribute(bitcloud: Any, opened: Any, tmp_path: Path) -> None:
    result = bitcloud("contribute", "10GiB", "--store", tmp_path)
    assert result.status == 0
    assert opened.client.calls[-1] == ("contribute", tmp_path, 10 * 2**30)
    assert bitcloud("contribute", "--off", "--json").document["on"] is False
    assert bitcloud("contribute").status == 1
    assert bitcloud("contribute", "lots").status == 2


def test_transfers(bitcloud: Any, opened: Any) -> None:
    assert bitcloud("transfers", "--json").document[0]["id"] == "t1"
    assert "25%" in bitcloud("transfers").out
    assert bitcloud("transfers", "cancel", "t").status == 0
    assert ("cancel", "t1") in opened.client.calls
    assert bitcloud("transfers", "pause", "zzz").status == 1
    assert bitcloud("transfers", "pause").status == 1


def test_testgrid_verbs_say_when_none_runs(bitcloud: Any) -> None:
    for words in (["stop-nodes", 7], ["start-nodes"], ["status"]):
        result = bitcloud("testgrid", *words, "--json")
        assert result.status == 1
        assert result.document["error"]["code"] == "no-test-grid"


@pytest.mark.parametrize(
    "error",
    [
        BadInput("this cap is damaged; copy it again", code="damaged-cap"),
        LocalFault("the disk is full; free some space", code="disk-full"),
        Unavailable("2 of 3 needed shares answer; try again later", code="too-few-shares"),
    ],
)
def test_a_failure_is_one_line_and_a_document(bitcloud: Any, opened: Any, error: Any) -> None:
    opened.client.fail_with = error
    result = bitcloud("fetch", "bitcloud:1:fr:x", "--json")
    assert result.status == 1
    assert result.err == f"bitcloud: {error.message}\n"
    assert result.document == {"error": {"code": error.code, "message": error.message}}


@pytest.mark.parametrize(
    "words",
    [[], ["nonsense"], ["fetch"], ["publish"], ["ls", "--jso"], ["fetch", "x", "--range", "9-1"]],
)
def test_bad_usage_exits_2_with_one_line(bitcloud: Any, words: list[str]) -> None:
    result = bitcloud(*words)
    assert result.status == 2
    assert result.out == ""
    assert len(result.err.splitlines()) == 1
    assert "--help" in result.err


def test_a_bug_is_not_hidden(bitcloud: Any, opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(opened.client, "status", broken)
    with pytest.raises(ZeroDivisionError):
        bitcloud("status")


def test_ctrl_c_says_how_to_go_on(
    bitcloud: Any, opened: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(opened.client, "publish", interrupted)
    result = bitcloud("publish", tmp_path)
    assert result.status == 130
    assert "run the same command again" in result.err


def test_a_test_grid_of_the_same_home_is_joined(bitcloud: Any, opened: Any, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "testgrid"
    folder.mkdir(parents=True)
    (folder / "testgrid.json").write_text(
        '{"version": 1, "network": "test-1", "nodes": '
        '[{"index": 0, "port": 1, "node": "n", "address": "/ip4/127.0.0.1/tcp/1/p2p/n"}]}'
    )
    assert bitcloud("status").status == 0
    assert opened.options[-1]["bootstrap"] == ("/ip4/127.0.0.1/tcp/1/p2p/n",)
    assert opened.options[-1]["network"] == "test-1"


def test_the_passphrase_comes_from_a_file_or_the_environment(
    bitcloud: Any, opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.asks_passphrase = True
    assert bitcloud("status", "--json").document["error"]["code"] == "passphrase-needed"
    file = tmp_path / "secret"
    file.write_text("open sesame\n")
    assert bitcloud("status", "--passphrase-file", file).status == 0
    monkeypatch.setenv("BITCLOUD_PASSPHRASE", "from the environment")
    assert bitcloud("status").status == 0
    assert opened.passphrases == ["open sesame", "from the environment"]
    assert bitcloud("status", "--passphrase-file", tmp_path / "none").status == 1


def test_a_verb_is_done_again_when_the_node_was_another_commands(
    bitcloud: Any, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    share, attempts = opened.client.share, []

    async def gone_at_first(path: str) -> str:
        attempts.append(path)
        if len(attempts) < 3:
            raise Unavailable("the running node stopped; try again", code="node-gone")
        return str(await share(path))

    monkeypatch.setattr(opened.client, "share", gone_at_first)
    result = bitcloud("share", VIDEO)
    assert (result.status, result.out, result.err) == (0, f"{CAP}\n", "")
    assert len(attempts) == 3
