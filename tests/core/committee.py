"""A committee in a few lines: members with a book each, and words on their way between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.tables import DAY_PERIODS
from bitcloud_net.core.trust.beacon_book import BeaconBook
from bitcloud_net.core.trust.beacons import Committee, Word

START = 2_900_000
"""The period in which towns begin."""

Route = Callable[[Word, "Member"], int | None]
"""When a word arrives: 0 in time, n: n periods later, None: never."""
Speech = Callable[["Member", Word | None], Word | None]
"""What a member says instead of what it should."""


@dataclass(slots=True)
class Member:
    key: SigningKey
    book: BeaconBook

    @property
    def id(self) -> NodeId:
        return self.key.node_id


def honest(_member: Member, word: Word | None) -> Word | None:
    return word


def at_once(_word: Word, _to: Member) -> int:
    return 0


@dataclass(slots=True)
class Town:
    """Members in lockstep. What is late by a period comes before anybody speaks in the next."""

    members: list[Member]
    period: int = START
    said: list[Word] = field(default_factory=list)
    _on_the_way: list[tuple[int, Member, Word]] = field(default_factory=list)

    @property
    def ids(self) -> list[NodeId]:
        return [member.id for member in self.members]

    def step(self, route: Route = at_once, speech: Speech = honest) -> None:
        """Let one period pass: what is late comes, all speak, what they say comes."""
        self._deliver()
        for member in self.members:
            word = speech(member, member.book.own_word(member.key, self.period))
            if word is not None:
                self.said.append(word)
                self._send(word, route)
        self._deliver()
        self.period += 1

    def run(self, periods: int, route: Route = at_once, speech: Speech = honest) -> None:
        for _ in range(periods):
            self.step(route, speech)

    def _send(self, word: Word, route: Route) -> None:
        for member in self.members:
            delay = 0 if member.id == word.member else route(word, member)
            if delay is not None:
                self._on_the_way.append((self.period + delay, member, word))

    def _deliver(self) -> None:
        due = [item for item in self._on_the_way if item[0] <= self.period]
        self._on_the_way = [item for item in self._on_the_way if item[0] > self.period]
        for _, member, word in due:
            member.book.hear(word, in_time=word.period >= self.period)

    def values(self, period: int) -> list[bytes]:
        return [member.book.value(period) for member in self.members]


def town(count: int, seed: int = 1) -> Town:
    chance = Random(seed)
    keys = [SigningKey(chance.randbytes(32)) for _ in range(count)]
    members = [Member(key, book_of(keys)) for key in keys]
    return Town(members)


def book_of(keys: list[SigningKey]) -> BeaconBook:
    book = BeaconBook("town")
    everybody = Committee(members=frozenset(key.node_id for key in keys))
    day = START // DAY_PERIODS
    book.seat({day + ahead: everybody for ahead in range(-1, 3)})
    return book


def changed(word: Word, **changes: object) -> Word:
    return replace(word, **changes)  # type: ignore[arg-type]
