"""Publishing the content of one file: from plain bytes to storage receipts.

The whole flow, in order. ``source`` is read one segment at a time; each segment is sealed, coded
and hashed in one hop to a worker thread (``core.files.segment``); its blocks go into the *lanes*,
one per share, each of which carries them to its node (``transfer.lane``). At most ``WINDOW``
segments are in memory; the slowest live lane holds the reading back. When the file is through, the
roots make the manifest, each lane finishes its share under it, and the node's signed receipt comes
back.

Everything needed to go on after a crash is told to the ``journal`` as it happens: the roots of each
segment and each receipt. Sealing is deterministic, so a resumed upload makes the same blocks, and
what a node holds is not sent again. A file small enough goes as one message per node and needs no
journal.

Nothing here writes rows or decides what is enough; the caller looks at the receipts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import trio
from blake3 import blake3

from bitcloud_net.core.errors import BadInput, BitcloudError, Unavailable
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.erasure import Coder, get_coder
from bitcloud_net.core.files.layout import Layout
from bitcloud_net.core.files.manifest import (
    FileHeader,
    Manifest,
    build_inline,
    build_manifest,
    content_id,
)
from bitcloud_net.core.files.placement import receipts_needed
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.sealing import FileKeys, segment_nonce
from bitcloud_net.core.files.segment import CodedSegment, seal_and_code
from bitcloud_net.core.files.segment import SegmentRoots as SegmentRoots
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.units import INLINE_BYTES, SEGMENT_BYTES
from bitcloud_net.tasks import open_tasks
from bitcloud_net.transfer.lane import CodedBlock, Lane, Taker, check_receipt
from bitcloud_net.transfer.long_tail import run_long_tail
from bitcloud_net.transfer.window import in_order
from bitcloud_net.wire import share_session as wire

WINDOW: Final = 3
"""Segments sealed ahead of the lanes: one being read, one sealed, one handed out. About 13 MB."""
SMALL_PUT_S: Final = 30.0
"""Time for a node to take and confirm a small share."""


class Source(Protocol):
    """A file that is being published, as a stream of segments (``storage.local_file``)."""

    @property
    def size(self) -> int:
        """Its length in bytes when it was opened."""

    async def read(self, offset: int, length: int) -> bytes:
        """Return exactly those bytes; ``BadInput("file-changed")`` when the file is not the same
        any more.
        """


class SmallTaker(Taker, Protocol):
    """A storage node that also takes whole small shares."""

    async def put_share(self, share: wire.PutShare) -> bytes: ...


class Journal(Protocol):
    """What an upload remembers across a crash (``storage.transfer_log``)."""

    @property
    def roots(self) -> tuple[SegmentRoots, ...]:
        """Roots of the leading segments from an earlier run."""

    async def segment_done(self, index: int, roots: SegmentRoots) -> None:
        """Remember one segment; may be written later, in batches."""

    async def share_done(self, receipt: StorageReceipt) -> None:
        """Remember a receipt, durably."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPlan:
    """What is fixed before the first byte: secret, code and form of the file."""

    secret: bytes  # fs, 32 bytes
    params: CodeParams
    media_type: str | None
    size: int

    @property
    def layout(self) -> Layout:
        """Sizes of segments, blocks and shares."""
        return Layout.for_file(self.size, self.params)

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return self.layout.segment_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """How an upload ended: the manifest, and for each share a receipt or a reason."""

    manifest: bytes
    receipts: Mapping[int, StorageReceipt] = field(default_factory=dict)
    failures: Mapping[int, BitcloudError] = field(default_factory=dict)

    @property
    def cid(self) -> bytes:
        """The content id."""
        return content_id(self.manifest)


Progress = Callable[[int], None]
"""Told how many plain bytes are through, ever growing."""


async def make_inline(plan: UploadPlan, source: Source) -> Uploaded:
    """Seal a file of at most 4 KiB into its manifest; no node is asked.

    Raises:
        BadInput: the file changed, or cannot be read.
    """
    assert plan.size <= INLINE_BYTES
    plain = await source.read(0, plan.size)
    keys = FileKeys.from_secret(plan.secret)
    return Uploaded(manifest=build_inline(keys, plain, plan.media_type).encode())


async def upload(
    plan: UploadPlan,
    source: Source,
    takers: Mapping[int, SmallTaker],
    journal: Journal,
    progress: Progress,
) -> Uploaded:
    """Store the shares in ``takers`` (share number to node) and return receipts and reasons.

    Shares that are not in ``takers`` were stored before; their blocks are made but not sent.
    Cancel: safe; nodes keep what they have for a resume with the same secret.

    Raises:
        BadInput: the file changed while it was read, or cannot be read.
        Unavailable: ``too-few-nodes``, fewer than k lanes are left, so going on is no use.
    """
    coder = get_coder(plan.params.k, plan.params.n)
    if _fits_one_message(plan):
        return await _upload_small(plan, coder, source, takers, progress)
    return await _LargeUpload(plan, coder, source, takers, journal, progress).run()


def _fits_one_message(plan: UploadPlan) -> bool:
    layout = plan.layout
    few = layout.segment_count <= wire.MAX_SMALL_SEGMENTS
    return few and layout.share_bytes <= wire.SMALL_SHARE_BYTES


def _receipts_needed(plan: UploadPlan, takers: int) -> int:
    """Return how many of the takers must confirm for the file to be safe."""
    stored_before = plan.params.n - takers
    return receipts_needed(plan.params.k, plan.params.n) - stored_before


def _share_header(plan: UploadPlan, share_no: int) -> ShareHeader:
    return ShareHeader(
        share_no=share_no,
        params=plan.params,
        padded_size=plan.layout.padded_size,
        upload_id=FileKeys.from_secret(plan.secret).upload_id,
    )


async def _read_segment(plan: UploadPlan, source: Source, index: int) -> bytes:
    """Return the plain bytes of a segment, with the zeros of the padding behind the file's end."""
    real = _real_bytes(plan, index)
    plain = await source.read(index * SEGMENT_BYTES, real) if real else b""
    return plain.ljust(plan.layout.plain_bytes(index), b"\0")


def _real_bytes(plan: UploadPlan, index: int) -> int:
    return max(0, min(SEGMENT_BYTES, plan.size - index * SEGMENT_BYTES))


# Small files: everything in one message to each node


async def _upload_small(
    plan: UploadPlan,
    coder: Coder,
    source: Source,
    takers: Mapping[int, SmallTaker],
    progress: Progress,
) -> Uploaded:
    keys = FileKeys.from_secret(plan.secret)
    plain = [await _read_segment(plan, source, index) for index in range(plan.segments)]
    manifest, segments = await trio.to_thread.run_sync(_code_small, plan, keys, coder, plain)
    raw = manifest.encode()
    receipts: dict[int, StorageReceipt] = {}
    failures: dict[int, BitcloudError] = {}

    async def put(share_no: int, taker: SmallTaker) -> None:
        payload = b"".join((raw, *(segment.blocks[share_no] for segment in segments)))
        share = wire.PutShare(
            header=_share_header(plan, share_no).pack(),
            segment_hashes=tuple(segment.segment_hash for segment in segments),
            manifest_bytes=len(raw),
            payload=payload,
        )
        try:
            with trio.fail_after(SMALL_PUT_S):
                answer = await taker.put_share(share)
            receipts[share_no] = check_receipt(answer, taker.node, manifest, raw, share_no)
        except trio.TooSlowError:
            failures[share_no] = Unavailable("the node is too slow", code="node-too-slow")
        except BitcloudError as error:
            failures[share_no] = error

    needed = _receipts_needed(plan, len(takers))
    puts = [partial(put, share_no, taker) for share_no, taker in takers.items()]
    await run_long_tail(puts, lambda: len(receipts) >= needed)
    for share_no in takers.keys() - receipts.keys() - failures.keys():
        failures[share_no] = Unavailable("the node is too slow", code="node-too-slow")
    progress(plan.size)
    return Uploaded(manifest=raw, receipts=receipts, failures=failures)


def _code_small(
    plan: UploadPlan, keys: FileKeys, coder: Coder, plain: list[bytes]
) -> tuple[Manifest, list[CodedSegment]]:
    last = len(plain) - 1
    segments = [
        seal_and_code(keys, coder, data, index=index, last=index == last)
        for index, data in enumerate(plain)
    ]
    hasher = blake3()
    for index, data in enumerate(plain):
        hasher.update(data[: _real_bytes(plan, index)])
    roots = [SegmentRoots.of(segment) for segment in segments]
    return _make_manifest(plan, keys, roots, hasher.digest()), segments


def _make_manifest(
    plan: UploadPlan, keys: FileKeys, roots: list[SegmentRoots], content_hash: bytes
) -> Manifest:
    shares = range(plan.params.n)
    return build_manifest(
        keys,
        plan.params,
        FileHeader(size=plan.size, content_hash=content_hash, media_type=plan.media_type),
        ciphertext_root=merkle.root([item.segment_hash for item in roots]),
        share_roots=[merkle.root([item.block_roots[j] for item in roots]) for j in shares],
    )


# Large files: lanes


@dataclass(frozen=True, slots=True)
class _Prepared:
    plain: bytes
    coded: CodedSegment | None  # None when nobody needs it and its roots are known


class _LargeUpload:
    def __init__(
        self,
        plan: UploadPlan,
        coder: Coder,
        source: Source,
        takers: Mapping[int, SmallTaker],
        journal: Journal,
        progress: Progress,
    ) -> None:
        self._plan = plan
        self._keys = FileKeys.from_secret(plan.secret)
        self._coder = coder
        self._source = source
        self._journal = journal
        self._progress = progress
        self._lanes = [Lane(taker, _share_header(plan, no)) for no, taker in takers.items()]
        self._roots: list[SegmentRoots] = list(journal.roots)

    async def run(self) -> Uploaded:
        async with open_tasks() as nursery:
            for lane in self._lanes:
                nursery.start_soon(lane.begin, self._keys.salt)
        self._check_lanes()
        async with open_tasks() as nursery:
            for lane in self._lanes:
                if lane.open:
                    nursery.start_soon(lane.run)
            content_hash = await self._send_segments()
            for lane in self._lanes:
                lane.end_blocks()
        return await self._finish(content_hash)

    async def _send_segments(self) -> bytes:
        hasher = blake3()
        async with in_order(self._prepare, 0, self._plan.segments, window=WINDOW) as segments:
            index = 0
            async for item in segments:
                real = _real_bytes(self._plan, index)
                hasher.update(memoryview(item.plain)[:real])
                if item.coded is not None:
                    await self._hand_out(index, item.coded)
                self._progress(min(self._plan.size, (index + 1) * SEGMENT_BYTES))
                index += 1
        return hasher.digest()

    async def _prepare(self, index: int) -> _Prepared:
        plain = await _read_segment(self._plan, self._source, index)
        last = index == self._plan.segments - 1
        known = index < len(self._journal.roots)
        if known and all(lane.held > index for lane in self._lanes if lane.open):
            nonce = segment_nonce(self._keys, plain, index=index, last=last)
            if nonce != self._journal.roots[index].nonce:
                raise _file_changed()
            return _Prepared(plain, None)
        coded = await trio.to_thread.run_sync(
            lambda: seal_and_code(self._keys, self._coder, plain, index=index, last=last)
        )
        return _Prepared(plain, coded)

    async def _hand_out(self, index: int, coded: CodedSegment) -> None:
        roots = SegmentRoots.of(coded)
        if index < len(self._roots):
            if self._roots[index] != roots:
                raise _file_changed()
        else:
            self._roots.append(roots)
            await self._journal.segment_done(index, roots)
        for lane in self._lanes:
            await lane.put(
                CodedBlock(
                    segment_no=index,
                    segment_hash=coded.segment_hash,
                    block=coded.blocks[lane.share_no],
                )
            )
        self._check_lanes()

    def _check_lanes(self) -> None:
        stored_before = self._plan.params.n - len(self._lanes)
        left = stored_before + sum(lane.open for lane in self._lanes)
        if left < self._plan.params.k:
            raise too_few_takers(
                left, self._plan.params.k, [lane.failure for lane in self._lanes if lane.failure]
            )

    async def _finish(self, content_hash: bytes) -> Uploaded:
        manifest = await trio.to_thread.run_sync(
            _make_manifest, self._plan, self._keys, self._roots, content_hash
        )
        raw = manifest.encode()

        async def finish(lane: Lane) -> None:
            await lane.finish(manifest, raw)
            if lane.receipt is not None:
                await self._journal.share_done(lane.receipt)

        needed = _receipts_needed(self._plan, len(self._lanes))
        await run_long_tail(
            [partial(finish, lane) for lane in self._lanes],
            lambda: sum(lane.receipt is not None for lane in self._lanes) >= needed,
        )
        for lane in self._lanes:
            if lane.receipt is None:
                lane.fail(Unavailable("the node is too slow", code="node-too-slow"))
        return Uploaded(
            manifest=raw,
            receipts={lane.share_no: lane.receipt for lane in self._lanes if lane.receipt},
            failures={lane.share_no: lane.failure for lane in self._lanes if lane.failure},
        )


def too_few_takers(have: int, need: int, failures: Iterable[BitcloudError]) -> Unavailable:
    """Return what tells a person why a file cannot be stored: most often what most nodes said."""
    reasons = Counter(failure.message.rstrip(".") for failure in failures)
    most = reasons.most_common(1)
    why = f"the others: {most[0][0]}" if most else "check the connection and try again"
    return Unavailable(
        f"only {have} storage nodes can take a share, at least {need} are needed; {why}",
        code="too-few-nodes",
        have=have,
        need=need,
    )


def _file_changed() -> BadInput:
    message = "the file changed since its upload began; publish it again"
    return BadInput(message, code="file-changed")
