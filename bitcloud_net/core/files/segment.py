"""A whole segment in one call: what a worker thread does for each MiB sent or received.

Out: plain → sealed → n blocks → their roots. In: blocks → checked → sealed → checked → plain. The
two checks have different culprits: a block against its root is its node's fault, a decoded segment
against its hash is the uploader's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files.erasure import Coder
from bitcloud_net.core.files.merkle import block_root
from bitcloud_net.core.files.sealing import (
    SEAL_BYTES,
    FileKeys,
    open_segment,
    seal_segment_into,
    segment_hash,
)
from bitcloud_net.core.files.xchacha import NONCE_BYTES, Buffer


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedSegment:
    """One segment ready to send. ``blocks[j]`` belongs to share j; the blocks share one array."""

    blocks: tuple[memoryview, ...]
    block_roots: tuple[bytes, ...]
    segment_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRoots:
    """What the manifest needs of one segment: 32 bytes of hash, and 32 for each of the n shares.

    ``nonce`` derives from the plain bytes, so at a resume it tells whether they are still the same.
    """

    nonce: bytes
    segment_hash: bytes
    block_roots: tuple[bytes, ...]

    @classmethod
    def of(cls, coded: CodedSegment) -> SegmentRoots:
        """Return the roots of a segment that was just coded; sealed bytes begin with the nonce."""
        return cls(
            nonce=bytes(coded.blocks[0][:NONCE_BYTES]),
            segment_hash=coded.segment_hash,
            block_roots=tuple(coded.block_roots),
        )


def seal_and_code(
    keys: FileKeys, coder: Coder, plain: Buffer, *, index: int, last: bool
) -> CodedSegment:
    """Seal one segment of the padded content, code it, and hash everything.

    CPU-bound for about a millisecond per MiB and 3 of 10; run it in a worker thread.

    Raises:
        Malformed: ``plain`` is empty or longer than a segment.
    """
    sealed_bytes = len(plain) + SEAL_BYTES
    block_bytes = coder.params.block_bytes(sealed_bytes)
    array = bytearray(coder.n * block_bytes)
    sealed = memoryview(array)[:sealed_bytes]
    seal_segment_into(keys, plain, sealed, index=index, last=last, params=coder.params)
    blocks = tuple(coder.encode_in_place(array, block_bytes))
    return CodedSegment(
        blocks=blocks,
        block_roots=tuple(
            block_root(keys.salt, number, index, block) for number, block in enumerate(blocks)
        ),
        segment_hash=segment_hash(keys.salt, index, sealed),
    )


def check_block(salt: bytes, share_no: int, index: int, block: Buffer, root: bytes) -> None:
    """Return when ``block`` is the one that ``root`` fixes for this share and segment.

    Raises:
        Malformed: ``corrupt-block``, with the share's number in ``detail["share"]``.
    """
    if block_root(salt, share_no, index, block) != root:
        raise Malformed(
            f"block {index} of share {share_no} is not the one that was stored",
            code="corrupt-block",
            share=share_no,
            segment=index,
        )


def decode_sealed(
    salt: bytes,
    coder: Coder,
    blocks: Mapping[int, Buffer],
    *,
    index: int,
    sealed_bytes: int,
    segment_hash: bytes,
    block_roots: Mapping[int, bytes] | None = None,
) -> memoryview:
    """Return the sealed segment from k or more blocks by share number: all that a gateway can do.

    ``block_roots`` has the root of each block given; leave it out only when every block was checked
    before. ``segment_hash`` is the one under the manifest's ciphertext root.

    Raises:
        Malformed: ``corrupt-block`` (see ``check_block``); ``bad-blocks``; ``inconsistent-shares``
            when the blocks are right but do not decode to the segment, which proves the uploader
            wrong.
    """
    if block_roots is not None:
        for number, block in blocks.items():
            check_block(salt, number, index, block, block_roots[number])
    sealed = coder.decode_view(blocks, sealed_bytes)
    _check_segment(salt, index, sealed, segment_hash)
    return sealed


def decode_and_open(
    keys: FileKeys,
    coder: Coder,
    blocks: Mapping[int, Buffer],
    *,
    index: int,
    last: bool,
    sealed_bytes: int,
    segment_hash: bytes,
    block_roots: Mapping[int, bytes] | None = None,
) -> bytes:
    """Return the plaintext of one segment, still with the file's padding; see ``decode_sealed``.

    Raises:
        Malformed: as ``decode_sealed``, and ``bad-seal`` when the segment does not open.
    """
    sealed = decode_sealed(
        keys.salt,
        coder,
        blocks,
        index=index,
        sealed_bytes=sealed_bytes,
        segment_hash=segment_hash,
        block_roots=block_roots,
    )
    return open_segment(keys, sealed, index=index, last=last, params=coder.params)


def _check_segment(salt: bytes, index: int, sealed: Buffer, expected: bytes) -> None:
    if segment_hash(salt, index, sealed) != expected:
        raise Malformed(
            f"the blocks of segment {index} are right but decode to something else",
            code="inconsistent-shares",
            segment=index,
        )
