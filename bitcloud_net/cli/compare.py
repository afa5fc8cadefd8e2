"""Compare a file or folder with its copy, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How many files were compared, and which are missing, too many or different."""

    files: int
    differing: tuple[str, ...]


def compare(original: Path, copy: Path) -> Comparison:
    """Compare every regular file of ``original`` with its counterpart; symbolic links are left out,
    as publishing leaves them out. Blocks for as long as reading both takes.
    """
    if not original.is_dir():
        return Comparison(files=1, differing=() if _equal(original, copy) else (original.name,))
    expected, found = _names(original), _names(copy)
    differing = expected ^ found
    for name in expected & found:
        if not _equal(original / name, copy / name):
            differing.add(name)
    return Comparison(files=len(expected), differing=tuple(sorted(differing)))


def _names(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def _equal(one: Path, other: Path) -> bool:
    if not other.is_file():
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while piece := left.read(READ_BYTES):
            if piece != right.read(READ_BYTES):
                return False
        return right.read(1) == b""
