"""Greetings: bounded, and open to later versions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire.frames import pack_frame
from bitcloud_net.wire.hello import Greeting, GreetingReader, pack

PLAIN = Greeting(
    network_id=b"n" * 32,
    agent="bitcloud/0.1",
    addresses=("/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWMbbPVGsZYh3ChQjue712NHHGNybRRXwnuSpezYjGbCDS",),
    roles=("storage", "gateway"),
)
VALUES: list[encoding.Value] = [1, b"n" * 32, "agent", ["/address"], ["role"]]

texts = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=32)


@given(
    st.builds(
        Greeting,
        network_id=st.binary(min_size=32, max_size=32),
        version=st.integers(1, 2**31),
        agent=texts,
        addresses=st.lists(texts, max_size=16).map(tuple),
        roles=st.lists(texts, max_size=16).map(tuple),
    )
)
def test_there_and_back_byte_by_byte(greeting: Greeting) -> None:
    reader = GreetingReader()
    wire = pack(greeting)
    assert [reader.feed(wire[i : i + 1]) for i in range(len(wire) - 1)] == [None] * (len(wire) - 1)
    assert reader.feed(wire[-1:]) == greeting


def test_the_longest_greeting_passes() -> None:
    longest = replace(
        PLAIN, agent="a" * 64, addresses=("x" * 256,) * 16, roles=("storage" * 4,) * 16
    )
    assert GreetingReader().feed(pack(longest)) == longest


def test_values_of_a_later_version_are_passed_over() -> None:
    head = encoding.encode([*VALUES, {"of": "a later version"}, 7])
    greeting = GreetingReader().feed(pack_frame(0, 1, head))
    assert greeting is not None
    assert greeting.agent == "agent"


def changed(index: int, value: encoding.Value) -> bytes:
    values = list(VALUES)
    values[index] = value
    return pack_frame(0, 1, encoding.encode(values))


@pytest.mark.parametrize(
    "wire",
    [
        pack_frame(0, 1, encoding.encode(VALUES[:4])),
        pack_frame(0, 1, encoding.encode({"version": 1})),
        pack_frame(0, 1, b"\x9f\xff"),
        pack_frame(0, 2, encoding.encode(VALUES)),
        pack_frame(1, 1, encoding.encode(VALUES)),
        pack_frame(0, 1, encoding.encode(VALUES), 1) + b"x",
        pack_frame(0, 1, encoding.encode(VALUES)) * 2,
        pack_frame(0, 1, encoding.encode([*VALUES, b"x" * 9000])),
        changed(0, 0),
        changed(0, True),
        changed(0, "1"),
        changed(1, b"n" * 31),
        changed(1, "n" * 32),
        changed(2, "a" * 65),
        changed(2, "two\nlines"),
        changed(2, "turned \u202e round"),
        changed(3, "/address"),
        changed(3, ["/a"] * 17),
        changed(3, ["/" + "a" * 256]),
        changed(4, [1]),
        changed(4, ["role"] * 17),
    ],
)
def test_anything_else_is_malformed(wire: bytes) -> None:
    with pytest.raises(Malformed):
        GreetingReader().feed(wire)


def test_we_send_nothing_that_a_peer_would_refuse() -> None:
    with pytest.raises(Malformed):
        pack(replace(PLAIN, network_id=b"short"))
    with pytest.raises(Malformed):
        pack(replace(PLAIN, addresses=("x",) * 17))


@given(st.binary(max_size=200))
def test_random_bytes_give_nothing_or_malformed(data: bytes) -> None:
    try:
        assert GreetingReader().feed(data) is None
    except Malformed:
        return
