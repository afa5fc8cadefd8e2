"""The search for an identity in words. It has no memory: what is left is the same after an hour."""

from __future__ import annotations

import math

from PySide6.QtCore import QLocale

from app.text import count_text, tr
from bitcloud_net.api import Membership

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def about_left_text(seconds: int | None) -> str:
    """Return an average as a person would say it: ``about 2 hours left``."""
    if seconds is None:
        return tr("measuring the speed")
    for unit_s, one, many in (
        (DAY_S, "about a day left", "about {count} days left"),
        (HOUR_S, "about an hour left", "about {count} hours left"),
        (MINUTE_S, "about a minute left", "about {count} minutes left"),
    ):
        if seconds >= 1.5 * unit_s or (unit_s < DAY_S and seconds >= 0.9 * unit_s):
            return count_text(max(1, round(seconds / unit_s)), one, many)
    return tr("less than a minute left")


def progress_text(member: Membership) -> str:
    """Return tries, speed and what is left, in one line."""
    tries = count_text(member.tries, "{count} try", "{count} tries")
    parts = [tries]
    if member.tries_per_s > 0:
        speed = QLocale().toString(member.tries_per_s, "f", 0 if member.tries_per_s >= 10 else 1)
        cores = count_text(member.cores, "one core", "{count} cores")
        parts.append(tr("{speed} a second on {cores}").format(speed=speed, cores=cores))
    parts.append(about_left_text(member.left_s))
    return "  ·  ".join(parts)


def done_by_now(member: Membership) -> float:
    """Return how many of all computers (0 to 1) would have found one with so many tries."""
    if not member.mean_tries:
        return 0.0
    return 1.0 - math.exp(-member.tries / member.mean_tries)
