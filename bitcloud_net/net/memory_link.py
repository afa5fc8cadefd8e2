"""One connection of the memory network: delay, bandwidth, loss, and cables that are cut."""

from __future__ import annotations

from math import inf, nextafter
from typing import TYPE_CHECKING

import trio

from bitcloud_net.core.keys import NodeId
from bitcloud_net.net.memory_stream import Pipe

if TYPE_CHECKING:
    from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork

DEAD_AFTER_S = 15.0
"""Silence after which a connection counts as broken, as on the real network."""

RETRANSMISSION_S = 0.2
"""What a lost packet costs: Linux's shortest retransmission timeout."""


class Link:
    """One connection between two nodes."""

    def __init__(self, hub: MemoryHub, dialler: MemoryNetwork, listener: MemoryNetwork) -> None:
        self._hub = hub
        self._networks = (dialler, listener)
        self._pipes: list[Pipe] = []
        self._blocked_since: float | None = None
        self._free_at = {dialler.node_id: 0.0, listener.node_id: 0.0}
        self.broken = False

    @property
    def ends(self) -> tuple[NodeId, NodeId]:
        """The two nodes."""
        return self._networks[0].node_id, self._networks[1].node_id

    @property
    def horizon(self) -> float:
        """The instant up to which packets have passed."""
        since = self._blocked_since
        return trio.current_time() if since is None else nextafter(since, -inf)

    def peer_of(self, network: MemoryNetwork) -> MemoryNetwork:
        """The other end."""
        return self._networks[1] if network is self._networks[0] else self._networks[0]

    def pipe(self, sender: MemoryNetwork) -> Pipe:
        """Return a new direction of a new stream."""
        pipe = Pipe(_Way(self, sender, self.peer_of(sender)))
        self._pipes = [each for each in self._pipes if not each.done] + [pipe]
        return pipe

    def arrival(self, sender: MemoryNetwork, size: int) -> float:
        """Return when bytes that ``sender`` sends now arrive."""
        hub = self._hub
        start = max(trio.current_time(), self._free_at[sender.node_id])
        if hub.bandwidth_bytes_per_s:
            start += size / hub.bandwidth_bytes_per_s
        if hub.loss and hub.random.random() < hub.loss:
            start += RETRANSMISSION_S
        self._free_at[sender.node_id] = start
        return start + hub.delay_s

    def block(self, blocked: bool, *, may_break: bool) -> None:  # noqa: FBT001 - a state
        """Hold packets back, or let them pass again."""
        if blocked and self._blocked_since is None:
            self._blocked_since = trio.current_time()
        elif not blocked and self._blocked_since is not None:
            since, self._blocked_since = self._blocked_since, None
            for pipe in self._pipes:
                pipe.postpone(trio.current_time() + self._hub.delay_s, since)
        if blocked and may_break:
            self._networks[0].nursery.start_soon(self._break_when_silent, self._blocked_since)

    async def _break_when_silent(self, since: float) -> None:
        await trio.sleep_until(since + DEAD_AFTER_S)
        one, other = self.ends
        if self._blocked_since == since and self._hub.separated(one, other):
            self.break_off()

    def break_off(self) -> None:
        """End the connection at both ends."""
        if self.broken:
            return
        self.broken = True
        self._hub.links.remove(self)
        for pipe in self._pipes:
            pipe.wake_reader()
            pipe.wake_writer()
        for network in self._networks:
            network.lost(self)


class _Way:
    """One direction of a link: the ``Path`` of its pipes."""

    def __init__(self, link: Link, sender: MemoryNetwork, receiver: MemoryNetwork) -> None:
        self._link = link
        self._sender = sender
        self._receiver = receiver

    @property
    def broken(self) -> bool:
        return self._link.broken

    @property
    def horizon(self) -> float:
        return self._link.horizon

    def arrival(self, size: int) -> float:
        self._sender.sent += size
        self._receiver.received += size
        return self._link.arrival(self._sender, size)
