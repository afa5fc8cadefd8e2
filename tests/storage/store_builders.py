"""Files made into shares, for tests of the share store."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

from blake3 import blake3

from bitcloud_net.clock import Clock
from bitcloud_net.core.files import merkle
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.erasure import Coder
from bitcloud_net.core.files.layout import Layout
from bitcloud_net.core.files.manifest import FileHeader, build_manifest, content_id
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.files.segment import seal_and_code
from bitcloud_net.core.files.share import ShareHeader
from bitcloud_net.core.units import SEGMENT_BYTES
from bitcloud_net.storage.share_file import StoredShare
from bitcloud_net.storage.share_store import ShareStore


class StoppedClock(Clock):
    """Wall time that stands still, at the beginning like a ``FaultyDisk``'s."""

    def now_s(self) -> int:
        return 0


STOPPED = StoppedClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file as its uploader has it, ready to send."""

    headers: tuple[ShareHeader, ...]
    blocks: tuple[tuple[bytes, ...], ...]  # by share, then by segment
    segment_hashes: tuple[bytes, ...]
    manifest: bytes
    salt: bytes
    share_roots: tuple[bytes, ...]

    @property
    def cid(self) -> bytes:
        return content_id(self.manifest)

    @property
    def upload_id(self) -> bytes:
        return self.headers[0].upload_id

    @property
    def segments(self) -> int:
        return len(self.segment_hashes)

    async def put(self, store: ShareStore, share_no: int = 0) -> StoredShare:
        """Send a share at once."""
        return await store.put_share(
            self.headers[share_no], self.manifest, self.blocks[share_no], self.segment_hashes
        )

    async def send(self, store: ShareStore, share_no: int = 0, *, upto: int | None = None) -> int:
        """Begin or resume a share and send blocks; return how many the store held before."""
        held = await store.begin(self.headers[share_no], self.salt)
        for index in range(held, self.segments if upto is None else upto):
            await store.put_block(
                self.upload_id,
                share_no,
                index,
                self.blocks[share_no][index],
                self.segment_hashes[index],
            )
        return held

    async def upload(self, store: ShareStore, share_no: int = 0) -> StoredShare:
        """Send a share block by block."""
        await self.send(store, share_no)
        return await store.finish(self.upload_id, share_no, self.manifest)

    async def check(self, store: ShareStore, share_no: int = 0) -> None:
        """Read a share whole and compare every byte and proof."""
        assert share_no in store.shares_of(self.cid)
        for index in range(self.segments):
            block = await store.read_block(self.cid, share_no, index)
            assert block.data == self.blocks[share_no][index]
            root = self.share_roots[share_no]
            merkle.check_path(block.block_root, index, self.segments, block.block_path, root)
        assert await store.read_manifest(self.cid) == self.manifest


@functools.lru_cache(maxsize=512)
def make(size: int, *, seed: int = 0, k: int = 2, n: int = 3) -> Made:
    """Make a file of ``size`` random bytes into shares."""
    dice = random.Random(seed * 1_000_003 + size)
    keys, params, coder = FileKeys.from_secret(dice.randbytes(32)), CodeParams(k, n), Coder(k, n)
    plain = dice.randbytes(size)
    layout = Layout.for_file(size, params)
    padded = plain.ljust(layout.padded_size, b"\0")
    coded = [
        seal_and_code(
            keys,
            coder,
            padded[index * SEGMENT_BYTES : (index + 1) * SEGMENT_BYTES],
            index=index,
            last=layout.is_last(index),
        )
        for index in range(layout.segment_count)
    ]
    roots = [merkle.root([segment.block_roots[j] for segment in coded]) for j in range(n)]
    hashes = tuple(segment.segment_hash for segment in coded)
    manifest = build_manifest(
        keys,
        params,
        FileHeader(size=size, content_hash=blake3(plain).digest()),
        ciphertext_root=merkle.root(hashes),
        share_roots=roots,
    )
    return Made(
        headers=tuple(
            ShareHeader(
                share_no=j,
                params=params,
                padded_size=layout.padded_size,
                upload_id=keys.upload_id,
            )
            for j in range(n)
        ),
        blocks=tuple(tuple(bytes(segment.blocks[j]) for segment in coded) for j in range(n)),
        segment_hashes=hashes,
        manifest=manifest.encode(),
        salt=keys.salt,
        share_roots=tuple(roots),
    )
