"""Asks how the files of the open folder are, one by one, so that their dots tell the truth."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from PySide6.QtCore import QObject

from app.bridge import Job
from app.session import NodeState, Session
from bitcloud_net.api import Details, Entry, EntryKind

MAX_ASKED = 48
"""Files asked for by themselves in one folder; the others when they are chosen."""


class HealthWatch(QObject):
    """One question at a time: it must never delay what the person asked for."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._waiting: deque[str] = deque()
        self._job: Job[Details] | None = None

    def watch(self, entries: Iterable[Entry]) -> None:
        """Ask for these files from now on, and no longer for those before."""
        unknown = (
            entry.path
            for entry in entries
            if entry.kind is EntryKind.FILE and self._session.health_of(entry.path) is None
        )
        self._waiting = deque(path for path, _ in zip(unknown, range(MAX_ASKED), strict=False))
        self._next()

    def _next(self) -> None:
        idle = self._job is None or self._job.ended
        if not (idle and self._waiting and self._session.state is NodeState.READY):
            return
        path = self._waiting.popleft()
        if self._session.health_of(path) is not None:
            self._next()
            return
        self._job = self._session.details(
            path, owner=self, done=lambda _: self._next(), failed=lambda _: self._next()
        )
