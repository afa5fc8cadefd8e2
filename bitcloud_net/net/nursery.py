"""A nursery inside a context manager, without the wrapping that its user did not ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def open_plain_nursery() -> AsyncIterator[trio.Nursery]:
    """Like ``trio.open_nursery``, but a single error comes out as itself, not in a group.

    Whoever writes ``async with hub.open(key)`` does not see the nursery, and so expects
    ``except Unavailable`` around it to work. Several errors at once still come as a group.
    """
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        error = _single_error(group)
        if error is None:
            raise
        context = error.__context__
        try:
            raise error
        finally:
            error.__context__ = context  # else the group would stand in every traceback


def _single_error(group: BaseExceptionGroup) -> BaseException | None:
    leaves: list[BaseException] = [group]
    while len(leaves) == 1 and isinstance(leaves[0], BaseExceptionGroup):
        leaves = list(leaves[0].exceptions)
    return leaves[0] if len(leaves) == 1 else None
