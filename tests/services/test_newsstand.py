"""News reaches every reader; who is slow misses old snapshots, never the newest."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from bitcloud_net.services.newsstand import MAX_WAITING, Newsstand
from bitcloud_net.views import (
    EntriesChanged,
    News,
    Transfer,
    TransferChanged,
    TransferKind,
    TransferState,
)


def progress(id: str, done: int) -> TransferChanged:
    snapshot = Transfer(
        id=id,
        kind=TransferKind.FETCH,
        state=TransferState.RUNNING,
        title=id,
        target="",
        started_s=0,
        bytes_done=done,
    )
    return TransferChanged(transfer=snapshot)


async def take(stand: Newsstand, count: int, into: list[News], pause_s: float = 0.0) -> None:
    async with stand.subscribe() as news:
        async for item in news:
            into.append(item)
            await trio.sleep(pause_s)
            if len(into) == count:
                return


async def test_every_reader_hears_everything_it_can_take(clock: MockClock) -> None:
    stand = Newsstand()
    heard: list[list[News]] = [[], [], []]
    async with trio.open_nursery() as nursery:
        for one in heard:
            nursery.start_soon(take, stand, 3, one)
        await trio.sleep(1)
        for path in ("a", "b", "c"):
            stand.publish(EntriesChanged(path=path))
            await trio.sleep(1)
    assert [[item.path for item in one] for one in heard] == [["a", "b", "c"]] * 3  # type: ignore[union-attr]


async def test_a_slow_reader_gets_the_newest_of_each(clock: MockClock) -> None:
    stand = Newsstand()
    heard: list[News] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take, stand, 4, heard, 10.0)
        await trio.sleep(1)
        stand.publish(EntriesChanged(path="first"))
        await trio.sleep(1)
        for done in range(1000):
            for id in ("one", "other"):
                stand.publish(progress(id, done))
            stand.publish(EntriesChanged(path="a"))
    assert heard[1:] == [progress("one", 999), progress("other", 999), EntriesChanged(path="a")]


async def test_a_reader_that_never_reads_costs_little(clock: MockClock) -> None:
    stand = Newsstand()
    async with stand.subscribe() as news:
        for number in range(3 * MAX_WAITING):
            stand.publish(EntriesChanged(path=str(number)))
        first = await anext(news)
        assert first == EntriesChanged(path=str(2 * MAX_WAITING)), "the oldest are dropped"


async def test_nobody_is_told_after_leaving(clock: MockClock) -> None:
    stand = Newsstand()
    heard: list[News] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take, stand, 1, heard)
        await trio.sleep(1)
        stand.publish(EntriesChanged(path="a"))
    stand.publish(EntriesChanged(path="b"))
    assert heard == [EntriesChanged(path="a")]
