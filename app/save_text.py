"""Writes a text to the disk, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QFileDevice, QIODevice, QSaveFile

from bitcloud_net.api import LocalFault


def save_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 into ``path``; what was there stays until the new file is complete.
    Blocking: for a worker thread.

    Raises:
        LocalFault: ``disk-full`` or ``unwritable``.
    """
    file = QSaveFile(str(path))
    data = text.encode()
    written = file.open(QIODevice.OpenModeFlag.WriteOnly) and file.write(data) == len(data)
    if not (written and file.commit()):
        full = file.error() is QFileDevice.FileError.ResourceError
        code = "disk-full" if full else "unwritable"
        raise LocalFault(file.errorString(), code=code)
