"""A verb's progress on stderr, from the node's news."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

import trio

from bitcloud_net.api import Client, Transfer, TransferChanged, TransferKind, TransferState
from bitcloud_net.cli import text
from bitcloud_net.cli.output import Output

REFRESH_S: Final = 0.1
"""Ten times a second looks smooth and costs nothing."""
BAR_WIDTH: Final = 24


@asynccontextmanager
async def shown_progress(client: Client, out: Output, kind: TransferKind) -> AsyncIterator[None]:
    """Show the transfers of ``kind`` that start while the block runs, if somebody is looking."""
    if not out.shows_progress:
        yield
        return
    before = {transfer.id for transfer in await client.transfers()}
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_show, client, out, kind, before)
            yield
            nursery.cancel_scope.cancel()
    finally:
        out.progress("")


async def _show(client: Client, out: Output, kind: TransferKind, before: Collection[str]) -> None:
    shown_at = -REFRESH_S
    async with client.news() as news:
        async for item in news:
            if not isinstance(item, TransferChanged):
                continue
            transfer = item.transfer
            now = trio.current_time()
            ours = transfer.kind is kind and transfer.id not in before
            if ours and (now - shown_at >= REFRESH_S or transfer.ended):
                shown_at = now
                out.progress(line(transfer, shutil.get_terminal_size().columns))


def line(transfer: Transfer, width: int) -> str:
    """Return one line of at most ``width`` characters about a transfer."""
    parts = [_bar(transfer), *_figures(transfer)]
    waits = transfer.state in (TransferState.AT_RISK, TransferState.WAITING)
    parts.append(text.plain(transfer.reason if waits and transfer.reason else transfer.title))
    return "  ".join(parts)[: max(20, width - 1)]


def _bar(transfer: Transfer) -> str:
    share = min(1.0, transfer.bytes_done / transfer.bytes_total) if transfer.bytes_total else 0.0
    filled = round(share * BAR_WIDTH)
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {share:4.0%}"


def _figures(transfer: Transfer) -> list[str]:
    """What is known so far: at first neither the size nor the speed is."""
    figures = []
    if transfer.bytes_total:
        figures.append(f"{text.size(transfer.bytes_done)} of {text.size(transfer.bytes_total)}")
    if transfer.bytes_per_s:
        figures.append(f"{text.size(transfer.bytes_per_s)}/s")
    if transfer.files_total > 1:
        at = min(transfer.files_done + 1, transfer.files_total)
        figures.append(f"file {at} of {transfer.files_total}")
    if transfer.seconds_left is not None:
        figures.append(f"{text.duration(transfer.seconds_left)} left")
    return figures
