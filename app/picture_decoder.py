"""The helper process that turns a stranger's picture into bare pixels.

Standard input: the file. Standard output: width and height (u32 big-endian), then RGBA rows. It
gives itself limits before it looks at a byte: 64 MiB in, 64 Mpixel decoded, 10 s of CPU, 1 GiB of
addresses, no new files, sockets or processes worth the name. Anything wrong ends it, with nothing
written.
"""

from __future__ import annotations

import struct
import sys

MAX_INPUT_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 64_000_000
MAX_SIDE = 4096
ALLOCATION_MIB = 256
"""Qt refuses to decode a picture that needs more: 64 Mpixel of four bytes."""
CPU_S = 10
ADDRESS_BYTES = 1 << 30
"""Python with Qt's libraries maps some 400 MiB before the first picture."""

PICTURE_TYPES = {
    "image/png": b"png",
    "image/jpeg": b"jpeg",
    "image/gif": b"gif",
    "image/bmp": b"bmp",
    "image/webp": b"webp",
}
"""What is decoded. SVG is left out: it can refer to other files."""


def limit_self() -> None:
    """Take away what decoding a picture does not need; where the system cannot, Qt's limits
    remain."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def decode(data: bytes, side: int) -> bytes:
    """Return the picture in ``data`` scaled into a square of ``side`` pixels, or ``b""``."""
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSize, Qt
    from PySide6.QtGui import QImage, QImageReader

    QImageReader.setAllocationLimit(ALLOCATION_MIB)
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setDecideFormatFromContent(True)
    reader.setAutoTransform(True)
    size = reader.size()
    if bytes(reader.format().data()) not in PICTURE_TYPES.values() or not _sane(
        size.width(), size.height()
    ):
        return b""
    if max(size.width(), size.height()) > side:
        reader.setScaledSize(size.scaled(QSize(side, side), Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read().convertToFormat(QImage.Format.Format_RGBA8888)
    if image.isNull():
        return b""
    return struct.pack(">II", image.width(), image.height()) + bytes(image.constBits())


def _sane(width: int, height: int) -> bool:
    return width > 0 and height > 0 and width * height <= MAX_PIXELS


def main(arguments: list[str]) -> int:
    """Decode one picture from standard input; the one argument is the side in pixels."""
    limit_self()
    side = min(MAX_SIDE, int(arguments[0]))
    data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    pixels = decode(data, side) if len(data) <= MAX_INPUT_BYTES else b""
    sys.stdout.buffer.write(pixels)
    return 0 if pixels else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
