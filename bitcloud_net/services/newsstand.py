"""News to any number of readers; who is slow misses old snapshots, never the newest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

import trio

from bitcloud_net.views import EntriesChanged, MembershipChanged, News, TransferChanged

MAX_WAITING: Final = 1024
"""Different things that may wait for one reader; of more, the oldest are dropped."""


class Newsstand:
    """Keeps for each reader the newest snapshot of each thing it has not read yet."""

    def __init__(self) -> None:
        self._readers: list[_Reader] = []

    def publish(self, news: News) -> None:
        """Tell everybody. Quick; never waits."""
        for reader in self._readers:
            reader.put(news)

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[AsyncIterator[News]]:
        """Open a stream of what changes from now on."""
        reader = _Reader()
        self._readers.append(reader)
        try:
            async with aclosing(reader.read()) as news:
                yield news
        finally:
            self._readers.remove(reader)


class _Reader:
    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], News] = OrderedDict()
        self._has_news = trio.Event()

    def put(self, news: News) -> None:
        name = _name(news)
        self._waiting.pop(name, None)
        self._waiting[name] = news
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)
        self._has_news.set()

    async def read(self) -> AsyncGenerator[News, None]:
        while True:
            await self._has_news.wait()
            self._has_news = trio.Event()
            while self._waiting:
                yield self._waiting.popitem(last=False)[1]


def _name(news: News) -> tuple[str, str]:
    """Return what a piece of news is about; a later one about the same replaces it."""
    if isinstance(news, TransferChanged):
        return "transfer", news.transfer.id
    if isinstance(news, MembershipChanged):
        return "membership", news.membership.role
    if isinstance(news, EntriesChanged):
        return "entries", news.path
    return type(news).__name__, ""
