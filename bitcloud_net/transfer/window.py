"""A few things at once, delivered in order: how both directions of a transfer move on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Generic, TypeVar

import trio

from bitcloud_net.tasks import open_tasks

T = TypeVar("T")


@asynccontextmanager
async def in_order(
    make: Callable[[int], Awaitable[T]], first: int, last: int, *, window: int
) -> AsyncIterator[AsyncIterator[T]]:
    """Run ``make(first)`` … ``make(last - 1)``, at most ``window`` ahead of the reader.

    The iterator yields the results in order. A slow reader holds the work back, so at most
    ``window`` results wait in memory. An error of one ends all and is raised where its result would
    have come. Leaving the block cancels what is under way.
    """
    async with open_tasks() as nursery:
        slots = [_Slot[T]() for _ in range(window)]

        async def run(slot: _Slot[T], number: int) -> None:
            try:
                slot.result = await make(number)
            except Exception as error:  # noqa: BLE001 - handed on to the reader, unchanged
                slot.error = error
            slot.ready.set()

        def start(number: int) -> None:
            if number < last:
                slot = slots[number % window] = _Slot()
                nursery.start_soon(run, slot, number)

        async def results() -> AsyncGenerator[T, None]:
            for number in range(first, last):
                slot = slots[number % window]
                await slot.ready.wait()
                result = slot.take()
                start(number + window)
                yield result

        for number in range(first, min(first + window, last)):
            start(number)
        async with aclosing(results()) as ordered:
            try:
                yield ordered
            finally:
                nursery.cancel_scope.cancel()


class _Slot(Generic[T]):
    """The place of one result between its maker and the reader."""

    def __init__(self) -> None:
        self.ready = trio.Event()
        self.result: T | None = None
        self.error: Exception | None = None

    def take(self) -> T:
        if self.error is not None:
            raise self.error
        result, self.result = self.result, None
        return result  # type: ignore[return-value]
