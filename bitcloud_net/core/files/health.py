"""How safe a file is, from the number of its shares that answer."""

from __future__ import annotations

from enum import StrEnum

from bitcloud_net.core.files.placement import receipts_needed


class ShareHealth(StrEnum):
    """How safe a file is now; the same words as programs see."""

    HEALTHY = "healthy"
    WEAKENED = "weakened"
    REPAIRING = "repairing"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"


def classify(
    alive: int | None, k: int, n: int, *, promised: int | None = None, repairing: bool = False
) -> ShareHealth:
    """Return the health of a file with ``alive`` of its n shares answering; None means not checked.

    ``promised`` is how many shares must answer for the promise to hold; without it, as many as made
    the upload safe (``receipts_needed``). ``repairing`` says that missing shares are being rebuilt.
    A file inside its row has n = 0 and is always healthy.
    """
    if n == 0:
        return ShareHealth.HEALTHY
    if alive is None:
        return ShareHealth.UNKNOWN
    if alive < k:
        return ShareHealth.UNREADABLE
    if alive >= (receipts_needed(k, n) if promised is None else promised):
        return ShareHealth.HEALTHY
    return ShareHealth.REPAIRING if repairing else ShareHealth.WEAKENED
