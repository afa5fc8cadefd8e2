"""The keys that this machine acts for, to whom it shows them, and which keys others have shown.

Publishers and owners of grids are public, so whoever acts for them says so to everybody. A user is
shown only to who acts for a key that the user has named in own rows, such as the publisher. Nobody
else learns which machine is whose. Two machines that each wait for the other to begin do not need
each other: all that they could share is at the publisher.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from bitcloud_net.core.keys import NodeId, SigningKey
from bitcloud_net.core.nodepool import mandates
from bitcloud_net.core.nodepool.mandates import GRACE_PERIODS, MAX_MANDATES, Mandate

MAX_SHOWN: Final = 4 * MAX_MANDATES
"""Keys of one peer that are remembered; an honest one shows few, and the same ones."""


class Circles(Protocol):
    """What is asked of the nodepool (``nodepool.session_reads``)."""

    def belongs(self, key: bytes, others: frozenset[bytes], period: int) -> Awaitable[bool]: ...


class Persons:
    """Used from one trio thread."""

    def __init__(
        self,
        node: NodeId,
        keys: Callable[[], Sequence[SigningKey]],
        circles: Circles,
        on_learned: Callable[[NodeId], None],
    ) -> None:
        """``keys`` gives those that the machine acts for now; ``on_learned`` hears of a peer that
        has shown other keys than before.
        """
        self._node = node
        self._keys = keys
        self._circles = circles
        self._on_learned = on_learned
        self._shown: dict[NodeId, dict[bytes, int]] = {}  # key → last period

    def keys_of(self, peer: NodeId, period: int) -> frozenset[bytes]:
        """Return the keys that a connected peer has shown lately, its own among them."""
        shown = self._shown.get(peer, {})
        return frozenset(
            {peer, *(key for key, at in shown.items() if at + GRACE_PERIODS >= period)}
        )

    async def mandates(self, peer: NodeId, period: int) -> tuple[Mandate, ...]:
        """Return what is shown to ``peer`` in ``period``."""
        others = self.keys_of(peer, period)
        return tuple(
            [
                mandates.give(key, node=self._node, peer=peer, period=period)
                for key in self._keys()[:MAX_MANDATES]
                if await self._circles.belongs(key.public, others, period)
            ]
        )

    def note(self, peer: NodeId, keys: frozenset[bytes], period: int) -> None:
        """Hear which keys ``peer`` has shown in a session, its own among them."""
        known = self.keys_of(peer, period)
        shown = self._shown.get(peer, {}) | dict.fromkeys(keys, period)
        self._shown[peer] = dict(list(shown.items())[-MAX_SHOWN:])
        if not keys <= known:
            self._on_learned(peer)

    def forget(self, peer: NodeId) -> None:
        """Forget a peer that is not connected any more."""
        self._shown.pop(peer, None)
