"""Every long action: its progress, its pause, its end. One list for the window and the command
line.

A transfer is a piece of work (an async function) with a snapshot that is replaced as it moves on.
The work may be cancelled at any point, so a pause is a cancellation with another name, and going
on is running the work again: publishing and fetching pick up what is stored already.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import trio

from bitcloud_net.core.errors import BadInput, BitcloudError, Unavailable
from bitcloud_net.views import Transfer, TransferChanged, TransferKind, TransferState

if TYPE_CHECKING:
    from trio_typing import TaskStatus

MAX_ENDED: Final = 100
"""Ended transfers that stay in the list."""
NEWS_S: Final = 0.1
"""Progress is told at most ten times a second; a person cannot read faster."""
SPEED_S: Final = 3.0
"""The speed shown is a moving average over about this time."""

LOOK_S: Final = 1.0
"""How often somebody who waits looks whether the transfer is at risk."""
AT_RISK_PATIENCE_S: Final = 15.0
"""How long somebody who waits goes on doing so for missing storage receipts."""

REMEMBER_S: Final = 1.0
"""A transfer that ends sooner is not worth a line in the log."""

T = TypeVar("T")
Work = Callable[["Handle"], Awaitable[T]]


Order = Mapping[str, "str | Sequence[str]"]
"""What starts a transfer again in a later run; empty for one that ends with its run."""


class Log(Protocol):
    """The transfer log (``storage.transfer_log``)."""

    async def remember(self, transfer: Transfer, order: Order) -> None: ...


class Handle:
    """One transfer under way. The work calls ``update``, everybody else reads ``snapshot``."""

    def __init__(self, snapshot: Transfer, on_change: Callable[[Transfer], None]) -> None:
        self.snapshot = snapshot
        self.ended = trio.Event()
        self.result: object = None
        self.error: BitcloudError | None = None
        self.shortfall: BitcloudError | None = None
        """What the work sets when it did some of its parts and not all: it failed with a result."""
        self.resumed = False
        """Whether the work was begun before, in this run or an earlier one."""
        self._on_change = on_change
        self._scope = trio.CancelScope()
        self._stopped_as: TransferState | None = None
        self._told_at = -NEWS_S
        self._speed = _Speed()

    def update(self, *, state: TransferState | None = None, **changes: object) -> None:
        """Replace the snapshot; speed and time left follow from ``bytes_done``."""
        now = trio.current_time()
        changes["state"] = state or self.snapshot.state
        new = replace(self.snapshot, **changes)  # type: ignore[arg-type]
        if new.bytes_done != self.snapshot.bytes_done:
            speed = self._speed.moved(now, new.bytes_done)
            left = (new.bytes_total - new.bytes_done) / speed if speed >= 1 else None
            seconds = None if left is None else max(0, round(left))
            new = replace(new, bytes_per_s=int(speed), seconds_left=seconds)
        important = new.state != self.snapshot.state or new.files_done != self.snapshot.files_done
        self.snapshot = new
        if important or now - self._told_at >= NEWS_S:
            self._told_at = now
            self._on_change(new)

    def stop(self, state: TransferState) -> None:
        """Cancel the work, also before it begins, and remember why."""
        if not self.ended.is_set():
            self._stopped_as = state
            self._scope.cancel()

    def renew(self) -> None:
        """Get ready to ``run`` once more after the end."""
        self.resumed = True
        self.ended = trio.Event()
        self._scope = trio.CancelScope()
        self._stopped_as, self.error, self.shortfall = None, None, None

    async def run(self, work: Work[object]) -> None:
        """Do the work to its end, whatever that is. Never raises a ``BitcloudError``."""
        self._speed = _Speed()
        try:
            with self._scope:
                self.update(state=TransferState.RUNNING, reason=None, reason_code=None)
                self.result = await work(self)
                if self.shortfall is not None:
                    self._fail(self.shortfall)
                else:
                    self._end(TransferState.DONE, bytes_done=self.snapshot.bytes_total)
        except BitcloudError as error:
            self.error = error
            if self._stopped_as is None:  # else the error only says that the node is going down
                self._fail(error)
        finally:
            self._settle()

    def _fail(self, error: BitcloudError) -> None:
        self._end(TransferState.FAILED, reason=error.message, reason_code=error.code)

    def _settle(self) -> None:
        """Say why the work ended when it was stopped from outside."""
        if self._stopped_as is not None and not self.snapshot.ended:
            self._end(self._stopped_as)
        self.ended.set()

    def _end(self, state: TransferState, **changes: object) -> None:
        self.update(state=state, seconds_left=None, bytes_per_s=0, **changes)


class _Speed:
    """A moving average of bytes per second."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._bytes = 0
        self._average = 0.0

    def moved(self, now: float, done: int) -> float:
        if self._at is None or done < self._bytes:
            self._at, self._bytes = now, done
            return self._average
        passed = now - self._at
        if passed >= NEWS_S:
            rate = (done - self._bytes) / passed
            weight = min(1.0, passed / SPEED_S) if self._average else 1.0
            self._average += weight * (rate - self._average)
            self._at, self._bytes = now, done
        return self._average


class Transfers:
    """The list. Work runs in ``nursery``, which belongs to the node."""

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        log: Log,
        now_s: Callable[[], int],
        on_news: Callable[[TransferChanged], None],
    ) -> None:
        self._nursery = nursery
        self._log = log
        self._now_s = now_s
        self._on_news = on_news
        self._orders: dict[str, Order] = {}
        self._logged: dict[str, TransferState] = {}  # the state that the log knows
        self._handles: dict[str, Handle] = {}
        self._works: dict[str, Work[object]] = {}

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the log in step until cancelled.

        Raises:
            LocalFault: ``log-failed``.
        """
        task_status.started()
        try:
            while True:
                await trio.sleep(REMEMBER_S)
                await self._remember_all()
        finally:
            with trio.CancelScope(shield=True):
                await self._remember_all()  # what ended since, or it would look cut off

    async def _remember_all(self) -> None:
        for id, order in list(self._orders.items()):
            await self._remember(self._handles[id].snapshot, order)

    async def _remember(self, snapshot: Transfer, order: Order) -> None:
        if self._logged.get(snapshot.id) == snapshot.state:
            return
        if snapshot.id in self._logged or not snapshot.ended:
            self._logged[snapshot.id] = snapshot.state
            await self._log.remember(snapshot, order)

    def start(
        self,
        kind: TransferKind,
        title: str,
        target: str,
        work: Work[object],
        order: Order | None = None,
    ) -> Handle:
        """Begin a transfer and return its handle at once."""
        snapshot = Transfer(
            id=secrets.token_hex(8),
            kind=kind,
            state=TransferState.WAITING,
            title=title,
            target=target,
            started_s=self._now_s(),
        )
        handle = self._add(snapshot, work, order or {})
        self._run(handle)
        return handle

    def restore(self, snapshot: Transfer, work: Work[object], order: Order, *, go_on: bool) -> None:
        """Put a transfer of an earlier run into the list; with ``go_on`` run it again."""
        self._logged[snapshot.id] = snapshot.state
        if not (go_on or snapshot.ended or snapshot.state is TransferState.PAUSED):
            snapshot = _cut_off(snapshot)
        handle = self._add(snapshot, work, order)
        handle.resumed = True
        if go_on:
            self._run(handle)
        else:
            handle.ended.set()

    def _add(self, snapshot: Transfer, work: Work[object], order: Order) -> Handle:
        handle = Handle(snapshot, lambda new: self._on_news(TransferChanged(transfer=new)))
        self._handles[snapshot.id] = handle
        self._works[snapshot.id] = work
        if order:
            self._orders[snapshot.id] = order
        self._forget_old()
        return handle

    async def wait(self, handle: Handle) -> object:
        """Wait for a transfer's end and return its result, also one that is short of something.
        Cancel: the transfer is cancelled too.

        Raises:
            BitcloudError: what ended it.
            Unavailable: ``at-risk`` for longer than ``AT_RISK_PATIENCE_S``; the transfer goes on.
        """
        try:
            await self._until_ended(handle)
        except (trio.Cancelled, KeyboardInterrupt):
            handle.stop(TransferState.CANCELLED)
            raise
        if handle.error is not None:
            raise handle.error
        if handle.snapshot.state is not TransferState.DONE and handle.shortfall is None:
            raise BadInput(f"{handle.snapshot.title} was stopped", code="stopped")
        return handle.result

    async def _until_ended(self, handle: Handle) -> None:
        risky_s = 0.0
        while not handle.ended.is_set():
            with trio.move_on_after(LOOK_S):
                await handle.ended.wait()
            at_risk = handle.snapshot.state is TransferState.AT_RISK
            risky_s = risky_s + LOOK_S if at_risk else 0.0
            if risky_s >= AT_RISK_PATIENCE_S:
                raise Unavailable(
                    f"{handle.snapshot.title}: readable, but not safe yet: "
                    f"{handle.snapshot.receipts} of {handle.snapshot.receipts_needed} storage "
                    "receipts; keep a node running, or repair it when more nodes are on",
                    code="at-risk",
                )

    def list(self) -> tuple[Transfer, ...]:
        """Return all snapshots, newest first."""
        return tuple(handle.snapshot for handle in reversed(self._handles.values()))

    def pause(self, id: str) -> None:
        """Hold a transfer."""
        self._handle(id).stop(TransferState.PAUSED)

    def resume(self, id: str) -> None:
        """Go on with a paused, failed or cancelled transfer; one that runs goes on as it is."""
        handle = self._handle(id)
        if handle.snapshot.state is TransferState.DONE:
            raise BadInput("this transfer is done", code="transfer-done")
        if handle.ended.is_set():
            handle.renew()
            self._run(handle)

    def cancel(self, id: str) -> None:
        """End a transfer for good; one that is done stays done."""
        handle = self._handle(id)
        if not handle.ended.is_set():
            handle.stop(TransferState.CANCELLED)
        elif handle.snapshot.state is not TransferState.DONE:
            handle.update(state=TransferState.CANCELLED)

    @property
    def running(self) -> int:
        """How many are under way."""
        return sum(not handle.ended.is_set() for handle in self._handles.values())

    def _run(self, handle: Handle) -> None:
        self._nursery.start_soon(handle.run, self._works[handle.snapshot.id])

    def _handle(self, id: str) -> Handle:
        if id not in self._handles:
            message = "there is no such transfer; see them with: bitcloud transfers"
            raise BadInput(message, code="no-such-transfer")
        return self._handles[id]

    def _forget_old(self) -> None:
        ended = [id for id, handle in self._handles.items() if handle.snapshot.ended]
        for id in ended[: max(0, len(ended) - MAX_ENDED)]:
            del self._handles[id], self._works[id]
            self._orders.pop(id, None)
            self._logged.pop(id, None)


def _cut_off(snapshot: Transfer) -> Transfer:
    """An earlier run ended before the transfer did, and nobody works on it now."""
    return replace(
        snapshot,
        state=TransferState.WAITING,
        bytes_per_s=0,
        seconds_left=None,
        reason="cut off; it goes on when a node runs, or do the same again",
        reason_code="cut-off",
    )
