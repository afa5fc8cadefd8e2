"""Rebuilding lost shares of one file, without its keys.

A download's front half and an upload's back half: each sealed segment is fetched and checked, coded
again, and the blocks of the missing shares go through lanes to their new holders. The manifest is
the old one, so what is rebuilt is byte for byte what was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from bitcloud_net.core.files.erasure import get_coder
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.sealing import UPLOAD_ID_BYTES, segment_hash
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.keys import derive
from bitcloud_net.tasks import open_tasks
from bitcloud_net.transfer.download import Download, StoredFile
from bitcloud_net.transfer.lane import CodedBlock, Lane, Taker
from bitcloud_net.transfer.window import in_order

WINDOW = 3
"""Segments decoded ahead of the lanes."""


async def rebuild(
    file: StoredFile,
    sealed: Download,
    takers: Mapping[int, Taker],
    progress: Callable[[int], None] = lambda done: None,
) -> Mapping[int, StorageReceipt]:
    """Make the shares in ``takers`` (share number to node) anew; return the receipts that came
    back.

    ``sealed`` is a download without keys of the same file; ``progress`` is told the segments that
    are through. Cancel: safe; nodes keep what they have for the next try.

    Raises:
        Unavailable: ``too-few-shares``, ``file-broken``.
    """
    manifest = file.manifest
    lanes = [Lane(taker, _header(file, share_no)) for share_no, taker in takers.items()]
    async with open_tasks() as nursery:
        for lane in lanes:
            nursery.start_soon(lane.begin, manifest.salt)
    async with open_tasks() as nursery:
        for lane in lanes:
            if lane.open:
                nursery.start_soon(lane.run)
        await _carry(file, sealed, lanes, progress)
        for lane in lanes:
            lane.end_blocks()
    raw = manifest.encode()
    async with open_tasks() as nursery:
        for lane in lanes:
            nursery.start_soon(lane.finish, manifest, raw)
    return {lane.share_no: lane.receipt for lane in lanes if lane.receipt is not None}


async def _carry(
    file: StoredFile, sealed: Download, lanes: list[Lane], progress: Callable[[int], None]
) -> None:
    coder = get_coder(file.manifest.k, file.manifest.n)

    async def code(index: int) -> tuple[bytes, list[memoryview]]:
        segment = await sealed.segment(index)
        return await trio.to_thread.run_sync(
            lambda: (segment_hash(file.manifest.salt, index, segment), coder.encode(segment))
        )

    first = min((lane.held for lane in lanes if lane.open), default=file.manifest.segment_count)
    async with in_order(code, first, file.manifest.segment_count, window=WINDOW) as segments:
        index = first
        async for digest, blocks in segments:
            for lane in lanes:
                block = blocks[lane.share_no]
                await lane.put(CodedBlock(segment_no=index, segment_hash=digest, block=block))
            index += 1
            progress(index)


def _header(file: StoredFile, share_no: int) -> ShareHeader:
    manifest = file.manifest
    return ShareHeader(
        share_no=share_no,
        params=manifest.params,
        padded_size=manifest.padded_size,
        upload_id=derive(file.cid, "rebuild")[:UPLOAD_ID_BYTES],
    )
