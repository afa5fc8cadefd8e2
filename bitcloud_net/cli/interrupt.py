"""Ctrl-C as an orderly end: the verb is cancelled first, and the node closes after it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import trio

if TYPE_CHECKING:
    from trio_typing import TaskStatus

T = TypeVar("T")


def run_interruptible(verb: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """Run ``verb`` to its end under trio, or cancel it at the first Ctrl-C; a second one does not
    wait.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        result: T = trio.run(verb, *arguments)  # signals belong to the main thread
        return result
    outcome: T = trio.run(_run, verb, arguments)
    return outcome


async def _run(verb: Callable[..., Awaitable[T]], arguments: tuple[object, ...]) -> T:
    async with trio.open_nursery() as nursery:
        await nursery.start(_cancel_when_interrupted, nursery.cancel_scope)
        result = await verb(*arguments)
        nursery.cancel_scope.cancel()
        return result
    raise KeyboardInterrupt


async def _cancel_when_interrupted(
    scope: trio.CancelScope, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            break
    scope.cancel()  # from here on Ctrl-C does again what it always does
