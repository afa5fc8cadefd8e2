from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from fake_client import OFFLINE, FakeClient, opener
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.bridge import Bridge
from bitcloud_net.api import BadInput, Client, TransferKind


@pytest.fixture
def bridge(client: FakeClient, qtbot: QtBot):  # type: ignore[no-untyped-def]
    made = Bridge(opener(client))
    yield made
    assert made.stop()


def test_answers_arrive_in_the_window_thread(bridge: Bridge, qtbot: QtBot) -> None:
    threads: list[threading.Thread] = []
    owner = QObject()
    bridge.call(
        lambda client: client.status(),
        owner=owner,
        done=lambda _status: threads.append(threading.current_thread()),
    )  # asked before the node runs: refused politely
    bridge.start()
    bridge.call(
        lambda client: client.status(),
        owner=owner,
        done=lambda _status: threads.append(threading.current_thread()),
    )
    qtbot.waitUntil(lambda: bool(threads))
    assert threads == [threading.main_thread()]


def test_errors_arrive_as_they_are(bridge: Bridge, client: FakeClient, qtbot: QtBot) -> None:
    client.errors["status"] = BadInput("no", code="bad-cap")
    bridge.start()
    errors: list[BaseException] = []
    owner = QObject()
    bridge.call(lambda c: c.status(), owner=owner, failed=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], BadInput)


def test_a_bug_in_a_request_does_not_end_the_node(bridge: Bridge, qtbot: QtBot) -> None:
    async def broken(_client: Client) -> None:
        raise ZeroDivisionError

    bridge.start()
    errors: list[BaseException] = []
    answers: list[object] = []
    owner = QObject()
    bridge.call(broken, owner=owner, failed=errors.append)
    bridge.call(lambda c: c.status(), owner=owner, done=answers.append)
    qtbot.waitUntil(lambda: bool(errors and answers))
    assert isinstance(errors[0], ZeroDivisionError)


def test_cancelled_and_orphaned_jobs_stay_silent(
    bridge: Bridge, client: FakeClient, qtbot: QtBot
) -> None:
    client.latency_s = 0.05
    bridge.start()
    answers: list[object] = []
    owner, gone = QObject(), QObject()
    job = bridge.call(lambda c: c.status(), owner=owner, done=answers.append)
    bridge.call(lambda c: c.entries(""), owner=gone, done=answers.append)
    last: list[object] = []
    job.cancel()
    job.cancel()
    gone.deleteLater()
    bridge.call(lambda c: c.test_grid(), owner=owner, done=last.append)
    qtbot.waitUntil(lambda: bool(last))
    qtbot.wait(80)
    assert answers == []


def test_cancelling_reaches_the_node(bridge: Bridge, qtbot: QtBot) -> None:
    seen: list[str] = []

    async def endless(_client: Client) -> None:
        import trio

        try:
            seen.append("started")
            await trio.sleep_forever()
        finally:
            seen.append("cancelled")

    bridge.start()
    owner = QObject()
    job = bridge.call(endless, owner=owner)
    qtbot.waitUntil(lambda: "started" in seen)
    job.cancel()
    qtbot.waitUntil(lambda: "cancelled" in seen)


def test_news_comes_in_batches(bridge: Bridge, client: FakeClient, qtbot: QtBot) -> None:
    batches: list[tuple[object, ...]] = []
    bridge.news.connect(batches.append)
    bridge.start()
    owner = QObject()

    async def burst(_client: Client) -> None:
        for number in range(200):
            client.publish_rate = 1
            client._say(client.jobs.get("t0") or _transfer(client, number))

    bridge.call(burst, owner=owner)
    qtbot.waitUntil(lambda: bool(batches))
    qtbot.wait(120)
    assert sum(len(batch) for batch in batches) <= 4  # two hundred changes of one transfer


def _transfer(client: FakeClient, number: int):  # type: ignore[no-untyped-def]
    client.start(TransferKind.PUBLISH, "a", "b", 10**9)
    return client.jobs["t0"]


def test_a_node_that_does_not_open_is_reported_and_can_be_tried_again(
    client: FakeClient, qtbot: QtBot
) -> None:
    attempts: list[int] = []

    @asynccontextmanager
    async def open_client(_passphrase: Callable[[], str]) -> AsyncIterator[Client]:
        attempts.append(1)
        if len(attempts) == 1:
            raise OFFLINE
        async with client.opened() as opened:
            yield opened

    bridge = Bridge(open_client)
    errors: list[BaseException] = []
    bridge.failed.connect(errors.append)
    bridge.start()
    qtbot.waitUntil(lambda: bool(errors))
    assert errors == [OFFLINE]
    with qtbot.waitSignal(bridge.opened):
        bridge.start()
    assert bridge.stop()


def test_passphrase_is_asked_in_the_window(client: FakeClient, qtbot: QtBot) -> None:
    given: list[str] = []

    @asynccontextmanager
    async def open_client(passphrase: Callable[[], str]) -> AsyncIterator[Client]:
        given.append(passphrase())
        async with client.opened() as opened:
            yield opened

    bridge = Bridge(open_client)
    bridge.passphrase_wanted.connect(lambda: bridge.give_passphrase("swordfish"))
    with qtbot.waitSignal(bridge.opened):
        bridge.start()
    assert given == ["swordfish"]
    assert bridge.stop()


def test_stopping_while_the_passphrase_is_asked(client: FakeClient, qtbot: QtBot) -> None:
    @asynccontextmanager
    async def open_client(passphrase: Callable[[], str]) -> AsyncIterator[Client]:
        passphrase()
        async with client.opened() as opened:
            yield opened

    bridge = Bridge(open_client)
    with qtbot.waitSignal(bridge.passphrase_wanted):
        bridge.start()
    assert bridge.stop()


def test_stop_is_clean_at_any_time(client: FakeClient, qtbot: QtBot) -> None:
    for pause_ms in (0, 1, 30):
        bridge = Bridge(opener(client))
        bridge.start()
        qtbot.wait(pause_ms)
        assert bridge.stop()
        assert bridge.stop()


def test_pure_work_runs_elsewhere(bridge: Bridge, qtbot: QtBot) -> None:
    bridge.start()
    found: list[threading.Thread] = []
    owner = QObject()
    bridge.compute(threading.current_thread, owner=owner, done=found.append)
    qtbot.waitUntil(lambda: bool(found))
    assert found[0] is not threading.main_thread()
