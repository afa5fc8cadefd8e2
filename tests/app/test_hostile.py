"""Names, pictures and messages from strangers."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import Desk
from fake_client import FakeClient, opener
from PySide6.QtCore import QBuffer, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.error_text import explain, explain_code
from app.models.entry_model import EntryModel
from app.picture_decoder import decode
from app.theme import font
from app.thumbnails import decoder_command, pixmap_from
from app.widgets.label import ElidedLabel, Label
from app.widgets.paint import draw_line_of_text
from bitcloud_net.api import (
    BadInput,
    LocalFault,
    PeerFault,
    Refused,
    Transfer,
    TransferKind,
    TransferState,
    Unavailable,
)

EVIL = '<b>x</b><img src="/etc/hostname"><a href="http://evil">y</a>\u202e&amp;'


def png(width: int = 40, height: int = 30) -> bytes:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor("#15803f"))
    buffer = QBuffer()
    image.save(buffer, "PNG")
    return bytes(buffer.data().data())


def test_labels_show_markup_literally(qtbot: QtBot) -> None:
    for label in (Label(EVIL), ElidedLabel(EVIL)):
        qtbot.addWidget(label)
        assert label.textFormat() is Qt.TextFormat.PlainText
        assert "<b>x</b>" in label.text()
        assert "⟨U+202E⟩" in label.text()
    rich, plain, ours = QLabel("<h1>W</h1>"), QLabel(), Label("<h1>W</h1>")
    plain.setTextFormat(Qt.TextFormat.PlainText)
    plain.setText("<h1>W</h1>")
    for label in (rich, plain, ours):
        qtbot.addWidget(label)
    assert ours.sizeHint() == plain.sizeHint()
    assert ours.sizeHint() != rich.sizeHint()


def test_a_hostile_name_everywhere(make_desk, qtbot: QtBot, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    client = FakeClient(empty=True, person="<i>M</i>")
    evil = EVIL.replace("/", "_")
    client.add(f"Public/<i>M</i>/{evil}/{evil}.webm", 5000)
    desk: Desk = make_desk(client, opener(client))
    window = desk.window
    folder = f"Public/<i>M</i>/{evil}"
    qtbot.waitUntil(lambda: desk.session.status is not None)
    window.files.open(folder)
    qtbot.waitUntil(lambda: window.files.area.model.rowCount() == 1)
    window.files.area.view.select_path(f"{folder}/{evil}.webm")
    transfer = client.start
    desk.session.call(lambda _c: _start(transfer, evil))
    qtbot.waitUntil(lambda: bool(desk.session.transfers))
    for page in ("transfers", "settings", "files"):
        window.show_page(page)
        window.grab()
    for label in window.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText
        assert "\u202e" not in label.text()
        tip = label.toolTip()
        assert not tip or tip.startswith("<qt>")
        assert "<b>" not in tip
    entry = window.files.area.model.entries[0]
    tip = window.files.area.model.index(0).data(Qt.ItemDataRole.ToolTipRole)
    assert "<b>" not in tip
    assert entry.name.startswith("<b>")


async def _start(start: Callable[..., str], name: str) -> None:
    start(TransferKind.PUBLISH, name, "x", 10**9)


def test_peers_words_never_reach_the_screen() -> None:
    errors = [
        BadInput(EVIL),
        Refused(EVIL, code="no-such-code"),
        Unavailable(EVIL, have=2, need=3, code="too-few-shares"),
        LocalFault(EVIL),
        PeerFault(EVIL, peer=b"x"),
        ValueError(EVIL),
    ]
    for error in errors:
        text = str(explain(error))
        assert text
        assert "<" not in text
    assert "(2 of 3)" in str(explain(errors[2]))
    assert explain_code("no-such-code") is None


def test_a_failed_transfer_says_why_in_our_words(desk: Desk, qtbot: QtBot) -> None:
    from app.pages.transfers import state_text

    async def fail(_client: object) -> None:
        desk.client._say(
            Transfer(
                id="t0",
                kind=TransferKind.PUBLISH,
                state=TransferState.FAILED,
                title="x",
                target="y",
                reason_code="disk-full",
                reason=EVIL,
            )
        )

    desk.session.call(fail)
    qtbot.waitUntil(lambda: "disk of this computer is full" in desk.window.toast.text)
    transfer = next(iter(desk.session.transfers.values()))
    assert "<b>" not in state_text(transfer)


# Pictures


def test_a_picture_is_decoded_in_its_own_process(desk: Desk, qtbot: QtBot) -> None:
    path = "Public/Mary/Pictures/Sunrise.png"
    desk.client.add(path, 500, content=png(600, 400))
    entry = desk.client.files[path]
    thumbnails = desk.window.files.details._preview._thumbnail
    assert thumbnails(entry) is None
    qtbot.waitUntil(lambda: thumbnails(entry) is not None, timeout=15_000)
    pixmap = thumbnails(entry)
    assert pixmap is not None
    assert pixmap.width() == 512
    assert QColor(pixmap.toImage().pixel(5, 5)).name() == "#15803f"


def test_a_damaged_picture_keeps_its_generic_art(desk: Desk, qtbot: QtBot) -> None:
    path = "Public/Mary/Pictures/Broken.png"
    desk.client.add(path, 500, content=b"\x89PNG\r\n\x1a\n" + b"\0" * 400)
    desk.window.preview.show_entry(desk.client.files[path])
    preview = desk.window.preview
    qtbot.waitUntil(lambda: preview._stack.currentWidget() is preview._picture, timeout=15_000)


def _bomb() -> bytes:
    """Return a PNG head that claims 100,000 x 100,000 pixels."""
    data = bytearray(png())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 100,
        _bomb(),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + b"\xff" * 50,
    ],
)
def test_what_is_no_sane_picture_gives_nothing(data: bytes) -> None:
    assert decode(data, 512) == b""


def test_mutated_pictures_never_break_the_decoder() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)  # noqa: T201 - to run it again
    chance = random.Random(seed)
    good = png(64, 64)
    for _ in range(300):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(8, len(data))] = chance.randrange(256)
        decode(bytes(data), 64)


def test_the_decoder_has_limits(tmp_path: Path) -> None:
    program, arguments = decoder_command()
    done = subprocess.run(
        [program, *arguments, "64"], input=png(), capture_output=True, timeout=60, check=True
    )
    assert struct.unpack(">II", done.stdout[:8]) == (40, 30)
    probe = (
        "import sys, app.picture_decoder as d; d.limit_self(); "
        "f = open(sys.argv[1], 'wb', buffering=0); f.write(b'x')"
    )
    if sys.platform == "linux":
        place = str(tmp_path / "written")
        found = subprocess.run([program, "-c", probe, place], capture_output=True, check=False)
        assert b"File too large" in found.stderr


@pytest.mark.parametrize(
    "output", [b"", b"\0" * 8, struct.pack(">II", 2, 2) + b"x", struct.pack(">II", 9999, 1) + b"x"]
)
def test_a_wrong_answer_of_the_decoder_is_no_picture(output: bytes, qapp: object) -> None:
    assert pixmap_from(output) is None


def test_dragging_out_carries_addresses_then_files(desk: Desk, qtbot: QtBot) -> None:
    path = "Public/Mary/Documents/Minutes 14.md"
    desk.window.files.open("Public/Mary/Documents")
    qtbot.waitUntil(lambda: desk.window.files.area.model.rowCount() == 6)
    model: EntryModel = desk.window.files.area.model
    index = model.index(model.row_of(path))
    data = model.mimeData([index])
    assert data.text() == f"bitcloud:/{path}"
    assert not data.hasUrls()
    view = desk.window.files.area.view
    view.drag_began.emit([model.entry_at(index)])
    qtbot.waitUntil(lambda: model.mimeData([index]).hasUrls())
    local = Path(model.mimeData([index]).urls()[0].toLocalFile())
    assert local.name == "Minutes 14.md"
    assert local.exists()


def test_marks_piled_on_a_letter_stay_in_their_line(qapp: object) -> None:
    tower = "a" + "\u0301" * 40
    drawn = []
    for text in ("a", tower):
        image = QImage(60, 120, QImage.Format.Format_RGB32)
        image.fill(QColor("white"))
        painter = QPainter(image)
        draw_line_of_text(painter, QRectF(5, 60, 50, 20), text, font(), "#000000")
        painter.end()
        above = image.copy(0, 0, 60, 56)
        below = image.copy(0, 84, 60, 36)
        blank = QColor("white").rgb()
        drawn.append(
            any(
                part.pixel(x, y) != blank
                for part in (above, below)
                for x in range(part.width())
                for y in range(part.height())
            )
        )
    assert drawn == [False, False]
