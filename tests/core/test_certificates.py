"""Certificates: what one says, what follows from many, and what ends it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed, Refused
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.bodies.certificates import REVOKED, CertificateBody, CertificateKind
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.tables import Table
from bitcloud_net.core.trust.certificates import (
    MAX_CHAIN,
    Certificate,
    certificate_of,
    chain,
    in_force,
)
from bitcloud_net.core.trust.certificates import key_of as suffix_of
from bitcloud_net.core.trust.verdicts import FaultReason

NODE, USER, TRUST, MERGE, DELEGATE = CertificateKind
NOW = 1_000
ISSUER, SUBJECT = SigningKey(b"i" * 32), SigningKey(b"s" * 32)
BOTH = (NODE, MERGE, DELEGATE)


def name(letter: str) -> bytes:
    return letter.encode() * 32


def word(
    kind: CertificateKind,
    issuer: str,
    subject: str,
    *,
    since: int = 900,
    until: int = 2_000,
    reason: FaultReason | None = None,
) -> Certificate:
    return Certificate(
        kind=kind,
        issuer=name(issuer),
        subject=name(subject),
        since=since,
        until=until,
        reason=reason,
    )


def way(
    words: Sequence[Certificate],
    kind: CertificateKind,
    ends: str,
    *,
    period: int = NOW,
    avoid: str = "",
) -> str:
    """Return the letters on the chain from the first to the second of ``ends``."""
    found = chain(
        words,
        kind,
        issuer=name(ends[0]),
        subject=name(ends[1]),
        period=period,
        avoid=[name(letter) for letter in avoid],
    )
    return "".join(chr(item.subject[0]) for item in found)


def is_refused(words: Sequence[Certificate], kind: CertificateKind, ends: str, **more: str) -> bool:
    with pytest.raises(Refused) as caught:
        way(words, kind, ends, **more)  # type: ignore[arg-type]
    return caught.value.code == "not-certified"


# What follows


def test_all_five_kinds() -> None:
    words = [
        word(NODE, "g", "n"),
        word(MERGE, "h", "g"),
        word(USER, "p", "u"),
        word(TRUST, "q", "p"),
        word(TRUST, "r", "q"),
        word(DELEGATE, "d", "r"),
    ]
    assert way(words, NODE, "gn") == "n"
    assert way(words, NODE, "hn") == "gn", "what merged with it brings its nodes along"
    assert way(words, USER, "pu") == "u"
    assert way(words, USER, "ru") == "qpu", "who is trusted by whom it trusts"
    assert way(words, TRUST, "rp") == "qp"
    assert way(words, MERGE, "hg") == "g"
    assert way(words, DELEGATE, "dr") == "r"


@pytest.mark.parametrize(
    ("kind", "ends"),
    [(USER, "gn"), (NODE, "ng"), (NODE, "gg"), (MERGE, "gh"), (USER, "hn"), (TRUST, "gn")],
)
def test_words_say_no_more_than_they_say(kind: CertificateKind, ends: str) -> None:
    assert is_refused([word(NODE, "g", "n"), word(MERGE, "h", "g")], kind, ends)


def test_trust_does_not_merge_and_merging_is_not_trust() -> None:
    words = [
        word(TRUST, "a", "b"),
        word(NODE, "b", "n"),
        word(MERGE, "a", "b"),
        word(USER, "b", "u"),
    ]
    assert way(words, NODE, "an") == "bn"
    assert way(words, USER, "au") == "bu"
    assert is_refused(words[:2], NODE, "an")
    assert is_refused(words[2:], USER, "au")


def test_a_delegates_delegate_is_nobodys() -> None:
    words = [word(DELEGATE, "a", "b"), word(DELEGATE, "b", "c")]
    assert is_refused(words, DELEGATE, "ac")


@pytest.mark.parametrize(
    ("period", "good"), [(899, False), (900, True), (2_000, True), (2_001, False)]
)
def test_time(period: int, *, good: bool) -> None:
    words = [word(NODE, "g", "n")]
    if good:
        assert way(words, NODE, "gn", period=period) == "n"
    else:
        with pytest.raises(Refused):
            way(words, NODE, "gn", period=period)


def test_an_expired_link_breaks_the_chain() -> None:
    assert is_refused([word(TRUST, "q", "p", until=999), word(USER, "p", "u")], USER, "qu")


def test_revocation() -> None:
    given = word(USER, "p", "u")
    revoked = word(USER, "p", "u", since=950, reason=FaultReason.CORRUPT_DATA)
    assert is_refused([given, revoked], USER, "pu")
    assert is_refused([revoked], USER, "pu")
    assert is_refused([word(USER, "p", "u", since=950), revoked], USER, "pu")
    later = word(USER, "p", "u", since=951)
    assert way([given, revoked, later], USER, "pu") == "u", "certified again"
    assert way([given, word(USER, "q", "u", reason=FaultReason.CLOCK)], USER, "pu") == "u", (
        "nobody revokes another's word"
    )
    assert way([given, word(TRUST, "p", "u", reason=FaultReason.CLOCK)], USER, "pu") == "u"
    old = word(USER, "p", "u", since=950, until=960, reason=FaultReason.CLOCK)
    assert way([given, old], USER, "pu") == "u", "a revocation lives no longer than it says"


def test_the_shortest_chain_and_no_circles() -> None:
    words = [word(TRUST, *ends) for ends in ("ab", "ba", "bc", "ca", "cb", "ac", "cd")]
    words.append(word(USER, "d", "u"))
    assert way(words, USER, "au") == "cdu"
    assert is_refused(words, USER, "ax")
    assert is_refused([word(TRUST, "a", "a")], USER, "ab")


def test_at_most_so_many_hands() -> None:
    letters = "abcdefghij"
    trusts = [word(TRUST, one, two) for one, two in itertools.pairwise(letters)]
    reached = letters[MAX_CHAIN - 1]
    assert len(way([*trusts, word(USER, reached, "u")], USER, "au")) == MAX_CHAIN
    assert is_refused([*trusts, word(USER, letters[MAX_CHAIN], "u")], USER, "au")


def test_a_private_list_has_its_effect() -> None:
    words = [word(TRUST, *ends) for ends in ("ab", "bd", "ac", "ce", "ed")]
    words.append(word(USER, "d", "u"))
    assert way(words, USER, "au") == "bdu"
    assert way(words, USER, "au", avoid="b") == "cedu"
    for all_ways in ("d", "u", "bc", "a"):
        assert is_refused(words, USER, "au", avoid=all_ways)


LETTERS = "abcdef"
words_made = st.lists(
    st.builds(
        word,
        st.sampled_from(CertificateKind),
        st.sampled_from(LETTERS),
        st.sampled_from(LETTERS),
        since=st.integers(996, 1_003),
        until=st.integers(997, 1_003),
        reason=st.sampled_from([None, None, None, FaultReason.CLOCK]),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=300)
@given(words_made, st.sampled_from(CertificateKind), st.integers(0, 99))
def test_any_order_gives_the_same_and_only_what_is_linked(
    words: list[Certificate], kind: CertificateKind, seed: int
) -> None:
    live = in_force(words, NOW)
    shuffled = [*words, *words[:3]]
    Random(seed).shuffle(shuffled)
    for one in LETTERS:
        for two in LETTERS:
            expected = reachable(live, kind, name(one), name(two))
            try:
                found = way(words, kind, one + two)
            except Refused:
                assert not expected
                continue
            assert expected
            assert way(shuffled, kind, one + two) == found
            links = chain(words, kind, issuer=name(one), subject=name(two), period=NOW)
            assert [links[0].issuer, *(item.subject for item in links)][-1] == name(two)
            assert all(a.subject == b.issuer for a, b in itertools.pairwise(links))
            assert links[0].issuer == name(one)
            assert set(links) <= set(live)
            assert links[-1].kind is kind


def reachable(
    live: Sequence[Certificate], kind: CertificateKind, issuer: bytes, subject: bytes
) -> bool:
    """The same in another way: widen the set of those reached until it does not grow."""
    through = {NODE: MERGE, USER: TRUST, TRUST: TRUST, MERGE: MERGE}.get(kind)
    reached = {issuer}
    while wider := {w.subject for w in live if w.kind is through and w.issuer in reached} - reached:
        reached |= wider
    return any(w.kind is kind and w.issuer in reached and w.subject == subject for w in live)


# What one says


def row(
    number: int = NODE,
    *,
    subject: bytes = SUBJECT.public,
    since: int = 90,
    reason: int = 0,
    agrees: bool = True,
    **changes: object,
) -> SignedRow:
    return make_row(
        Table.CERTIFICATE,
        bytes([number]) + subject,
        CertificateBody(since=since, reason=reason),
        signer=ISSUER,
        co_signers=[SUBJECT] if agrees else [],
        seq=1,
        period=100,
        slot=0,
        expires=200,
    )


@pytest.mark.parametrize("kind", CertificateKind)
def test_a_row_says_what_it_says(kind: CertificateKind) -> None:
    made = row(kind, agrees=kind in BOTH)
    made.verify()
    assert certificate_of(made) == Certificate(
        kind=kind, issuer=ISSUER.public, subject=SUBJECT.public, since=90, until=200
    )
    assert made.key_suffix == suffix_of(kind, SUBJECT.public)
    revoked = certificate_of(row(kind | REVOKED, reason=4, agrees=False))
    assert (revoked.kind, revoked.reason) == (kind, FaultReason.TOO_SLOW)
    assert suffix_of(kind, b"s", revoked=True) == bytes([kind | REVOKED]) + b"s"


@pytest.mark.parametrize(
    "made",
    [
        row(0, agrees=False),
        row(6, agrees=False),
        row(REVOKED, reason=4, agrees=False),
        row(NODE, agrees=False),  # a gateway claims a node that did not sign
        row(DELEGATE, agrees=False),
        row(MERGE, agrees=False),
        row(USER),
        row(NODE, reason=4),
        row(NODE | REVOKED, agrees=False),
        row(NODE | REVOKED, reason=4),
        row(TRUST, since=101, agrees=False),
        row(TRUST, subject=ISSUER.public, agrees=False),
        row(NODE, subject=b"x" * 32),
    ],
)
def test_what_makes_no_sense(made: SignedRow) -> None:
    with pytest.raises(Malformed) as caught:
        certificate_of(made)
    assert caught.value.code == "bad-certificate"


@pytest.mark.parametrize("reason", [-1, 8, 255, 2**40])
def test_only_what_can_be_measured_is_a_reason(reason: int) -> None:
    with pytest.raises(Malformed) as caught:
        row(USER | REVOKED, reason=reason, agrees=False)
    assert caught.value.code == "bad-body"
