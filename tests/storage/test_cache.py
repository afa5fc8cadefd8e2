"""The cache of opened segments."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from bitcloud_net.storage.cache import SegmentCache, SegmentName

NAME = SegmentName(b"a" * 32, 0)


class Maker:
    def __init__(self, data: bytes = b"data") -> None:
        self.data = data
        self.calls = 0

    async def __call__(self) -> bytes:
        self.calls += 1
        await trio.sleep(1)
        return self.data


async def test_a_segment_is_made_once(autojump_clock: trio.testing.MockClock) -> None:
    cache, maker = SegmentCache(), Maker()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(cache.get, NAME, maker)
    assert await cache.get(NAME, maker) == b"data"
    assert maker.calls == 1
    await cache.get(SegmentName(NAME.cid, 1), maker)
    assert maker.calls == 2


async def test_the_least_used_goes_first(autojump_clock: trio.testing.MockClock) -> None:
    cache, maker = SegmentCache(max_bytes=20), Maker(bytes(8))
    names = [SegmentName(NAME.cid, number) for number in range(3)]
    for name in (names[0], names[1], names[0], names[2]):
        await cache.get(name, maker)
    assert maker.calls == 3
    await cache.get(names[0], maker)
    assert maker.calls == 3
    await cache.get(names[1], maker)
    assert maker.calls == 4
    large = Maker(bytes(21))
    for _ in range(2):
        assert await cache.get(SegmentName(NAME.cid, 9), large) == bytes(21)
    assert large.calls == 2


async def test_somebody_takes_over_when_the_maker_is_cancelled_or_fails(
    autojump_clock: trio.testing.MockClock,
) -> None:
    cache, maker = SegmentCache(), Maker()
    results: list[bytes] = []

    async def get(make: Callable[[], Awaitable[bytes]]) -> None:
        results.append(await cache.get(NAME, make))

    async def fail() -> bytes:
        await trio.sleep(1)
        raise RuntimeError("no")

    async def get_for_a_moment() -> None:
        with trio.move_on_after(0.5):
            await get(maker)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(get_for_a_moment)
        await trio.sleep(0.1)
        nursery.start_soon(get, maker)
    assert results == [b"data"]
    assert maker.calls == 2
    with pytest.raises(RuntimeError):
        await cache.get(SegmentName(NAME.cid, 1), fail)
    assert await cache.get(SegmentName(NAME.cid, 1), maker) == b"data"
