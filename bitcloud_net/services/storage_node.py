"""This computer as a storage node: lends space, keeps shares, hands blocks out.

The switch may be turned on and off while the node runs. On: the store in the chosen folder opens,
the share protocol is answered out of it, and a node row tells the grid of the space. Off: the row
is taken back, questions are refused, and what is held stays on the disk for the next time.

A node that is banned goes on storing and serving: only its row is not taken, and comes back when
the ban has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.errors import BadInput, BitcloudError, Unavailable
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.partners import position_of
from bitcloud_net.core.nodepool.row_bodies import NodeBody
from bitcloud_net.core.nodepool.table_rules import Role, Table
from bitcloud_net.net.network import Network, Stream
from bitcloud_net.nodepool.row_store import RowStore
from bitcloud_net.protocols.share_client import PROTOCOL
from bitcloud_net.protocols.share_server import ShareKeeper, ShareServer
from bitcloud_net.storage.share_store import ShareStore, open_share_store
from bitcloud_net.tasks import open_tasks
from bitcloud_net.views import Contribution

if TYPE_CHECKING:
    from trio_typing import TaskStatus

ANNOUNCE_PERIODS: Final = range(36 * 6, 60 * 6)
"""When the node row is signed again: 36 to 60 hours after the last time, each node at its own, so
that there is no daily wave. It lives for 72 (R-NP-04). At 100,000 nodes that is 0.6 rows a second.
"""
SETTLED_PERIODS: Final = 36
"""Nor is it signed again within six hours because the used space has changed."""
NOTED_PART: Final = 16
"""One part in so many of the space is a change that others should know of."""
LOOK_S: Final = 300.0
"""How often the date is looked at. A machine that slept for days wakes with its row expired, and
its timers only a moment older."""
LEAST_CAPACITY_BYTES: Final = 64 * 1024 * 1024
"""Less than this is not worth a node's row."""

_LOST_PLACE: Final = ("must-mine-again", "missing-parent")


class DiskSpace(Protocol):
    """What the contribution page shows of a folder's disk."""

    def free_bytes(self, path: Path) -> int: ...
    def total_bytes(self, path: Path) -> int: ...


class StorageNode:
    """The switch and what is behind it. One per node."""

    def __init__(
        self,
        network: Network,
        rows: RowStore,
        key: SigningKey,
        disk: DiskSpace,
        *,
        name: str,
        period: Callable[[], int],
        on_change: Callable[[], None],
        on_lost_place: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_lost_place`` is called when the network wants this node to mine again before it
        takes its row: it was away for days, or was convicted.
        """
        self._network = network
        self._rows = rows
        self._key = key
        self._disk = disk
        self._name = name
        self._period = period
        self._on_change = on_change
        self._on_lost_place = on_lost_place
        self._server: ShareServer | None = None
        self._store: ShareStore | None = None
        self._folder: Path | None = None
        self._capacity_bytes = 0
        self._announced_in = 0  # the period
        self._announced_used = 0
        spread = position_of(key.public) % len(ANNOUNCE_PERIODS)
        self._announced_for = ANNOUNCE_PERIODS[spread]
        self._banned = False
        self.was_on = False  # since the start: the grid may count on this computer
        network.serve(PROTOCOL, self.handle)

    async def run(
        self,
        folder: Path,
        capacity_bytes: int,
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Be a storage node until cancelled; ``started`` when the grid was told.

        Raises:
            LocalFault: the folder cannot be used (``store-in-use``, ``store-too-new``, …).
        """
        async with open_share_store(folder, capacity_bytes=capacity_bytes) as store:
            self._store, self._folder, self._capacity_bytes = store, folder, capacity_bytes
            self.was_on = True
            self._server = ShareServer(store, self._key, self._period)
            try:
                async with open_tasks() as tasks:
                    await self._announce()
                    task_status.started()
                    self._on_change()
                    tasks.start_soon(self._announce_again)
                    await trio.sleep_forever()
            finally:
                self._server = self._store = None
                self._on_change()

    async def leave(self) -> None:
        """Take the node row back, so that nobody counts on this computer any more."""
        await self._write(None)

    def view(self) -> Contribution:
        """Return what is lent, used, and moved since the start."""
        if self._store is None or self._folder is None or self._server is None:
            return Contribution(on=False)
        usage = self._store.usage()
        return Contribution(
            on=True,
            folder=str(self._folder),
            capacity_bytes=usage.capacity_bytes,
            used_bytes=usage.used_bytes,
            shares=usage.shares,
            disk_free_bytes=self._disk.free_bytes(self._folder),
            disk_total_bytes=self._disk.total_bytes(self._folder),
            received_bytes=self._server.received_bytes,
            served_bytes=self._server.served_bytes,
            banned=self._banned,
        )

    @property
    def shelf(self) -> ShareKeeper | None:
        """What is held, while this computer lends storage; audits look at it."""
        return None if self._server is None else self._server.keeper

    async def handle(self, stream: Stream) -> None:
        """Serve one client's stream, unless this computer keeps no shares now."""
        if self._server is None:
            raise Unavailable("this computer keeps no shares now", code="not-contributing")
        await self._server.handle(stream)

    async def _announce(self) -> None:
        assert self._store is not None
        body = NodeBody(
            name=self._name,
            roles=Role.NODE,
            addresses=self._network.addresses[:8],
            capacity=self._capacity_bytes,
            used=self._store.usage().used_bytes,
        )
        if await self._write(body):
            self._announced_in = self._period()
            self._announced_used = body.used

    async def _write(self, body: NodeBody | None) -> bool:
        """Sign our row; return False where a ban of our own forbids it, or we have to mine again
        first.
        """
        try:
            await self._rows.write(Table.NODE, b"", body, signer=self._key)
        except BadInput as error:
            if error.code not in ("owner-banned", *_LOST_PLACE):
                raise
            self._tell_banned(banned=error.code == "owner-banned")
            if error.code in _LOST_PLACE:
                self._on_lost_place()
            return False
        self._tell_banned(banned=False)
        return True

    def _tell_banned(self, *, banned: bool) -> None:
        if self._banned != banned:
            self._banned = banned
            self._on_change()

    async def _announce_again(self) -> None:
        while True:
            await trio.sleep(LOOK_S)
            with suppress(BitcloudError):  # the next try comes long before the row expires
                if not await self._is_announced():
                    await self._announce()

    async def _is_announced(self) -> bool:
        """Whether our row is fresh, and was not dropped by a ban."""
        age = self._period() - self._announced_in
        if age >= self._announced_for or (age >= SETTLED_PERIODS and self._has_changed()):
            return False
        return await self._rows.holds(Table.NODE, self._key.public)

    def _has_changed(self) -> bool:
        """Whether much more, or less, is used than our row says."""
        assert self._store is not None
        change = abs(self._store.usage().used_bytes - self._announced_used)
        return change * NOTED_PART > self._capacity_bytes
