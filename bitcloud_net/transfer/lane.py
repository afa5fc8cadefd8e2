"""One share on its way to one storage node, inside an upload or a rebuild.

A lane takes the blocks of its share in order, keeps few of them waiting, and ends with a checked
storage receipt or with a reason. A lane that fails never stops the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import trio

from bitcloud_net.core.errors import BadSignature, BitcloudError, Malformed, Unavailable
from bitcloud_net.core.files.manifest import Manifest, content_id
from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.false_claims import ClaimKind
from bitcloud_net.core.units import KIB
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.wire.fields import Buffer

QUEUED_BLOCKS: Final = 2
"""Blocks that wait in a lane besides those on the wire; more would only be memory."""
FLOOR_BYTES_PER_S: Final = 64 * KIB
"""A node slower than this is dropped from a transfer (security design, slow senders)."""
PATIENCE_S: Final = 10.0
"""Shortest time in which the floor must be met."""
BEGIN_S: Final = 15.0
"""Time for a node to be dialled and to answer the start of an upload."""
FINISH_S: Final = 60.0
"""Time for a node to check, write and fsync a finished share on a slow disk."""


class Upload(Protocol):
    """An open upload of one share (``protocols.share_client.ShareUpload``)."""

    @property
    def held(self) -> int: ...
    async def put(
        self, upload_id: bytes, share_no: int, segment_no: int, segment_hash: bytes, block: Buffer
    ) -> None: ...
    async def finish(self, upload_id: bytes, share_no: int, manifest: bytes) -> bytes: ...
    def close(self) -> None: ...


class Taker(Protocol):
    """A storage node that takes shares (``protocols.share_client.ShareClient``)."""

    @property
    def node(self) -> NodeId: ...
    async def begin(self, header: bytes, salt: bytes) -> Upload: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedBlock:
    """One block of a lane's share with what its node needs to build the trees."""

    segment_no: int
    segment_hash: bytes
    block: Buffer


class Lane:
    """One share to one node. ``receipt`` or ``failure`` tells how it ended."""

    def __init__(self, taker: Taker, header: ShareHeader) -> None:
        self.node = taker.node
        self.share_no = header.share_no
        self.receipt: StorageReceipt | None = None
        self.failure: BitcloudError | None = None
        self.held = 0  # leading blocks that the node already had
        self._taker = taker
        self._header = header
        self._upload: Upload | None = None
        self._send, self._blocks = trio.open_memory_channel[CodedBlock](QUEUED_BLOCKS)
        self._running = trio.CancelScope()
        block_bytes = header.layout.block_bytes(0)
        self._patience_s = max(PATIENCE_S, block_bytes / FLOOR_BYTES_PER_S)

    @property
    def open(self) -> bool:
        """Whether the lane still takes blocks."""
        return self.failure is None

    async def begin(self, salt: bytes) -> None:
        """Reach the node and learn what it has. Never raises; see ``failure``."""
        try:
            with trio.fail_after(BEGIN_S):
                self._upload = await self._taker.begin(self._header.pack(), salt)
                self.held = self._upload.held
        except trio.TooSlowError:
            self.fail(Unavailable("the node did not answer in time", code="node-unreachable"))
        except BitcloudError as error:
            self.fail(error)

    async def put(self, block: CodedBlock) -> None:
        """Queue the next block, unless the node has it; waits for a slow node, but not for ever."""
        if not self.open or block.segment_no < self.held:
            return
        with trio.move_on_after(self._patience_s) as scope:
            try:
                await self._send.send(block)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
        if scope.cancelled_caught:
            self.fail(Unavailable("the node is too slow", code="node-too-slow"))

    async def run(self) -> None:
        """Carry blocks to the node until ``finish`` or a failure. Never raises."""
        assert self._upload is not None
        with self._running:
            try:
                async for item in self._blocks:
                    await self._carry(self._upload, item)
            except BitcloudError as error:
                self.fail(error)
            except trio.ClosedResourceError:
                return  # failed meanwhile

    async def _carry(self, upload: Upload, item: CodedBlock) -> None:
        await upload.put(
            self._header.upload_id,
            self._header.share_no,
            item.segment_no,
            item.segment_hash,
            item.block,
        )

    async def finish(self, manifest: Manifest, manifest_bytes: bytes) -> None:
        """Close the share on the node and check its receipt. Never raises."""
        if self._upload is None or not self.open:
            return
        header = self._header
        try:
            with trio.fail_after(FINISH_S):
                raw = await self._upload.finish(header.upload_id, header.share_no, manifest_bytes)
            self.receipt = check_receipt(raw, self.node, manifest, manifest_bytes, header.share_no)
        except trio.TooSlowError:
            self.fail(Unavailable("the node did not confirm in time", code="node-too-slow"))
        except BitcloudError as error:
            self.fail(error)
        finally:
            self._upload.close()

    def end_blocks(self) -> None:
        """Say that no more blocks come, so that ``run`` returns when all are sent."""
        self._send.close()

    def fail(self, error: BitcloudError) -> None:
        """End the lane; blocks that wait are dropped."""
        self.failure = self.failure or error
        self._send.close()
        self._blocks.close()
        self._running.cancel()
        if self._upload is not None:
            self._upload.close()


def check_receipt(
    raw: bytes, node: NodeId, manifest: Manifest, manifest_bytes: bytes, share_no: int
) -> StorageReceipt:
    """Return the receipt when it is the node's word for exactly this share.

    Raises:
        BadSignature: it is not.
    """
    try:
        receipt = StorageReceipt.parse_and_verify(raw)
    except Malformed as error:
        raise BadSignature(f"a storage receipt is no receipt: {error}", peer=node) from error
    expected = (node, content_id(manifest_bytes), share_no, manifest.share_roots[share_no])
    if (receipt.node, receipt.cid, receipt.share_no, receipt.share_root) != expected:
        raise BadSignature(
            "a storage receipt is for something else",
            peer=node,
            evidence=_proof_of_receipt(manifest_bytes, raw),
        )
    return receipt


def _proof_of_receipt(manifest_bytes: bytes, receipt: bytes) -> bytes:
    """Return a proof against who signed the receipt, or nothing where it is no lie by itself."""
    try:
        return Proof.of_claim(ClaimKind.RECEIPT, manifest_bytes, bytes(receipt)).raw
    except Malformed:
        return b""
