"""A ``Client`` without a node: files in a dictionary, and every call noted. For tests of
programs."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from bitcloud_net.api import (
    AppView,
    Avoided,
    BadInput,
    BanStatement,
    BanView,
    BitcloudError,
    Contribution,
    Details,
    Entry,
    EntryKind,
    Health,
    HealthState,
    Holder,
    Membership,
    MembershipChanged,
    MembershipState,
    News,
    Promise,
    Published,
    SqlAnswer,
    Status,
    Synced,
    SyncHealth,
    TestGrid,
    TestGridNode,
    Transfer,
    TransferChanged,
    TransferKind,
    TransferState,
    WrittenRow,
)

HEALTH = Health(state=HealthState.HEALTHY, alive=10, total=10, needed=3, checked_s=1_700_000_000)
"""The health of every file here."""
CAP = "bitcloud:1:fr:mfrggzdfmztwq2lk"
"""What ``share`` returns."""
READ_BYTES = 1000
"""``read`` hands out pieces of this size, so that readers meet several."""


class FakeClient:
    """Keeps the ``Client`` contract in memory.

    ``files`` maps paths to content; ``calls`` lists what was asked; ``fail_with``, when set, is
    raised by every call. ``hold`` makes ``publish`` and ``fetch`` wait for ever, for tests of
    cancellation.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.calls: list[tuple[object, ...]] = []
        self.fail_with: BitcloudError | None = None
        self.hold = False
        self.cancelled: list[str] = []
        self.was_cancelled = trio.Event()
        self.news_items: list[News] = []
        self.grid: TestGrid | None = None
        self.installed: list[AppView] = []
        self.sync: SyncHealth | None = None
        self.banned: list[BanView] = []
        self.lent = Contribution(on=False)
        self.avoid_list: list[Avoided] = []
        self.members: dict[str, Membership] = {}  # by role; who is not in it has not joined
        self.mean_tries = 0  # what an identity costs; 0: nobody mines
        self._searched = trio.Event()
        self.gateway: str | None = "http://127.0.0.1:4242"

    async def status(self) -> Status:
        """See ``Client``."""
        self._note("status")
        return Status(
            node="12D3KooWfake",
            person="Mary",
            fingerprint="mary-fake",
            addresses=("/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWfake",),
            network="test",
            peers=10,
            nodes=(),
            promise=Promise(shares=10, needed=3, may_fail=7, survival_70=1.0),
            contribution=self.lent,
            rows=12,
            received_bytes=1,
            sent_bytes=2,
            receive_per_s=0,
            send_per_s=0,
            gateway=self.gateway,
            transfers_running=0,
            version="0.1.0",
            sync=self.sync,
        )

    async def entries(self, path: str = "") -> tuple[Entry, ...]:
        """See ``Client``."""
        self._note("entries", path)
        prefix = f"{path}/" if path else ""
        found = sorted(name for name in self.files if name.startswith(prefix))
        names = {name.removeprefix(prefix).split("/")[0]: name for name in found}
        return tuple(self._entry(prefix + name) for name in names)

    async def details(self, target: str) -> Details:
        """See ``Client``."""
        self._note("details", target)
        return self._details(target)

    async def publish(
        self, sources: Sequence[Path], to: str = "", *, wait: bool = True
    ) -> tuple[Published, ...]:
        """See ``Client``."""
        self._note("publish", tuple(sources), to, wait)
        await self._maybe_hold("publish")
        self.news_items.append(TransferChanged(transfer=transfer()))
        done = []
        for source in sources:
            path = f"{to or 'Public/Mary'}/{source.name}"
            self.files[path] = await trio.Path(source).read_bytes()
            done.append(Published(path=path, size_bytes=len(self.files[path]), health=HEALTH))
        return tuple(done)

    async def fetch(self, target: str, destination: Path, *, wait: bool = True) -> Path:
        """See ``Client``."""
        self._note("fetch", target, destination, wait)
        await self._maybe_hold("fetch")
        content = self._content(target)
        where = trio.Path(destination)
        if await where.is_dir():
            where = where / target.split("/")[-1]
        await where.write_bytes(content)
        return Path(where)

    @asynccontextmanager
    async def read(
        self, target: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """See ``Client``."""
        self._note("read", target, offset, length)
        content = self._content(target)[offset:]
        content = content if length is None else content[:length]
        async with aclosing(_pieces(content)) as pieces:
            yield pieces

    async def share(self, path: str) -> str:
        """See ``Client``."""
        self._note("share", path)
        self._content(path)
        return CAP

    async def check(self, target: str, *, verify: bool = False) -> Details:
        """See ``Client``."""
        self._note("check", target, verify)
        return self._details(target)

    async def repair(self, target: str) -> Details:
        """See ``Client``."""
        self._note("repair", target)
        return self._details(target)

    async def url(self, target: str) -> str:
        """See ``Client``."""
        self._note("url", target)
        self._content(target)
        return f"{self.gateway}/{target}"

    async def contribute(self, *, folder: Path | None, capacity_bytes: int) -> Contribution:
        """See ``Client``."""
        self._note("contribute", folder, capacity_bytes)
        where = None if folder is None else str(folder)
        if folder is not None:
            self._start_search("node")
        may = self._member("node").state in (MembershipState.OPEN, MembershipState.JOINED)
        on = folder is not None and may
        return Contribution(on=on, folder=where, capacity_bytes=capacity_bytes)

    async def membership(self, *, role: str = "node") -> Membership:
        """See ``Client``."""
        self._note("membership", role)
        return self._member(role)

    async def join(self, *, role: str = "node", wait: bool = True) -> Membership:
        """See ``Client``. The search stands still until a test calls ``mine``."""
        self._note("join", role, wait)
        self._start_search(role)
        while wait and self._member(role).state is MembershipState.MINING:
            await self._searched.wait()
        return self._member(role)

    async def pause_join(self) -> Membership:
        """See ``Client``."""
        self._note("pause_join")
        role = self._mining_role()
        if role is None:
            return self._member("node")
        self._search(role, state=MembershipState.PAUSED, tries_per_s=0.0, left_s=None)
        return self._member(role)

    def mine(self, tries: int, *, per_s: float = 20.0, found: bool = False) -> None:
        """Let the search under way make ``tries`` more tries; with ``found`` it ends well."""
        role = self._mining_role()
        assert role is not None, "nothing is being searched"
        member = self._member(role)
        self._search(
            role,
            state=MembershipState.JOINED if found else MembershipState.MINING,
            tries=member.tries + tries,
            tries_per_s=0.0 if found else per_s,
            left_s=None if found else int(self.mean_tries / per_s),
            registered_s=1_700_000_000 if found else None,
        )

    def _member(self, role: str) -> Membership:
        if not self.mean_tries:
            return Membership(state=MembershipState.OPEN, role=role)
        nobody = Membership(state=MembershipState.NONE, role=role, mean_tries=self.mean_tries)
        return self.members.get(role, nobody)

    def _mining_role(self) -> str | None:
        mining = MembershipState.MINING
        return next((role for role, each in self.members.items() if each.state is mining), None)

    def _start_search(self, role: str) -> None:
        if self._member(role).state in (MembershipState.NONE, MembershipState.PAUSED):
            self._searched = trio.Event()
            self._search(role, state=MembershipState.MINING, cores=3)

    def _search(self, role: str, **changes: Any) -> None:
        self.members[role] = dataclasses.replace(self._member(role), **changes)
        self.news_items.append(MembershipChanged(membership=self.members[role]))
        if self.members[role].state is not MembershipState.MINING:
            self._searched.set()

    async def avoided(self) -> tuple[Avoided, ...]:
        """See ``Client``."""
        self._note("avoided")
        return tuple(self.avoid_list)

    async def avoid(self, target: str, *, reason: str = "") -> None:
        """See ``Client``."""
        self._note("avoid", target, reason)
        self.avoid_list.append(
            Avoided(key="ab" * 32, name=target, reason=reason, since_s=1_700_000_000)
        )

    async def unavoid(self, target: str) -> None:
        """See ``Client``."""
        self._note("unavoid", target)
        self.avoid_list = [each for each in self.avoid_list if each.name != target]

    async def transfers(self) -> tuple[Transfer, ...]:
        """See ``Client``."""
        self._note("transfers")
        return (transfer(),)

    async def pause(self, transfer: str) -> None:
        """See ``Client``."""
        self._note("pause", transfer)

    async def resume(self, transfer: str) -> None:
        """See ``Client``."""
        self._note("resume", transfer)

    async def cancel(self, transfer: str) -> None:
        """See ``Client``."""
        self._note("cancel", transfer)

    @asynccontextmanager
    async def news(self) -> AsyncIterator[AsyncIterator[News]]:
        """See ``Client``."""
        self._note("news")
        async with aclosing(_news(list(self.news_items))) as news:
            yield news

    async def select(self, statement: str) -> SqlAnswer:
        """See ``Client``."""
        self._note("select", statement)
        return SqlAnswer(columns=("nickname",), rows=(("Mary",),), cut_off=False, seconds=0.0)

    async def put_row(self, table: str, key: str, values: str) -> WrittenRow:
        """See ``Client``."""
        self._note("put_row", table, key, values)
        return WrittenRow(table=table, key=key, seq=1, id="00")

    async def apps(self) -> tuple[AppView, ...]:
        """See ``Client``."""
        self._note("apps")
        return tuple(self.installed)

    async def install_app(self, definition: str) -> AppView:
        """See ``Client``."""
        self._note("install_app", definition)
        self.installed.append(AppView(id="ab" * 32, name="chess", tables=("app_ab_moves",), rows=0))
        return self.installed[-1]

    async def uninstall_app(self, app: str) -> None:
        """See ``Client``."""
        self._note("uninstall_app", app)
        self.installed.clear()

    async def bans(self) -> tuple[BanView, ...]:
        """See ``Client``."""
        self._note("bans")
        return tuple(self.banned)

    async def sync_rows(self, table: str = "") -> Synced:
        """See ``Client``."""
        self._note("sync_rows", table)
        return Synced(nodes=3, received=2, sent=1)

    async def test_grid(self) -> TestGrid | None:
        """See ``Client``."""
        self._note("test_grid")
        return self.grid

    async def set_running_nodes(self, count: int) -> TestGrid:
        """See ``Client``."""
        self._note("set_running_nodes", count)
        if self.grid is None:
            raise BadInput("there is no test grid", code="no-test-grid")
        nodes = self.grid.nodes
        switched = (dataclasses.replace(node, running=i < count) for i, node in enumerate(nodes))
        self.grid = TestGrid(nodes=tuple(switched))
        return self.grid

    def _note(self, name: str, *arguments: object) -> None:
        self.calls.append((name, *arguments))
        if self.fail_with is not None:
            raise self.fail_with

    async def _maybe_hold(self, name: str) -> None:
        if not self.hold:
            return
        try:
            await trio.sleep_forever()
        finally:
            self.cancelled.append(name)
            self.was_cancelled.set()

    def _content(self, target: str) -> bytes:
        if target not in self.files:
            raise BadInput(f"nothing is called {target!r}", code="not-found")
        return self.files[target]

    def _entry(self, path: str) -> Entry:
        name = path.split("/")[-1]
        if path not in self.files:
            return Entry(kind=EntryKind.FOLDER, path=path, name=name, items=1)
        size = len(self.files[path])
        return Entry(
            kind=EntryKind.FILE, path=path, name=name, mine=True, size_bytes=size, health=HEALTH
        )

    def _details(self, target: str) -> Details:
        self._content(target)
        holders = tuple(Holder(node=f"node{i}", share=i, alive=True) for i in range(10))
        return Details(
            entry=self._entry(target), health=HEALTH, holders=holders, verify_cap="bitcloud:1:fv:x"
        )


def transfer() -> Transfer:
    """Return a transfer in the middle of its way."""
    return Transfer(
        id="t1",
        kind=TransferKind.PUBLISH,
        state=TransferState.RUNNING,
        title="Dawn.webm",
        target="Public/Mary/Dawn.webm",
        bytes_done=512,
        bytes_total=2048,
        bytes_per_s=256,
        seconds_left=6,
    )


def ban(*, own: bool = False, proof: str = "") -> BanView:
    """Return a ban of an hour, of this computer where ``own``, by auditors or by a ``proof``."""
    said = BanStatement(auditor="cd" * 32, reason="ping-timeout", periods=3)
    return BanView(
        node="ab" * 32,
        name="Attic",
        reason="fraud" if proof else "ping-timeout",
        since_s=1_700_000_400,
        until_s=1_700_004_000,
        own=own,
        statements=() if proof else (said, dataclasses.replace(said, auditor="ef" * 32)),
        proof=proof,
    )


def grid_of(count: int) -> TestGrid:
    """Return a test grid whose ``count`` nodes all run."""
    nodes = (
        TestGridNode(index=i, node=f"12D3KooW{i}", address=f"/ip4/127.0.0.1/tcp/{i}", running=True)
        for i in range(count)
    )
    return TestGrid(nodes=tuple(nodes))


async def _pieces(content: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(content), READ_BYTES):
        yield content[start : start + READ_BYTES]


async def _news(items: list[News]) -> AsyncGenerator[News, None]:
    for item in items:
        yield item
