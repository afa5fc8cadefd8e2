"""A reader written from the specification alone reads what we store, and refuses what we refuse."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import build_inline, content_id
from bitcloud_net.core.files.sealing import FileKeys
from tests import independent_reader as reader
from tests.core.shares import SECRET, Stored, store

CONTENT = random.Random(7).randbytes(100_000)


@pytest.fixture(scope="module")
def stored() -> Stored:
    return store(CONTENT, CodeParams(3, 10), media_type="text/plain")


def test_program_reads_a_file_from_directories_of_shares(stored: Stored, tmp_path: Path) -> None:
    for number in (9, 0, 5):
        directory = tmp_path / f"node-{number}"
        directory.mkdir()
        (directory / f"{number}.share").write_bytes(stored.shares[number])
    (tmp_path / "node-0" / "rubbish.share").write_bytes(b"BCSH" + bytes(300))
    done = _run(stored.cap.text, tmp_path)
    assert done.returncode == 0
    assert done.stdout == CONTENT
    assert b"rubbish.share: not a share" in done.stderr


def test_program_says_when_two_shares_are_too_few(stored: Stored, tmp_path: Path) -> None:
    for number in (1, 8):
        (tmp_path / f"{number}.share").write_bytes(stored.shares[number])
    done = _run(stored.cap.text, tmp_path)
    assert done.returncode == 1
    assert b"too few blocks" in done.stderr


def test_every_three_of_ten(stored: Stored) -> None:
    shares = [reader.parse_share(data) for data in stored.shares]
    for chosen in combinations(shares, 3):
        assert reader.read_file(stored.cap.text, list(chosen)) == CONTENT


def test_several_segments_and_a_damaged_block() -> None:
    content = random.Random(8).randbytes(1_500_000)
    stored = store(content, CodeParams(2, 4))
    damaged = bytearray(stored.shares[0])
    damaged[1000] ^= 1
    files = [bytes(damaged), stored.shares[2], stored.shares[3]]
    shares = [reader.parse_share(data) for data in files]
    assert reader.read_file(stored.cap.text, shares) == content


def test_shares_of_another_file_are_left_out(stored: Stored) -> None:
    other = store(CONTENT[::-1], CodeParams(3, 10), secret=bytes(32))
    shares = [reader.parse_share(data) for data in (*other.shares, *stored.shares[4:7])]
    assert reader.read_file(stored.cap.text, shares) == CONTENT
    with pytest.raises(reader.Bad, match="no share of this file"):
        reader.read_file(stored.cap.text, [reader.parse_share(data) for data in other.shares])


def test_verify_cap_cannot_read(stored: Stored) -> None:
    shares = [reader.parse_share(data) for data in stored.shares]
    with pytest.raises(reader.Bad, match="verify cap"):
        reader.read_file(stored.cap.diminish().text, shares)


@pytest.mark.parametrize("size", [0, 1, 513, 4096])
def test_inline_file(size: int) -> None:
    manifest = build_inline(FileKeys.from_secret(SECRET), CONTENT[:size])
    data = manifest.encode()
    assert reader.H("manifest", data) == content_id(data)
    assert reader.read_inline(reader.parse_manifest(data), reader.Keys(SECRET)) == CONTENT[:size]


def test_it_stands_alone_and_is_short() -> None:
    text = Path(reader.__file__).read_text(encoding="utf-8")
    assert "import bitcloud_net" not in text
    assert "from bitcloud_net" not in text
    assert len(text.splitlines()) <= 300


def _run(cap: str, directory: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, reader.__file__, cap, str(directory)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)
