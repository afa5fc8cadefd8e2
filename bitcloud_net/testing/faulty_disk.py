"""A disk in memory that stops, fails, forgets, tears and reorders, all from a seed.

``FaultyDisk`` keeps the contract of ``bitcloud_net.storage.disk.Disk``. Every call that changes
something is one numbered *operation*. A test runs a story once to count the operations, then again
for each number with ``crash_at`` set: there ``PowerCut`` is raised, nothing works any more, and
``survivor`` returns the disk as the machine finds it at its next start, under a chosen ``Loss``.
"""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias, TypeVar

_T = TypeVar("_T")

SECTOR_BYTES = 512
"""What a drive writes whole or not at all."""


class PowerCut(BaseException):
    """The machine stopped. Not an ``Exception``: no handler of the program may outlive it."""


class Loss(Enum):
    """What becomes of bytes and names that were not synced when the machine stops."""

    NONE = "kept"  # only the process died: kill -9
    DROPPED = "dropped"  # all of it is gone
    TORN = "torn"  # it is there in order up to some sector, and nothing after it
    REORDERED = "reordered"  # any of its sectors are there, and any are not


@dataclass(slots=True)
class _Content:
    """The bytes of one file: as the program sees them, and as the medium has them."""

    seen: bytearray = field(default_factory=bytearray)
    safe: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes]] = field(default_factory=list)  # in writing order
    modified_s: int = 0

    def write(self, offset: int, data: bytes) -> None:
        _place(self.seen, offset, data)
        self.pending.append((offset, data))

    def sync(self) -> None:
        self.safe = bytearray(self.seen)
        self.pending.clear()

    def survive(self, loss: Loss, dice: random.Random) -> _Content:
        sectors = [sector for write in self.pending for sector in _sectors(*write)]
        kept = _kept(sectors, loss, dice)
        data = bytearray(self.seen if loss is Loss.NONE else self.safe)
        for offset, sector in kept:
            _place(data, offset, sector)
        return _Content(seen=data, safe=bytearray(data), modified_s=self.modified_s)


_Names: TypeAlias = dict[Path, _Content]


@dataclass(frozen=True, slots=True)
class _NameChange:
    """Names that appear and vanish at once; ``None`` stands for gone."""

    names: tuple[tuple[Path, _Content | None], ...]

    def touches(self, directory: Path) -> bool:
        return any(path.parent == directory for path, _ in self.names)

    def apply(self, names: _Names) -> None:
        for path, content in self.names:
            if content is None:
                names.pop(path, None)
            else:
                names[path] = content


class FaultyDisk:
    """See the module. Safe to use from several threads; the order of operations is then theirs."""

    def __init__(self, *, total_bytes: int = 1 << 40) -> None:
        self.operations = 0
        """How many operations have begun."""
        self.crash_at: int | None = None
        """The number of the operation before which the power goes."""
        self.fail: Callable[[int, str], int | None] = lambda number, what: None
        """Asked before each operation with its number and name; an errno makes it fail."""
        self.now_s = 0
        """Wall time that files are stamped with."""
        self.reads_fail: Callable[[Path], bool] = lambda path: False
        """Asked before each read; True makes it fail with ``EIO``."""
        self._total_bytes = total_bytes
        self._seen: _Names = {}
        self._safe: _Names = {}
        self._pending: list[_NameChange] = []
        self._directories: set[Path] = set()
        self._off = False
        self._lock = threading.RLock()

    def survivor(self, loss: Loss, seed: int) -> FaultyDisk:
        """Return the disk as the machine finds it at its next start."""
        dice = random.Random(seed)
        names = dict(self._seen if loss is Loss.NONE else self._safe)
        for change in _kept(self._pending, loss, dice):
            change.apply(names)
        after = FaultyDisk(total_bytes=self._total_bytes)
        after.now_s = self.now_s
        after._directories = set(self._directories)
        contents = {id(content): content.survive(loss, dice) for content in names.values()}
        after._seen = {path: contents[id(content)] for path, content in names.items()}
        after._safe = dict(after._seen)
        return after

    def flip(self, path: Path, offset: int, mask: int) -> None:
        """Change a byte on the medium, as bit rot does."""
        content = self._seen[path]
        content.seen[offset] ^= mask
        if offset < len(content.safe):
            content.safe[offset] ^= mask

    def files(self) -> dict[Path, bytes]:
        """Return every file as the program sees it."""
        return {path: bytes(content.seen) for path, content in self._seen.items()}

    # The contract of Disk.

    def make_directory(self, path: Path) -> None:
        """See ``Disk``. Durable at once: a lost directory is no different from a fresh start."""
        with self._lock:
            self._alive()
            self._directories.update([path, *path.parents])

    def create(self, path: Path) -> FaultyFile:
        """See ``Disk``."""
        with self._lock:
            self._operation("create")
            if path in self._seen:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
            content = _Content(modified_s=self.now_s)
            self._change((path, content))
            return FaultyFile(self, path, content)

    def open(self, path: Path, *, writable: bool = False) -> FaultyFile:
        """See ``Disk``."""
        with self._lock:
            self._alive()
            return FaultyFile(self, path, self._content(path))

    def rename(self, source: Path, target: Path) -> None:
        """See ``Disk``."""
        with self._lock:
            self._operation("rename")
            self._change((source, None), (target, self._content(source)))

    def unlink(self, path: Path) -> None:
        """See ``Disk``."""
        with self._lock:
            self._operation("unlink")
            if path in self._seen:
                self._change((path, None))

    def sync_directory(self, path: Path) -> None:
        """See ``Disk``."""
        with self._lock:
            self._operation("sync_directory")
            for change in [change for change in self._pending if change.touches(path)]:
                change.apply(self._safe)
                self._pending.remove(change)

    def names(self, path: Path) -> list[str]:
        """See ``Disk``."""
        with self._lock:
            self._alive()
            if path not in self._directories:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            return sorted(file.name for file in self._seen if file.parent == path)

    def modified_s(self, path: Path) -> int:
        """See ``Disk``."""
        with self._lock:
            self._alive()
            return self._content(path).modified_s

    def free_bytes(self, path: Path) -> int:
        """See ``Disk``."""
        with self._lock:
            used = sum(len(content.seen) for content in self._seen.values())
            return max(0, self._total_bytes - used)

    def total_bytes(self, path: Path) -> int:
        """See ``Disk``."""
        return self._total_bytes

    # What its files call.

    def write(self, content: _Content, offset: int, data: bytes) -> None:
        """Write to a file, if there is space."""
        with self._lock:
            self._operation("write")
            if offset + len(data) - len(content.seen) > self.free_bytes(Path()):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            content.write(offset, data)
            content.modified_s = self.now_s

    def truncate(self, content: _Content, size: int) -> None:
        """Cut a file; taken as durable at once, since nothing of ours relies on it."""
        with self._lock:
            self._operation("truncate")
            for data in (content.seen, content.safe):
                del data[size:]
            content.seen.extend(bytes(size - len(content.seen)))
            content.pending = [(at, piece) for at, piece in content.pending if at < size]

    def sync(self, content: _Content) -> None:
        """Make a file's bytes safe."""
        with self._lock:
            self._operation("sync")
            content.sync()

    def read(self, path: Path, content: _Content, offset: int, size: int) -> bytes:
        """Read from a file."""
        with self._lock:
            self._alive()
            if self.reads_fail(path):
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            return bytes(content.seen[offset : offset + size])

    def _content(self, path: Path) -> _Content:
        content = self._seen.get(path)
        if content is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return content

    def _change(self, *names: tuple[Path, _Content | None]) -> None:
        change = _NameChange(names)
        change.apply(self._seen)
        self._pending.append(change)

    def _operation(self, what: str) -> None:
        self._alive()
        if self.crash_at is not None and self.operations >= self.crash_at:
            self._off = True
            raise PowerCut(f"before operation {self.operations} ({what})")
        number, self.operations = self.operations, self.operations + 1
        failure = self.fail(number, what)
        if failure is not None:
            raise OSError(failure, os.strerror(failure))

    def _alive(self) -> None:
        if self._off:
            raise PowerCut("the machine is off")


@dataclass(frozen=True, slots=True)
class FaultyFile:
    """An open file of a ``FaultyDisk``."""

    disk: FaultyDisk
    path: Path
    content: _Content

    def read_at(self, offset: int, size: int) -> bytes:
        """See ``OpenFile``."""
        return self.disk.read(self.path, self.content, offset, size)

    def write_at(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """See ``OpenFile``."""
        self.disk.write(self.content, offset, bytes(data))

    def truncate(self, size: int) -> None:
        """See ``OpenFile``."""
        self.disk.truncate(self.content, size)

    def sync(self) -> None:
        """See ``OpenFile``."""
        self.disk.sync(self.content)

    def size(self) -> int:
        """See ``OpenFile``."""
        return len(self.content.seen)

    def close(self) -> None:
        """See ``OpenFile``."""


def _sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    cuts = [0, *range(SECTOR_BYTES - offset % SECTOR_BYTES, len(data), SECTOR_BYTES), len(data)]
    return [(offset + start, data[start:end]) for start, end in pairwise(cuts)]


def _place(data: bytearray, offset: int, piece: bytes) -> None:
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(piece)] = piece


def _kept(pending: list[_T], loss: Loss, dice: random.Random) -> list[_T]:
    if loss is Loss.TORN:
        return pending[: dice.randint(0, len(pending))]
    if loss is Loss.REORDERED:
        return [item for item in pending if dice.random() < 0.5]
    return []
