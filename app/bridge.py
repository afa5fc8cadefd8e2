"""Between the window and the node: the only module that knows both Qt and trio.

The node runs in a thread of its own under plain ``trio.run``, exactly as under the command line, so
nothing the window does can slow it and nothing it does can block the window.

    down   call(request) → run_sync_soon → a task in the node's nursery → Job
    up     the task's outcome and the news, as queued Qt signals; news in batches of 40 ms

Widgets never wait, never see trio, never open files or sockets. ``open_client`` is called in the
node's thread, so the node's libraries are imported there, after the window's first paint.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

import trio
from PySide6.QtCore import QObject, Qt, Signal
from shiboken6 import isValid

from bitcloud_net.api import (
    BitcloudError,
    Client,
    EntriesChanged,
    MembershipChanged,
    News,
    TransferChanged,
    Unavailable,
)

T = TypeVar("T")

Passphrase: TypeAlias = Callable[[], str]
OpenClient: TypeAlias = Callable[[Passphrase], AbstractAsyncContextManager[Client]]
"""How to open the node; gets a function that asks the person for the passphrase (and waits)."""

NEWS_PERIOD_S = 0.04
"""News waits this long for more of its kind: 25 updates a second look live and cost one repaint
each."""

MAX_REQUESTS = 1000
"""Requests under way at once. A window asks for tens; more is a loop in a page."""

JOIN_TIMEOUT_S = 5.0
"""How long ``stop`` waits for the node to close its files; the field guide's figure."""

COURTESY_EVERY_S = 0.004
"""How long the node's loop may be busy before it lets the window's thread in: a quarter of a
frame.
"""
COURTESY_S = 0.0002
"""Long enough for a waiting thread to wake and take the lock; 5 % of a busy loop's time."""

_log = logging.getLogger(__name__)


class Courtesy(trio.abc.Instrument):
    """Lets the window's thread run while the node's loop is busy.

    A loop that gives the interpreter lock back for a moment more often than the switch interval,
    and takes it again at once, can keep a waiting thread out for ever: the waiter asks for the
    lock only after one interval in which nobody gave it back. So the busy loop sleeps a little
    now and then.
    """

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def before_io_wait(self, timeout: float) -> None:
        """Trio is about to look for news; ``timeout`` is 0 when tasks wait to run."""
        now = time.perf_counter()
        if timeout > 0:
            self._last = now
        elif now - self._last > COURTESY_EVERY_S:
            time.sleep(COURTESY_S)
            self._last = time.perf_counter()


class Job(Generic[T]):
    """One request to the node. ``done`` or ``failed`` is called once, in the window's thread.

    Neither is called after ``cancel`` or after ``owner`` was deleted: the person has moved on.
    """

    def __init__(
        self,
        request: Callable[[Client], Awaitable[T]],
        owner: QObject,
        done: Callable[[T], None] | None,
        failed: Callable[[BaseException], None] | None,
    ) -> None:
        self._request = request
        self._owner = owner
        self._done = done
        self._failed = failed
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self.ended = False

    def cancel(self) -> None:
        """Give up. A transfer that this request started is cancelled with it. Safe at any time."""
        if self.ended:
            return
        self.ended = True
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._scope.cancel)

    async def run(self, client: Client) -> _Outcome | None:
        """Do the request, in the node's thread; return None when it was cancelled."""
        outcome = None
        with self._scope:
            outcome = await self._outcome(client)
        return outcome

    async def _outcome(self, client: Client) -> _Outcome:
        try:
            return _Outcome(self, await self._request(client), None)
        except BitcloudError as error:
            return _Outcome(self, None, error)
        except Exception as error:  # noqa: BLE001 - supervisor: a bug must not end the node
            _log.exception("a request of the window failed")
            return _Outcome(self, None, error)

    def start(self, token: trio.lowlevel.TrioToken) -> None:
        """Remember the loop that will run this job, so that it can be cancelled there."""
        self._token = token
        if self.ended:
            self._scope.cancel()

    def settle(self, value: T | None, error: BaseException | None) -> None:
        """Hand the outcome to the page that asked, in the window's thread."""
        if self.ended or not isValid(self._owner):
            return
        self.ended = True
        if error is not None:
            if self._failed is not None:
                self._failed(error)
        elif self._done is not None:
            self._done(value)  # type: ignore[arg-type]  # None only where T allows it


@dataclass(frozen=True, slots=True)
class _Outcome:
    job: Job[Any]
    value: Any
    error: BaseException | None


class Bridge(QObject):
    """Owns the node's thread. Create, start and stop it in the window's thread.

    Signals: ``opened`` when the node answers; ``failed(error)`` when it could not be opened or
    ended by itself; ``news(tuple)`` with the changes of the last 40 ms; ``passphrase_wanted`` until
    ``give_passphrase`` is called. After ``failed`` it may be started again.
    """

    opened = Signal()
    failed = Signal(object)
    news = Signal(object)
    passphrase_wanted = Signal()
    _settled = Signal(object)

    def __init__(self, open_client: OpenClient, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open_client = open_client
        self._thread: threading.Thread | None = None
        self._loop: _NodeLoop | None = None
        self._passphrases: queue.Queue[str | None] = queue.Queue(maxsize=1)
        self._settled.connect(self._on_settled, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Start the node's thread; returns at once."""
        self.stop()
        self._loop = _NodeLoop(self, self._open_client)
        # Not a daemon: a node must close its files before the interpreter goes.
        self._thread = threading.Thread(target=self._loop.run, name="bitcloud-node", daemon=False)
        self._thread.start()

    def call(
        self,
        request: Callable[[Client], Awaitable[T]],
        *,
        owner: QObject,
        done: Callable[[T], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> Job[T]:
        """Ask the node for something; a request made while it still opens waits for it."""
        job = Job(request, owner, done, failed)
        if self._loop is None or not self._loop.submit(job):
            self._settled.emit(_Outcome(job, None, _not_running()))
        return job

    def compute(
        self,
        function: Callable[[], T],
        *,
        owner: QObject,
        done: Callable[[T], None],
        failed: Callable[[BaseException], None] | None = None,
    ) -> Job[T]:
        """Run blocking or long work (sizes of files, sorting thousands) in a worker thread."""

        async def in_thread(_client: Client) -> T:
            return await trio.to_thread.run_sync(function)

        return self.call(in_thread, owner=owner, done=done, failed=failed)

    def prepare(
        self,
        function: Callable[[], Awaitable[T]],
        *,
        owner: QObject,
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Do something that comes before the node, such as making its home, in a thread of its own.

        The caller waits for the answer before it does anything else with the home.
        """

        async def request(_client: Client) -> T:
            return await function()

        job = Job(request, owner, done, failed)
        run = partial(self._run_alone, job)
        threading.Thread(target=run, name="bitcloud-prepare", daemon=False).start()

    def _run_alone(self, job: Job[Any]) -> None:
        outcome = trio.run(job.run, None)
        if outcome is not None:
            self._settled.emit(outcome)

    def give_passphrase(self, passphrase: str | None) -> None:
        """Answer ``passphrase_wanted``; None means that the person declined."""
        if self._passphrases.empty():
            self._passphrases.put_nowait(passphrase)

    def ask_passphrase(self) -> str:
        """Called in the node's thread: have the window ask, and wait for the answer."""
        self.passphrase_wanted.emit()
        answer = self._passphrases.get()
        if answer is None:
            raise Unavailable("the passphrase was not entered", code="wrong-passphrase")
        return answer

    def stop(self) -> bool:
        """Cancel everything, close the node and wait up to 5 s; False when it did not stop in
        time."""
        if self._loop is None or self._thread is None:
            return True
        self.give_passphrase(None)
        self._loop.cancel()
        self._thread.join(JOIN_TIMEOUT_S)
        stopped = not self._thread.is_alive()
        if not stopped:
            _log.error("the node did not stop within %s s", JOIN_TIMEOUT_S)
        self._loop = self._thread = None
        self._passphrases = queue.Queue(maxsize=1)
        return stopped

    def _on_settled(self, outcome: _Outcome) -> None:
        outcome.job.settle(outcome.value, outcome.error)

    def publish_outcome(self, outcome: _Outcome) -> None:
        """Called in the node's thread: queue an outcome for the window's thread."""
        self._settled.emit(outcome)


class _NodeLoop:
    """What runs in the node's thread, from ``trio.run`` to its end."""

    def __init__(self, bridge: Bridge, open_client: OpenClient) -> None:
        self._bridge = bridge
        self._open_client = open_client
        self._lock = threading.Lock()  # guards the three below: both threads use them
        self._token: trio.lowlevel.TrioToken | None = None
        self._early: list[Job[Any]] = []
        self._cancelled = False
        self._scope: trio.CancelScope | None = None
        self._send, self._receive = trio.open_memory_channel[Job[Any]](MAX_REQUESTS)

    def run(self) -> None:
        try:
            trio.run(self._main, instruments=[Courtesy()])
        except BaseException as error:  # noqa: BLE001 - the thread's supervisor: everything is reported
            self._report_end(error)

    def _report_end(self, error: BaseException) -> None:
        cause = _first_cause(error)
        if not isinstance(cause, BitcloudError):
            _log.error("the node ended", exc_info=error)
        with self._lock:
            self._token = None
            self._cancelled = True
            early, self._early = self._early, []
        for job in early:
            self._bridge.publish_outcome(_Outcome(job, None, cause))
        self._bridge.failed.emit(cause)

    def submit(self, job: Job[Any]) -> bool:
        """Hand over a job from the window's thread; False when the node is gone or swamped."""
        with self._lock:
            if self._cancelled or len(self._early) >= MAX_REQUESTS:
                return False
            if self._token is None:
                self._early.append(job)
                return True
            token = self._token
        try:
            token.run_sync_soon(self._accept, job)
        except trio.RunFinishedError:
            return False
        return True

    def _accept(self, job: Job[Any]) -> None:
        try:
            self._send.send_nowait(job)
        except trio.WouldBlock:
            busy = Unavailable("too many requests at once", code="busy")
            self._bridge.publish_outcome(_Outcome(job, None, busy))

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            token, scope = self._token, self._scope
        if token is not None and scope is not None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(scope.cancel)

    async def _main(self) -> None:
        token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as scope:
            with self._lock:
                self._scope = scope
                self._token = token
                if self._cancelled:
                    return
                early, self._early = self._early, []
            for job in early:
                self._accept(job)
            async with self._open_client(self._bridge.ask_passphrase) as client:
                await self._serve(client, token)

    async def _serve(self, client: Client, token: trio.lowlevel.TrioToken) -> None:
        async with client.news() as news, trio.open_nursery() as nursery:
            batch = _NewsBatch()
            nursery.start_soon(batch.send_to, self._bridge)
            nursery.start_soon(self._serve_jobs, client, token, nursery)
            self._bridge.opened.emit()
            async for item in news:
                batch.add(item)

    async def _serve_jobs(
        self, client: Client, token: trio.lowlevel.TrioToken, nursery: trio.Nursery
    ) -> None:
        async for job in self._receive:
            job.start(token)
            nursery.start_soon(self._serve_job, client, job)

    async def _serve_job(self, client: Client, job: Job[Any]) -> None:
        outcome = await job.run(client)
        if outcome is not None:
            self._bridge.publish_outcome(outcome)


class _NewsBatch:
    """The newest news of each thing, sent together at most every ``NEWS_PERIOD_S``."""

    def __init__(self) -> None:
        self._items: dict[tuple[type, str], News] = {}
        self._any = trio.Event()

    def add(self, item: News) -> None:
        self._items[type(item), _subject(item)] = item
        self._any.set()

    async def send_to(self, bridge: Bridge) -> None:
        while True:
            await self._any.wait()
            await trio.sleep(NEWS_PERIOD_S)
            items, self._items = tuple(self._items.values()), {}
            self._any = trio.Event()
            bridge.news.emit(items)


def _subject(item: News) -> str:
    if isinstance(item, EntriesChanged):
        return item.path
    if isinstance(item, TransferChanged):
        return item.transfer.id
    if isinstance(item, MembershipChanged):
        return item.membership.role
    return ""


def _first_cause(error: BaseException) -> BaseException:
    """Return the first real error inside the groups that nurseries make."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _not_running() -> Unavailable:
    return Unavailable("the node is not running", code="node-closed")
