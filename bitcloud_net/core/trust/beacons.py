"""Random values that nobody can know long before, choose, or keep from others: commit and reveal.

Each period has a value. A committee makes it, whose members sign one row in each period ``p``::

    p      promise = hash of a secret for p + 3          so for the value of period e:
           secret  = what was promised for p + 2             e - 3  promises
           seen    = marks of the secrets for p + 1          e - 2  secrets
                     that came in time                       e - 1  who has seen which
           value   = what is used in p                       e      used, and stated

    value of e = hash of e and of all secrets that a majority of the committee has seen

Nothing about a value is known before its secrets. Those are fixed a period before the first of them
is shown, and have a whole period to spread. Whether one came in time is no matter of one node's
clock, but voted on: who sends its own at the last second to half of the network moves that one
secret and nothing else. A value that two thirds state stands, whatever comes later. Where there is
none (too few members are on), the next link of a chain takes its place, which everybody can
compute: there always is a value, and nobody can stop the network.

What one member can do: keep its secret back when it knows the others', which is a choice between
two values, one bit. It is seen, and its secrets count no more for ``EXCLUDED_PERIODS``, longer than
the window of a verdict. So ``b`` members choose among 2^b values once in that time, not in each
period. Half of a committee can do what it likes, as 11 of 16 auditors can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from typing import TypeAlias

from blake3 import blake3

from bitcloud_net.core.keys import NodeId, SigningKey, derive
from bitcloud_net.core.nodepool.tables import DAY_PERIODS
from bitcloud_net.core.trust.lots import MIN_AGE_PERIODS, SMALL_NETWORK, Candidate
from bitcloud_net.core.trust.verdicts import WINDOW_PERIODS

COMMITTEE_SEATS = 64
"""Members in a large network. With 20 % hostile nodes half of a committee is hostile once in 33,000
years, with 30 % once in four (32 members: 72 days); its rows cost everybody 80 bytes a second."""
LEAST_OLD = SMALL_NETWORK // 2
"""With fewer nodes of age than this the network is new, and its age protects nobody."""
PROMISE_AHEAD, SECRET_AHEAD, SEEN_AHEAD = 3, 2, 1
"""For which period a row's fields are: so many after its own."""
WORD_LIFE_PERIODS = 24
"""How long a member's row is kept: what is judged now, and who kept secrets back."""
EXCLUDED_PERIODS = WORD_LIFE_PERIODS - PROMISE_AHEAD - SECRET_AHEAD
"""How long the secrets of a member do not count that kept one back."""
DAY_LEAD_PERIODS = 6
"""The value of a day is that of a period an hour before the day begins: it is settled by then, and
nobody mines an identity with one that may still change."""
DAYS_PER_ROW = 256
"""Values of days that one row holds, of those that members remember."""
FIRST_PERIOD = 1 << 20
"""Numbers of rows below this are not periods (that one was in 1989) but those of days."""
MARK_BYTES = 6
"""Each member marks a secret in its own way, so another secret with the same marks of ``n`` members
is found in 2^(24 n) tries: a few votes could be moved, a majority never."""

_MARK = blake3(derive_key_context="bitcloud v1 beacon mark")  # never updated, only its copies
_SEAT = blake3(derive_key_context="bitcloud v1 beacon seat")

assert EXCLUDED_PERIODS > 2 * WINDOW_PERIODS


@dataclass(frozen=True, slots=True, kw_only=True)
class Committee:
    """Who makes the values of one day."""

    members: frozenset[NodeId]

    @property
    def quorum(self) -> int:
        """Members that must state a value to make it final: more than two thirds, so that no two
        values have it unless a third lies."""
        return 2 * len(self.members) // 3 + 1

    @property
    def majority(self) -> int:
        """Members that must have seen a secret in time: never liars alone, and always reached by
        the honest ones."""
        return len(self.members) // 2 + 1

    @property
    def least(self) -> int:
        """Secrets that make a value: more than a third, so that one of them is honest."""
        return len(self.members) // 3 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What one member says in one period. Empty: nothing, because it is new or has no seat then."""

    member: NodeId
    period: int
    promise: bytes = b""  # for period + 3
    secret: bytes = b""  # for period + 2
    seen: frozenset[bytes] = frozenset()  # marks of secrets for period + 1
    value: bytes = b""  # of period
    seq: int = 0  # the word with the higher one counts


Words: TypeAlias = Mapping[NodeId, Word]
"""What is said in one period."""


def seat(before: bytes, candidates: Iterable[Candidate], *, day: int) -> Committee:
    """Return the committee of ``day``, drawn by the value of the day ``before``.

    ``candidates`` are all live nodes. In a small network all of them sit; in a larger one those
    that were there three days before the day began, at most one of each neighbourhood. Costs one
    hash for each candidate.
    """
    everybody = list(candidates)
    if len(everybody) < SMALL_NETWORK:
        return Committee(members=frozenset(item.node for item in everybody))
    oldest = day * DAY_PERIODS - MIN_AGE_PERIODS
    old = [item for item in everybody if item.since <= oldest]
    pool = old if len(old) >= LEAST_OLD else everybody
    first: dict[str, tuple[bytes, NodeId]] = {}
    for item in pool:
        ranked = _SEAT.copy().update(before + item.node).digest()
        hood = item.neighbourhood or item.node.hex()
        first[hood] = min(first.get(hood, (ranked, item.node)), (ranked, item.node))
    return Committee(members=frozenset(n for _, n in nsmallest(COMMITTEE_SEATS, first.values())))


# Secrets


def secret_of(key: SigningKey, period: int) -> bytes:
    """Return the secret of a member for a period. It follows from the key, so a member that starts
    anew keeps its promises; it tells nothing about the key or another secret."""
    return derive(key.seed, "beacon secret", _number(period))


def promise_of(member: NodeId, period: int, secret: bytes) -> bytes:
    """Return what a member promises for a period. It names both, so that nobody repeats another's
    promise and secret as its own."""
    return derive(member + _number(period) + secret, "beacon promise")


def mark_of(voter: NodeId, member: NodeId, secret: bytes) -> bytes:
    """Return how ``voter`` says that it has seen a member's secret in time."""
    return next(iter(_marks_of(voter, [(member, secret)])))


def _marks_of(
    voter: NodeId, offered: Iterable[tuple[NodeId, bytes]]
) -> dict[bytes, tuple[NodeId, bytes]]:
    own = _MARK.copy().update(voter)
    return {
        own.copy().update(member + secret).digest()[:MARK_BYTES]: (member, secret)
        for member, secret in offered
    }


# Values


def stated(words: Words, committee: Committee) -> bytes | None:
    """Return the value that two thirds of the committee state in the words of its period."""
    everybody = tuple(words.values())  # at once: others may be writing
    said = Counter(word.value for word in everybody if word.member in committee.members)
    del said[b""]
    found = [value for value, count in said.items() if count >= committee.quorum]
    return found[0] if len(found) == 1 else None


def counted(
    words: Words, shown: Mapping[NodeId, Iterable[bytes]], committee: Committee
) -> dict[NodeId, bytes] | None:
    """Return the secrets that a majority has seen in time, by member.

    ``words`` are those of the period before the value, ``shown`` the secrets that members have
    shown. None: a majority has seen some that are not among them, so that we miss a row. Costs
    a hash for each voter and secret.
    """
    everybody = tuple(words.values())  # at once: others may be writing
    offered = [
        (member, secret)
        for member in committee.members & shown.keys()
        for secret in tuple(shown[member])
    ]
    votes: Counter[tuple[NodeId, bytes]] = Counter()
    missing = 0
    for word in everybody:
        if word.member in committee.members and word.seen:
            marks = _marks_of(word.member, offered)
            known = marks.keys() & word.seen
            votes.update(marks[mark] for mark in known)
            missing += len(known) < len(word.seen)
    if missing >= committee.majority:
        return None
    return {member: secret for (member, secret), n in votes.items() if n >= committee.majority}


def value_of(period: int, secrets: Mapping[NodeId, bytes]) -> bytes:
    """Return the value that the counted secrets of a period make, by member."""
    joined = b"".join(member + secrets[member] for member in sorted(secrets))
    return derive(_number(period) + joined, "beacon value")


def genesis(network: str) -> bytes:
    """Return what the values of a network begin with: the hash of its name."""
    return derive(network.encode(), "beacon genesis")


def fallback(before: bytes, period: int) -> bytes:
    """Return the next link of the chain, for a period without a value; ``before`` is the value of
    the period before, or of the day where that has none either."""
    return derive(before, "beacon fallback", _number(period))


def mixed(period: int, value: bytes) -> bytes:
    """Return the value of a period from what a source says for it. Sources do not keep to our
    periods, and may say the same twice."""
    return derive(value, "beacon source", _number(period))


def period_of_day(day: int) -> int:
    """Return the period whose value is that of a day."""
    return day * DAY_PERIODS - DAY_LEAD_PERIODS


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")
