"""Light mode, for small devices: nothing is kept but what is one's own, what one looks at, and a
sample of the nodes.

Such a node has no part in keeping the shared database: sessions compare only rows that name it, and
what it wrote itself. Whatever else its person asks for is read from three full nodes
(``services.nodepool.row_reader``) and kept for a while, so that everything above works as on any
node::

    Library, Reader ──► LightQueries ──► LightReads ──► RowReader ──► three full nodes
                             │               └► RowStore: follow the owner, take its rows
                             └► Queries, on what is held now

Where nobody can be asked, what is held is all there is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import trio

from bitcloud_net.core.errors import Unavailable
from bitcloud_net.core.keys import KEY_BYTES, NodeId, PublicKey
from bitcloud_net.core.nodepool.bodies.heads import PUBLIC_HEAD
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.tables import Table
from bitcloud_net.nodepool.database import Database
from bitcloud_net.nodepool.queries import File, Folder, Person, Placement, Queries

if TYPE_CHECKING:
    from trio_typing import TaskStatus

FRESH_S: Final = 60.0
"""What was read so recently is not read again."""
PEOPLE_FRESH_S: Final = 600.0
"""The same for the list of all people, which is the longest."""
FAILED_S: Final = 10.0
"""What could not be read is tried again after so long; until then what is held is all there is."""
READ_S: Final = 30.0
"""Longest that anybody waits for one thing to be read."""
KEPT_S: Final = 3_600.0
"""What nobody has looked at for so long goes."""
SAMPLE_S: Final = 6 * 3_600.0
"""How often the sample of nodes is read anew; a node row lives for three days."""
RETRY_S: Final = 1.0
"""How soon the first sample is tried again where nobody could be asked."""
READY_S: Final = 8.0
"""Longest wait of a first call for the first sample."""
MAX_REFRESHED: Final = 64
"""Owners whose rows are kept up to date; those looked at last."""
PERSON_TABLES: Final = (Table.USER, Table.FOLDER, Table.FILE)
"""What a person's files are read from. Where their shares lie is read when one is opened."""

Rows = Mapping[tuple[int, bytes], SignedRow]


class Reads(Protocol):
    """Who reads from others (``services.nodepool.row_reader``)."""

    async def row(self, table: int, key: bytes) -> SignedRow | None: ...
    async def owner(self, owner: PublicKey, tables: tuple[int, ...]) -> Rows: ...
    async def table(self, table: int) -> Rows: ...
    async def find(self, table: int, suffix: bytes) -> Rows: ...
    async def sample(self) -> Rows: ...


class Shelves(Protocol):
    """Where rows are kept (``nodepool.row_store``)."""

    def follow(self, owners: Iterable[bytes]) -> None: ...
    async def forget(self, owners: Iterable[bytes]) -> None: ...
    async def held_owners(self) -> list[PublicKey]: ...
    async def accept_many(self, raws: list[bytes], *, source: NodeId | None) -> object: ...


class LightReads:
    """Brings rows here that were asked for. One per light node."""

    def __init__(self, reads: Reads, rows: Shelves, own: frozenset[bytes]) -> None:
        """``own`` are keys of this machine, whose rows are always kept and kept up to date."""
        self._reads = reads
        self._rows = rows
        self._own = frozenset(map(PublicKey, own))
        self._fresh_until_s: dict[object, float] = {}  # what was read
        self._wanted_s: dict[PublicKey, float] = {}  # owner → when a row of it was last wanted
        self._opened_s: dict[PublicKey, float] = {}  # whose files were looked at, and when
        self._heads: dict[PublicKey, bytes] = {}  # the id of the head that was read last
        self._reading: dict[object, trio.Event] = {}  # what is being read now
        self._has_sample = trio.Event()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the sample and what is looked at up to date until cancelled."""
        self._want(await self._rows.held_owners())
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sample_again)
            nursery.start_soon(self._refresh_again)

    async def ready(self) -> None:
        """Return when there is a sample of nodes to ask, or soon; later calls do not wait again."""
        with trio.move_on_after(READY_S):
            await self._has_sample.wait()
        self._has_sample.set()

    async def people(self) -> None:
        """Bring everybody's row."""
        await self._once("people", self._people, PEOPLE_FRESH_S)

    async def person(self, owner: PublicKey) -> None:
        """Bring a person's folders and files."""
        self._want([owner])
        self._opened_s[owner] = trio.current_time()
        await self._once(owner, lambda: self._person(owner), FRESH_S)

    async def placements(self, cid: bytes) -> None:
        """Bring what everybody says about where a stored file is."""
        await self._once(cid, lambda: self._placements(cid), FRESH_S)

    async def _once(
        self, what: object, read: Callable[[], Awaitable[None]], fresh_s: float
    ) -> None:
        """Read something unless that was done a moment ago; soon again where it failed. Who asks
        for what is being read waits for that.
        """
        while (under_way := self._reading.get(what)) is not None:
            await under_way.wait()
        if trio.current_time() < self._fresh_until_s.get(what, 0.0):
            return
        self._reading[what] = trio.Event()
        try:
            has_read = await self._tried(read)
            kept_s = fresh_s if has_read else FAILED_S
            self._fresh_until_s[what] = trio.current_time() + kept_s
        finally:
            self._reading.pop(what).set()

    async def _tried(self, read: Callable[[], Awaitable[None]]) -> bool:
        with trio.move_on_after(READ_S), suppress(Unavailable):
            await read()
            return True
        return False

    async def _people(self) -> None:
        await self._take((await self._reads.table(Table.USER)).values())

    async def _person(self, owner: PublicKey) -> None:
        await self._take((await self._reads.owner(owner, PERSON_TABLES)).values())

    async def _placements(self, cid: bytes) -> None:
        found = (await self._reads.find(Table.PLACEMENT, cid)).values()
        people = [await self._reads.row(Table.USER, row.owner) for row in found]
        await self._take([*found, *(person for person in people if person is not None)])

    async def _take(self, rows: Iterable[SignedRow]) -> None:
        chosen = sorted(rows, key=lambda row: row.table)  # what others belong to comes first
        self._want(row.owner for row in chosen)
        await self._rows.accept_many([row.raw for row in chosen], source=_SOMEBODY)

    def _want(self, owners: Iterable[PublicKey]) -> None:
        self._wanted_s.update(dict.fromkeys(owners, trio.current_time()))
        self._rows.follow(self._wanted_s)

    # By itself

    async def _sample_again(self) -> None:
        while True:
            try:
                rows = await self._reads.sample()
            except Unavailable:
                await trio.sleep(RETRY_S)
                continue
            raws = [row.raw for row in rows.values()]
            await self._rows.accept_many(raws, source=_SOMEBODY)
            self._has_sample.set()
            await trio.sleep(SAMPLE_S)

    async def _refresh_again(self) -> None:
        while True:
            await trio.sleep(FRESH_S)
            await self._forget_old()
            opened = sorted(self._opened_s, key=lambda owner: self._opened_s[owner])
            for owner in sorted(self._own.union(opened[-MAX_REFRESHED:])):
                with trio.move_on_after(READ_S), suppress(Unavailable):
                    await self._refresh(owner)

    async def _refresh(self, owner: PublicKey) -> None:
        """Read an owner again that signed another head; one without a head each time."""
        head = await self._reads.row(Table.HEAD, owner + PUBLIC_HEAD)
        if head is None or self._heads.get(owner) != head.id:
            await self._person(owner)
        if head is not None:
            self._heads[owner] = head.id

    async def _forget_old(self) -> None:
        now = trio.current_time()
        old = now - KEPT_S
        self._fresh_until_s = {w: at for w, at in self._fresh_until_s.items() if at > now}
        closed = {owner for owner, at in self._opened_s.items() if at <= old}
        unwanted = {owner for owner, at in self._wanted_s.items() if at <= old}
        gone = (closed | unwanted) - (self._opened_s.keys() - closed) - self._own
        for owner in gone:
            for notes in (self._wanted_s, self._opened_s, self._heads):
                notes.pop(owner, None)
        if gone:
            self._rows.follow(self._wanted_s)
            await self._rows.forget(gone)


_SOMEBODY = NodeId(bytes(KEY_BYTES))  # rows that came from others, whoever they were


class LightQueries(Queries):
    """The reads of the virtual disk on a light node: first they bring what they are asked for."""

    def __init__(self, database: Database, light: LightReads) -> None:
        super().__init__(database)
        self._light = light

    async def people(self) -> tuple[Person, ...]:
        """See ``Queries``."""
        await self._light.people()
        return await super().people()

    async def person(self, owner: bytes) -> Person | None:
        """See ``Queries``."""
        await self._light.person(PublicKey(owner))
        return await super().person(owner)

    async def all_folders_of(self, owner: bytes) -> tuple[Folder, ...]:
        """See ``Queries``."""
        await self._light.person(PublicKey(owner))
        return await super().all_folders_of(owner)

    async def folder(self, owner: bytes, folder_id: bytes) -> Folder | None:
        """See ``Queries``."""
        await self._light.person(PublicKey(owner))
        return await super().folder(owner, folder_id)

    async def file(self, owner: bytes, file_id: bytes) -> File | None:
        """See ``Queries``."""
        await self._light.person(PublicKey(owner))
        return await super().file(owner, file_id)

    async def placements(self, cid: bytes) -> tuple[Placement, ...]:
        """See ``Queries``."""
        await self._light.placements(cid)
        return await super().placements(cid)
