"""What a person turns on and off while the node runs: contributing, and the gateway."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from bitcloud_net.core.errors import BadInput, BitcloudError
from bitcloud_net.core.nodepool.table_rules import Role
from bitcloud_net.services.files.gateway import Gateway
from bitcloud_net.services.home import make_private
from bitcloud_net.services.storage_node import LEAST_CAPACITY_BYTES, StorageNode
from bitcloud_net.services.trust.joiner import Joiner
from bitcloud_net.settings import Settings
from bitcloud_net.views import Contribution

if TYPE_CHECKING:
    from trio_typing import TaskStatus


log = logging.getLogger(__name__)


class Switches:
    """Starts and stops services in ``nursery``, which belongs to the node, and remembers it.

    ``save`` keeps the settings for the next start.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        storage: StorageNode,
        gateway: Gateway,
        joiner: Joiner,
        settings: Settings,
        save: Callable[[Settings], None],
    ) -> None:
        self._nursery = nursery
        self._storage = storage
        self._gateway = gateway
        self._settings = settings
        self._save = save
        self._joiner = joiner
        self._wanted: tuple[Path, int] | None = None  # to be lent, as soon as we may
        self._waiting = trio.CancelScope()
        self._storing: trio.CancelScope | None = None
        self._stored = trio.Event()
        self._turning = trio.Lock()
        self._starting = trio.Lock()

    @property
    def gateway_address(self) -> str | None:
        """Where the gateway's landing page is, while it runs."""
        return self._gateway.address

    async def gateway(self) -> Gateway:
        """Return the gateway, started where it did not run.

        Raises:
            LocalFault: ``port-taken``.
        """
        async with self._starting:
            if self._gateway.address is None:
                await self._nursery.start(self._gateway.run)
        return self._gateway

    def contribution(self) -> Contribution:
        """Return what is lent; while an identity is searched for, what is going to be."""
        view = self._storage.view()
        if view.on or self._wanted is None:
            return view
        folder, capacity_bytes = self._wanted
        return replace(view, folder=str(folder), capacity_bytes=capacity_bytes)

    async def contribute(
        self, folder: Path | None, capacity_bytes: int, *, by_hand: bool = True
    ) -> None:
        """Lend ``capacity_bytes`` in ``folder``, or with None stop. Safe to repeat.

        Who has no identity on a network where they are mined joins first: the call returns at
        once, and lending starts when the search is over. One that was held by a person goes on only
        ``by_hand``; what a hand did is remembered for the next start.

        Raises:
            BadInput: ``too-little`` space.
            LocalFault: the folder cannot be used.
        """
        async with self._turning:
            if folder is None:
                await self._stop(for_good=True)
            else:
                if capacity_bytes < LEAST_CAPACITY_BYTES:
                    least = LEAST_CAPACITY_BYTES // 2**20
                    raise BadInput(f"lend at least {least} MiB", code="too-little")
                await self._stop(for_good=False)
                await self._start_or_join(folder, capacity_bytes, by_hand)
        if by_hand:
            self._remember(folder, capacity_bytes)

    async def _start_or_join(self, folder: Path, capacity_bytes: int, by_hand: bool) -> None:  # noqa: FBT001 - private
        if await self._joiner.is_in(Role.NODE):
            await self._start(folder, capacity_bytes)
            return
        make_private(folder)  # a folder that cannot be used is told before hours are spent
        if by_hand:
            self._joiner.start(Role.NODE)
        else:
            self._joiner.go_on(Role.NODE)
        self._wanted = folder, capacity_bytes
        self._waiting = trio.CancelScope()
        self._nursery.start_soon(self._start_when_in, folder, capacity_bytes, self._waiting)

    async def _start_when_in(
        self, folder: Path, capacity_bytes: int, scope: trio.CancelScope
    ) -> None:
        with scope:
            await self._joiner.until_in(Role.NODE)
            async with self._turning:
                try:
                    await self._start(folder, capacity_bytes)
                except BitcloudError as error:
                    log.error("cannot lend %s: %s", folder, error)
                self._wanted = None

    async def _start(self, folder: Path, capacity_bytes: int) -> None:
        make_private(folder)

        async def run(*, task_status: TaskStatus[None]) -> None:
            with trio.CancelScope() as self._storing:
                self._stored = trio.Event()
                try:
                    await self._storage.run(folder, capacity_bytes, task_status=task_status)
                finally:
                    self._storing = None
                    self._stored.set()

        await self._nursery.start(run)

    async def _stop(self, *, for_good: bool) -> None:
        self._waiting.cancel()
        if for_good and self._wanted is not None:
            await self._joiner.hold(Role.NODE)
        self._wanted = None
        if self._storing is not None:
            self._storing.cancel()
            await self._stored.wait()
        if for_good and self._storage.was_on:
            await self._storage.leave()

    def _remember(self, folder: Path | None, capacity_bytes: int) -> None:
        kept = "" if folder is None else str(folder)
        lent = 0 if folder is None else capacity_bytes
        self._settings = replace(self._settings, contribute_folder=kept, contribute_bytes=lent)
        self._save(self._settings)
