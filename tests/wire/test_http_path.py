"""Paths are decoded once into plain names (T-path)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import BadInput
from bitcloud_net.wire.http_message import HttpRefusal
from bitcloud_net.wire.http_path import MAX_DEPTH, decode_path, encode_name


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("/", ()),
        ("/a", ("a",)),
        ("/a/", ("a",)),
        ("/a/b.mp4", ("a", "b.mp4")),
        ("/a?b/../c", ("a",)),
        ("/?", ()),
        ("/%252e%252e", ("%2e%2e",)),
        ("/%C3%A4%20b", ("ä b",)),
        ("/...", ("...",)),
        ("/a%3Fb%23c", ("a?b#c",)),
        ("/" + "/".join("x" * MAX_DEPTH), ("x",) * MAX_DEPTH),
    ],
)
def test_paths_become_names(target: str, names: tuple[str, ...]) -> None:
    assert decode_path(target) == names


@pytest.mark.parametrize(
    "target",
    [
        *["", "a", "*", "http://localhost/a", "//", "//a", "/a//b", "/a//", "///"],
        *["/.", "/..", "/a/../b", "/a/./b", "/%2e%2e/b", "/%2E/b", "/.%2e/etc/passwd", "/a/.."],
        *["/a%2Fb", "/a%2fb", "/a%5Cb", "/a\\b", "/..%5c..%5c", "/a%00b", "/%0d%0aSet-Cookie:x"],
        *["/a%0Ab", "/a%7Fb", "/a%C2%85b", "/a%", "/a%2", "/a%zz", "/%u002e", "/a#b"],
        *["/%C0%AF", "/%C0%AE%C0%AE", "/%E0%80%AF", "/%F0%80%80%AF", "/%FF", "/%ED%A0%80"],
        "/" + "/".join("x" * (MAX_DEPTH + 1)),
    ],
)
def test_tricks_are_bad_requests(target: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        decode_path(target)
    assert refused.value.status == 400


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_names_come_back_as_they_were(names: list[str]) -> None:
    try:
        target = "/" + "/".join(encode_name(name) for name in names)
    except BadInput:
        return
    assert target.isascii()
    assert decode_path(target) == tuple(names)


@given(st.text())
def test_no_target_yields_a_dangerous_name(target: str) -> None:
    try:
        names = decode_path(f"/{target}")
    except HttpRefusal:
        return
    for name in names:
        assert name not in {"", ".", ".."}
        assert not set(name) & set("/\\\0\r\n")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0", "a\n", "\x85", "\ud800"])
def test_such_names_have_no_address(name: str) -> None:
    with pytest.raises(BadInput):
        encode_name(name)
