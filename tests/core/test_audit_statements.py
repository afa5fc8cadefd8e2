"""Statements of audits: what is built comes back, everything else is malformed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.audit import LACKS, MAX_PATH, Question, Shown, Statement
from bitcloud_net.core.trust.false_claims import BlockClaim, ClaimKind, refute

HASHES = st.binary(min_size=32, max_size=32)
PATHS = st.lists(HASHES, max_size=MAX_PATH).map(tuple)
QUESTIONS = st.builds(
    Question,
    cid=HASHES,
    share_no=st.integers(0, 127),
    segment_no=st.integers(0, 2**24 - 1),
    leaf_no=st.integers(0, 127),
)
CLAIMS = st.one_of(
    st.sampled_from(LACKS),
    st.builds(Shown, leaf_hash=HASHES, leaf_path=PATHS, block_path=PATHS),
)
ASKED = st.one_of(st.tuples(QUESTIONS, CLAIMS), st.just((None, None)))


@given(HASHES, HASHES, st.integers(0, 2**40), st.integers(0, 2**50), ASKED)
def test_a_statement_comes_back(
    auditor: bytes, challenge: bytes, period: int, clock_s: int, asked: Any
) -> None:
    question, claim = asked
    statement = Statement(
        auditor=NodeId(auditor),
        challenge=challenge,
        period=period,
        clock_s=clock_s,
        question=question,
        claim=claim,
    )
    assert Statement.parse(statement.encode()) == statement


HASH = bytes(32)
GOOD: list[Any] = [1, HASH, HASH, 5, 6, [HASH, 1, 2, 3], [HASH, [HASH], [HASH]]]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, 2),
        (0, "1"),
        (1, HASH[1:]),
        (1, 7),
        (2, HASH[1:]),
        (3, -1),
        (3, "5"),
        (4, -1),
        (5, None),
        (5, []),
        (5, [HASH[1:], 1, 2, 3]),
        (5, [HASH, 128, 2, 3]),
        (5, [HASH, -1, 2, 3]),
        (5, [HASH, 1, 2**24, 3]),
        (5, [HASH, 1, 2, 128]),
        (5, [HASH, 1, 2, 3, 4]),
        (6, None),
        (6, "lazy"),
        (6, []),
        (6, [HASH, [HASH]]),
        (6, [HASH[1:], [], []]),
        (6, [HASH, [b""], []]),
        (6, [HASH, [1], []]),
        (6, [HASH, [], [HASH] * (MAX_PATH + 1)]),
    ],
)
def test_other_statements_are_malformed(at: int, value: Any) -> None:
    Statement.parse(encoding.encode(GOOD))
    bad = [*GOOD[:at], value, *GOOD[at + 1 :]]
    with pytest.raises(Malformed):
        Statement.parse(encoding.encode(bad))


@pytest.mark.parametrize("value", [None, [], 5, GOOD[:6], [*GOOD, 1]])
def test_other_values_are_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        Statement.parse(encoding.encode(value))


BLOCK: list[Any] = [HASH, 1, 2, HASH, [HASH], 5]


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, 1), (1, 128), (1, -1), (2, 2**24), (3, None), (4, [HASH] * 25), (4, [b"x"]), (5, -1)],
)
def test_other_block_claims_are_malformed(at: int, value: Any) -> None:
    BlockClaim.parse(encoding.encode(BLOCK))
    with pytest.raises(Malformed):
        BlockClaim.parse(encoding.encode([*BLOCK[:at], value, *BLOCK[at + 1 :]]))


@given(st.sampled_from(list(ClaimKind)), st.binary(max_size=300), st.binary(max_size=300))
def test_random_bytes_convict_nobody(kind: ClaimKind, manifest: bytes, claim: bytes) -> None:
    with pytest.raises(Malformed):
        refute(kind, manifest, claim)
