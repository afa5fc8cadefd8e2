"""Takes the pictures of the real window: ``python tests/app/screenshots.py docs/images``.

Starts a local test grid in a temporary home, publishes the bundled sample, walks through the
window, and saves what it shows, light and dark; then joins a network where identities are mined.
``QT_QPA_PLATFORM=offscreen`` is enough.
``--fake`` uses the scripted client of the tests instead, for work on the look alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio
from fake_client import FakeClient, opener
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app.__main__ import SWITCH_INTERVAL_S
from app.models.statements import EXAMPLES
from app.preferences import Scheme, ViewMode
from app.program import Program
from bitcloud_net.api import (
    BanStatement,
    BanView,
    Client,
    Membership,
    MembershipState,
    TransferKind,
    create_home,
    open_client,
)

SAMPLE = Path(__file__).resolve().parents[2] / "resources" / "sample"
NODES = 10
PERSON = "Mary"
QUESTION = """\
SELECT name, round(capacity / 1e9, 1) AS gigabytes,
       (SELECT count(*) FROM placement WHERE instr(holders, node.key)) AS files_held,
       datetime(period * 600, 'unixepoch') AS signed, key
FROM node
ORDER BY files_held DESC, name"""
FILM_BYTES = 180_000_000
"""Large enough that its publishing can be photographed."""


def wait(milliseconds: int) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait_until(condition: Callable[[], bool], milliseconds: int = 60_000) -> None:
    """Let the window live until something is true."""
    end = time.monotonic() + milliseconds / 1000
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the window did not get there")
        wait(20)


class Camera:
    """Saves what the window shows, light and dark."""

    def __init__(self, program: Program, folder: Path, size: tuple[int, int]) -> None:
        self._program = program
        self._folder = folder
        self._size = size
        program.window.resize(*size)

    def shoot(self, name: str) -> None:
        """Save the window as ``name.png`` and ``name-dark.png``."""
        theme, window = self._program.theme, self._program.window
        for scheme, suffix in ((Scheme.DARK, "-dark"), (Scheme.LIGHT, "")):
            theme.choose(scheme)
            window.toast.hide()
            wait(150)
            window.grab().save(str(self._folder / f"{name}{suffix}.png"))

    def shoot_dialog(self, name: str) -> None:
        """Save the open dialog, and close it."""
        wait(300)
        dialog = QApplication.activeModalWidget()
        if dialog is not None:
            dialog.grab().save(str(self._folder / f"{name}.png"))
            dialog.close()


# The real node


def grid_opener(home: Path) -> Callable[[Callable[[], str]], AbstractAsyncContextManager[Client]]:
    """Return how to open a person's node on a test grid of its own."""

    def open_client(passphrase: Callable[[], str]) -> AbstractAsyncContextManager[Client]:
        from bitcloud_net.testgrid import open_on_test_grid

        return open_on_test_grid(home, nodes=NODES, name=PERSON, passphrase=passphrase)

    return open_client


def make_sources(folder: Path) -> list[Path]:
    """Return what is published: the sample, sorted into folders as a person would."""
    videos, texts, pictures = folder / "Videos", folder / "Documents", folder / "Pictures"
    for place in (videos, texts):
        place.mkdir(parents=True)
    shutil.copytree(SAMPLE / "Pictures", pictures)
    for source in SAMPLE.iterdir():
        if source.is_file():
            shutil.copy(source, videos if source.suffix == ".webm" else texts)
    dive = SAMPLE / "Dive.webm"
    for name in ("Dawn over the Alps", "Lake at blue hour", "How erasure coding works", "Harbour"):
        shutil.copy(dive, videos / f"{name}.webm")
    return [videos, texts, pictures]


def real_tour(camera: Camera, program: Program, work: Path) -> None:
    """Show the window on a real grid, from empty to 70 % of the nodes switched off."""
    window, session = program.window, program.session
    wait_until(lambda: session.status is not None and session.status.promise is not None)
    wait(700)
    camera.shoot("empty")
    mine = session.person_path()
    window.publishing.begin(make_sources(work / "sources"), mine)
    wait_until(lambda: bool(session.transfers) and not session.running_transfers())
    wait(800)
    film = work / "Night city timelapse.mp4"
    film.write_bytes(b"".join(bytes([i % 251]) * 1_000_000 for i in range(FILM_BYTES // 1_000_000)))
    window.files.open(f"{mine}/Videos")
    wait(1500)
    window.files.area.view.select_path(f"{mine}/Videos/Dawn over the Alps.webm")
    wait(900)
    window.publishing.begin([film], f"{mine}/Videos")
    wait_until(lambda: any(t.bytes_done for t in session.running_transfers()))
    wait(400)
    camera.shoot("publishing")
    wait_until(lambda: not session.running_transfers())
    wait(1500)
    camera.shoot("files")
    _real_pages(camera, program, mine)


def _real_pages(camera: Camera, program: Program, mine: str) -> None:
    window, session = program.window, program.session
    window.files.open(f"{mine}/Pictures")
    wait(3000)
    window.files.area.view.select_path(f"{mine}/Pictures/Seahorses.jpg")
    wait(900)
    camera.shoot("pictures")
    window.show_page("transfers")
    camera.shoot("transfers")
    _real_database(camera, program)
    window.show_page("contribute")
    window.contribute._switch.click()
    wait_until(lambda: session.status is not None and session.status.contribution.on)
    wait(2500)
    camera.shoot("contribute")
    window.contribute._switch.click()
    wait_until(lambda: session.status is not None and not session.status.contribution.on)
    window.show_page("test-grid")
    window.test_grid._seventy.click()
    wait_until(lambda: session.test_grid is not None and session.test_grid.running == 3)
    wait(3500)
    camera.shoot("test-grid")
    window.show_page("files")
    window.files.open(f"{mine}/Videos")
    wait(2500)
    window.files.area.view.select_path(f"{mine}/Videos/Dawn over the Alps.webm")
    wait(1000)
    camera.shoot("seventy-percent-off")


def _real_database(camera: Camera, program: Program) -> None:
    window = program.window
    window.show_page("network")
    wait(1200)
    camera.shoot("network")
    window.show_page("database")
    page = window.database
    wait_until(lambda: bool(page._tables) and page._tables[0].rows is not None)
    page.tree.expand(page.tree.model().index(1, 0))
    page.ask(QUESTION)
    wait_until(lambda: not page.is_running)
    wait(300)
    camera.shoot("database")


def join_tour(folder: Path, size: tuple[int, int], home: Path) -> None:
    """Show how an identity is earned where they are mined: the real search, for some seconds."""
    trio.run(partial(create_home, home, name=PERSON))
    program = Program(home=home, open_client=lambda _passphrase: open_client(home=home))
    program.window.show()
    program.session.start()
    camera = Camera(program, folder, size)
    window, session = program.window, program.session
    try:
        wait_until(lambda: session.standing.membership is not None and session.status is not None)
        window.show_page("contribute")
        window.contribute._switch.click()
        wait_until(
            lambda: (
                session.standing.membership is not None
                and session.standing.membership.left_s is not None
            )
        )
        wait(5000)
        camera.shoot("joining")
    finally:
        session.stop()


# The scripted node


def fake_tour(camera: Camera, program: Program, client: FakeClient) -> None:
    """Show every page with the scripted client."""
    window, session = program.window, program.session
    client.rates = (5_100_000, 2_400_000)
    wait_until(lambda: session.status is not None)
    window.files.open("Public/Mary/Videos")
    wait_until(lambda: window.files.area.model.rowCount() > 0)
    window.files.area.tiles.select_path("Public/Mary/Videos/Dawn over the Alps.webm")
    session.call(_fill(client))
    wait(600)
    camera.shoot("files")
    for name, mode in (("list", ViewMode.LIST), ("tiles", ViewMode.TILES)):
        window._set_view(mode)
        camera.shoot(name)
    window._set_view(ViewMode.COLUMNS)
    window.files.open("Public/Mary/Documents")
    camera.shoot("documents")
    _fake_database(camera, program)
    window.show_page("network")
    camera.shoot("network")
    for key in ("transfers", "contribute", "settings"):
        window.show_page(key)
        camera.shoot(key)
    _fake_joining(camera, program, client)
    session.set_running_nodes(3)
    window.show_page("test-grid")
    wait(1500)
    camera.shoot("test-grid")
    window.show_page("files")
    window.drop_zone.show_over("Publish to Public / Mary / Videos")
    camera.shoot("drop")
    window.drop_zone.hide()
    window.publishing.confirm([Path(__file__)])
    camera.shoot_dialog("publish-dialog")


def _fake_database(camera: Camera, program: Program) -> None:
    window = program.window
    window.show_page("database")
    wait(300)
    camera.shoot("database-empty")
    window.database.ask(EXAMPLES[1].statement)
    wait(300)
    window.database.tree.expand(window.database.tree.model().index(0, 0))
    camera.shoot("database")
    window.database.ask("SELECT nickname FROM usr")
    wait(300)
    camera.shoot("database-error")
    window.database.write_row()
    camera.shoot_dialog("write-row-dialog")


def _fake_joining(camera: Camera, program: Program, client: FakeClient) -> None:
    """Show the way into a network where identities are mined, a ban, and a wrong clock."""
    window, session = program.window, program.session
    window.show_page("contribute")
    lent, client.lent = client.lent, replace(client.lent, on=False, used_bytes=0, shares=0)
    mining = Membership(
        state=MembershipState.MINING,
        tries=118_400,
        mean_tries=131_072,
        tries_per_s=17.9,
        left_s=7_300,
        cores=3,
    )
    for name, member in (
        ("joining", mining),
        ("join-paused", replace(mining, state=MembershipState.PAUSED)),
        ("join-first", replace(mining, state=MembershipState.NONE)),
        ("joined", replace(mining, state=MembershipState.JOINED, registered_s=int(time.time()))),
    ):
        client.member = member
        session.standing.ask()
        wait(1300)
        camera.shoot(name)
    client.member, client.lent = Membership(state=MembershipState.OPEN), lent
    client.banned = _bans()
    client.sync = replace(client.sync, clock_behind_s=7)
    session.standing.ask()
    session.standing._until_bans = 0
    wait(2300)
    camera.shoot("banned")
    window.show_page("network")
    camera.shoot("network-banned")
    client.banned, client.sync = (), replace(client.sync, clock_behind_s=0)


def _bans() -> tuple[BanView, ...]:
    now = int(time.time())
    said = tuple(
        BanStatement(auditor=f"{i:02x}" * 32, reason="ping-timeout", periods=3 + i % 3)
        for i in range(11)
    )
    other = BanView(
        node="n4",
        name="Node 5",
        reason="corrupt-data",
        since_s=now - 600,
        until_s=now + 3000,
        own=False,
    )
    own = replace(other, node="b3f1", name="Mary", reason="ping-timeout", own=True, statements=said)
    before = replace(own, since_s=now - 86_400, until_s=now - 85_800)
    return own, other, before


def _fill(client: FakeClient) -> Callable[[object], Awaitable[None]]:
    async def start(_client: object) -> None:
        client.lent = replace(
            client.lent,
            on=True,
            folder="/home/mary/.bitcloud/contributed",
            capacity_bytes=500 * 10**9,
            used_bytes=212 * 10**9,
            shares=48_211,
            received_bytes=212 * 10**9,
            served_bytes=1_204 * 10**9,
            disk_free_bytes=478 * 10**9,
        )
        videos = "Public/Mary/Videos"
        client.publish_rate = 100_000
        client.start(
            TransferKind.PUBLISH,
            "Lake at blue hour.mp4",
            f"{videos}/Lake",
            847_400_000,
            540_000_000,
        )
        client.start(TransferKind.FETCH, "Handbook.pdf", "Public/Mary/x", 240_000_000, 24_000_000)
        ident = client.start(TransferKind.PUBLISH, "Holiday", "Public/Mary/y", 900_000_000, 10**8)
        await client.pause(ident)

    return start


def main(argv: list[str]) -> int:
    """Take all pictures; ``--size 960x600`` for another window."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="1360x820")
    parser.add_argument("--fake", action="store_true")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    width, height = (int(part) for part in options.size.split("x"))
    client = FakeClient()
    with tempfile.TemporaryDirectory() as name:
        home, work = Path(name, "home"), Path(name, "work")
        work.mkdir()
        open_one = opener(client) if options.fake else grid_opener(home)
        program = Program(home=home, open_client=open_one)
        program.theme.choose(Scheme.LIGHT)
        program.window.show()
        program.session.start()
        camera = Camera(program, options.folder, (width, height))
        try:
            if options.fake:
                fake_tour(camera, program, client)
            else:
                real_tour(camera, program, work)
        finally:
            program.session.stop()
        if not options.fake:
            join_tour(options.folder, (width, height), Path(name, "second home"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
