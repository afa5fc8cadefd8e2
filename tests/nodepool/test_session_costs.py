"""What comparing costs on the wire: figures that the design promises, on real sessions."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import trio
from grids import NOW, FixedClock, Member, key_of, open_member

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.rows import make_row
from bitcloud_net.core.nodepool.table_rules import Table
from bitcloud_net.net.memory_network import MemoryHub
from bitcloud_net.net.network import ProtocolId
from bitcloud_net.nodepool.synced_set import Entry, SyncedSet
from bitcloud_net.protocols.sync import SyncReport, reconcile
from bitcloud_net.wire.range_index import item_of
from bitcloud_net.wire.sync_session import PROTOCOL
from tests.core.row_samples import SAMPLES

HELD = 100_000


class Meter:
    """A stream that counts what goes over it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.peer = stream.peer
        self.sent = self.received = self.questions = 0

    async def send(self, *pieces: bytes) -> None:
        self.questions += 1
        self.sent += sum(map(len, pieces))
        await self._stream.send(*pieces)

    async def receive(self, *most: int) -> bytes:
        data: bytes = await self._stream.receive(*most)
        self.received += len(data)
        return data

    def reset(self) -> None:
        self._stream.reset()


async def session(asking: Member, answering: Member) -> tuple[SyncReport, Meter]:
    protocol = ProtocolId(PROTOCOL)
    meter = Meter(await asking.network.open_stream(answering.key.node_id, protocol))
    side, allowance = asking.syncer._side, asking.syncer._allowance(answering.key.node_id)
    return await reconcile(meter, side, allowance), meter  # type: ignore[arg-type]


async def two(stack: AsyncExitStack, folder: Path) -> tuple[Member, Member]:
    hub, clock = MemoryHub(1), FixedClock()
    one, other = [
        await stack.enter_async_context(open_member(hub, folder / n, n, clock=clock)) for n in "ab"
    ]
    await one.network.connect(other.network.addresses[0])
    await trio.sleep(20)  # they have their first sessions, and none is due
    return one, other


async def test_equal_sets_end_after_one_round_trip(tmp_path: Path, autojump_clock: object) -> None:
    async with AsyncExitStack() as stack:
        one, other = await two(stack, tmp_path)
        report, meter = await session(one, other)
        tables = len(one.store.reads.depths)
        assert (report.differing, meter.questions) == (0, 1)
        assert meter.sent + meter.received < 40 * tables + 60
        assert 20 * (meter.sent + meter.received) / tables < 800, "20 tables"


async def test_a_hundred_fresh_rows_among_a_hundred_thousand(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with AsyncExitStack() as stack:
        one, other = await two(stack, tmp_path)
        chance = Random(2)
        old = [Entry(b"", item_of(NOW - 1 - at // 250, chance.randbytes(32))) for at in range(HELD)]
        for member in (one, other):
            member.store.sets[Table.NODE] = SyncedSet(Table.NODE, old)
        fresh = [
            make_row(
                Table.NODE,
                b"",
                SAMPLES[Table.NODE].body,
                signer=SigningKey(chance.randbytes(32)),
                **{"seq": 1, "period": NOW, "slot": 0, "expires": NOW + 9},
            ).raw
            for _ in range(100)
        ]
        await other.store.accept_many(fresh, source=key_of("somebody").node_id)
        report, meter = await session(one, other)
        assert report.received == 100
        bodies = sum(map(len, fresh))
        comparing = meter.sent + meter.received - bodies
        assert comparing < 20_000
        assert report.rounds <= 4
        assert meter.questions == 1 + report.rounds + 1, "greeted, compared, fetched"
