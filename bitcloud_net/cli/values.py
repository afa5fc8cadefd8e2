"""What may stand on the command line: sizes, ranges, counts; each parsed strictly, once."""

from __future__ import annotations

import argparse
import re
from fractions import Fraction
from typing import Final, NamedTuple

_UNITS: Final = {
    "": 1,
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", 1)},
    "KB": 1000,
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
}
_SIZE: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kKMGT]?i?B|)", re.ASCII)
_RANGE: Final = re.compile(r"([0-9]{1,15})-([0-9]{1,15})?", re.ASCII)


class ByteRange(NamedTuple):
    """Bytes ``first`` to ``last``, both included; ``last`` None: to the end."""

    first: int
    last: int | None

    @property
    def length(self) -> int | None:
        """How many bytes it asks for, None: all that follow."""
        return None if self.last is None else self.last - self.first + 1


def size(text: str) -> int:
    """Return a size such as ``10GB``, ``1.5GiB`` or ``4096`` in bytes."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or found[2] not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write 500MB, 10GB or 10GiB")
    return int(Fraction(found[1]) * _UNITS[found[2]])


def byte_range(text: str) -> ByteRange:
    """Return a range such as ``0-65535`` (both included) or ``1000-``."""
    found = _RANGE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range; write 0-65535 or 1000-")
    first, last = int(found[1]), int(found[2]) if found[2] else None
    if last is not None and last < first:
        raise argparse.ArgumentTypeError(f"the range {text} ends before it begins")
    return ByteRange(first, last)


def count(text: str) -> int:
    """Return a whole number from 0 on."""
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def port(text: str) -> int:
    """Return a TCP port; 0 lets the system choose."""
    number = count(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port (0 to 65535)")
    return number
