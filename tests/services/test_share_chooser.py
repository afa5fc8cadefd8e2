"""Which shares a node is asked for: what it said it holds, and a placement still names."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.manifest import content_id
from bitcloud_net.core.keys import NodeId, PublicKey
from bitcloud_net.core.nodepool.row_bodies import PlacementBody
from bitcloud_net.core.trust.audit import leaf_count
from bitcloud_net.nodepool.queries import Placement
from bitcloud_net.nodepool.share_claims import ShareClaim
from bitcloud_net.services.trust.share_chooser import ShareChooser
from tests.core.shares import store

NODE, OTHER = NodeId(b"\1" * 32), NodeId(b"\2" * 32)
FILES = [
    store(bytes([at]) * 90_000, CodeParams(2, 3), secret=bytes([at]) * 32).manifest
    for at in range(4)
]
CIDS = [content_id(item.encode()) for item in FILES]


def placement(at: int, holders: Sequence[NodeId], manifest: bytes | None = None) -> Placement:
    body = PlacementBody(manifest=manifest or FILES[at].encode(), holders=tuple(holders))
    return Placement(owner=PublicKey(b"u" * 32), cid=CIDS[at], body=body, seq=1, period=1)


class Pool:
    """The placements and claims of a test."""

    def __init__(self, *placements: Placement) -> None:
        self.rows = sorted(placements, key=lambda item: item.cid)
        self.claims: dict[tuple[NodeId, ShareClaim], int] = {}

    async def placements(self, cid: bytes) -> tuple[Placement, ...]:
        return tuple(item for item in self.rows if item.cid == cid)

    async def placements_at(self, node: bytes, start: bytes, limit: int) -> tuple[Placement, ...]:
        fitting = [item for item in self.rows if item.cid >= start and node in item.body.holders]
        return tuple(fitting[:limit])

    async def of(self, node: NodeId) -> tuple[ShareClaim, ...]:
        return tuple(claim for whose, claim in self.claims if whose == node)

    async def note(self, node: NodeId, claims: Sequence[ShareClaim], period: int) -> None:
        self.claims |= {(node, claim): period for claim in claims}

    async def forget(self, node: NodeId, claim: ShareClaim) -> None:
        del self.claims[node, claim]


async def test_only_what_the_node_claims_is_asked(seed: int) -> None:
    pool = Pool(*(placement(at, (OTHER, NODE, OTHER)) for at in range(4)))
    chooser = ShareChooser(pool, pool, Random(seed))
    assert await chooser.choose(NODE, 4) == []
    for _ in range(20):  # from wherever the search begins
        cids = await chooser.files(NODE, 8)
        assert cids
        held = [(1,) if cid in CIDS[:2] else () for cid in cids]
        await chooser.note(NODE, cids, held, 7)
    assert {claim.cid for _, claim in pool.claims} == set(CIDS[:2])
    asked = set()
    for _ in range(200):
        chosen = await chooser.choose(NODE, 4)
        assert len({item.question.cid for item in chosen}) == len(chosen) == 2
        for item in chosen:
            question = item.question
            assert content_id(item.manifest.encode()) == question.cid
            assert question.share_no == 1
            assert question.leaf_no < leaf_count(item.manifest, question.segment_no)
            asked.add((question.cid, question.leaf_no))
    assert len(asked) == 2 * leaf_count(FILES[0], 0), "any leaf may be asked"
    assert len(await chooser.choose(NODE, 1)) == 1
    assert await chooser.choose(NODE, 0) == []


@pytest.mark.parametrize(
    "now",
    [
        None,
        placement(0, (OTHER, OTHER, OTHER)),
        placement(0, (NODE, OTHER, OTHER)),  # another share than it claimed
        placement(0, (OTHER,)),
        placement(0, (OTHER, NODE, OTHER), FILES[1].encode()),  # another file's manifest
        placement(0, (OTHER, NODE, OTHER), b"BCMF rubbish"),
    ],
)
async def test_a_claim_that_no_placement_bears_out_is_forgotten(
    now: Placement | None, seed: int
) -> None:
    pool = Pool(*([] if now is None else [now]))
    await pool.note(NODE, [ShareClaim(cid=CIDS[0], share_no=1)], 7)
    assert await ShareChooser(pool, pool, Random(seed)).choose(NODE, 4) == []
    assert pool.claims == {}


async def test_one_right_placement_among_wrong_ones_is_enough(seed: int) -> None:
    pool = Pool(
        placement(0, (NODE, OTHER, OTHER)),
        placement(0, (OTHER, NODE, OTHER), b"rubbish"),
        placement(0, (OTHER, NODE, OTHER)),
    )
    await pool.note(NODE, [ShareClaim(cid=CIDS[0], share_no=1)], 7)
    (chosen,) = await ShareChooser(pool, pool, Random(seed)).choose(NODE, 4)
    assert chosen.question.cid == CIDS[0]
