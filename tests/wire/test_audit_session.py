"""The audit protocol's messages: what is packed comes back, everything else is malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.trust.audit import LACKS, MAX_PATH, Question
from bitcloud_net.core.units import KIB, LEAF_BYTES
from bitcloud_net.wire import audit_session as wire
from bitcloud_net.wire.frames import pack_frame

HASHES = st.binary(min_size=32, max_size=32)
PATHS = st.lists(HASHES, max_size=MAX_PATH).map(tuple)
PERIODS = st.integers(0, 2**40)
QUESTIONS = st.builds(
    Question,
    cid=HASHES,
    share_no=st.integers(0, 127),
    segment_no=st.integers(0, 2**24 - 1),
    leaf_no=st.integers(0, 127),
)
REQUESTS = st.one_of(
    st.just(wire.Ping()),
    st.builds(wire.Challenge, challenge=HASHES, period=PERIODS),
    st.builds(wire.Which, cids=st.lists(HASHES, max_size=wire.MAX_WHICH).map(tuple)),
    st.builds(wire.ShowLeaf, challenge=HASHES, period=PERIODS, question=QUESTIONS),
)
SIGNATURES = st.binary(min_size=64, max_size=64)
REPLIES = st.one_of(
    st.just(wire.Pong()),
    st.builds(
        wire.Answer,
        clock_s=st.integers(0, 2**50),
        leaf_path=PATHS,
        block_path=PATHS,
        signature=SIGNATURES,
        leaf=st.binary(max_size=300),
    ),
    st.builds(
        wire.Answer,
        clock_s=st.integers(0, 2**50),
        lack=st.sampled_from(LACKS),
        signature=SIGNATURES,
    ),
    st.builds(
        wire.Holds,
        shares=st.lists(
            st.lists(st.integers(0, 127), max_size=4).map(tuple), max_size=wire.MAX_WHICH
        ).map(tuple),
    ),
    st.builds(wire.RefusedIs, error_code=st.just("busy"), text=st.just("come again")),
)


@given(REQUESTS)
def test_a_question_comes_back(request: wire.Request) -> None:
    assert wire.parse_request(*wire.pack(request)) == request


@given(REPLIES)
def test_an_answer_comes_back(reply: wire.Reply) -> None:
    assert wire.parse_reply(*wire.pack(reply)) == reply


@given(st.integers(0, 255), st.binary(max_size=200), st.binary(max_size=20))
def test_random_bytes_are_malformed_and_nothing_else(
    kind: int, head: bytes, payload: bytes
) -> None:
    for parse in (wire.parse_request, wire.parse_reply):
        try:
            parse(kind, head, payload)
        except Malformed:
            continue


CHALLENGE = bytes(32)
PLACE = [bytes(32), 1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "head", "payload"),
    [
        (0, [], b""),
        (4, [], b""),
        (4, [[bytes(32)] * 9], b""),
        (4, [[bytes(31)]], b""),
        (5, [], b""),
        (1, [1], b""),
        (1, [], b"x"),
        (2, [CHALLENGE], b""),
        (2, [CHALLENGE[1:], 5], b""),
        (2, [CHALLENGE, -1], b""),
        (2, [CHALLENGE, True], b""),
        (3, [CHALLENGE, 5, *PLACE[:3]], b""),
        (3, [CHALLENGE, 5, *PLACE, 1], b""),
        (3, [CHALLENGE, 5, bytes(31), 1, 2, 3], b""),
        (3, [CHALLENGE, 5, bytes(32), 128, 2, 3], b""),
        (3, [CHALLENGE, 5, bytes(32), 1, 2**24, 3], b""),
        (3, [CHALLENGE, 5, bytes(32), 1, 2, 128], b""),
    ],
)
def test_wrong_questions(kind: int, head: list[encoding.Value], payload: bytes) -> None:
    with pytest.raises(Malformed):
        wire.parse_request(kind, encoding.encode(head), payload)


SIGNATURE = bytes(64)


@pytest.mark.parametrize(
    ("kind", "head", "payload"),
    [
        (65, [1], b""),
        (65, [], b"x"),
        (66, [5, "", [], []], b""),
        (66, [5, "lazy", [], [], SIGNATURE], b""),
        (66, [5, "not-held", [], [], SIGNATURE], b"x"),
        (66, [5, "", [bytes(31)], [], SIGNATURE], b""),
        (66, [5, "", [bytes(32)] * (MAX_PATH + 1), [], SIGNATURE], b""),
        (66, [5, "", [], [], SIGNATURE[1:]], b""),
        (66, [5, "", [], [], SIGNATURE], bytes(LEAF_BYTES + 1)),
        (66, [-1, "", [], [], SIGNATURE], b""),
        (67, [[[128]]], b""),
        (67, [[[1, 2, 3, 4, 5]]], b""),
        (67, [[[]] * 9], b""),
        (127, ["Busy!", ""], b""),
        (127, ["busy", "x" * 257], b""),
        (1, [], b""),
    ],
)
def test_wrong_answers(kind: int, head: list[encoding.Value], payload: bytes) -> None:
    with pytest.raises(Malformed):
        wire.parse_reply(kind, encoding.encode(head), payload)


def test_the_largest_frames_fit_their_limits() -> None:
    question = Question(cid=bytes(32), share_no=127, segment_no=2**24 - 1, leaf_no=127)
    kind, head, _ = wire.pack(wire.ShowLeaf(challenge=bytes(32), period=2**40, question=question))
    assert len(pack_frame(2**32 - 1, kind, head)) <= wire.MAX_QUESTION_BYTES
    kind, head, _ = wire.pack(wire.Which(cids=(bytes(32),) * wire.MAX_WHICH))
    assert len(pack_frame(2**32 - 1, kind, head)) == 285
    path = (bytes(32),) * MAX_PATH
    answer = wire.Answer(
        clock_s=2**50,
        leaf_path=path,
        block_path=path,
        signature=SIGNATURE,
        leaf=bytes(LEAF_BYTES),
    )
    kind, head, leaf = wire.pack(answer)
    whole = len(pack_frame(2**32 - 1, kind, head, len(leaf))) + len(leaf)
    assert whole <= wire.MAX_ANSWER_BYTES == 20 * KIB
