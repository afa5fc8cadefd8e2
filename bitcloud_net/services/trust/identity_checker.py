"""Checks that others have mined their identities: those we meet, and a sample of all.

One check costs as much as one try of mining, so nobody checks everybody. Each node draws its own
hundredth; a hundred nodes see through every lie, and one proof is enough for all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.errors import LocalFault, Malformed
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.nodepool.row_bodies import IdentityBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import PROOFS, Table, rule_of
from bitcloud_net.core.trust.identity import Admission, in_sample
from bitcloud_net.core.trust.verdicts import FRAUD, Ban
from bitcloud_net.nodepool.outcome import Outcome, RowsChanged
from bitcloud_net.nodepool.proofs import Proof

if TYPE_CHECKING:
    from trio_typing import TaskStatus

MAX_WAITING: Final = 10_000
"""Identities that wait to be checked; in a flood some strangers are left to other nodes."""

MAX_REMEMBERED: Final = 100_000
"""Identities that were found good and need no second look; 32 bytes each."""
LEARN_S: Final = 60.0
"""How long the beacon of a day is waited for; who cannot check leaves it to others."""
LOOK_S: Final = 5.0


class Pool(Protocol):
    """What the checker needs of the nodepool (``nodepool.row_store``)."""

    def watch(self, on_change: Callable[[RowsChanged], None]) -> None: ...

    async def rows_of(self, table: int, owner: bytes) -> tuple[SignedRow, ...]: ...

    async def ban(self, ban: Ban) -> bool: ...

    async def take(
        self, of: int, raws: Sequence[bytes], *, source: NodeId | None
    ) -> tuple[Outcome, ...]: ...


class IdentityChecker:
    """The service. One per node of a network in which identities are mined."""

    def __init__(
        self,
        rows: Pool,
        own: NodeId,
        admission: Admission,
        *,
        deals_with: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        """``deals_with`` says whether a key is connected to us; see ``met`` for who comes later."""
        self._rows = rows
        self._own = own
        self._admission = admission
        self._deals_with = deals_with
        self._outbox, self._inbox = trio.open_memory_channel[SignedRow | NodeId](MAX_WAITING)
        self._waited_for: set[int] = set()  # days
        self._good: OrderedDict[bytes, None] = OrderedDict()  # ids of rows that hold

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Check one identity after another until cancelled."""
        self._rows.watch(self._rows_changed)
        task_status.started()
        async for item in self._inbox.clone():
            for row in await self._rows_of(item):
                if row.body is not None and row.id not in self._good:
                    await self._wait_until_certain(row)
                    await self.check(row)

    async def _rows_of(self, item: SignedRow | NodeId) -> tuple[SignedRow, ...]:
        if isinstance(item, SignedRow):
            return (item,)
        return await self._rows.rows_of(Table.IDENTITY, item)

    def met(self, peer: NodeId) -> None:
        """Check a peer that has connected: its identity may have come through others, when it was
        a stranger whom nobody here looked at. Quick; never waits.
        """
        if not self._admission.is_free:
            self._put(peer)

    async def _wait_until_certain(self, row: SignedRow) -> None:
        """Give a node that has just come a moment to learn the beacon of the row's day; one moment
        for each day.
        """
        if not isinstance(row.body, IdentityBody) or row.body.day in self._waited_for:
            return
        day = row.body.day
        self._waited_for.add(day)
        with trio.move_on_after(LEARN_S):
            while not self._admission.is_certain(day):  # noqa: ASYNC110 - it is no event
                await trio.sleep(LOOK_S)

    async def check(self, row: SignedRow) -> bool:
        """Check one identity row now; False when it was not mined, which then all can see. What
        cannot be checked here, for want of memory, is left to others.
        """
        try:
            proof = await trio.to_thread.run_sync(Proof.of_identity, row, self._admission)
        except LocalFault:
            return True
        except Malformed as error:
            if error.code != "unknown-day":
                self._remember(row.id)
            return True
        (outcome,) = await self._rows.take(PROOFS, [proof.raw], source=None)
        if outcome.code == "proofs-full":  # then each node judges for itself
            until = proof.bans_until(rule_of)
            node = NodeId(proof.owner)
            await self._rows.ban(Ban(target=node, since=proof.period, until=until, reason=FRAUD))
        return False

    def _rows_changed(self, news: RowsChanged) -> None:
        if self._admission.is_free or news.source is None:
            return
        for row in news.rows:
            if row.table is Table.IDENTITY and self._is_ours_to_check(row):
                self._put(row)

    def _put(self, item: SignedRow | NodeId) -> None:
        with suppress(trio.WouldBlock):
            self._outbox.send_nowait(item)

    def _remember(self, row_id: bytes) -> None:
        self._good[row_id] = None
        while len(self._good) > MAX_REMEMBERED:
            self._good.popitem(last=False)

    def _is_ours_to_check(self, row: SignedRow) -> bool:
        return row.body is not None and (
            in_sample(self._own, row.id) or self._deals_with(row.owner)
        )
