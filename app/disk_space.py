"""How much room a disk has."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpace:
    """Free and total bytes of the disk that holds a folder; both 0 when that cannot be known."""

    free_bytes: int = 0
    total_bytes: int = 0


def disk_space(folder: Path) -> DiskSpace:
    """Measure the disk on which ``folder`` is, or will be made. Blocking: for a worker thread."""
    place = next((p for p in (folder, *folder.parents) if p.exists()), None)
    if place is None:
        return DiskSpace()
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return DiskSpace()
    return DiskSpace(free_bytes=usage.free, total_bytes=usage.total)
