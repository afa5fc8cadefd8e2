"""Opened segments of files that are being read, in memory and nowhere else.

A player asks for the same MiB many times over, in small ranges. Plain bytes never touch the disk
(R-VD-06), so the cache is small and dies with the process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from bitcloud_net.core.units import MIB

CACHE_BYTES = 32 * MIB
"""Segments of a few players at once: what is played, what is read ahead, what was just seen."""


class SegmentName(NamedTuple):
    """One segment of one stored file."""

    cid: bytes
    segment_no: int


class SegmentCache:
    """A bounded set of segments, least recently used out first. For the tasks of one trio run."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._segments: OrderedDict[SegmentName, bytes] = OrderedDict()
        self._under_way: dict[SegmentName, trio.Event] = {}

    async def get(self, name: SegmentName, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return a segment, made by ``make`` unless it is here or somebody makes it already.

        Cancel: safe; when the one who makes it is cancelled, one of those who wait takes over.
        Errors: those of ``make``, for the task that called it; the others try themselves.
        """
        while (data := self._segments.get(name)) is None:
            event = self._under_way.get(name)
            if event is None:
                return await self._make(name, make)
            await event.wait()
        self._segments.move_to_end(name)
        return data

    async def _make(self, name: SegmentName, make: Callable[[], Awaitable[bytes]]) -> bytes:
        self._under_way[name] = event = trio.Event()
        try:
            data = await make()
            self._keep(name, data)
        finally:
            del self._under_way[name]
            event.set()
        return data

    def _keep(self, name: SegmentName, data: bytes) -> None:
        if len(data) > self._max_bytes:
            return
        self._segments[name] = data
        self._bytes += len(data)
        while self._bytes > self._max_bytes:
            _, old = self._segments.popitem(last=False)
            self._bytes -= len(old)
