"""From what a person chose to the files that will be published.

What the person named must be usable, or nothing is done. What is merely found in a folder and
cannot be published (links, pipes, devices, names no other computer could hold) is left out and
named.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.files.names import MAX_PATH_PARTS, entry_name
from bitcloud_net.storage.local_file import PlannedFile, identify, unusable

MAX_FILES = 1_000_000
"""Files in one publication; the plan takes some 500 bytes of memory for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something in a folder that cannot be published, and why."""

    path: Path
    reason: BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """``files`` by name, folder by folder; ``skipped`` says why others are not among them."""

    files: tuple[PlannedFile, ...]
    skipped: tuple[Skipped, ...]


def walk(sources: Sequence[Path]) -> Walk:
    """Return the files in ``sources``, which are files and folders. Blocks while it looks.

    Raises:
        BadInput: a source is ``missing``, a ``symlink``, ``not-a-file``, ``unreadable``, has a
            ``bad-name``, or is ``same-name`` as another; ``too-many-files``.
    """
    found = _Walk()
    for source in sources:
        found.add(source)
    return Walk(files=tuple(found.files), skipped=tuple(found.skipped))


class _Walk:
    def __init__(self) -> None:
        self.files: list[PlannedFile] = []
        self.skipped: list[Skipped] = []
        self._taken: set[tuple[str, ...]] = set()

    def add(self, source: Path) -> None:
        path = Path(os.path.abspath(source))  # not resolve: links are not followed
        parts = (entry_name(path.name),)
        if os.path.isdir(path) and not os.path.islink(path):
            self._take(path, parts)
            self._add_folder(path, parts)
        else:
            self._add_file(path, parts)

    def _add_file(self, path: Path, parts: tuple[str, ...]) -> None:
        identity = identify(path)
        self._take(path, parts)
        self.files.append(PlannedFile(path=path, parts=parts, identity=identity))
        if len(self.files) > MAX_FILES:
            raise BadInput(f"More than {MAX_FILES:,} files at once.", code="too-many-files")

    def _add_folder(self, top: Path, top_parts: tuple[str, ...]) -> None:
        waiting = [(top, top_parts)]
        while waiting:
            path, parts = waiting.pop()
            try:
                entries = sorted(os.scandir(path), key=lambda entry: entry.name)
            except OSError as error:
                self._skip_or_raise(path, unusable(path, error), asked=path == top)
                continue
            waiting.extend(reversed(list(self._look_at(entries, parts))))

    def _look_at(
        self, entries: Iterable[os.DirEntry[str]], parts: tuple[str, ...]
    ) -> Iterable[tuple[Path, tuple[str, ...]]]:
        """Take the files in, and return the folders."""
        for entry in entries:
            path = Path(entry.path)
            try:
                below = (*parts, _entry_name(path, parts))
                if entry.is_dir(follow_symlinks=False):
                    self._take(path, below)
                    yield path, below
                else:
                    self._add_file(path, below)
            except BadInput as reason:
                self._skip_or_raise(path, reason, asked=reason.code == "too-many-files")

    def _take(self, path: Path, parts: tuple[str, ...]) -> None:
        if parts in self._taken:
            raise BadInput(f"{path} would get the same name as another one.", code="same-name")
        self._taken.add(parts)

    def _skip_or_raise(self, path: Path, reason: BadInput, *, asked: bool) -> None:
        if asked:
            raise reason
        self.skipped.append(Skipped(path=path, reason=reason))


def _entry_name(path: Path, parts: tuple[str, ...]) -> str:
    if len(parts) >= MAX_PATH_PARTS:
        raise BadInput(f"{path} lies too deep.", code="bad-path")
    try:
        return entry_name(path.name)
    except BadInput as error:
        shown = os.fsencode(path).decode(errors="replace")
        raise BadInput(f"{shown}: {error.message}.", code=error.code) from error
