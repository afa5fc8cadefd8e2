"""Which proofs are kept where there are many, of one owner and of many owners."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from grids import NOW, FixedClock, key_of, on_the_spot

from bitcloud_net.core.files.receipt import StorageReceipt
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import NodeBody, UserBody
from bitcloud_net.core.nodepool.rows import make_row
from bitcloud_net.core.nodepool.table_rules import PROOFS, Role, Table
from bitcloud_net.core.trust.false_claims import ClaimKind
from bitcloud_net.nodepool import proofs
from bitcloud_net.nodepool.outcome import Fate, Outcome
from bitcloud_net.nodepool.proofs import Proof
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import RowStore, open_row_store
from tests.vectors.make_audit_vectors import CID, FILE, MANIFEST

NODE = key_of("node")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as opened:
        body = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=1, used=0)
        await opened.write(Table.NODE, b"", body, signer=NODE)
        yield opened


def lie(key: SigningKey, *, period: int = NOW, share_root: bytes = bytes(32)) -> Proof:
    """A receipt that the manifest refutes."""
    receipt = StorageReceipt.build(
        key,
        cid=CID,
        share_no=1,
        share_root=share_root,
        share_bytes=FILE.manifest.share_bytes,
        period=period,
    )
    return Proof.of_claim(ClaimKind.RECEIPT, MANIFEST, receipt.encode())


def harmless(key: SigningKey, seq: int = 7) -> Proof:
    """Two rows of a person with one number: shown, and no ban."""
    one, other = (
        make_row(
            Table.USER,
            b"",
            UserBody(nickname=name),
            signer=key,
            seq=seq,
            period=NOW,
            slot=0,
            expires=NOW + 9,
        )
        for name in ("one", "other")
    )
    return Proof.of(one, other)


async def take(store: RowStore, proof: Proof) -> Outcome:
    (outcome,) = await store.take(PROOFS, [proof.raw], source=None)
    return outcome


async def test_a_fraud_cannot_be_hidden_behind_a_harmless_proof(store: RowStore) -> None:
    fraud = lie(NODE)
    small = next(proof for seq in range(1000) if (proof := harmless(NODE, seq)).id < fraud.id)
    assert (await take(store, small)).fate is Fate.ACCEPTED
    queries = Queries(store.database)
    assert await queries.bans(NOW) == ()
    assert (await take(store, fraud)).fate is Fate.ACCEPTED
    assert [ban.target for ban in await queries.bans(NOW)] == [NODE.node_id]
    assert (await take(store, small)).fate is Fate.KNOWN


async def test_any_order_of_proofs_leaves_the_same(tmp_path: Path) -> None:
    made = [harmless(NODE, 1), harmless(NODE, 2), lie(NODE, period=NOW - 9)]
    made += [lie(NODE, share_root=bytes([at]) * 32) for at in range(4)]
    kept = set()
    for seed in range(6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        async with open_row_store(folder, clock=FixedClock(), run=on_the_spot) as store:
            for proof in Random(seed).sample(made, len(made)):
                await take(store, proof)
            kept |= set(
                await store.database.read(
                    lambda db: db.execute("SELECT id FROM np_proof").fetchall()
                )
            )
    best = min(made[3:], key=lambda proof: proof.id)
    assert kept == {(best.id,)}


async def test_a_flood_of_free_keys_keeps_no_proof_against_a_node_out(
    store: RowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "MAX_PROOFS", 3)
    for at in range(3):
        assert (await take(store, lie(key_of(f"free {at}")))).fate is Fate.ACCEPTED
    full = await take(store, lie(key_of("free 3")))
    assert (full.fate, full.code) == (Fate.REFUSED, "proofs-full")
    assert not full.is_senders_fault
    assert (await take(store, lie(NODE))).fate is Fate.ACCEPTED
    assert NODE.node_id in {ban.target for ban in await Queries(store.database).bans(NOW)}
    (count,) = await store.database.read(
        lambda db: db.execute("SELECT count(*) FROM np_proof").fetchone()
    )
    assert count == 3
    assert (await take(store, lie(key_of("free 4")))).code == "proofs-full"


@pytest.mark.parametrize(
    ("period", "code"), [(NOW + 2, "from-future"), (NOW - 30 * 144 - 1, "expired")]
)
async def test_proofs_have_their_time(store: RowStore, period: int, code: str) -> None:
    outcome = await take(store, lie(NODE, period=period))
    assert (outcome.fate, outcome.code) == (Fate.REFUSED, code)
    assert not outcome.is_senders_fault
