"""The publish dialog: what, where, who may see it, how safe it will be; one button."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from app.dialogs.dialog import Dialog
from app.session import Session
from app.text import count_text, shown, size_text
from app.theme import Theme
from app.widgets.label import ElidedLabel, Label

MAX_COUNTED = 100_000
"""Counting stops here; the sizes of more files are known once they are published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How much there is to publish."""

    files: int
    size_bytes: int
    complete: bool


def measure(sources: Sequence[Path]) -> Measure:
    """Count files and bytes below ``sources``; links are not followed. Blocking: for a worker
    thread."""
    files = size = 0
    for source in sources:
        for path in _files_below(source):
            if files >= MAX_COUNTED:
                return Measure(files=files, size_bytes=size, complete=False)
            try:
                size += path.lstat().st_size
            except OSError:
                continue  # gone meanwhile, or unreadable: publishing will say so
            files += 1
    return Measure(files=files, size_bytes=size, complete=True)


def _files_below(source: Path) -> Iterator[Path]:
    if source.is_symlink() or not source.is_dir():
        yield source
        return
    for folder, _folders, names in os.walk(source, followlinks=False):
        for name in names:
            yield Path(folder, name)


class PublishDialog(Dialog):
    """Asks where; ``target`` is the answer."""

    def __init__(
        self, theme: Theme, session: Session, parent: QWidget, sources: Sequence[Path], target: str
    ) -> None:
        super().__init__(theme, parent, "Publish", "Publish")
        self.setWindowTitle(self.tr("Publish"))
        self._what = ElidedLabel(self._name_of(sources), role="strong")
        self._size = Label(self.tr("counting…"), role="small")
        self._where = QLineEdit(target)
        self._where.setAccessibleName(self.tr("Where"))
        self._where.setMaxLength(1024)
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(12)
        grid.setColumnStretch(1, 1)
        access = Label(
            self.tr("Everyone on this grid sees the names in Public and may read the files."),
            wrap=True,
        )
        safety = Label(self._safety(session), wrap=True)
        for row, (name, widget) in enumerate(
            (
                (self.tr("What"), self._what),
                ("", self._size),
                (self.tr("Where"), self._where),
                (self.tr("Who"), access),
                (self.tr("How safe"), safety),
            )
        ):
            grid.addWidget(Label(name, role="second"), row, 0)
            grid.addWidget(widget, row, 1)
        self.body.addLayout(grid)
        session.compute(lambda: measure(sources), owner=self, done=self._show_measure)

    @property
    def target(self) -> str:
        """Where to publish, as a path of the virtual disk."""
        return self._where.text().strip().strip("/")

    def _name_of(self, sources: Sequence[Path]) -> str:
        first = shown(sources[0].name)
        if len(sources) == 1:
            return first
        return self.tr("{name} and {count} more").format(name=first, count=len(sources) - 1)

    def _safety(self, session: Session) -> str:
        promise = session.status.promise if session.status else None
        if promise is None:
            return self.tr("There is no storage node yet; it waits until there is one.")
        return self.tr("{shares} shares, any {needed} rebuild a file: {may_fail} may fail.").format(
            shares=promise.shares, needed=promise.needed, may_fail=promise.may_fail
        )

    def _show_measure(self, found: Measure) -> None:
        files = count_text(found.files, "{count} file", "{count} files")
        more = "" if found.complete else self.tr("more than ")
        self._size.setText(f"{more}{files}  ·  {size_text(found.size_bytes)}")
