"""What is open: the node's status, the folders seen so far, transfers and test grid. No widgets.

Pages read the frozen values here, call the verbs, and are told by signals what to look at again. A
verb whose failure nobody handles reports it through ``notice``.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from app.bridge import Bridge, Job
from app.error_text import explain, explain_own
from app.models.listing import Listing, ListingState, is_inside, parent_path, search
from app.standing import Standing
from bitcloud_net.api import (
    Client,
    Details,
    EntriesChanged,
    Entry,
    EntryKind,
    Health,
    MembershipChanged,
    News,
    SqlAnswer,
    Status,
    StatusChanged,
    TestGrid,
    TestGridChanged,
    Transfer,
    TransferChanged,
)

T = TypeVar("T")

MAX_LISTINGS = 256
"""Folders kept in memory. Beyond it the one not looked at for longest is forgotten."""

MAX_SEARCHED = 200
"""Folders that a search loads by itself; fewer than are kept, so that none pushes another out."""

MAX_HEALTHS = 4096
"""Files whose health is remembered; some 100 bytes each."""

MAX_TRANSFERS = 200
"""Transfers kept for the page; the node itself keeps those under way and the last hundred."""

REFRESH_PERIOD_MS = 200
"""Folders that changed are loaded again at most this often: publishing 2,000 files changes one
2,000 times."""

STATUS_PERIOD_MS = 1000
"""How often the status is asked for, so that speeds and totals are live."""

TRAFFIC_SAMPLES = 600
"""Ten minutes of one sample a second, for the chart."""


class NodeState(StrEnum):
    """Whether the node behind this window answers."""

    STARTING = "starting"
    READY = "ready"
    OFFLINE = "offline"


class Tone(StrEnum):
    """How a notice is meant."""

    INFO = "info"
    GOOD = "good"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Speeds at one moment, in bytes a second."""

    received_per_s: int
    sent_per_s: int


class Session(QObject):
    """The one node of this window. Every method is to be called in the window's thread."""

    state_changed = Signal()
    status_changed = Signal()
    listing_changed = Signal(str)
    health_changed = Signal(str)
    transfers_changed = Signal()
    transfer_ended = Signal(object)
    test_grid_changed = Signal()
    notice = Signal(object, str)  # Tone, plain text

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.state = NodeState.STARTING
        self.failure: BaseException | None = None
        self.status: Status | None = None
        self.test_grid: TestGrid | None = None
        self.standing = Standing(self.call, self)
        self.transfers: OrderedDict[str, Transfer] = OrderedDict()
        self.traffic: deque[Traffic] = deque(maxlen=TRAFFIC_SAMPLES)
        self._listings: OrderedDict[str, Listing] = OrderedDict()
        self._health: OrderedDict[str, Health] = OrderedDict()
        self._status_job: Job[Status] | None = None
        self._poll = QTimer(self, interval=STATUS_PERIOD_MS)
        self._poll.timeout.connect(self._ask_status)
        self._stale: set[str] = set()
        self._looked_at: set[str] = set()
        self._refresh_later = QTimer(self, interval=REFRESH_PERIOD_MS, singleShot=True)
        self._refresh_later.timeout.connect(self._refresh_stale)
        bridge.opened.connect(self._on_opened)
        bridge.failed.connect(self._on_failed)
        bridge.news.connect(self._on_news)

    # Starting and ending

    def start(self) -> None:
        """Start the node, or start it again after it failed."""
        self._set_state(NodeState.STARTING, None)
        self._bridge.start()

    def stop(self) -> bool:
        """Close the node; False when it did not stop in time."""
        self._poll.stop()
        return self._bridge.stop()

    def _on_opened(self) -> None:
        self._set_state(NodeState.READY, None)
        self._ask_status()
        self._poll.start()
        self.call(lambda client: client.transfers(), done=self._on_transfers)
        self.call(lambda client: client.test_grid(), done=self._on_test_grid)
        self.standing.ask()
        for path in [*self._listings]:
            self.refresh(path)

    def _on_failed(self, error: BaseException) -> None:
        self._poll.stop()
        self._set_state(NodeState.OFFLINE, error)

    def _set_state(self, state: NodeState, failure: BaseException | None) -> None:
        self.state, self.failure = state, failure
        self.state_changed.emit()

    # Asking the node

    def prepare(
        self,
        function: Callable[[], Awaitable[T]],
        *,
        owner: QObject,
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Do something that comes before the node, such as making its home."""
        self._bridge.prepare(function, owner=owner, done=done, failed=failed)

    def call(
        self,
        request: Callable[[Client], Awaitable[T]],
        *,
        owner: QObject | None = None,
        done: Callable[[T], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> Job[T]:
        """Ask the node for something; an error without a handler becomes a notice."""
        return self._bridge.call(
            request, owner=owner or self, done=done, failed=failed or self.report
        )

    def compute(
        self, function: Callable[[], T], *, owner: QObject, done: Callable[[T], None]
    ) -> Job[T]:
        """Run blocking or long work in a worker thread."""
        return self._bridge.compute(function, owner=owner, done=done, failed=self.report)

    def report(self, error: BaseException) -> None:
        """Show an error as a notice."""
        self.notice.emit(Tone.ERROR, str(explain(error)))

    def _ask_status(self) -> None:
        if self._status_job is None or self._status_job.ended:
            self._status_job = self.call(
                lambda client: client.status(), done=self._on_status, failed=lambda _error: None
            )

    # Folders

    def listing(self, path: str) -> Listing:
        """Return what is known below ``path``, and load it when nothing is."""
        found = self._listings.get(path)
        if found is None:
            found = Listing(path=path, state=ListingState.LOADING)
            self._listings[path] = found
            self.refresh(path)
        elif path in self._stale:
            self.refresh(path)
        self._listings.move_to_end(path)
        while len(self._listings) > MAX_LISTINGS:
            self._listings.popitem(last=False)
        return found

    def refresh(self, path: str) -> None:
        """Load a folder again; what is known stays visible meanwhile.

        Before the node answers this does nothing: everything asked for is loaded when it does.
        """
        if self.state is not NodeState.READY:
            return
        self._stale.discard(path)

        def done(entries: tuple[Entry, ...]) -> None:
            self._set_listing(Listing(path=path, state=ListingState.READY, entries=entries))

        def failed(error: BaseException) -> None:
            known = self._listings.get(path)
            entries = known.entries if known else ()
            self._set_listing(
                Listing(path=path, state=ListingState.ERROR, entries=entries, error=error)
            )

        self.call(lambda client: client.entries(path), done=done, failed=failed)

    def keep_health(self, path: str, health: Health) -> None:
        """Remember what the holders of a file said."""
        self._health[path] = health
        self._health.move_to_end(path)
        while len(self._health) > MAX_HEALTHS:
            self._health.popitem(last=False)
        self.health_changed.emit(path)

    def health_of(self, path: str) -> Health | None:
        """Return what the holders of a file said last, if they were asked since nodes changed."""
        return self._health.get(path)

    def with_health(self, entry: Entry) -> Entry:
        """Return an entry with what is known about its health filled in."""
        known = self._health.get(entry.path)
        return entry if known is None or known == entry.health else replace(entry, health=known)

    def _set_listing(self, listing: Listing) -> None:
        if self._listings.get(listing.path) != listing:
            self._listings[listing.path] = listing
            self.listing_changed.emit(listing.path)

    def entry(self, path: str) -> Entry | None:
        """Return an entry seen before, by its path."""
        listing = self._listings.get(parent_path(path))
        return listing.find(path) if listing else None

    def search(self, text: str) -> tuple[Entry, ...]:
        """Return everything seen so far whose name contains all words of ``text``."""
        return search(self._listings.values(), text)

    def look_further(self) -> None:
        """Load folders that were only seen from outside, so that a search reaches them.

        Each answer may show more of them; asking again goes deeper, up to ``MAX_SEARCHED``.
        """
        unseen = [
            entry.path
            for listing in self._listings.values()
            for entry in listing.entries
            if entry.kind is not EntryKind.FILE and entry.path not in self._listings
        ]
        for path in unseen[: max(0, MAX_SEARCHED - len(self._listings))]:
            self.listing(path)

    def known_files(self) -> tuple[Entry, ...]:
        """Return the files seen so far, newest first."""
        files = {
            entry.path: entry
            for listing in self._listings.values()
            for entry in listing.entries
            if entry.kind is EntryKind.FILE
        }
        return tuple(sorted(files.values(), key=lambda e: e.modified_s or 0, reverse=True))

    # Verbs

    def publish(self, sources: Sequence[Path], to: str) -> None:
        """Publish files and folders below ``to``; the transfer shows up by itself."""

        def failed(error: BaseException) -> None:
            self.notice.emit(Tone.ERROR, str(explain_own(error)))

        self.call(lambda client: client.publish(sources, to, wait=False), failed=failed)

    def save(self, target: str, destination: Path) -> None:
        """Fetch a file or folder to ``destination``; the transfer shows up by itself."""
        self.call(lambda client: client.fetch(target, destination, wait=False))

    def details(
        self,
        target: str,
        *,
        owner: QObject,
        done: Callable[[Details], None],
        failed: Callable[[BaseException], None] | None = None,
    ) -> Job[Details]:
        """Ask all holders of a file; what they say is remembered."""

        def keep(details: Details) -> None:
            self.keep_health(details.entry.path, details.health)
            done(details)

        return self.call(
            lambda client: client.details(target), owner=owner, done=keep, failed=failed
        )

    def select(
        self,
        statement: str,
        *,
        owner: QObject,
        done: Callable[[SqlAnswer], None],
        failed: Callable[[BaseException], None],
    ) -> Job[SqlAnswer]:
        """Ask the shared database; cancelling the job interrupts the statement."""
        return self.call(
            lambda client: client.select(statement), owner=owner, done=done, failed=failed
        )

    def pause(self, transfer: str) -> None:
        """Hold a transfer."""
        self.call(lambda client: client.pause(transfer))

    def resume(self, transfer: str) -> None:
        """Go on with a transfer."""
        self.call(lambda client: client.resume(transfer))

    def cancel(self, transfer: str) -> None:
        """End a transfer."""
        self.call(lambda client: client.cancel(transfer))

    def set_running_nodes(self, count: int) -> None:
        """Switch nodes of the test grid on or off."""
        self.call(lambda client: client.set_running_nodes(count), done=self._on_test_grid)

    def contribute(self, folder: Path | None, capacity_bytes: int) -> None:
        """Lend space, change how much, or (folder None) stop lending."""

        async def request(client: Client) -> Status:
            await client.contribute(folder=folder, capacity_bytes=capacity_bytes)
            return await client.status()

        self.call(request, done=self._on_status, failed=self._on_contribute_failed)

    def _on_contribute_failed(self, error: BaseException) -> None:
        self.report(error)
        self.status_changed.emit()  # the switch goes back to what is true

    # News

    def _on_news(self, items: tuple[News, ...]) -> None:
        moved = False
        for item in items:
            if isinstance(item, EntriesChanged):
                self._on_entries_changed(item.path)
            elif isinstance(item, StatusChanged):
                self._on_status(item.status)
            elif isinstance(item, TestGridChanged):
                self._on_test_grid(item.grid)
            elif isinstance(item, TransferChanged):
                self._keep_transfer(item.transfer)
                moved = True
            elif isinstance(item, MembershipChanged):
                self.standing.take_membership(item.membership)
        if moved:
            self.transfers_changed.emit()

    def _on_entries_changed(self, path: str) -> None:
        changed = {k for k in self._listings if is_inside(path, k) or is_inside(k, path)}
        self._stale |= changed
        if not self._refresh_later.isActive():
            self._refresh_later.start()

    def _refresh_stale(self) -> None:
        for path in self._stale & self._looked_at:
            self.refresh(path)

    def look_at(self, paths: Iterable[str]) -> None:
        """Say which folders are on the screen: these stay fresh, others when they are opened."""
        self._looked_at = set(paths)
        if self._stale & self._looked_at:
            self._refresh_stale()

    def _on_status(self, status: Status) -> None:
        self.status = status
        self.standing.look(status.contribution)
        self.traffic.append(
            Traffic(received_per_s=status.receive_per_s, sent_per_s=status.send_per_s)
        )
        self.status_changed.emit()

    def _on_test_grid(self, grid: TestGrid | None) -> None:
        if grid != self.test_grid:
            changed = self.test_grid is not None and grid is not None
            self.test_grid = grid
            if changed:
                self._health.clear()
            self.test_grid_changed.emit()

    def _on_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        for transfer in reversed(transfers):
            self.transfers.setdefault(transfer.id, transfer)
        self.transfers_changed.emit()

    def _keep_transfer(self, transfer: Transfer) -> None:
        before = self.transfers.get(transfer.id)
        self.transfers[transfer.id] = transfer
        if transfer.ended and (before is None or not before.ended):
            self.transfer_ended.emit(transfer)
        while len(self.transfers) > MAX_TRANSFERS:
            ended = next((t.id for t in self.transfers.values() if t.ended), None)
            if ended is None:
                break
            del self.transfers[ended]

    # Figures

    def running_transfers(self) -> tuple[Transfer, ...]:
        """Return the transfers that have not ended, oldest first."""
        return tuple(t for t in self.transfers.values() if not t.ended)

    def forget_ended(self) -> None:
        """Clear the ended transfers from view."""
        self.transfers = OrderedDict((k, t) for k, t in self.transfers.items() if not t.ended)
        self.transfers_changed.emit()

    def person_path(self) -> str:
        """Return the person's own folder, where things are published when nothing else is said."""
        return f"Public/{self.status.person}" if self.status else ""


def now_s() -> int:
    """Return the present moment in seconds since 1970, for ages on the screen."""
    return int(time.time())
