"""The values that committees make: nobody knows, chooses or stops them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.trust import beacons
from bitcloud_net.core.trust.beacon_book import MAX_SPEAKERS, BeaconBook
from bitcloud_net.core.trust.beacons import EXCLUDED_PERIODS, Word, mark_of, promise_of, secret_of

from .committee import START, Member, book_of, changed, town


@pytest.mark.parametrize("count", [1, 2, 3, 5, 22, 64])
def test_a_value_comes_after_three_periods_and_is_another_each_time(count: int) -> None:
    here = town(count)
    here.run(6)
    assert len(set(here.values(START + 2))) == 1
    links = [beacons.genesis("town")]
    links += [beacons.fallback(links[0], START)]
    assert here.values(START)[0] == links[1], "nothing was promised for it"
    for period in range(START + 3, START + 6):
        values = here.values(period)
        assert len(set(values)) == 1
        assert here.members[-1].book.settled(period) == values[0]
    assert len({here.values(period)[0] for period in range(START, START + 6)}) == 6


def test_a_value_hangs_on_every_secret_and_on_its_period() -> None:
    here = town(7)
    here.run(5)
    period = START + 4
    secrets = {each.id: secret_of(each.key, period) for each in here.members}
    assert here.values(period)[0] == beacons.value_of(period, secrets)
    assert beacons.value_of(period + 1, secrets) != beacons.value_of(period, secrets)
    for member in secrets:
        others = secrets | {member: bytes(32)}
        assert beacons.value_of(period, others) != beacons.value_of(period, secrets)


def test_nothing_that_is_said_before_the_secrets_tells_a_value() -> None:
    """Two towns that differ in the secrets of one period alone, and in the promise of them, are the
    same to everybody but in that promise until they are shown; and the promise is a hash.
    """
    here = town(5)
    here.run(4)
    period, shown = START + 5, START + 3
    before = [word for word in here.said if word.period < shown]
    secrets = {secret_of(each.key, period) for each in here.members}
    assert not any(word.secret in secrets for word in before)
    words = {word.secret for word in here.said if word.period == shown}
    assert words == secrets
    late = book_of([each.key for each in here.members])
    for word in before:
        late.hear(word, in_time=True)
    assert late.settled(period) is None
    here.run(2)
    assert here.values(period)[0] != late.value(period)


def test_all_but_one_secret_tell_nothing() -> None:
    here = town(5)
    here.run(6)
    period = START + 5
    secrets = {each.id: secret_of(each.key, period) for each in here.members[1:]}
    values = set()
    for guess in range(200):
        values.add(
            beacons.value_of(period, secrets | {here.ids[0]: guess.to_bytes(32, "big")})[0] & 1
        )
    assert values == {0, 1}


@given(seed=st.integers(0, 10**6), count=st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_any_order_any_duplicates_the_same_values(seed: int, count: int) -> None:
    chance = Random(seed)
    here = town(count, seed)
    quiet = {here.ids[at] for at in range(count) if chance.random() < 0.2}

    def speech(member: Member, word: Word | None) -> Word | None:
        return None if member.id in quiet and chance.random() < 0.5 else word

    here.run(9, speech=speech)
    expected = [here.members[0].book.value(START + at) for at in range(9)]
    words = here.said + chance.sample(here.said, len(here.said) // 2)
    chance.shuffle(words)
    other = book_of([each.key for each in here.members])
    for word in words:
        other.hear(word, in_time=chance.random() < 0.5)
    assert [other.value(START + at) for at in range(9)] == expected


@given(seed=st.integers(0, 10**6), count=st.integers(4, 16))
@settings(max_examples=40, deadline=None)
def test_who_lost_some_words_still_agrees_where_two_thirds_are_heard(seed: int, count: int) -> None:
    chance = Random(seed)
    here = town(count, seed)
    here.run(9)
    other = book_of([each.key for each in here.members])
    lost = set(chance.sample(here.ids, (count - 1) // 3))
    for word in here.said:
        if word.member not in lost:
            other.hear(word, in_time=True)
    for at in range(3, 9):
        assert other.value(START + at) == here.members[0].book.value(START + at)


@pytest.mark.parametrize("count", [4, 10, 31])
def test_just_below_a_third_can_say_what_they_like(count: int) -> None:
    """They keep secrets back, show others than promised, claim to have seen nothing or what nobody
    has shown, and state values of their own: everybody else agrees in each period.
    """
    chance = Random(count)
    here = town(count)
    bad = set(here.ids[: (count - 1) // 3])

    def speech(member: Member, word: Word | None) -> Word | None:
        if word is None or member.id not in bad:
            return word
        return chance.choice(
            [
                None,
                changed(word, secret=b""),
                changed(word, secret=chance.randbytes(32)),
                changed(word, promise=chance.randbytes(32)),
                changed(word, seen=frozenset()),
                changed(word, seen=frozenset(chance.randbytes(6) for _ in range(count))),
                changed(word, value=chance.randbytes(32)),
                word,
            ]
        )

    here.run(12, speech=speech)
    good = [each for each in here.members if each.id not in bad]
    for period in range(START + 4, START + 11):
        assert len({each.book.value(period) for each in good}) == 1
        assert good[0].book.settled(period) is not None


def test_a_secret_that_was_not_promised_or_is_anothers_does_not_count() -> None:
    here = town(5)
    thief, robbed = here.members[0], here.members[1]

    def speech(member: Member, word: Word | None) -> Word | None:
        if word is None or member is not thief:
            return word
        original = robbed.book.own_word(robbed.key, word.period)
        assert original is not None
        return changed(word, promise=original.promise, secret=original.secret)

    here.run(8, speech=speech)
    period = START + 7
    honest = {each.id: secret_of(each.key, period) for each in here.members[1:]}
    assert here.values(period)[0] == beacons.value_of(period, honest)


def test_who_keeps_a_secret_back_chooses_once_between_two_values() -> None:
    """One bit, and then its secrets count no more for longer than a verdict looks back."""
    here = town(10)
    cheat = here.members[0]

    def keep_back(member: Member, word: Word | None) -> Word | None:
        if word is not None and member is cheat and word.period == START + 6:
            return changed(word, secret=b"")
        return word

    here.run(11 + EXCLUDED_PERIODS, speech=keep_back)
    watcher = here.members[1].book
    assert watcher.withheld(START + 8) == {cheat.id}
    for period in range(START + 4, here.period):
        secrets = {each.id: secret_of(each.key, period) for each in here.members}
        if 0 <= period - (START + 8) <= EXCLUDED_PERIODS:
            del secrets[cheat.id]
        assert watcher.value(period) == beacons.value_of(period, secrets), period - START


def test_who_shows_two_secrets_moves_nothing_but_its_own() -> None:
    here = town(10)
    cheat = here.members[0]
    here.run(4)
    word = cheat.book.own_word(cheat.key, here.period)
    assert word is not None
    for at, member in enumerate(here.members):
        other = changed(word, secret=Random(1).randbytes(32), seq=at % 3)
        member.book.hear(other, in_time=True)
    here.run(4)
    period = START + 6
    assert len(set(here.values(period))) == 1
    secrets = {each.id: secret_of(each.key, period) for each in here.members}
    assert here.values(period)[0] == beacons.value_of(period, secrets)


def test_who_promises_two_things_has_promised_nothing() -> None:
    here = town(10)
    cheat = here.members[0]
    here.run(4)
    word = cheat.book.own_word(cheat.key, here.period)
    assert word is not None
    for member in here.members:
        member.book.hear(changed(word, promise=bytes(32)), in_time=True)
    here.run(5)
    period = START + 7
    secrets = {each.id: secret_of(each.key, period) for each in here.members[1:]}
    assert set(here.values(period)) == {beacons.value_of(period, secrets)}


def test_a_word_that_was_replaced_later_changes_no_value() -> None:
    here = town(7)
    here.run(8)
    before = [here.values(START + at)[0] for at in range(3, 8)]
    cheat = here.ids[0]
    for word in [word for word in here.said if word.member == cheat]:
        empty = Word(member=cheat, period=word.period, seq=word.seq + 1)
        for member in here.members:
            member.book.hear(empty, in_time=False)
    assert [here.values(START + at)[0] for at in range(3, 8)] == before


def test_a_third_that_says_nothing_stops_nobody_and_more_leave_a_chain() -> None:
    here = town(9)
    off = set(here.ids[:3])
    here.run(8, speech=lambda member, word: None if member.id in off else word)
    assert here.members[5].book.settled(START + 7) is not None
    off = set(here.ids[:7])
    here.run(8, speech=lambda member, word: None if member.id in off else word)
    on = here.members[7:]
    period = START + 15
    assert [each.book.settled(period) for each in on] == [None, None]
    assert len({each.book.value(period) for each in on}) == 1
    assert len({on[0].book.value(START + at) for at in range(10, 16)}) == 6
    here.run(8)
    assert here.members[0].book.settled(START + 23) == here.members[8].book.settled(START + 23)
    assert here.members[0].book.settled(START + 23) is not None


@pytest.mark.parametrize("parts", [(5, 5), (6, 4), (7, 3)])
def test_a_split_and_its_healing(parts: tuple[int, int]) -> None:
    here = town(sum(parts))
    first = set(here.ids[: parts[0]])
    here.run(6)
    held: list[Word] = []

    def cut(word: Word, to: Member) -> int | None:
        if (word.member in first) == (to.id in first):
            return 0
        held.append(word)
        return None

    here.run(9, route=cut)
    for member in here.members:
        for word in held:
            member.book.hear(word, in_time=False)
    here.run(6)
    for period in range(START, START + 21):
        assert len(set(here.values(period))) == 1, period
    assert here.members[0].book.settled(START + 20) is not None


def test_who_comes_late_knows_from_the_rows() -> None:
    here = town(12)
    here.run(20)
    late = book_of([each.key for each in here.members])
    for word in here.said[-12 * 8 :]:
        late.hear(word, in_time=True)
    for at in range(13, 20):
        assert late.value(START + at) == here.values(START + at)[0]


def disagreements(values: list[list[bytes]]) -> int:
    """Return in how many periods not all have one value."""
    return sum(len(set(each)) > 1 for each in values)


@pytest.mark.parametrize(("hostile", "most"), [(1, 0), (3, 0), (7, 2)])
def test_secrets_at_the_last_second_to_half_of_the_network(hostile: int, most: int) -> None:
    """Hostile members choose for each of their words who gets it in time and who after the period
    is over. Some periods begin with two values; each has one when the committee has stated it.
    """
    count, periods = 22, 40
    chance = Random(hostile)
    here = town(count)
    bad = set(here.ids[:hostile])
    good = [each for each in here.members if each.id not in bad]
    early: list[list[bytes]] = []

    def half(word: Word, to: Member) -> int:
        return int(word.member in bad and chance.random() < 0.5)

    for _ in range(periods):
        early.append([each.book.value(here.period) for each in good])
        here.step(route=half)
    settled = [[each.book.value(START + at) for each in good] for at in range(periods)]
    assert disagreements(early) <= most
    assert disagreements(settled) == 0


def test_a_vote_on_the_edge_splits_a_period_for_as_long_as_its_words_travel() -> None:
    """The worst that 7 of 22 can do: one shows its secret to so many that the votes of the others
    decide, and these send theirs to half of the network in time and to the rest after the end.
    """
    count, hostile = 22, 7
    here = town(count)
    bad, first = here.ids[:hostile], here.ids[0]
    good = [each for each in here.members if each.id not in bad]
    early, split = [], 0

    def on_the_edge(word: Word, to: Member) -> int:
        if word.member not in bad or to.id in bad:
            return 0
        place = good.index(to)
        if word.member == first:
            return int(place >= count // 2 + 1 - hostile)
        return place % 2

    for at in range(24):
        early.append([each.book.value(here.period) for each in good])
        here.step(route=on_the_edge)
        split += len(set(early[-1])) > 1
        assert len({each.book.value(START + at) for each in good}) == 1
    assert split > 0, "no attack at all"


def test_strangers_fill_no_memory_and_move_no_value() -> None:
    here = town(5)
    chance = Random(3)
    book = here.members[0].book
    for _ in range(2 * MAX_SPEAKERS):
        word = Word(
            member=NodeId(chance.randbytes(32)),
            period=START,
            promise=chance.randbytes(32),
            value=chance.randbytes(32),
        )
        book.hear(word, in_time=True)
    assert len(book._pages[START].words) == MAX_SPEAKERS
    here.run(6)
    assert len(set(here.values(START + 5))) == 1
    assert here.members[0].book.settled(START + 5) is not None


def test_who_has_no_seat_says_nothing() -> None:
    here = town(3)
    assert here.members[0].book.own_word(SigningKey(b"x" * 32), START) is None
    assert BeaconBook("town").own_word(here.members[0].key, START) is None


def test_networks_do_not_share_their_values() -> None:
    assert BeaconBook("one").value(START) != BeaconBook("other").value(START)
    assert BeaconBook("one").value(START) == BeaconBook("one").value(START)


def test_promises_and_marks_name_their_member_and_period() -> None:
    one, other = NodeId(b"1" * 32), NodeId(b"2" * 32)
    secret = b"s" * 32
    promises = {promise_of(who, at, secret) for who in (one, other) for at in (5, 6)}
    assert len(promises) == 4
    assert mark_of(one, other, secret) != mark_of(other, one, secret)
