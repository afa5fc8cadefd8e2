"""Nodes with a nodepool each on one memory network, and rows to put into them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import trio

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.meeting import Meeting
from bitcloud_net.core.nodepool.row_bodies import FileBody, FolderBody, PlacementBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.shards import DepthRule
from bitcloud_net.core.nodepool.table_rules import RULES, Table
from bitcloud_net.net.memory_network import MemoryHub, MemoryNetwork
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import NewRow, RowStore, number_alone, open_row_store
from bitcloud_net.services.nodepool.syncer import Syncer
from bitcloud_net.wire.range_index import RangeIndex

NOW = 2_900_000
"""The period in which tests begin."""


class FixedClock:
    """Wall time that moves when a test says so."""

    def __init__(self, period: int = NOW) -> None:
        self.seconds = period * 600

    def now_s(self) -> int:
        return self.seconds

    def period(self) -> int:
        return self.seconds // 600

    def forward(self, periods: int) -> None:
        self.seconds += periods * 600


@dataclass(frozen=True, slots=True)
class Member:
    key: SigningKey
    network: MemoryNetwork
    store: RowStore
    queries: Queries
    syncer: Syncer
    clock: FixedClock

    def ids(self) -> dict[int, list[bytes]]:
        return {int(t): self.store.sets[t].whole.items(0, self.store.counts[t]) for t in RULES}


async def on_the_spot(work):  # type: ignore[no-untyped-def]
    """Virtual time does not wait for threads, so blocking work runs right here."""
    await trio.lowlevel.checkpoint()
    return work()


def key_of(name: str) -> SigningKey:
    return SigningKey(name.encode().ljust(32, b"\0"))


@asynccontextmanager
async def open_member(
    hub: MemoryHub,
    folder: Path,
    name: str,
    *,
    clock: FixedClock | None = None,
    persons: tuple[SigningKey, ...] = (),
    depth_rule: DepthRule = DepthRule(),  # noqa: B008 - it is frozen
) -> AsyncIterator[Member]:
    key, clock = key_of(name), clock or FixedClock()
    folder.mkdir(exist_ok=True, parents=True)
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(hub.open(key))
        store = await stack.enter_async_context(
            open_row_store(
                folder,
                clock=clock,
                node=key.node_id,
                persons=[person.public for person in persons],
                depth_rule=depth_rule,
                run=on_the_spot,
            )
        )
        syncer = Syncer(
            network,
            store,
            clock=clock,
            random=Random(name),
            beacon=number_alone,
            persons=lambda: persons,
        )
        nursery = await stack.enter_async_context(trio.open_nursery())
        await nursery.start(lambda task_status: syncer.run(task_status=task_status))
        yield Member(key, network, store, Queries(store.database), syncer, clock)
        nursery.cancel_scope.cancel()


def meeting(store: RowStore, period: int, *others: bytes) -> Meeting:
    """A session with a node that has shown some keys, as a store that has shown none sees it."""
    stranger = key_of("stranger").node_id
    return Meeting(
        peer=stranger,
        period=period,
        ours=store.keeping.keys,
        theirs=frozenset({stranger, *others}),
        depths=store.reads.depths,
    )


async def view_of(store: RowStore, period: int, *others: bytes) -> dict[int, RangeIndex]:
    return await store.reads.view(meeting(store, period, *others))


async def raws_of(
    store: RowStore, of: int, ids: list[bytes], *others: bytes, max_bytes: int = 10**9
) -> tuple[int, list[bytes]]:
    keys = meeting(store, NOW, *others).theirs
    readers = await store.reads.readers(keys, NOW)
    return await store.reads.raws(of, ids, readers=readers, max_bytes=max_bytes)


async def connect_all(members: list[Member]) -> None:
    for at, member in enumerate(members):
        for other in members[at + 1 :]:
            await member.network.connect(other.network.addresses[0])


async def until(condition: Callable[[], bool], seconds: float = 300.0, what: str = "") -> float:
    start = trio.current_time()
    with trio.move_on_after(seconds):
        while not condition():  # noqa: ASYNC110 - virtual time
            await trio.sleep(0.05)
    assert condition(), f"not within {seconds} s: {what}"
    return trio.current_time() - start


def files(chance: Random, folder: bytes, count: int) -> list[NewRow]:
    """Rows as publishing ``count`` files writes them: a file row and a placement row each."""
    rows = []
    for _ in range(count):
        file = FileBody(folder=folder, sealed=chance.randbytes(180))
        holders = tuple(chance.randbytes(32) for _ in range(10))
        placement = PlacementBody(manifest=chance.randbytes(500), holders=holders)
        rows.append(NewRow(table=Table.FILE, key_suffix=chance.randbytes(16), body=file))
        rows.append(NewRow(table=Table.PLACEMENT, key_suffix=chance.randbytes(32), body=placement))
    return rows


async def write_person(
    store: RowStore, person: SigningKey, folder: bytes, nickname: str = "Mary"
) -> tuple[SignedRow, SignedRow]:
    user = await store.write(Table.USER, b"", UserBody(nickname=nickname), signer=person)
    body = FolderBody(parent=b"", open_key=b"", sealed=b"sealed name")
    return user, await store.write(Table.FOLDER, folder, body, signer=person)
