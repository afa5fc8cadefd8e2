"""The values of all days, as the members of committees remember them.

Identities are checked for years with the value of the day on which they were mined, also by nodes
that did not exist then. So each member signs rows with the values of all days up to this one, 256
to a row. Whoever comes new believes, for each day, what a majority of the present committee says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.beacons import DAYS_PER_ROW, Committee, seat
from bitcloud_net.core.trust.lots import Candidate
from bitcloud_net.core.units import HASH_BYTES

MAX_CLAIMS: Final = 4
"""Different values for one day that are looked into."""

Days: TypeAlias = Mapping[int, bytes]
"""Values by day."""
Memories: TypeAlias = Mapping[NodeId, Days]
"""What each member remembers."""


def packed(days: Days) -> dict[int, bytes]:
    """Return the rows that hold these days, which follow each other, by their numbers from 1 on."""
    rows: dict[int, bytes] = {}
    for day in sorted(days):
        number = 1 + day // DAYS_PER_ROW
        rows[number] = rows.get(number, b"") + days[day]
    return rows


def unpacked(number: int, values: bytes, signed: int) -> dict[int, bytes]:
    """Return the days in a row that was signed on the day ``signed``: they end with it, or with the
    last that belongs to the number.
    """
    end = min(number * DAYS_PER_ROW, signed + 1)
    first = end - len(values) // HASH_BYTES
    return {
        first + at: values[at * HASH_BYTES : (at + 1) * HASH_BYTES] for at in range(end - first)
    }


def remembered(memories: Memories, committee: Committee) -> dict[int, bytes]:
    """Return the values that a majority of the committee remembers, by day."""
    votes: Counter[tuple[int, bytes]] = Counter()
    for member in committee.members & memories.keys():
        votes.update(memories[member].items())
    return {day: value for (day, value), count in votes.items() if count >= committee.majority}


def elect(
    memories: Memories, candidates: Iterable[Candidate], *, day: int, known: bytes | None
) -> tuple[bytes | None, Committee]:
    """Return the value of the day before ``day``, and the committee of ``day`` that it draws.

    The two hang together: who sits follows from the value, and the value is what those who sit
    remember. ``known`` is what we believe ourselves; it stands unless a committee that it does not
    draw confirms another. Whoever knows nothing takes the value with the most voices that its own
    committee confirms, else that with the most voices. Costs a ``seat`` for each claim.
    """
    everybody = list(candidates)
    claims = _claims(memories, day - 1, known)
    drawn = [(claim, seat(claim, everybody, day=day)) for claim in claims]
    for claim, committee in drawn:
        if remembered(memories, committee).get(day - 1) == claim:
            return claim, committee
    return drawn[0] if drawn else (None, seat(b"", everybody, day=day))


def _claims(memories: Memories, day: int, known: bytes | None) -> list[bytes]:
    """Return what is said about a day: what we believe, then what most say."""
    said = (memory.get(day) for memory in memories.values())
    voices = Counter(value for value in said if value is not None)
    ranked = sorted(voices, key=lambda value: (-voices[value], value))
    own = [] if known is None else [known]
    return own + [value for value in ranked[:MAX_CLAIMS] if value != known]
