"""What one node has heard of the committees, and the values that follow from it.

No clock and no network: words go in as they come, in any order and as often as they like; values
come out. Two books with the same words, committees and days say the same. One thread writes; values
may be asked for from others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool.tables import DAY_PERIODS
from bitcloud_net.core.trust import beacons
from bitcloud_net.core.trust.beacons import (
    EXCLUDED_PERIODS,
    PROMISE_AHEAD,
    SECRET_AHEAD,
    SEEN_AHEAD,
    Committee,
    Word,
    period_of_day,
)

MAX_SPEAKERS: Final = 1_024
"""Nodes whose words are kept in one period beside those of members: who is one may not be known
yet."""
MAX_VERSIONS: Final = 8
"""Secrets kept of one member and period: as many as it has slots. An honest one has one."""

_NOBODY: Final = Committee(members=frozenset())


@dataclass(slots=True)
class _Page:
    """What was said in one period."""

    words: dict[NodeId, Word] = field(default_factory=dict)  # the newest of each
    secrets: dict[NodeId, list[bytes]] = field(default_factory=dict)  # all ever shown
    promised: dict[NodeId, set[bytes]] = field(default_factory=dict)  # in time
    shown: dict[NodeId, set[bytes]] = field(default_factory=dict)  # in time


class BeaconBook:
    """The words of some periods, and the values of days."""

    def __init__(self, network: str) -> None:
        """``network`` is its name."""
        self._genesis = beacons.genesis(network)
        self._pages: dict[int, _Page] = {}
        self._committees: dict[int, Committee] = {}
        self._days: dict[int, bytes] = {}
        self._beginning: int | None = None
        self._counted: dict[int, dict[NodeId, bytes] | None] = {}  # what was computed before
        self._offences: dict[NodeId, int] = {}  # the last value for which each kept a secret back
        self._judged = 0  # up to which period

    # Hearing

    def hear(self, word: Word, *, in_time: bool) -> None:
        """Take a word. ``in_time``: it came before its period was over."""
        page = self._pages.setdefault(word.period, _Page())
        if len(page.words) >= MAX_SPEAKERS and word.member not in self._members_near(word.period):
            return
        if word.member not in page.words or page.words[word.member].seq <= word.seq:
            page.words[word.member] = word
        if word.secret:
            secrets = page.secrets.setdefault(word.member, [])
            if word.secret not in secrets and len(secrets) < MAX_VERSIONS:
                secrets.append(word.secret)
        if in_time:
            page.promised.setdefault(word.member, set()).add(word.promise)
            page.shown.setdefault(word.member, set()).add(word.secret)
        for ahead in (SEEN_AHEAD, SECRET_AHEAD):
            self._counted.pop(word.period + ahead, None)

    def seat(self, committees: Mapping[int, Committee]) -> None:
        """Say who the members are, by day. Other days have none."""
        if committees != self._committees:
            self._committees = dict(committees)
            self._counted.clear()

    def note_days(self, values: Mapping[int, bytes]) -> None:
        """Take over values of days, in place of what is known."""
        self._days.update(values)

    def note_beginning(self, day: int) -> None:
        """Take over which day is the first that others remember."""
        self._beginning = day

    def forget_before(self, period: int) -> None:
        """Forget words whose rows have expired."""
        for old in [at for at in self._pages if at < period]:
            del self._pages[old]
        self._counted = {at: known for at, known in self._counted.items() if at > period}
        self._offences = {who: at for who, at in self._offences.items() if at > period}

    # Values

    @property
    def days(self) -> Mapping[int, bytes]:
        """The values of days that are known for certain."""
        return self._days

    def value(self, period: int) -> bytes:
        """Return the value of a period: the settled one, or the next link of the chain."""
        settled = self.settled(period)
        if settled is not None:
            return settled
        return self._next_link(period, period // DAY_PERIODS)

    def settled(self, period: int) -> bytes | None:
        """Return the value that two thirds state, or that the counted secrets make."""
        committee = self.committee(period)
        if not committee.members:
            return None
        value = beacons.stated(self._page(period).words, committee)
        if value is not None:
            return value
        secrets = self._secrets_of(period)
        if secrets is None or len(secrets) < committee.least:
            return None
        return beacons.value_of(period, secrets)

    def of_day(self, day: int) -> bytes:
        """Return the value of a day."""
        if (known := self._days.get(day)) is not None:
            return known
        period = period_of_day(day)
        settled = self.settled(period)
        return self._next_link(period, day - 1) if settled is None else settled

    def is_certain(self, day: int) -> bool:
        """Whether the value of a day will not change any more: it is known, or there was no network
        yet.
        """
        if self._beginning is not None and day < self._beginning:
            return True
        return day in self._days or self.settled(period_of_day(day)) is not None

    def memory(self, last: int) -> dict[int, bytes]:
        """Return the values of all days up to ``last``, for others to know."""
        return {day: self.of_day(day) for day in range(min([last, *self._days]), last + 1)}

    def committee(self, period: int) -> Committee:
        """Return the committee that makes the value of a period; without members when unknown."""
        return self._committees.get(period // DAY_PERIODS, _NOBODY)

    def withheld(self, period: int) -> frozenset[NodeId]:
        """Return the members that promised a secret for a period, in time, and whose secret does
        not count: it was not shown in time, or they are barred. Nobody where the period has no
        value: then nobody gained by it.
        """
        secrets = self._secrets_of(period)
        committee = self.committee(period)
        if secrets is None or len(secrets) < committee.least or not committee.members:
            return frozenset()
        promised = self._page(period - PROMISE_AHEAD).promised
        return frozenset(
            member
            for member, promises in promised.items()
            if member in committee.members and promises != {b""} and member not in secrets
        )

    # Speaking

    def has_spoken(self, member: NodeId, period: int) -> bool:
        """Whether a member's word of a period is here."""
        return member in self._page(period).words

    def own_word(self, key: SigningKey, period: int) -> Word | None:
        """Return what this member has to say in ``period``; None when it has no seat. The same
        book says the same again.
        """
        own = key.node_id
        sits = [own in self.committee(period + ahead).members for ahead in range(4)]
        if not any(sits):
            return None
        promise = secret = value = b""
        if sits[PROMISE_AHEAD]:
            later = period + PROMISE_AHEAD
            promise = beacons.promise_of(own, later, beacons.secret_of(key, later))
        before = self._page(period - 1).words.get(own)
        if sits[SECRET_AHEAD] and before is not None and before.promise:
            secret = beacons.secret_of(key, period + SECRET_AHEAD)
        seen = self._seen(own, period + SEEN_AHEAD) if sits[SEEN_AHEAD] else frozenset()
        if sits[0]:
            value = self.value(period)
        return Word(
            member=own, period=period, promise=promise, secret=secret, seen=seen, value=value
        )

    def _seen(self, own: NodeId, period: int) -> frozenset[bytes]:
        """Return our marks of the secrets for ``period`` that were promised and shown in time, by
        members that have kept none back.
        """
        promised = self._page(period - PROMISE_AHEAD).promised
        shown = self._page(period - SECRET_AHEAD).shown
        self._judge_until(period - 1)
        marks = set()
        for member in self.committee(period).members & shown.keys() & promised.keys():
            if self._is_barred(member, period):
                continue
            for secret in shown[member] - {b""}:
                if promised[member] == {beacons.promise_of(member, period, secret)}:
                    marks.add(beacons.mark_of(own, member, secret))
        return frozenset(marks)

    def _judge_until(self, period: int) -> None:
        """Note who kept a secret back. Who is barred is not judged: its secrets do not count."""
        for at in range(max(self._judged + 1, period - EXCLUDED_PERIODS), period + 1):
            for member in self.withheld(at):
                if not self._is_barred(member, at):
                    self._offences[member] = at
        self._judged = max(self._judged, period)

    def _is_barred(self, member: NodeId, period: int) -> bool:
        last = self._offences.get(member)
        return last is not None and last < period <= last + EXCLUDED_PERIODS

    def _next_link(self, period: int, day: int) -> bytes:
        """Return the link of a chain that is the same for all who know the same: it hangs on the
        period before, or on the last day up to ``day`` that is known.
        """
        before = self.settled(period - 1)
        if before is None:
            known = [other for other in tuple(self._days) if other <= day]
            before = self._days[max(known)] if known else self._genesis
        return beacons.fallback(before, period)

    def _page(self, period: int) -> _Page:
        return self._pages.get(period) or _Page()

    def _secrets_of(self, period: int) -> dict[NodeId, bytes] | None:
        try:
            return self._counted[period]
        except KeyError:
            found = beacons.counted(
                self._page(period - SEEN_AHEAD).words,
                self._page(period - SECRET_AHEAD).secrets,
                self.committee(period),
            )
        self._counted[period] = found
        return found

    def _members_near(self, period: int) -> frozenset[NodeId]:
        seated = (self.committee(period + ahead).members for ahead in range(PROMISE_AHEAD + 1))
        return frozenset().union(*seated)
