"""Figures and foreign text as a terminal shows them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

from bitcloud_net.api import Health, HealthState
from bitcloud_net.core.files.names import display_name

_UNITS: Final = ("bytes", "KB", "MB", "GB", "TB")


def plain(text: str) -> str:
    """Return text of unknown origin with everything written out that a terminal might obey.

    Control characters could move the cursor or paint over what stands there, and marks of writing
    direction could show a name backwards.
    """
    return display_name(text)


def size(count: int | None) -> str:
    """Return a number of bytes with three digits or so, in powers of 1000, as disks are sold."""
    if count is None:
        return "-"
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return "1 byte" if count == 1 else f"{count} bytes"
    return f"{value:.3g} {_UNITS[unit]}" if value < 100 else f"{value:.0f} {_UNITS[unit]}"


def date(seconds: int | None) -> str:
    """Return a time in the computer's own zone, to the minute."""
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def duration(seconds: float) -> str:
    """Return a span of time in its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def health(health: Health) -> str:
    """Return how safe a file is, in one line."""
    if health.total == 0:
        return "healthy, lives in the shared database"
    counted = f"{health.alive} of {health.total} shares answer, {health.needed} needed"
    if health.state is HealthState.UNKNOWN:
        return f"not checked yet ({health.needed} of {health.total} needed)"
    if health.state is HealthState.UNREADABLE:
        return f"unreadable at the moment: {counted}"
    return f"{health.state.value}: {counted}, {health.may_fail} more may fail"


def table(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> list[str]:
    """Return rows as aligned lines; columns in ``right`` end flush. The last column is not
    padded."""
    if not rows:
        return []
    right = set(right)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
