"""The window never waits for the node, and the node never starves the window."""

from __future__ import annotations

import os
import sys
import time

import pytest
from desk import Desk
from fake_client import FakeClient, file_entry, opener
from PySide6.QtCore import Qt, QTimer
from pytestqt.qtbot import QtBot

from app.__main__ import SWITCH_INTERVAL_S
from bitcloud_net.api import Client

FRAME_MS = 16
LIMIT_MS = 50
TRIES = 3


def limit_ms() -> float:
    """Return the longest gap allowed: 50 ms, more where other programs want the processors too."""
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0
    return LIMIT_MS * max(1.0, 2 * waiting)


class Watchdog:
    """Measures the gaps between the ticks of a 16 ms timer in the window's thread."""

    def __init__(self) -> None:
        self.gaps_ms: list[float] = []
        self.own_ms: list[float] = []  # processor time of the window's thread between ticks
        self._last = time.perf_counter()
        self._last_own = time.thread_time()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(FRAME_MS)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps_ms.append((now - self._last) * 1000)
        self._last = now
        own = time.thread_time()
        self.own_ms.append((own - self._last_own) * 1000)
        self._last_own = own

    def p99_ms(self) -> float:
        self._timer.stop()
        ordered = sorted(self.gaps_ms)
        return ordered[int(len(ordered) * 0.99) - 1]


@pytest.fixture
def quick_switch():  # type: ignore[no-untyped-def]
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_switch")
def test_a_busy_node_does_not_stop_the_frames(desk: Desk, qtbot: QtBot) -> None:
    """Best of three: other programs on the machine may cost frames without any fault of ours."""

    async def busy(_client: Client) -> None:
        import trio

        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            for _ in range(2000):
                pass
            await trio.lowlevel.checkpoint()

    desk.window.files.open("Public/Mary/Videos")
    qtbot.waitUntil(lambda: desk.window.files.area.model.rowCount() == 16)
    results: list[float] = []
    for _ in range(TRIES):
        ended: list[object] = []
        desk.session.call(busy, done=ended.append)
        watchdog = Watchdog()
        view = desk.window.files.area.view
        while not ended:
            view.verticalScrollBar().setValue(len(watchdog.gaps_ms) * 7 % 400)
            qtbot.wait(5)
        results.append(watchdog.p99_ms())
        if results[-1] <= limit_ms():
            return
    pytest.fail(f"p99 of frame gaps: {results} ms")


def test_ten_thousand_files_do_not_block(make_desk, qtbot: QtBot) -> None:  # type: ignore[no-untyped-def]
    client = FakeClient(empty=True)
    many = tuple(file_entry(f"Public/Mary/Many/file {i:05d}.webm", i, i) for i in range(10_000))

    async def entries(path: str = ""):  # type: ignore[no-untyped-def]
        return many if path == "Public/Mary/Many" else await FakeClient.entries(client, path)

    client.add("Public/Mary/Many/file 00000.webm", 1)
    client.entries = entries  # type: ignore[method-assign]
    desk = make_desk(client, opener(client))
    qtbot.waitUntil(lambda: desk.session.status is not None)
    results = []
    for _ in range(TRIES):
        desk.window.files.open("Public/Mary")
        qtbot.wait(50)
        watchdog = Watchdog()
        desk.window.files.open("Public/Mary/Many")
        qtbot.waitUntil(lambda: len(desk.window.files.area.model.entries) == 10_000)
        bar = desk.window.files.area.view.verticalScrollBar()
        for _step in range(30):
            bar.setValue(bar.maximum())
            qtbot.wait(8)
        watchdog.p99_ms()
        results.append(max(watchdog.own_ms))
        if results[-1] <= LIMIT_MS:
            return
    pytest.fail(f"longest step of the window's own work: {results} ms")


def test_first_paint_needs_no_node_library() -> None:
    import subprocess

    code = (
        "import sys, app.window, app.program; "
        "heavy = {'libp2p', 'zfec', 'sqlite3'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
