"""How well the shared database is in step, in words and figures. Pure but for translations."""

from __future__ import annotations

from dataclasses import dataclass

from app.text import count_text, size_text, tr
from bitcloud_net.api import Status, SyncHealth

CLOCK_WARNING_S = 5
"""From here on a wrong clock is worth a word; at ten seconds others count it as a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One figure with its unit or meaning below, and what it is about for who asks."""

    figure: str
    note: str
    wrong: bool = False


def is_clock_wrong(health: SyncHealth | None) -> bool:
    """Whether this computer's clock is too far from those of its partners."""
    return health is not None and abs(health.clock_behind_s) >= CLOCK_WARNING_S


def clock_text(health: SyncHealth) -> str:
    """Return how this computer's clock goes, such as ``7 s behind``."""
    seconds = abs(health.clock_behind_s)
    text = tr("{count} s behind") if health.clock_behind_s > 0 else tr("{count} s ahead")
    return text.format(count=seconds) if seconds else tr("right")


def span_text(seconds: int) -> str:
    """Return a span of time in its largest unit."""
    for unit_s, text in ((86400, "{count} days"), (3600, "{count} h"), (60, "{count} min")):
        if seconds >= unit_s * (2 if unit_s == 86400 else 1):
            return tr(text).format(count=seconds // unit_s)
    return tr("{count} s").format(count=max(0, seconds))


def verdict_text(status: Status | None) -> str:
    """Return the state of the shared database in one sentence."""
    if status is None:
        return tr("The node has not answered yet.")
    rows = count_text(status.rows, "{count} row", "{count} rows")
    health = status.sync
    if health is None or health.last_s is None:
        return tr("{rows}, not compared with anybody yet.").format(rows=rows)
    if health.owners_lacking:
        owners = count_text(health.owners_lacking, "one owner", "{count} owners")
        text = tr("{rows}; some of {owners} are missing, and other nodes are being asked.")
        return text.format(rows=rows, owners=owners)
    if health.in_step == health.partners:
        return tr("{rows}, the same as all partners.").format(rows=rows)
    return tr("{rows}; some partners still differ.").format(rows=rows)


def _partners(health: SyncHealth) -> Fact:
    if not health.partners:
        return Fact(figure=tr("nobody yet"), note=tr("to compare with"))
    figure = tr("{in_step} of {partners}").format(in_step=health.in_step, partners=health.partners)
    few = health.in_step * 2 < health.partners
    return Fact(figure=figure, note=tr("partners agree"), wrong=few)


def facts(health: SyncHealth) -> tuple[Fact, ...]:
    """Return the five figures: partners, oldest difference, waiting, moved, clock."""
    difference = tr("none") if health.oldest_s is None else span_text(health.oldest_s)
    clock = (
        Fact(figure=clock_text(health), note=tr("set it right"), wrong=True)
        if is_clock_wrong(health)
        else Fact(figure=clock_text(health), note=tr("near the others"))
    )
    return (
        _partners(health),
        Fact(figure=difference, note=tr("in the last comparison")),
        Fact(
            figure=count_text(health.waiting, "{count} row", "{count} rows"),
            note=tr("for other rows"),
        ),
        Fact(figure=size_text(health.period_bytes), note=tr("in these ten minutes")),
        clock,
    )
