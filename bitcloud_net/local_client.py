"""The ``Client`` of the node inside this process: every call, and which service carries it out."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bitcloud_net import __version__
from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.files.caps import ReadCap
from bitcloud_net.core.files.manifest import Manifest
from bitcloud_net.net.network import Network
from bitcloud_net.nodepool.row_store import RowStore
from bitcloud_net.services import test_grid
from bitcloud_net.services.files.fetcher import Fetcher
from bitcloud_net.services.files.library import Library, fingerprint
from bitcloud_net.services.files.publisher import Publisher
from bitcloud_net.services.files.reader import CAP_PREFIX, Found, Reader
from bitcloud_net.services.files.repairer import Checked, Repairer
from bitcloud_net.services.files.transfers import Handle, Order, Transfers, Work
from bitcloud_net.services.grid import Grid
from bitcloud_net.services.newsstand import Newsstand
from bitcloud_net.services.nodepool.head_watcher import HeadWatcher
from bitcloud_net.services.nodepool.row_desk import RowDesk
from bitcloud_net.services.nodepool.row_server import RowServer
from bitcloud_net.services.nodepool.syncer import Syncer
from bitcloud_net.services.storage_node import StorageNode
from bitcloud_net.services.switches import Switches
from bitcloud_net.services.traffic import Traffic
from bitcloud_net.services.trust.avoider import Avoider
from bitcloud_net.services.trust.ban_list import BanList
from bitcloud_net.services.trust.beacons import Beacons
from bitcloud_net.services.trust.joiner import Joiner
from bitcloud_net.storage.transfer_log import TransferLog
from bitcloud_net.views import (
    AppView,
    Avoided,
    BanView,
    Contribution,
    Details,
    Entry,
    EntryKind,
    Membership,
    MembershipState,
    News,
    Published,
    SqlAnswer,
    Status,
    Synced,
    TestGrid,
    Transfer,
    TransferKind,
    TransferState,
    WrittenRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The services that a client calls. Made by ``node``."""

    home: Path
    person: str
    network_name: str
    user_key: bytes
    network: Network
    rows: RowStore
    grid: Grid
    library: Library
    reader: Reader
    publisher: Publisher
    fetcher: Fetcher
    repairer: Repairer
    transfers: Transfers
    log: TransferLog
    storage: StorageNode
    switches: Switches
    newsstand: Newsstand
    traffic: Traffic
    syncer: Syncer
    beacons: Beacons
    head_watcher: HeadWatcher
    row_server: RowServer
    row_desk: RowDesk
    joiner: Joiner
    avoider: Avoider
    ban_list: BanList
    in_step: Callable[[], Awaitable[None]]  # waits, not for ever, until the first rows came


class LocalClient:
    """See ``api.Client``, whose contract this keeps."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def status(self) -> Status:
        """See ``Client``."""
        parts = self._parts
        received, sent = parts.network.traffic
        per_s = parts.traffic.per_s
        nodes = await parts.grid.views()
        known, online = await parts.grid.counts()
        return Status(
            node=parts.network.node_id.hex(),
            person=parts.person,
            fingerprint=fingerprint(parts.user_key),
            addresses=parts.network.addresses,
            network=parts.network_name,
            peers=len(parts.network.peers),
            nodes=nodes,
            promise=await parts.grid.promise(),
            contribution=parts.switches.contribution(),
            rows=sum(parts.rows.counts.values()),
            received_bytes=received,
            sent_bytes=sent,
            receive_per_s=per_s[0],
            send_per_s=per_s[1],
            gateway=parts.switches.gateway_address,
            transfers_running=parts.transfers.running,
            version=__version__,
            sync=replace(parts.syncer.state, owners_lacking=parts.head_watcher.owners_lacking),
            more_nodes=max(0, known - len(nodes)),
            more_online=max(0, online - sum(node.online for node in nodes)),
        )

    async def entries(self, path: str = "") -> tuple[Entry, ...]:
        """See ``Client``."""
        await self._parts.in_step()
        return await self._parts.library.entries(path)

    async def details(self, target: str) -> Details:
        """See ``Client``."""
        return await self.check(target)

    async def publish(
        self, sources: Sequence[Path], to: str = "", *, wait: bool = True
    ) -> tuple[Published, ...]:
        """See ``Client``."""
        parts = self._parts
        if not sources:
            raise BadInput("name at least one file or folder", code="nothing-chosen")
        paths = [_absolute(source) for source in sources]
        await parts.in_step()

        title = paths[0].name if len(paths) == 1 else f"{len(paths)} items"
        order = {"do": "publish", "sources": [str(path) for path in paths], "to": to}
        work = self._work(order)
        handle = parts.transfers.start(TransferKind.PUBLISH, title, to, work, order)
        if not wait:
            return ()
        return await parts.transfers.wait(handle)  # type: ignore[return-value]

    async def fetch(self, target: str, destination: Path, *, wait: bool = True) -> Path:
        """See ``Client``."""
        parts = self._parts
        await parts.in_step()
        # A cap grants: it is kept out of lists and logs, so this one ends with its run.
        by_cap = target.startswith(CAP_PREFIX)
        order = {"do": "fetch", "target": target, "to": str(_absolute(destination))}
        title = "A shared file" if by_cap else target.rpartition("/")[2]
        handle = parts.transfers.start(
            TransferKind.FETCH,
            title,
            "" if by_cap else target,
            self._work(order),
            None if by_cap else order,
        )
        if not wait:
            return destination
        return await parts.transfers.wait(handle)  # type: ignore[return-value]

    async def restore_transfers(self, *, go_on: bool) -> None:
        """Take over the transfers of earlier runs; with ``go_on`` those that were cut off run."""
        for logged in reversed(await self._parts.log.transfers()):
            under_way = not logged.transfer.ended
            paused = logged.transfer.state is TransferState.PAUSED
            self._parts.transfers.restore(
                logged.transfer,
                self._work(logged.order),
                logged.order,
                go_on=go_on and under_way and not paused,
            )

    def _work(self, order: Order) -> Work[object]:
        """Return what carries out an order."""
        publisher, fetcher = self._parts.publisher, self._parts.fetcher

        async def publish(handle: Handle) -> object:
            paths = [Path(source) for source in order["sources"]]
            return await publisher.publish(handle, paths, str(order["to"]))

        async def fetch(handle: Handle) -> object:
            return await fetcher.fetch(handle, str(order["target"]), Path(str(order["to"])))

        return publish if order["do"] == "publish" else fetch

    @asynccontextmanager
    async def read(
        self, target: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """See ``Client``."""
        await self._parts.in_step()
        opened = await self._parts.reader.open(target)
        async with self._parts.reader.read(opened, offset, length) as pieces:
            yield pieces

    async def share(self, path: str) -> str:
        """See ``Client``."""
        await self._parts.in_step()
        cap = (await self._parts.library.file(path)).entry.cap
        return cap.text

    async def check(self, target: str, *, verify: bool = False) -> Details:
        """See ``Client``."""
        parts = self._parts
        await parts.in_step()
        found = await parts.reader.find(target)
        if not verify:
            return await self._details(await parts.repairer.check(found))

        async def work(handle: Handle) -> object:
            return await parts.repairer.check(found, verify=True, progress=_progress(handle))

        handle = parts.transfers.start(TransferKind.CHECK, found.name, found.path or "", work)
        return await self._details(await parts.transfers.wait(handle))  # type: ignore[arg-type]

    async def repair(self, target: str) -> Details:
        """See ``Client``."""
        parts = self._parts
        await parts.in_step()
        found = await parts.reader.find(target)

        async def work(handle: Handle) -> object:
            return await parts.repairer.repair(found, verify=True, progress=_progress(handle))

        handle = parts.transfers.start(TransferKind.REPAIR, found.name, found.path or "", work)
        return await self._details(await parts.transfers.wait(handle))  # type: ignore[arg-type]

    async def url(self, target: str) -> str:
        """See ``Client``."""
        gateway = await self._parts.switches.gateway()
        return await gateway.address_of(target)

    async def contribute(self, *, folder: Path | None, capacity_bytes: int) -> Contribution:
        """See ``Client``."""
        await self._parts.switches.contribute(folder, capacity_bytes)
        return self._parts.switches.contribution()

    async def membership(self, *, role: str = "node") -> Membership:
        """See ``Client``."""
        return await self._parts.joiner.view(role)

    async def join(self, *, role: str = "node", wait: bool = True) -> Membership:
        """See ``Client``."""
        joiner = self._parts.joiner
        if (await joiner.view(role)).state is MembershipState.NONE:
            await self._parts.in_step()  # the person may have joined on another computer before
        return await joiner.join(role, wait=wait)

    async def pause_join(self) -> Membership:
        """See ``Client``."""
        return await self._parts.joiner.pause()

    async def avoided(self) -> tuple[Avoided, ...]:
        """See ``Client``."""
        return self._parts.avoider.views()

    async def avoid(self, target: str, *, reason: str = "") -> None:
        """See ``Client``."""
        await self._parts.in_step()
        await self._parts.avoider.avoid(target, reason)

    async def unavoid(self, target: str) -> None:
        """See ``Client``."""
        await self._parts.avoider.unavoid(target)

    async def transfers(self) -> tuple[Transfer, ...]:
        """See ``Client``."""
        return self._parts.transfers.list()

    async def pause(self, transfer: str) -> None:
        """See ``Client``."""
        self._parts.transfers.pause(transfer)

    async def resume(self, transfer: str) -> None:
        """See ``Client``."""
        self._parts.transfers.resume(transfer)

    async def cancel(self, transfer: str) -> None:
        """See ``Client``."""
        self._parts.transfers.cancel(transfer)

    def news(self) -> AbstractAsyncContextManager[AsyncIterator[News]]:
        """See ``Client``."""
        return self._parts.newsstand.subscribe()

    async def select(self, statement: str) -> SqlAnswer:
        """See ``Client``."""
        return await self._parts.row_desk.select(statement)

    async def put_row(self, table: str, key: str, values: str) -> WrittenRow:
        """See ``Client``."""
        return await self._parts.row_desk.put(table, key, values)

    async def apps(self) -> tuple[AppView, ...]:
        """See ``Client``."""
        return self._parts.row_desk.apps()

    async def install_app(self, definition: str) -> AppView:
        """See ``Client``."""
        return await self._parts.row_desk.install(definition)

    async def uninstall_app(self, app: str) -> None:
        """See ``Client``."""
        await self._parts.row_desk.uninstall(app)

    async def bans(self) -> tuple[BanView, ...]:
        """See ``Client``."""
        return await self._parts.ban_list.bans()

    async def sync_rows(self, table: str = "") -> Synced:
        """See ``Client``."""
        return await self._parts.syncer.sync(table)

    async def test_grid(self) -> TestGrid | None:
        """See ``Client``."""
        return await test_grid.view(self._parts.home)

    async def set_running_nodes(self, count: int) -> TestGrid:
        """See ``Client``."""
        return await test_grid.set_running(self._parts.home, count)

    async def _details(self, checked: Checked) -> Details:
        found = checked.found
        return Details(
            entry=replace(await self._entry(found), health=checked.health),
            health=checked.health,
            holders=checked.holders,
            verify_cap=(
                found.cap.diminish().text if isinstance(found.cap, ReadCap) else found.cap.text
            ),
        )

    async def _entry(self, found: Found) -> Entry:
        if found.path is not None:
            return await self._parts.library.entry(found.path)
        size = None
        if isinstance(found.cap, ReadCap):
            size = (await self._parts.reader.open(found.cap.text)).header.size
        elif isinstance(found.manifest, Manifest):
            size = found.manifest.padded_size
        return Entry(kind=EntryKind.FILE, path="", name=found.name, size_bytes=size)


def _progress(handle: Handle) -> Callable[[int, int], None]:
    return lambda done, total: handle.update(bytes_done=done, bytes_total=total)


def _absolute(path: Path) -> Path:
    # Not resolved: a symlink must still be seen as one. Kept over a change of folder.
    return Path(os.path.abspath(path))
