"""Answers those who read single rows from here (``protocols.row_read``), within bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from bitcloud_net.core.errors import Refused
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.units import MIB
from bitcloud_net.net.network import Network, ProtocolId, Stream
from bitcloud_net.protocols.row_read import Shelf, answer
from bitcloud_net.wire.row_read import PROTOCOL

if TYPE_CHECKING:
    from trio_typing import TaskStatus

MAX_SERVED: Final = 32
"""Streams answered at a time; more are closed and come again."""
MAX_SERVED_PER_PEER: Final = 4
BUDGET_BYTES: Final = 64 * MIB
"""Rows that one peer may read in one period: the names of a hundred thousand files."""
ANSWER_BYTES: Final = 64
"""What an answer costs beside its rows, so that questions are not free."""


class RowServer:
    """The service. One per node."""

    def __init__(self, network: Network, shelf: Shelf, *, period: Callable[[], int]) -> None:
        self._network = network
        self._shelf = shelf
        self._period = period
        self._served: Counter[NodeId] = Counter()
        self._spent: Counter[NodeId] = Counter()
        self._spent_in = 0  # the period

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled. Start it before the network connects to anybody."""
        self._network.serve(ProtocolId(PROTOCOL), self._serve)
        task_status.started()
        await trio.sleep_forever()

    async def _serve(self, stream: Stream) -> None:
        peer = stream.peer
        if self._served.total() >= MAX_SERVED or self._served[peer] >= MAX_SERVED_PER_PEER:
            return
        self._served[peer] += 1
        try:
            await answer(stream, self._shelf, lambda size: self._spend(peer, size))
        finally:
            self._served[peer] -= 1
            self._served += Counter()  # drops who is at zero

    def _spend(self, peer: NodeId, size: int) -> None:
        if self._spent_in != self._period():
            self._spent.clear()
            self._spent_in = self._period()
        self._spent[peer] += size + ANSWER_BYTES
        if self._spent[peer] > BUDGET_BYTES:
            raise Refused("this period's budget for you is used up", code="budget")
