"""Multiaddrs as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.net.address import expand_wildcard, full_address, is_private, split_address

NODE = SigningKey(b"n" * 32).node_id


@pytest.mark.parametrize(
    "transport",
    [
        "/ip4/203.0.113.5/tcp/4001",
        "/ip6/2001:db8::1/tcp/1",
        "/dns4/node.example.org/tcp/65535",
        "/dns/a.b/tcp/4001",
    ],
)
def test_there_and_back(transport: str) -> None:
    assert split_address(full_address(transport, NODE)) == (transport, NODE)


@pytest.mark.parametrize(
    "transport",
    [
        "",
        "/",
        "/ip4/203.0.113.5",
        "/ip4/203.0.113.5/udp/4001/quic-v1",
        "/ip4/203.0.113.5/tcp/4001/ws",
        "/ip4/203.0.113.256/tcp/4001",
        "/ip4/203.0.113.5/tcp/0",
        "/ip4/203.0.113.5/tcp/65536",
        "/ip4/203.0.113.5/tcp/x",
        "/dns4//tcp/4001",
        "/onion3/abc:80",
        "/dns4/" + "a" * 300 + "/tcp/4001",
        "ip4/203.0.113.5/tcp/4001",
    ],
)
def test_what_we_cannot_dial_is_bad_input(transport: str) -> None:
    with pytest.raises(BadInput) as caught:
        split_address(full_address(transport, NODE))
    assert caught.value.code == "bad-address"


@given(st.text(max_size=300))
def test_any_text_gives_an_address_or_bad_input(text: str) -> None:
    try:
        transport, node = split_address(text)
    except BadInput:
        return
    assert full_address(transport, node) == text


@pytest.mark.parametrize(
    ("transport", "private"),
    [
        ("/ip4/127.0.0.1/tcp/1", True),
        ("/ip4/10.1.2.3/tcp/1", True),
        ("/ip4/192.168.1.1/tcp/1", True),
        ("/ip4/169.254.1.1/tcp/1", True),
        ("/ip4/0.0.0.0/tcp/1", True),
        ("/ip6/::1/tcp/1", True),
        ("/ip6/fe80::1/tcp/1", True),
        ("/ip6/::ffff:10.0.0.1/tcp/1", True),
        ("/dns4/localhost/tcp/1", True),
        ("/dns4/printer.local/tcp/1", True),
        ("/ip4/8.8.8.8/tcp/1", False),
        ("/ip6/2606:4700::1111/tcp/1", False),
        ("/dns4/node.example.org/tcp/1", False),
    ],
)
def test_private_addresses_are_told_from_public_ones(transport: str, private: bool) -> None:
    assert is_private(transport) == private


def test_a_wildcard_stands_for_every_way_in() -> None:
    expanded = expand_wildcard("/ip4/0.0.0.0/tcp/4001")
    assert expanded[-1].startswith("/ip4/127.")  # of use on this machine only
    assert "/ip4/127.0.0.1/tcp/4001" in expanded
    assert not any("0.0.0.0" in address for address in expanded)
    assert expand_wildcard("/ip4/192.0.2.7/tcp/4001") == ["/ip4/192.0.2.7/tcp/4001"]
