"""Copies of files on this computer, so that they can be dragged into other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTemporaryDir

from app.session import Session, Tone
from bitcloud_net.api import Client, Entry, EntryKind

MAX_BYTES = 256 * 1000 * 1000
"""Files up to this size are fetched when a drag begins; larger ones go through “Save as”."""


class LocalCopies(QObject):
    """Fetches what is dragged into a private folder that goes away with the window.

    The system wants a finished file at once, so the first drag of a file carries its address and
    starts the fetch; from then on drags carry the file.
    """

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._folders: list[QTemporaryDir] = []
        self._found: dict[tuple[str, int | None], Path | None] = {}

    def find(self, entry: Entry) -> str | None:
        """Return where a finished copy lies."""
        path = self._found.get(self._key(entry))
        return str(path) if path is not None else None

    def prepare(self, entries: Sequence[Entry]) -> None:
        """Begin to fetch what has no copy yet."""
        missing = [
            e for e in entries if e.kind is EntryKind.FILE and self._key(e) not in self._found
        ]
        for entry in missing:
            if (entry.size_bytes or 0) > MAX_BYTES:
                text = self.tr("Too large to drag out: use “Save as”.")
                self._session.notice.emit(Tone.INFO, text)
                return
        for entry in missing:
            self._fetch(entry)
        if missing:
            text = self.tr("Fetching a copy: drag again when it is here.")
            self._session.notice.emit(Tone.INFO, text)

    def _fetch(self, entry: Entry) -> None:
        key = self._key(entry)
        self._found[key] = None
        folder = QTemporaryDir()  # one for each: two files may have the same name
        self._folders.append(folder)

        async def request(client: Client) -> Path:
            return await client.fetch(entry.path, Path(folder.path()))

        def done(path: Path) -> None:
            self._found[key] = path
            self._session.notice.emit(Tone.GOOD, self.tr("The copy is here: drag it out now."))

        def failed(error: BaseException) -> None:
            self._found.pop(key, None)
            self._session.report(error)

        self._session.call(request, owner=self, done=done, failed=failed)

    @staticmethod
    def _key(entry: Entry) -> tuple[str, int | None]:
        return entry.path, entry.modified_s
