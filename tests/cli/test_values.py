import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.api import Health, HealthState
from bitcloud_net.cli import text, values


@pytest.mark.parametrize(
    ("given_text", "count"),
    [
        ("0", 0),
        ("4096", 4096),
        ("10GB", 10**10),
        ("10 GB", 10**10),
        ("10GiB", 10 * 2**30),
        ("1.5MiB", 3 * 2**19),
        ("500kB", 500_000),
        ("1TB", 10**12),
        ("7B", 7),
    ],
)
def test_sizes(given_text: str, count: int) -> None:
    assert values.size(given_text) == count


@pytest.mark.parametrize(
    "given_text",
    [
        "",
        "GB",
        "-1GB",
        "1e9",
        "10gb",
        "10G",
        "1.5.5MB",
        "1,5GB",
        "10GBx",
        "٣GB",
        "10kiB",
        "0x10",
        "nan",
    ],
)
def test_what_is_no_size_is_refused(given_text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        values.size(given_text)


def test_ranges_include_both_ends() -> None:
    assert values.byte_range("0-0").length == 1
    assert values.byte_range("10-19") == (10, 19)
    assert values.byte_range("10-").length is None


@pytest.mark.parametrize("given_text", ["", "-", "5", "9-1", "-5", "a-b", "1-2-3", "1 - 2"])
def test_what_is_no_range_is_refused(given_text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        values.byte_range(given_text)


@pytest.mark.parametrize("given_text", ["-1", "1.0", "many", "", "65536"])
def test_what_is_no_port_is_refused(given_text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        values.port(given_text)


def test_foreign_names_cannot_move_the_cursor_or_turn_round() -> None:
    shown = text.plain("gnp.\u202eexe\x1b[2J\nDöner 漢字")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\n" not in shown
    assert shown.endswith("Döner 漢字")


@given(st.text())
def test_whatever_a_name_is_it_stays_on_its_line(name: str) -> None:
    assert len(text.plain(name).splitlines()) <= 1


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "-"),
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (1_234_567, "1.23 MB"),
        (999_999_999, "1 GB"),
        (123_456_789, "123 MB"),
        (10**16, "10000 TB"),
    ],
)
def test_sizes_as_shown(count: int | None, shown: str) -> None:
    assert text.size(count) == shown


def test_health_says_how_many_more_may_fail() -> None:
    state = Health(state=HealthState.WEAKENED, alive=5, total=10, needed=3, checked_s=1)
    assert text.health(state) == "weakened: 5 of 10 shares answer, 3 needed, 2 more may fail"


def test_tables_align_and_end_without_spaces() -> None:
    assert text.table([("a", "1"), ("bbb", "22")], right=[1]) == ["a     1", "bbb  22"]
    assert text.table([("a", ""), ("bbb", "x")]) == ["a", "bbb  x"]
    assert text.table([]) == []
