"""Takes pictures of the real window: ``python tests/app/screenshots.py OUTPUT_FOLDER [options]``.

Runs under any platform, also ``QT_QPA_PLATFORM=offscreen``: each picture is the window itself,
drawn in its own process. ``--fake`` uses the scripted client of the tests; otherwise the caller
passes a client opener to ``take``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from fake_client import FakeClient, opener
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter
from PySide6.QtWidgets import QApplication

from app.preferences import Scheme, ViewMode
from app.program import Program
from bitcloud_net.api import TransferKind


def wait(milliseconds: int) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait_until(condition: Callable[[], bool], milliseconds: int = 10_000) -> None:
    """Let the window live until something is true."""
    end = time.monotonic() + milliseconds / 1000
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the window did not get there")
        wait(20)


def sample_picture() -> bytes:
    """Return a small PNG for the preview."""
    image = QImage(800, 500, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    shade = QLinearGradient(0, 0, 800, 500)
    shade.setColorAt(0, QColor("#0c6b58"))
    shade.setColorAt(1, QColor("#f0b04c"))
    painter.fillRect(image.rect(), shade)
    painter.end()
    from PySide6.QtCore import QBuffer

    buffer = QBuffer()
    image.save(buffer, "PNG")
    return bytes(buffer.data().data())


class Camera:
    """Drives one program and saves what its window shows."""

    def __init__(self, program: Program, folder: Path, size: tuple[int, int], suffix: str) -> None:
        self.program = program
        self._folder = folder
        self._suffix = suffix
        program.window.resize(*size)

    def shoot(self, name: str) -> None:
        """Save the window under a name."""
        wait(350)
        path = self._folder / f"{name}{self._suffix}.png"
        self.program.window.grab().save(str(path))


def fake_tour(camera: Camera, client: FakeClient) -> None:
    """Show every page with the scripted client."""
    window, session = camera.program.window, camera.program.session
    client.publish_rate = 600_000
    client.rates = (5_100_000, 2_400_000)
    wait_until(lambda: session.status is not None)
    window.show_page("files")
    window.files.open("Public/Mary/Videos")
    wait_until(lambda: window.files.area.model.rowCount() > 0)
    window.files.area.tiles.select_path("Public/Mary/Videos/Dawn over the Alps.webm")
    session.call(_start_transfers(client))
    wait(600)
    camera.shoot("files")
    window.files.open("Public/Mary/Documents")
    camera.shoot("documents")
    window._set_view(ViewMode.LIST)
    window.files.open("Public/Mary/Videos")
    camera.shoot("list")
    window._set_view(ViewMode.TILES)
    camera.shoot("tiles")
    window._set_view(ViewMode.COLUMNS)
    for key in ("transfers", "contribute", "settings"):
        window.show_page(key)
        camera.shoot(key)
    window.show_page("test-grid")
    session.set_running_nodes(3)
    wait_until(lambda: session.test_grid is not None and session.test_grid.running == 3)
    wait(900)
    camera.shoot("test-grid")
    window.show_page("files")
    window.drop_zone.show_over("Publish to Public / Mary / Videos")
    camera.shoot("drop")
    window.drop_zone.hide()
    session.set_running_nodes(10)
    window.files.area.tiles.select_path("Public/Mary/Videos/Dawn over the Alps.webm")
    window.confirm_publish([Path(__file__)])
    wait(300)
    dialog = QApplication.activeModalWidget()
    if dialog is not None:
        dialog.grab().save(str(camera._folder / f"publish-dialog{camera._suffix}.png"))
        dialog.close()


def _start_transfers(client: FakeClient):  # type: ignore[no-untyped-def]
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
        client.start(
            TransferKind.PUBLISH,
            "Lake at blue hour.mp4",
            "Public/Mary/Videos/Lake at blue hour.mp4",
            847_400_000,
            540_000_000,
        )
        client.start(
            TransferKind.FETCH,
            "Grid handbook.pdf",
            "Public/Mary/Documents/Grid handbook.pdf",
            2_400_000_000,
            240_000_000,
        )
        ident = client.start(
            TransferKind.PUBLISH, "Holiday", "Public/Mary/Holiday", 900_000_000, 100_000_000
        )
        await client.pause(ident)

    return start


def main(argv: list[str]) -> int:
    """Take the pictures of the scripted tour, light and dark, large and small."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="1360x820")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--only", default="")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    width, height = (int(part) for part in options.size.split("x"))
    client = FakeClient()
    client.add("Public/Mary/Pictures/Sunrise.png", 20_000, content=sample_picture())
    with tempfile.TemporaryDirectory() as home:
        program = Program(home=Path(home), open_client=opener(client))
        program.theme.choose(Scheme.DARK if options.dark else Scheme.LIGHT)
        program.window.show()
        program.session.start()
        suffix = ("-dark" if options.dark else "") + (f"-{width}" if width != 1360 else "")
        fake_tour(Camera(program, options.folder, (width, height), suffix), client)
        program.session.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
