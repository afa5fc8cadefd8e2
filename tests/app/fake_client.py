"""A scripted ``Client`` with latency, folders, transfers, a test grid and errors. For tests and
pictures.

Nothing of this is in the product: the window under test talks to it exactly as to a real node.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trio
import trio.lowlevel
from fake_database import answer, fake_database

from bitcloud_net.api import (
    AppView,
    BadInput,
    BanView,
    BitcloudError,
    Client,
    Contribution,
    Details,
    EntriesChanged,
    Entry,
    EntryKind,
    FolderContent,
    Health,
    HealthState,
    Holder,
    Membership,
    MembershipChanged,
    MembershipState,
    News,
    NodeView,
    Promise,
    Published,
    SqlAnswer,
    Status,
    StatusChanged,
    SyncHealth,
    TestGrid,
    TestGridChanged,
    TestGridNode,
    Transfer,
    TransferChanged,
    TransferKind,
    TransferState,
    Unavailable,
    WrittenRow,
)

NODES = 10
NEEDED = 3
STEP_S = 0.02
DAY = 86400

VIDEOS = [
    ("The Illusions of Reality: Life, Death & Time.webm", 522_400_000),
    ("Bitcoin 2012 London: Richard Stallman.webm", 503_100_000),
    ("Dawn over the Alps.webm", 746_100_000),
    ("Night city timelapse.mp4", 274_100_000),
    ("How erasure coding works.webm", 210_900_000),
    ("Field recording, Lisbon.webm", 164_000_000),
    ("Tour of a solar-powered node.mp4", 69_400_000),
    ("Interview with a storage farmer.webm", 503_600_000),
    ("Lake at blue hour.mp4", 847_400_000),
    ("Drone over the fjord.webm", 80_000_000),
    ("Community call 14.webm", 315_800_000),
    ("Copyleft in ten minutes.webm", 293_600_000),
    ("Aurora.webm", 120_000_000),
    ("City of glass.mp4", 99_000_000),
    ("Harbour.webm", 33_000_000),
    ("Winter light.webm", 45_000_000),
]
MEDIA = {
    "webm": "video/webm",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "png": "image/png",
    "jpg": "image/jpeg",
    "zip": "application/zip",
    "py": "text/x-python",
    "json": "application/json",
}


def file_entry(path: str, size: int, age_s: int, *, mine: bool = True) -> Entry:
    """Return a healthy file."""
    name = path.rpartition("/")[2]
    return Entry(
        kind=EntryKind.FILE,
        path=path,
        name=name,
        mine=mine,
        size_bytes=size,
        modified_s=int(time.time()) - age_s,
        media_type=MEDIA.get(name.rpartition(".")[2].lower()),
        health=Health(
            state=HealthState.HEALTHY, alive=NODES, total=NODES, needed=NEEDED, checked_s=1
        ),
    )


class FakeClient:
    """Everything in memory; every call takes ``latency_s``."""

    def __init__(
        self, *, latency_s: float = 0.002, person: str = "Mary", empty: bool = False
    ) -> None:
        self.latency_s = latency_s
        self.person = person
        self.files: dict[str, Entry] = {}
        self.contents: dict[str, bytes] = {}
        self.folders: dict[str, FolderContent] = {}
        self.errors: dict[str, BitcloudError] = {}  # method name → raised
        self.calls: list[tuple[str, object]] = []
        self.jobs: dict[str, Transfer] = {}
        self.running = NODES
        self.lent = Contribution(
            on=False, disk_free_bytes=640 * 10**9, disk_total_bytes=1000 * 10**9
        )
        self.rates = (0, 0)
        self.database = fake_database()
        self.sync = SyncHealth(
            partners=16,
            in_step=15,
            oldest_s=240,
            last_s=int(time.time()),
            waiting=2,
            period_bytes=48_000,
            clock_behind_s=1,
        )
        self.member = Membership(state=MembershipState.OPEN)
        self.banned: tuple[BanView, ...] = ()
        self.endless = False  # a statement runs until it is cancelled
        self.interrupted = 0
        self.publish_rate = 400_000  # bytes a step
        self.has_grid = True
        self._listeners: list[trio.MemorySendChannel[News]] = []
        self._paused: set[str] = set()
        self._cancelled: set[str] = set()
        self._nursery: trio.Nursery | None = None
        if not empty:
            self._fill()

    def _fill(self) -> None:
        mine = f"Public/{self.person}"
        for number, (name, size) in enumerate(VIDEOS):
            self.add(f"{mine}/Videos/{name}", size, age_s=2 * DAY + number * 5 * 3600)
        drone = f"{mine}/Videos/Drone over the fjord.webm"
        self.files[drone] = replace(
            self.files[drone],
            health=Health(state=HealthState.REPAIRING, alive=6, total=10, needed=3, checked_s=1),
        )
        for name, size in (
            ("Grid handbook.pdf", 2_400_000),
            ("Letter to the founders.txt", 3_100),
            ("Minutes 14.md", 8_800),
            ("simulation.py", 14_000),
            ("results.json", 230_000),
            ("Archive 2025.zip", 48_000_000),
        ):
            self.add(f"{mine}/Documents/{name}", size, age_s=9 * DAY)
        for name in ("Nocturne.flac", "Rain on tin.ogg"):
            self.add(f"{mine}/Music/{name}", 31_000_000, age_s=20 * DAY)
        for person in ("Alice", "Bob"):
            self.add(f"Public/{person}/Pictures/Harbour.jpg", 4_100_000, age_s=3 * DAY)

    def add(self, path: str, size: int, *, age_s: int = 0, content: bytes | None = None) -> None:
        """Put a file on the grid."""
        mine = path.startswith(f"Public/{self.person}/")
        self.files[path] = file_entry(path, size, age_s, mine=mine)
        if content is not None:
            self.contents[path] = content

    # The Client protocol

    async def _enter(self, name: str, argument: object = None) -> None:
        self.calls.append((name, argument))
        await trio.sleep(self.latency_s)
        if name in self.errors:
            raise self.errors[name]

    async def status(self) -> Status:
        await self._enter("status")
        return self._status()

    def _status(self) -> Status:
        return Status(
            node="b3f1",
            person=self.person,
            fingerprint="tiger-copper-lake-seven",
            addresses=("/ip4/127.0.0.1/tcp/41001",),
            network="test",
            peers=self.running,
            nodes=tuple(
                NodeView(
                    node=f"n{i}",
                    name=f"Node {i + 1}",
                    online=i < self.running,
                    capacity_bytes=5 * 10**9,
                    used_bytes=10**8 * (i + 3),
                )
                for i in range(NODES)
            ),
            promise=Promise(shares=10, needed=3, may_fail=7, survival_70=1.0),
            contribution=self.lent,
            rows=len(self.files),
            received_bytes=10**9,
            sent_bytes=10**8,
            receive_per_s=self.rates[0],
            send_per_s=self.rates[1],
            gateway="http://127.0.0.1:41234",
            transfers_running=0,
            version="0.1.0",
            sync=self.sync,
        )

    async def entries(self, path: str = "") -> tuple[Entry, ...]:
        await self._enter("entries", path)
        if not path:
            return (Entry(kind=EntryKind.PUBLISHER, path="Public", name="Public", items=3),)
        found: dict[str, Entry] = {}
        prefix = f"{path}/"
        if path == "Public":
            found[self.person] = self._container(f"Public/{self.person}")
        for file_path, entry in self.files.items():
            if file_path.startswith(prefix):
                head, slash, _rest = file_path[len(prefix) :].partition("/")
                found.setdefault(head, entry if not slash else self._container(prefix + head))
        return tuple(sorted(found.values(), key=lambda e: e.name))

    def _container(self, path: str) -> Entry:
        inside = [e for p, e in self.files.items() if p.startswith(f"{path}/")]
        depth = path.count("/")
        name = path.rpartition("/")[2]
        contents = {
            "Videos": FolderContent.VIDEO,
            "Music": FolderContent.MUSIC,
            "Documents": FolderContent.DOCUMENTS,
            "Pictures": FolderContent.PICTURES,
        }
        return Entry(
            kind=EntryKind.PERSON if depth == 1 else EntryKind.FOLDER,
            path=path,
            name=name,
            mine=path.startswith(f"Public/{self.person}"),
            items=len(
                {
                    p[len(path) + 1 :].partition("/")[0]
                    for p in self.files
                    if p.startswith(f"{path}/")
                }
            ),
            size_bytes=sum(e.size_bytes or 0 for e in inside),
            modified_s=max((e.modified_s or 0 for e in inside), default=None),
            content=contents.get(name, FolderContent.MIXED) if depth > 1 else None,
            fingerprint="tiger-copper-lake-seven" if depth == 1 else None,
        )

    async def details(self, target: str) -> Details:
        await self._enter("details", target)
        entry = self.files.get(target)
        if entry is None:
            raise BadInput("no such file", code="unknown-path")
        health = self._health(entry)
        return Details(
            entry=replace(entry, health=health),
            health=health,
            holders=tuple(
                Holder(node=f"n{i}", share=i, alive=i < self.running) for i in range(NODES)
            ),
            verify_cap="bitcloud:1:fv:aaaa",
        )

    def _health(self, entry: Entry) -> Health:
        alive = self.running
        if alive < NEEDED:
            state = HealthState.UNREADABLE
        elif alive < NODES:
            state = HealthState.WEAKENED
        else:
            state = HealthState.HEALTHY
        return Health(state=state, alive=alive, total=NODES, needed=NEEDED, checked_s=2)

    async def publish(
        self, sources: Sequence[Path], to: str = "", *, wait: bool = True
    ) -> tuple[Published, ...]:
        await self._enter("publish", (tuple(sources), to))
        for source in sources:
            size = source.stat().st_size if source.is_file() else 10_000_000
            self.start(
                TransferKind.PUBLISH,
                source.name,
                f"{to or 'Public/' + self.person}/{source.name}",
                size,
            )
        return ()

    def start(self, kind: TransferKind, title: str, target: str, size: int, done: int = 0) -> str:
        """Start a transfer that moves by itself."""
        ident = f"t{len(self.jobs)}"
        transfer = Transfer(
            id=ident,
            kind=kind,
            state=TransferState.RUNNING,
            title=title,
            target=target,
            bytes_total=size,
            bytes_done=done,
            receipts_needed=8,
            started_s=int(time.time()),
        )
        self._say(transfer)
        assert self._nursery is not None
        self._nursery.start_soon(self._move, ident)
        return ident

    def _say(self, transfer: Transfer) -> None:
        self.jobs[transfer.id] = transfer
        self._tell(TransferChanged(transfer=transfer))

    async def _move(self, ident: str) -> None:
        while True:
            await trio.sleep(STEP_S)
            transfer = self.jobs[ident]
            if ident in self._cancelled:
                self._say(replace(transfer, state=TransferState.CANCELLED, bytes_per_s=0))
                return
            if ident in self._paused:
                continue
            done = min(transfer.bytes_total, transfer.bytes_done + self.publish_rate)
            rate = round(self.publish_rate / STEP_S)
            left = round((transfer.bytes_total - done) / max(1, rate))
            transfer = replace(transfer, bytes_done=done, bytes_per_s=rate, seconds_left=left)
            if done >= transfer.bytes_total:
                self._finish(transfer)
                return
            self._say(transfer)

    def _finish(self, transfer: Transfer) -> None:
        if transfer.kind is TransferKind.PUBLISH:
            self.add(transfer.target, transfer.bytes_total)
            self._tell(EntriesChanged(path=transfer.target.rpartition("/")[0]))
        self._say(
            replace(
                transfer,
                state=TransferState.DONE,
                receipts=10,
                bytes_per_s=0,
                seconds_left=0,
                files_done=1,
            )
        )

    async def fetch(self, target: str, destination: Path, *, wait: bool = True) -> Path:
        await self._enter("fetch", (target, destination))
        entry = self.files[target]
        path = destination / entry.name if destination.is_dir() else destination
        path.write_bytes(self.contents.get(target, b"x" * 1000))
        if not wait:
            self.start(TransferKind.FETCH, entry.name, target, entry.size_bytes or 0)
        return path

    @asynccontextmanager
    async def read(
        self, target: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        await self._enter("read", target)
        content = self.contents.get(target, b"")

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 65536):
                await trio.lowlevel.checkpoint()
                yield content[start : start + 65536]

        yield pieces()

    async def share(self, path: str) -> str:
        await self._enter("share", path)
        return "bitcloud:1:fr:" + hashlib.sha256(path.encode()).hexdigest() + ":abcd"

    async def check(self, target: str, *, verify: bool = False) -> Details:
        await self._enter("check", target)
        return await self.details(target)

    async def repair(self, target: str) -> Details:
        await self._enter("repair", target)
        return await self.details(target)

    async def url(self, target: str) -> str:
        await self._enter("url", target)
        return "http://127.0.0.1:41234/f/token/name"

    async def contribute(self, *, folder: Path | None, capacity_bytes: int) -> Contribution:
        await self._enter("contribute", (folder, capacity_bytes))
        on_the_way = (MembershipState.NONE, MembershipState.PAUSED, MembershipState.MINING)
        joining = folder is not None and self.member.state in on_the_way
        if joining:
            self.search(state=MembershipState.MINING, cores=3)
        elif folder is None and self.member.state is MembershipState.MINING:
            self.search(state=MembershipState.PAUSED, tries_per_s=0.0, left_s=None)
        self.lent = replace(
            self.lent,
            on=folder is not None and not joining,
            folder=str(folder) if folder else None,
            capacity_bytes=capacity_bytes,
        )
        self._tell(StatusChanged(status=self._status()))
        return self.lent

    def mines(self, mean_tries: int) -> None:
        """Make this a network where identities are mined."""
        self.member = Membership(state=MembershipState.NONE, mean_tries=mean_tries)

    def search(self, **changes: object) -> None:
        """Let the search for an identity change; found, what waited for it is lent."""
        self.member = replace(self.member, **changes)  # type: ignore[arg-type]
        self._tell(MembershipChanged(membership=self.member))
        if self.member.state is MembershipState.JOINED and self.lent.folder is not None:
            self.lent = replace(self.lent, on=True)
            self._tell(StatusChanged(status=self._status()))

    async def membership(self, *, role: str = "node") -> Membership:
        await self._enter("membership", role)
        return self.member

    async def join(self, *, role: str = "node", wait: bool = True) -> Membership:
        await self._enter("join", role)
        self.search(state=MembershipState.MINING, cores=3)
        return self.member

    async def pause_join(self) -> Membership:
        await self._enter("pause_join")
        self.search(state=MembershipState.PAUSED, tries_per_s=0.0, left_s=None)
        return self.member

    async def transfers(self) -> tuple[Transfer, ...]:
        await self._enter("transfers")
        return tuple(self.jobs.values())[::-1]

    async def pause(self, transfer: str) -> None:
        await self._enter("pause", transfer)
        self._paused.add(transfer)
        self._say(replace(self.jobs[transfer], state=TransferState.PAUSED, bytes_per_s=0))

    async def resume(self, transfer: str) -> None:
        await self._enter("resume", transfer)
        self._paused.discard(transfer)
        self._say(replace(self.jobs[transfer], state=TransferState.RUNNING))

    async def cancel(self, transfer: str) -> None:
        await self._enter("cancel", transfer)
        self._cancelled.add(transfer)

    @asynccontextmanager
    async def news(self) -> AsyncIterator[AsyncIterator[News]]:
        send, receive = trio.open_memory_channel[News](10_000)
        self._listeners.append(send)
        async with receive:
            yield receive

    def _tell(self, item: News) -> None:
        for listener in self._listeners:
            listener.send_nowait(item)

    async def select(self, statement: str) -> SqlAnswer:
        try:
            await self._enter("select", statement)
            if self.endless:
                await trio.sleep_forever()
        except trio.Cancelled:
            self.interrupted += 1
            raise
        return answer(self.database, statement)

    async def put_row(self, table: str, key: str, values: str) -> WrittenRow:
        await self._enter("put_row", (table, key, values))
        return WrittenRow(table=table, key=key, seq=1, id="00")

    async def apps(self) -> tuple[AppView, ...]:
        await self._enter("apps")
        return ()

    async def install_app(self, definition: str) -> AppView:
        raise NotImplementedError

    async def uninstall_app(self, app: str) -> None:
        raise NotImplementedError

    async def bans(self) -> tuple[BanView, ...]:
        await self._enter("bans")
        return self.banned

    async def test_grid(self) -> TestGrid | None:
        await self._enter("test_grid")
        return self._grid() if self.has_grid else None

    def _grid(self) -> TestGrid:
        return TestGrid(
            nodes=tuple(
                TestGridNode(
                    index=i,
                    node=f"n{i}",
                    address=f"/ip4/127.0.0.1/tcp/{41000 + i}",
                    running=i < self.running,
                    used_bytes=180_000_000 + i * 7_000_000,
                )
                for i in range(NODES)
            )
        )

    async def set_running_nodes(self, count: int) -> TestGrid:
        await self._enter("set_running_nodes", count)
        self.running = count
        self._tell(TestGridChanged(grid=self._grid()))
        self._tell(StatusChanged(status=self._status()))
        return self._grid()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Client]:
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            yield self
            nursery.cancel_scope.cancel()


def opener(
    client: FakeClient,
) -> Callable[[Callable[[], str]], AbstractAsyncContextManager[Client]]:
    """Return what the bridge wants: a function that opens this client."""

    def open_client(_passphrase: Callable[[], str]) -> AbstractAsyncContextManager[Client]:
        return client.opened()

    return open_client


def failing_opener(error: BitcloudError, client: FakeClient):  # type: ignore[no-untyped-def]
    """Return an opener that fails the first time and works the second."""
    attempts: list[int] = []

    def open_client(_passphrase: Callable[[], str]) -> AbstractAsyncContextManager[Client]:
        attempts.append(1)
        if len(attempts) == 1:
            raise error
        return client.opened()

    return open_client


OFFLINE = Unavailable("no node answers", code="node-unreachable")
