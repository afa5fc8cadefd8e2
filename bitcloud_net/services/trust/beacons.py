"""The random values of periods and days, from memory, for all services of a node to share.

Partners, auditors and mined identities hang on values that nobody can know long before or choose.
``Beacons`` answers at once and always: with the value of the first source that has one, else with
that of the nodes themselves (``core.trust.beacons``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bitcloud_net.core.trust.beacon_book import BeaconBook
from bitcloud_net.core.trust.beacons import mixed


class Source(Protocol):
    """Where random values come from besides the nodes themselves: the blocks of a coin, say. All
    nodes of a network must name the same sources in the same order.
    """

    def value(self, period: int) -> bytes | None:
        """Return what it says for a period, the same on every node; None: nothing, or not yet."""


class Beacons:
    """The values of one network. Called with a period, it returns 32 bytes.

    ``book`` belongs to the ``BeaconKeeper`` that fills it. ``sources`` are asked in order of
    preference.
    """

    def __init__(self, network: str, sources: Sequence[Source] = ()) -> None:
        """``network`` is its name."""
        self.book = BeaconBook(network)
        self._sources = sources

    def __call__(self, period: int) -> bytes:
        """Return the value of ``period`` as far as it is known. Never waits and never fails."""
        for source in self._sources:
            value = source.value(period)
            if value is not None:
                return mixed(period, value)
        return self.book.value(period)

    def of_day(self, day: int) -> bytes:
        """Return the value of a day (whole days since 1970): the salt of identities."""
        return self.book.of_day(day)

    def is_certain(self, day: int) -> bool:
        """Whether the value of a day will never be another one. Nobody is convicted by one that may
        be: a node that has just joined does not know the year yet.
        """
        return self.book.is_certain(day)
