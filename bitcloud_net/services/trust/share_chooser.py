"""Which shares an auditor asks a storage node for, at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files.manifest import Manifest, content_id, parse_manifest
from bitcloud_net.core.keys import NodeId
from bitcloud_net.core.trust.audit import Question, leaf_count
from bitcloud_net.core.units import HASH_BYTES
from bitcloud_net.nodepool.queries import Placement
from bitcloud_net.nodepool.share_claims import ShareClaim


class Placements(Protocol):
    """What is read of the nodepool (``nodepool.queries``)."""

    async def placements(self, cid: bytes) -> tuple[Placement, ...]: ...

    async def placements_at(
        self, node: bytes, start: bytes, limit: int
    ) -> tuple[Placement, ...]: ...


class Claims(Protocol):
    """What nodes said they hold (``nodepool.share_claims``)."""

    async def of(self, node: NodeId) -> tuple[ShareClaim, ...]: ...

    async def note(self, node: NodeId, claims: Sequence[ShareClaim], period: int) -> None: ...

    async def forget(self, node: NodeId, claim: ShareClaim) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A leaf to be shown, and the manifest that says which one is right."""

    question: Question
    manifest: Manifest


class ShareChooser:
    """One per node.

    Leaves are asked only of shares that the node itself said it holds, and that a placement still
    names: whoever writes a placement that lies puts nobody in the wrong.
    """

    def __init__(self, placements: Placements, claims: Claims, random: Random) -> None:
        self._placements = placements
        self._claims = claims
        self._random = random

    async def files(self, node: NodeId, count: int) -> tuple[bytes, ...]:
        """Return the content ids of some files that placements name the node for."""
        start = self._random.randbytes(HASH_BYTES)
        found = await self._placements.placements_at(node, start, count)
        if not found:
            found = await self._placements.placements_at(node, b"", count)
        return tuple(sorted({item.cid for item in found}))

    async def note(
        self,
        node: NodeId,
        cids: Sequence[bytes],
        held: Sequence[Sequence[int]],
        period: int,
    ) -> None:
        """Remember which shares of these files the node says it holds."""
        claims = [
            ShareClaim(cid=cid, share_no=share_no)
            for cid, numbers in zip(cids, held, strict=True)
            for share_no in numbers
        ]
        await self._claims.note(node, claims, period)

    async def choose(self, node: NodeId, count: int) -> list[Chosen]:
        """Return up to ``count`` leaves of different shares that the node must be able to show."""
        claims = list(await self._claims.of(node))
        self._random.shuffle(claims)
        chosen: list[Chosen] = []
        for claim in claims:
            if len(chosen) == count:
                break
            manifest = await self._manifest(node, claim)
            if manifest is None:
                await self._claims.forget(node, claim)
            else:
                chosen.append(self._leaf(claim, manifest))
        return chosen

    async def _manifest(self, node: NodeId, claim: ShareClaim) -> Manifest | None:
        """Return the manifest of the claim's file where a placement still names the node."""
        for placement in await self._placements.placements(claim.cid):
            holders = placement.body.holders
            if claim.share_no < len(holders) and holders[claim.share_no] == node:
                manifest = _manifest_of(placement)
                if manifest is not None and claim.share_no < manifest.n:
                    return manifest
        return None

    def _leaf(self, claim: ShareClaim, manifest: Manifest) -> Chosen:
        segment_no = self._random.randrange(manifest.segment_count)
        question = Question(
            cid=claim.cid,
            share_no=claim.share_no,
            segment_no=segment_no,
            leaf_no=self._random.randrange(leaf_count(manifest, segment_no)),
        )
        return Chosen(question=question, manifest=manifest)


def _manifest_of(placement: Placement) -> Manifest | None:
    """Return the manifest in a placement; None when it is not that of the file it names."""
    raw = placement.body.manifest
    try:
        manifest = parse_manifest(raw)
    except Malformed:
        return None
    is_right = isinstance(manifest, Manifest) and content_id(raw) == placement.cid
    return manifest if is_right and isinstance(manifest, Manifest) else None
