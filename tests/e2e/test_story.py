"""The whole promise with real processes: publish, lose seven of ten nodes, and read every byte."""

from __future__ import annotations

import http.client
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from real_program import NODES, Program, first_line, running_grid, stop, stored_bytes

pytestmark = pytest.mark.e2e

MB = 1_000_000


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with running_grid(tmp_path_factory.mktemp("home")) as program:
        yield program


def write_random(path: Path, size: int, rng: random.Random) -> bytes:
    content = rng.randbytes(size)
    path.write_bytes(content)
    return content


def test_a_folder_survives_seven_of_ten_nodes(
    program: Program, tmp_path: Path, rng: random.Random
) -> None:
    source = tmp_path / "Summer"
    (source / "deep" / "er").mkdir(parents=True)
    write_random(source / "film.webm", 12 * MB + 7, rng)
    write_random(source / "deep" / "er" / "photo.jpg", 300_000, rng)
    (source / "deep" / "note.txt").write_text("short enough to live in the database\n")
    (source / "empty").write_bytes(b"")
    (source / "Ünï çødé 漢字.txt").write_text("name\n")

    published = program.run("publish", source)
    assert len(published) == 5
    film = next(one for one in published if one["path"].endswith("film.webm"))
    assert film["health"]["total"] == NODES
    assert film["health"]["needed"] == 3

    try:
        assert program.run("testgrid", "stop-nodes", 7)["running"] == 3
        program.run("fetch", "Public/Mary/Summer", "-o", tmp_path / "back")
        ranged = tmp_path / "range"
        program.run("fetch", film["path"], "--range", "5000000-5065535", "-o", ranged)
    finally:
        assert program.run("testgrid", "start-nodes")["running"] == NODES
    back = tmp_path / "back"
    back = back / "Summer" if (back / "Summer").is_dir() else back
    for path in source.rglob("*"):
        if path.is_file():
            assert (back / path.relative_to(source)).read_bytes() == path.read_bytes(), path
    assert ranged.read_bytes() == (source / "film.webm").read_bytes()[5_000_000:5_065_536]


def test_a_player_seeks_through_the_gateway(
    program: Program, tmp_path: Path, rng: random.Random
) -> None:
    content = write_random(tmp_path / "clip.webm", 3 * MB, rng)
    (published,) = program.run("publish", tmp_path / "clip.webm")
    gateway = program.start("gateway")
    try:
        first_line(gateway)
        url = urlsplit(program.run("url", published["path"])["url"])
        assert url.hostname
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        connection.request("GET", url.path, headers={"Range": "bytes=1500000-1565535"})
        answer = connection.getresponse()
        assert answer.status == 206
        assert answer.getheader("Content-Type") == "video/webm"
        assert answer.getheader("Content-Range") == f"bytes 1500000-1565535/{len(content)}"
        assert answer.read() == content[1_500_000:1_565_536]
        connection.close()
    finally:
        assert stop(gateway) == 0


def test_a_killed_publisher_goes_on_where_it_was(
    program: Program, tmp_path: Path, rng: random.Random
) -> None:
    content = write_random(tmp_path / "big.bin", 60 * MB, rng)
    before = stored_bytes(program.home)
    publisher = program.start("publish", tmp_path / "big.bin")
    deadline = time.monotonic() + 30
    while stored_bytes(program.home) < before + 20 * MB:
        assert publisher.poll() is None, "it was through before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)  # another process works; there is no event of it here
    publisher.send_signal(signal.SIGKILL)
    publisher.communicate()

    (published,) = program.run("publish", tmp_path / "big.bin")
    checked = program.run("check", published["path"], "--verify")
    assert checked["health"]["alive"] == NODES
    assert checked["health"]["verified"]
    program.run("fetch", published["path"], "-o", tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == content
    # Shares that were finished were not sent again: no second copy of the file lies on the nodes.
    assert stored_bytes(program.home) - before < len(content) / 3 * NODES * 1.25


def test_a_cap_is_all_that_a_reader_needs(
    program: Program, tmp_path: Path, rng: random.Random
) -> None:
    content = write_random(tmp_path / "letter.pdf", 100_000, rng)
    (published,) = program.run("publish", tmp_path / "letter.pdf")
    cap = program.run("share", published["path"])["cap"]
    program.run("fetch", cap, "-o", tmp_path / "read.pdf")
    assert (tmp_path / "read.pdf").read_bytes() == content
    damaged = cap[:-1] + ("a" if cap[-1] != "a" else "b")
    error = program.run("fetch", damaged, "-o", tmp_path / "no.pdf", status=1)["error"]
    assert "damaged" in error["message"]
    assert not (tmp_path / "no.pdf").exists()


def test_a_second_grid_of_the_same_home_is_refused(program: Program) -> None:
    error = program.run("testgrid", "--nodes", 2, status=1)["error"]
    assert error["code"] == "already-running"
