"""``check`` and ``repair``."""

from __future__ import annotations

from argparse import Namespace

from bitcloud_net.api import Details, HealthState, TransferKind
from bitcloud_net.cli import text
from bitcloud_net.cli.output import Output
from bitcloud_net.cli.program import DONE, FAILED
from bitcloud_net.cli.progress import shown_progress
from bitcloud_net.cli.session import client_of

NODE_CHARS = 16
"""Enough of a node's id to tell it apart in a table."""


async def check(arguments: Namespace, out: Output) -> int:
    """Ask every holder; exit 1 when the file cannot be read at the moment."""
    async with client_of(arguments) as client, shown_progress(client, out, TransferKind.CHECK):
        details = await client.check(arguments.target, verify=arguments.verify)
    return _answer(details, out)


async def repair(arguments: Namespace, out: Output) -> int:
    """Rebuild what is missing or damaged; exit 1 when too little is left to rebuild from."""
    async with client_of(arguments) as client, shown_progress(client, out, TransferKind.REPAIR):
        details = await client.repair(arguments.target)
    return _answer(details, out)


def _answer(details: Details, out: Output) -> int:
    entry, health = details.entry, details.health
    rows = [
        (str(holder.share), holder.node[:NODE_CHARS], _state(holder.alive, holder.fault))
        for holder in details.holders
    ]
    lines = [
        f"{text.plain(entry.path or entry.name)}  {text.size(entry.size_bytes)}",
        text.health(health) + (", every byte checked" if health.verified else ""),
        *text.table([("share", "node", "state"), *rows] if rows else [], right=[0]),
        f"verify cap {details.verify_cap}",
    ]
    out.answer(details, lines)
    if health.state is HealthState.UNREADABLE:
        missing = health.needed - health.alive
        out.note(
            f"bitcloud: unreadable until {missing} more of its nodes come back; try again later"
        )
        return FAILED
    return DONE


def _state(alive: bool, fault: str | None) -> str:  # noqa: FBT001 - one fact of a table's row
    if fault:
        return f"faulty ({text.plain(fault)})"
    return "answers" if alive else "silent"
