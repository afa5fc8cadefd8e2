"""Real previews of pictures, decoded outside this program.

A picture from a stranger is hostile input, so it is never decoded here. One helper process at a
time (``app.picture_decoder``) gets the bytes on its standard input and returns bare pixels; it runs
under limits on memory and time, and when it dies the file keeps its generic picture.
"""

from __future__ import annotations

import struct
import sys
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal
from PySide6.QtGui import QImage, QPixmap

from app.bridge import Job
from app.picture_decoder import MAX_INPUT_BYTES, PICTURE_TYPES
from app.session import Session
from bitcloud_net.api import Client, Entry

SIDE_PIXELS = 512
"""Thumbnails fit into a square of this side: enough for a tile on a screen with double density."""

AUTOMATIC_BYTES = 8 * 1000 * 1000
"""Pictures up to this size are fetched for their thumbnail by themselves; larger ones when
opened."""

MAX_WAITING = 64
"""Requests waiting; the oldest is dropped, because the person has scrolled on."""

MAX_KEPT = 256
"""Thumbnails in memory: 256 of 512 x 288 pixels are 150 MB at the very most, 75 MB in practice."""

TIMEOUT_MS = 15_000
"""A decoder that takes longer is killed; it has 10 s of processor time."""

KILL_MS = 500


@dataclass(frozen=True, slots=True)
class _Request:
    key: str
    target: str
    side: int
    done: Callable[[QPixmap | None], None]


async def read_whole(client: Client, target: str, limit_bytes: int) -> bytes:
    """Return the first ``limit_bytes`` of a file."""
    pieces: list[bytes] = []
    length = 0
    async with client.read(target, 0, limit_bytes) as source:
        async for piece in source:
            pieces.append(piece)
            length += len(piece)
            if length >= limit_bytes:
                break
    return b"".join(pieces)[:limit_bytes]


def can_decode(entry: Entry) -> bool:
    """Whether this is a picture of a kind that we show."""
    return entry.media_type in PICTURE_TYPES and (entry.size_bytes or 0) <= MAX_INPUT_BYTES


class Thumbnails(QObject):
    """A bounded cache of previews. ``ready(path)`` tells views to repaint."""

    ready = Signal(str)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._kept: OrderedDict[str, QPixmap | None] = OrderedDict()
        self._waiting: deque[_Request] = deque(maxlen=MAX_WAITING)
        self._job: Job[bytes] | None = None
        self._decoder: QProcess | None = None
        self._current: _Request | None = None

    def get(self, entry: Entry) -> QPixmap | None:
        """Return the preview of a picture; ask for it when it is not there yet."""
        if not can_decode(entry) or (entry.size_bytes or 0) > AUTOMATIC_BYTES:
            return None
        key = f"{entry.path}:{entry.modified_s}:{entry.size_bytes}"
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        self._kept[key] = None  # asked for; a failed one is not asked for again
        self._enqueue(_Request(key, entry.path, SIDE_PIXELS, lambda p: self._keep(key, entry, p)))
        return None

    def load(self, entry: Entry, side: int, done: Callable[[QPixmap | None], None]) -> None:
        """Decode a picture at up to ``side`` pixels; ``done`` gets None when that fails."""
        self._enqueue(_Request(f"{entry.path}@{side}", entry.path, side, done), first=True)

    def stop(self) -> None:
        """End the helper process; called when the window closes."""
        self._waiting.clear()
        self._current = None
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            decoder.kill()
            decoder.waitForFinished(KILL_MS)

    def _keep(self, key: str, entry: Entry, pixmap: QPixmap | None) -> None:
        self._kept[key] = pixmap
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        if pixmap is not None:
            self.ready.emit(entry.path)

    def _enqueue(self, request: _Request, *, first: bool = False) -> None:
        if first:
            self._waiting.append(request)
        else:
            self._waiting.appendleft(request)
        self._next()

    def _next(self) -> None:
        if self._current is not None or not self._waiting:
            return
        request = self._waiting.pop()
        self._current = request
        self._job = self._session.call(
            lambda client: read_whole(client, request.target, MAX_INPUT_BYTES),
            owner=self,
            done=self._decode,
            failed=lambda _error: self._finish(None),
        )

    def _decode(self, data: bytes) -> None:
        request = self._current
        if request is None:
            return
        decoder = QProcess(self)
        decoder.setProcessEnvironment(_bare_environment())
        decoder.finished.connect(lambda *_: self._read_pixels(decoder))
        decoder.errorOccurred.connect(lambda *_: self._read_pixels(decoder))
        QTimer.singleShot(TIMEOUT_MS, decoder, decoder.kill)
        program, arguments = decoder_command()
        decoder.start(program, [*arguments, str(request.side)])
        decoder.write(data)
        decoder.closeWriteChannel()
        self._decoder = decoder

    def _read_pixels(self, decoder: QProcess) -> None:
        if decoder is not self._decoder:
            return
        self._decoder = None
        output = bytes(decoder.readAllStandardOutput().data())
        decoder.deleteLater()
        self._finish(pixmap_from(output))

    def _finish(self, pixmap: QPixmap | None) -> None:
        request, self._current = self._current, None
        if request is not None:
            request.done(pixmap)
        self._next()


def decoder_command() -> tuple[str, list[str]]:
    """Return how to start the decoder: from source by module, in a frozen program by flag."""
    if getattr(sys, "frozen", False):
        return sys.executable, ["--decode-picture"]
    return sys.executable, ["-m", "app.picture_decoder"]


def _bare_environment() -> QProcessEnvironment:
    """Return the little that Python and Qt need: no proxies, no sockets, no desktop."""
    full = QProcessEnvironment.systemEnvironment()
    bare = QProcessEnvironment()
    for name in ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT", "LD_LIBRARY_PATH"):
        if full.contains(name):
            bare.insert(name, full.value(name))
    return bare


def pixmap_from(output: bytes) -> QPixmap | None:
    """Return the decoder's answer as a pixmap; None when it is not exactly what was agreed."""
    if len(output) < 8:
        return None
    width, height = struct.unpack(">II", output[:8])
    if not (0 < width <= 4096 and 0 < height <= 4096) or len(output) != 8 + width * height * 4:
        return None
    image = QImage(output[8:], width, height, width * 4, QImage.Format.Format_RGBA8888)
    return QPixmap.fromImage(image)
