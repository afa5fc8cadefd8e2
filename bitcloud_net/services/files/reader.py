"""Reading files of the virtual disk: from a path or a cap to plain bytes, from any offset on.

A path is looked up in the library, a cap stands for itself; either leads to a content id, whose
placement (manifest and holders) is usually a row that is here already. Only a cap that no row
mentions costs questions to the grid. A file inside its row costs none at all.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

import trio

from bitcloud_net.core.errors import BadInput, BitcloudError, Malformed, PeerFault, Unavailable
from bitcloud_net.core.files.caps import ReadCap, VerifyCap, parse_cap
from bitcloud_net.core.files.manifest import (
    AnyManifest,
    FileHeader,
    InlineManifest,
    Manifest,
    content_id,
    open_header,
    open_inline,
    parse_manifest,
)
from bitcloud_net.core.files.sealing import FileKeys
from bitcloud_net.core.keys import NodeId, PublicKey
from bitcloud_net.core.units import SEGMENT_BYTES
from bitcloud_net.nodepool.queries import Placement
from bitcloud_net.protocols.share_client import ShareClients
from bitcloud_net.services.files.library import Library
from bitcloud_net.tasks import open_tasks
from bitcloud_net.transfer.download import Download, StoredFile
from bitcloud_net.transfer.scoreboard import Scoreboard

CAP_PREFIX: Final = "bitcloud:"
FIND_S: Final = 5.0
"""How long the grid is asked for a file that no row mentions."""

LATE_ROW_S: Final = 0.25
LATE_ROW_TRIES: Final = 8
"""A file whose row is here is waited for so often, so long, before the grid is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A stored file: what it is called here, and how to get its bytes."""

    name: str
    path: str | None  # in the virtual disk, when it was named by one
    owner: PublicKey | None
    cap: ReadCap | VerifyCap
    cid: bytes
    manifest: AnyManifest
    placed: Mapping[int, NodeId]  # share number to node; empty for a file inside its row
    media_type: str | None = None
    modified_s: int | None = None

    @property
    def stored(self) -> StoredFile:
        """What the transfers work on."""
        assert isinstance(self.manifest, Manifest)
        return StoredFile(cid=self.cid, manifest=self.manifest, holders=self.placed)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A file whose header was opened: its true size in bytes, and its keys."""

    found: Found
    keys: FileKeys
    header: FileHeader


class Reader:
    """Finds and reads files. Everything may raise ``BadInput`` and ``Unavailable``."""

    def __init__(
        self,
        library: Library,
        clients: ShareClients,
        scores: Scoreboard,
        peers: Callable[[], frozenset[NodeId]],
        on_fault: Callable[[PeerFault], None],
    ) -> None:
        self._library = library
        self._clients = clients
        self._scores = scores
        self._peers = peers
        self._on_fault = on_fault

    async def find(self, target: str) -> Found:
        """Return the stored file that a path or cap names.

        Raises:
            BadInput: ``no-such-path``, ``is-a-folder``, ``cap-damaged``, ``cap-unknown``.
            Unavailable: ``file-unknown``: no row and no node that can be reached knows it.
        """
        if target.startswith(CAP_PREFIX):
            cap = parse_cap(target)
            manifest, placed = await self._locate(cap.cid, None)
            return Found(
                name=f"{cap.cid.hex()[:12]}",
                path=None,
                owner=None,
                cap=cap,
                cid=cap.cid,
                manifest=manifest,
                placed=placed,
            )
        file = await self._library.file(target)
        manifest, placed = await self._locate(file.entry.cap.cid, file.owner)
        return Found(
            name=file.entry.name,
            path=file.path,
            owner=file.owner,
            cap=file.entry.cap,
            cid=file.entry.cap.cid,
            manifest=manifest,
            placed=placed,
            media_type=file.entry.media_type or None,
            modified_s=file.entry.modified_s,
        )

    async def open(self, target: str) -> OpenedFile:
        """Return a file ready to be read. Raises as ``find``, and ``cap-cannot-read``."""
        found = await self.find(target)
        if not isinstance(found.cap, ReadCap):
            message = "this link can only check the file, not read it; ask for its read link"
            raise BadInput(message, code="cap-cannot-read")
        keys = FileKeys.from_secret(found.cap.secret)
        try:
            header = open_header(found.manifest, keys)
        except Malformed as error:
            raise _broken(error) from error
        return OpenedFile(found=found, keys=keys, header=header)

    @asynccontextmanager
    async def read(
        self, file: OpenedFile, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the plain bytes from ``offset`` on, at most ``length``, up to the file's end.

        Only the segments that are needed are fetched. Cancel: safe.

        Raises (on the way too):
            BadInput: ``bad-range``.
            Unavailable: ``too-few-shares``, ``file-broken``.
        """
        size = file.header.size
        if offset < 0 or offset > size or (length is not None and length < 0):
            raise BadInput(f"the file has {size} bytes; ask for bytes in it", code="bad-range")
        end = size if length is None else min(size, offset + length)
        async with AsyncExitStack() as stack:
            if isinstance(file.found.manifest, InlineManifest):
                pieces = _one(_inline(file.found.manifest, file.keys)[offset:end])
            elif end == offset:
                pieces = _one(b"")
            else:
                first, last = offset // SEGMENT_BYTES, -(-end // SEGMENT_BYTES)
                download = self.download(file.found, file.keys)
                segments = await stack.enter_async_context(download.segments(first, last))
                pieces = _trimmed(segments, offset - first * SEGMENT_BYTES, end - offset)
            yield await stack.enter_async_context(aclosing(pieces))

    def download(self, found: Found, keys: FileKeys | None) -> Download:
        """Return a download of a stored file; without keys it yields checked ciphertext."""
        return Download(found.stored, keys, self._clients.of, self._scores, self._on_fault)

    async def _locate(
        self, cid: bytes, owner: PublicKey | None
    ) -> tuple[AnyManifest, Mapping[int, NodeId]]:
        placements, manifest = await self._placed(cid)
        if manifest is None and owner is not None:
            placements, manifest = await self._placed_soon(cid)
        if manifest is None:
            return await self._ask_grid(cid)
        ordered = sorted(placements, key=lambda item: item.owner != owner)
        if owner is None and _contradict(ordered, manifest):
            return manifest, _confirmed(ordered, manifest, (await self._ask_all(cid)).held)
        return manifest, _holders(ordered, manifest)

    async def _placed(self, cid: bytes) -> tuple[Sequence[Placement], AnyManifest | None]:
        placements = await self._library.placements(cid)
        return placements, _manifest_of(cid, [item.body.manifest for item in placements])

    async def _placed_soon(self, cid: bytes) -> tuple[Sequence[Placement], AnyManifest | None]:
        """Wait a little for a row: they come table by table, a file's before its placement's."""
        for _ in range(LATE_ROW_TRIES):
            await trio.sleep(LATE_ROW_S)
            placements, manifest = await self._placed(cid)
            if manifest is not None:
                return placements, manifest
        return (), None

    async def _ask_grid(self, cid: bytes) -> tuple[AnyManifest, Mapping[int, NodeId]]:
        """Locate a file that no row mentions."""
        said = await self._ask_all(cid)
        manifest = _manifest_of(cid, said.manifests)
        if manifest is None:
            raise Unavailable(
                "nobody who can be reached knows this file; try again when more nodes are on",
                code="file-unknown",
            )
        return manifest, _confirmed([], manifest, said.held)

    async def _ask_all(self, cid: bytes) -> _Said:
        """Ask everybody who is connected what they hold of a file."""
        said = _Said()

        async def ask(node: NodeId) -> None:
            client = self._clients.of(node)
            try:
                (shares,) = await client.find((cid,))
                said.held.extend((share_no, node) for share_no in shares)
                if shares and _manifest_of(cid, said.manifests) is None:
                    said.manifests.append(await client.get_manifest(cid))
            except BitcloudError:
                return  # who cannot say does not matter here

        with trio.move_on_after(FIND_S):
            async with open_tasks() as nursery:
                for node in self._peers():
                    nursery.start_soon(ask, node)
        return said


@dataclass(slots=True)
class _Said:
    """What the grid's nodes say of one file; any of them may lie."""

    held: list[tuple[int, NodeId]] = field(default_factory=list)
    manifests: list[bytes] = field(default_factory=list)


def _manifest_of(cid: bytes, raws: list[bytes]) -> AnyManifest | None:
    """Return the manifest whose hash is the content id; whoever sent it, it is the right one."""
    for raw in raws:
        if content_id(raw) == cid:
            try:
                return parse_manifest(raw)
            except Malformed as error:
                raise _broken(error) from error
    return None


def _holders(placements: list[Placement], manifest: AnyManifest) -> Mapping[int, NodeId]:
    """Return who holds which share: as the first placement says, the others fill its gaps."""
    placed: dict[int, NodeId] = {}
    if isinstance(manifest, Manifest):
        for placement in placements:
            for share_no, node in enumerate(placement.body.holders[: manifest.n]):
                if node:
                    placed.setdefault(share_no, NodeId(node))
    return placed


def _contradict(placements: Sequence[Placement], manifest: AnyManifest) -> bool:
    """Whether rows name different nodes for one share: anybody may write one about any file."""
    if not isinstance(manifest, Manifest):
        return False
    named = [item.body.holders[: manifest.n] for item in placements]
    return any(len(set(nodes) - {b""}) > 1 for nodes in zip_longest(*named, fillvalue=b""))


def _confirmed(
    placements: Sequence[Placement], manifest: AnyManifest, held: Sequence[tuple[int, NodeId]]
) -> Mapping[int, NodeId]:
    """Return who holds which share: best who says so and is named by a row, then who says so, then
    who is named."""
    if not isinstance(manifest, Manifest):
        return {}
    said = [pair for pair in held if pair[0] < manifest.n]
    named = [
        (share_no, NodeId(node))
        for item in placements
        for share_no, node in enumerate(item.body.holders[: manifest.n])
        if node
    ]
    placed: dict[int, NodeId] = {}
    for share_no, node in (*(pair for pair in said if pair in set(named)), *said, *named):
        placed.setdefault(share_no, node)
    return placed


def _inline(manifest: InlineManifest, keys: FileKeys) -> bytes:
    try:
        return open_inline(manifest, keys)[1]
    except Malformed as error:
        raise _broken(error) from error


def _broken(error: Malformed) -> BitcloudError:
    if error.code == "wrong-key":
        return BadInput("this link does not open this file; ask for it again", code="wrong-key")
    return Unavailable(
        f"this file was published broken ({error}); nobody but its publisher can mend it",
        code="file-broken",
    )


async def _one(data: bytes) -> AsyncGenerator[bytes, None]:
    if data:
        yield data


async def _trimmed(
    segments: AsyncIterator[bytes], skip: int, left: int
) -> AsyncGenerator[bytes, None]:
    async for segment in segments:
        piece = segment[skip : skip + left]
        skip, left = 0, left - len(piece)
        if piece:
            yield piece
