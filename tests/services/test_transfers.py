"""Long actions: their progress, pause, resume and end, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from bitcloud_net.core.errors import BadInput, LocalFault, Unavailable
from bitcloud_net.services.files.transfers import (
    AT_RISK_PATIENCE_S,
    MAX_ENDED,
    REMEMBER_S,
    Handle,
    Transfers,
)
from bitcloud_net.views import Transfer, TransferChanged, TransferKind, TransferState

ORDER = {"do": "publish", "to": "Public"}


@dataclass
class Desk:
    transfers: Transfers
    news: list[Transfer] = field(default_factory=list)
    log: dict[str, Transfer] = field(default_factory=dict)

    def start(self, work: Callable[[Handle], Awaitable[object]], title: str = "a file") -> Handle:
        return self.transfers.start(TransferKind.PUBLISH, title, "Public/Mary", work, ORDER)

    async def remember(self, transfer: Transfer, order: object) -> None:
        self.log[transfer.id] = transfer


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    async with trio.open_nursery() as nursery:
        made = Desk(None)  # type: ignore[arg-type]

        def hear(changed: TransferChanged) -> None:
            made.news.append(changed.transfer)

        made.transfers = Transfers(nursery, log=made, now_s=lambda: 7, on_news=hear)
        await nursery.start(made.transfers.run)
        yield made
        nursery.cancel_scope.cancel()


async def forever(handle: Handle) -> None:
    await trio.sleep_forever()


async def test_a_transfer_runs_to_its_end(clock: MockClock) -> None:
    async def work(handle: Handle) -> str:
        handle.update(bytes_total=100, files_total=2)
        for done in range(0, 101, 10):
            handle.update(bytes_done=done, files_done=done // 50)
            await trio.sleep(1)
        return "result"

    async with desk() as at:
        handle = at.start(work)
        assert at.transfers.running == 1
        assert await at.transfers.wait(handle) == "result"
        assert at.transfers.running == 0
        (shown,) = at.transfers.list()
        assert (shown.state, shown.bytes_done, shown.files_done) == (TransferState.DONE, 100, 2)
        assert (shown.bytes_per_s, shown.seconds_left, shown.started_s) == (0, None, 7)
        middle = next(each for each in at.news if each.bytes_done == 50)
        assert (middle.bytes_per_s, middle.seconds_left) == (10, 5)
        done = [each.bytes_done for each in at.news]
        assert done == sorted(done)


async def test_news_comes_ten_times_a_second_at_most(clock: MockClock) -> None:
    async def work(handle: Handle) -> None:
        handle.update(bytes_total=10_000)
        for done in range(10_001):
            handle.update(bytes_done=done)
            await trio.sleep(0.001)

    async with desk() as at:
        await at.transfers.wait(at.start(work))
        assert 90 <= len(at.news) <= 110
        assert at.news[-1].state is TransferState.DONE


async def test_pause_and_resume(clock: MockClock) -> None:
    runs = 0

    async def work(handle: Handle) -> int:
        nonlocal runs
        runs += 1
        await trio.sleep(10)
        return runs

    async with desk() as at:
        handle = at.start(work)
        await trio.sleep(5)
        at.transfers.pause(handle.snapshot.id)
        await trio.sleep(60)
        assert handle.snapshot.state is TransferState.PAUSED
        at.transfers.pause(handle.snapshot.id)
        at.transfers.resume(handle.snapshot.id)
        at.transfers.resume(handle.snapshot.id)
        assert await at.transfers.wait(handle) == 2
        with pytest.raises(BadInput) as caught:
            at.transfers.resume(handle.snapshot.id)
        assert caught.value.code == "transfer-done"


@pytest.mark.parametrize("stop", ["pause", "cancel"])
async def test_stopped_before_it_begins(clock: MockClock, stop: str) -> None:
    async def work(handle: Handle) -> None:
        await trio.sleep(1)
        raise AssertionError("it was stopped before")

    async with desk() as at:
        handle = at.start(work)
        getattr(at.transfers, stop)(handle.snapshot.id)
        await trio.sleep(10)
        expected = TransferState.PAUSED if stop == "pause" else TransferState.CANCELLED
        assert handle.snapshot.state is expected


async def test_what_is_done_stays_done(clock: MockClock) -> None:
    async def work(handle: Handle) -> None:
        return

    async with desk() as at:
        handle = at.start(work)
        await at.transfers.wait(handle)
        at.transfers.cancel(handle.snapshot.id)
        at.transfers.pause(handle.snapshot.id)
        assert handle.snapshot.state is TransferState.DONE


async def test_cancel(clock: MockClock) -> None:
    async with desk() as at:
        running, paused = at.start(forever), at.start(forever)
        await trio.sleep(1)
        at.transfers.cancel(running.snapshot.id)
        at.transfers.pause(paused.snapshot.id)
        await trio.sleep(1)
        at.transfers.cancel(paused.snapshot.id)
        assert {each.state for each in at.transfers.list()} == {TransferState.CANCELLED}
        at.transfers.resume(running.snapshot.id)
        await trio.sleep(1)
        assert running.snapshot.state is TransferState.RUNNING


async def test_a_failure_has_its_reason_and_can_be_tried_again(clock: MockClock) -> None:
    tries = 0

    async def work(handle: Handle) -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise LocalFault("the disk is full; make room", code="disk-full")
        return "well"

    async with desk() as at:
        handle = at.start(work)
        with pytest.raises(LocalFault):
            await at.transfers.wait(handle)
        shown = handle.snapshot
        assert (shown.state, shown.reason_code) == (TransferState.FAILED, "disk-full")
        assert shown.reason == "the disk is full; make room"
        at.transfers.resume(shown.id)
        assert await at.transfers.wait(handle) == "well"
        assert (handle.snapshot.reason, handle.snapshot.reason_code) == (None, None)


async def test_who_waits_and_leaves_cancels(clock: MockClock) -> None:
    async with desk() as at:
        handle = at.start(forever)
        with trio.move_on_after(5):
            await at.transfers.wait(handle)
        await trio.sleep(1)
        assert handle.snapshot.state is TransferState.CANCELLED


async def test_who_waits_is_told_of_a_stop(clock: MockClock) -> None:
    async with desk() as at, trio.open_nursery() as nursery:
        handle = at.start(forever)
        await trio.sleep(1)
        nursery.start_soon(trio.sleep, 0)
        at.transfers.pause(handle.snapshot.id)
        with pytest.raises(BadInput) as caught:
            await at.transfers.wait(handle)
        assert caught.value.code == "stopped"


async def test_patience_with_a_transfer_at_risk_ends(clock: MockClock) -> None:
    async def work(handle: Handle) -> None:
        await trio.sleep(100)
        handle.update(state=TransferState.AT_RISK, receipts=7, receipts_needed=8)
        await trio.sleep(AT_RISK_PATIENCE_S / 2)
        handle.update(state=TransferState.RUNNING)
        await trio.sleep(100)
        handle.update(state=TransferState.AT_RISK, receipts=7, receipts_needed=8)
        await trio.sleep(500)

    async with desk() as at:
        handle = at.start(work)
        with pytest.raises(Unavailable) as caught:
            await at.transfers.wait(handle)
        assert caught.value.code == "at-risk"
        assert "7 of 8" in caught.value.message
        expected_s = 200 + 1.5 * AT_RISK_PATIENCE_S
        assert abs(trio.current_time() - expected_s) < 5, "one spell at risk does not add up"
        assert handle.snapshot.state is TransferState.AT_RISK
        assert at.transfers.running == 1, "it goes on"


async def test_only_the_last_hundred_that_ended_are_kept(clock: MockClock) -> None:
    async def work(handle: Handle) -> None:
        return

    async with desk() as at:
        running = at.start(forever)
        for number in range(MAX_ENDED + 20):
            await at.transfers.wait(at.start(work, str(number)))
        shown = at.transfers.list()
        assert len(shown) <= MAX_ENDED + 2
        assert shown[0].title == str(MAX_ENDED + 19), "newest first"
        assert running.snapshot in shown


async def test_an_unknown_transfer(clock: MockClock) -> None:
    async with desk() as at:
        for act in (at.transfers.pause, at.transfers.resume, at.transfers.cancel):
            with pytest.raises(BadInput) as caught:
                act("nothing")
            assert caught.value.code == "no-such-transfer"


async def test_the_log_knows_what_is_under_way(clock: MockClock) -> None:
    async def short(handle: Handle) -> None:
        await trio.sleep(REMEMBER_S / 10)

    async with desk() as at:
        await trio.sleep(REMEMBER_S / 2)
        quick, long = at.start(short), at.start(forever)
        await trio.sleep(2 * REMEMBER_S)
        assert quick.snapshot.id not in at.log, "not worth a line"
        assert at.log[long.snapshot.id].state is TransferState.RUNNING
        at.transfers.pause(long.snapshot.id)
        await trio.sleep(2 * REMEMBER_S)
        assert at.log[long.snapshot.id].state is TransferState.PAUSED


@pytest.mark.parametrize("go_on", [True, False])
async def test_what_an_earlier_run_left(clock: MockClock, go_on: bool) -> None:
    async def work(handle: Handle) -> None:
        await trio.sleep(1)

    async with desk() as at:
        left = Transfer(
            id="left",
            kind=TransferKind.PUBLISH,
            state=TransferState.RUNNING,
            title="film",
            target="",
            started_s=1,
        )
        at.transfers.restore(left, work, ORDER, go_on=go_on)
        await trio.sleep(5)
        (shown,) = at.transfers.list()
        if go_on:
            assert shown.state is TransferState.DONE
        else:
            assert (shown.state, shown.reason_code) == (TransferState.WAITING, "cut-off")
            at.transfers.resume("left")
            await trio.sleep(5)
            assert at.transfers.list()[0].state is TransferState.DONE
