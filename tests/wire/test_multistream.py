from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed, Refused
from bitcloud_net.wire.multistream import Agreement, opening


def test_the_opening_is_two_lines():
    assert opening("/noise") == b"\x13/multistream/1.0.0\n\x07/noise\n"


@given(st.integers(1, 40), st.binary(max_size=20))
def test_agreement_is_reached_at_every_cut_and_the_rest_is_left(cut, rest):
    agreement = Agreement("/yamux/1.0.0")
    wire, left = opening("/yamux/1.0.0") + rest, b""
    for at in range(0, len(wire), cut):
        assert left == b"" or agreement.reached
        left += agreement.receive(wire[at : at + cut])
    assert agreement.reached
    assert left == rest


@pytest.mark.parametrize("answer", [b"\x13/multistream/1.0.0\n\x03na\n", b"HTTP/1.1 400", b"\x00"])
def test_any_other_answer_is_a_refusal(answer):
    with pytest.raises(Refused) as caught:
        Agreement("/noise").receive(answer)
    assert caught.value.code == "protocol-unknown"


@pytest.mark.parametrize("name", ["/" + "x" * 200, "/ünknown"])
def test_names_that_cannot_be_asked_for(name):
    with pytest.raises(Malformed):
        opening(name)
