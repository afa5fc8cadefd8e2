"""Certificates in the nodepool: who may say what, and who is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from grids import NOW, FixedClock, key_of, on_the_spot

from bitcloud_net.core.nodepool.audience import EVERYBODY, audience_of
from bitcloud_net.core.nodepool.bodies.certificates import CertificateBody, CertificateKind
from bitcloud_net.core.nodepool.row_bodies import NodeBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import rule_of
from bitcloud_net.core.nodepool.tables import YEAR_PERIODS, Role, Table
from bitcloud_net.core.trust.certificates import key_of as suffix_of
from bitcloud_net.core.trust.verdicts import Ban, FaultReason
from bitcloud_net.nodepool.outcome import Fate
from bitcloud_net.nodepool.queries import Queries
from bitcloud_net.nodepool.row_store import RowStore, open_row_store

GATEWAY, NODE, PEER = key_of("gateway"), key_of("node"), key_of("peer").node_id


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RowStore]:
    async with open_row_store(tmp_path, clock=FixedClock(), run=on_the_spot) as opened:
        body = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
        numbers = {"seq": 1, "period": NOW, "slot": 0, "expires": NOW + 100}
        node = make_row(Table.NODE, b"", body, signer=GATEWAY, **numbers)
        await opened.accept(node.raw, source=PEER)
        yield opened


def certificate(
    kind: CertificateKind, *, agrees: bool = False, reason: int = 0, seq: int = 1, slot: int = 0
) -> SignedRow:
    return make_row(
        Table.CERTIFICATE,
        suffix_of(kind, NODE.public, revoked=reason > 0),
        CertificateBody(since=NOW, reason=reason),
        signer=GATEWAY,
        co_signers=[NODE] if agrees else [],
        seq=seq,
        period=NOW,
        slot=slot,
        expires=NOW + YEAR_PERIODS,
    )


async def test_both_sides_have_to_sign(store: RowStore) -> None:
    claimed = await store.accept(certificate(CertificateKind.NODE).raw, source=PEER)
    assert (claimed.fate, claimed.code) == (Fate.REFUSED, "bad-certificate")
    assert claimed.is_senders_fault
    signed = certificate(CertificateKind.NODE, agrees=True)
    assert (await store.accept(signed.raw, source=PEER)).fate is Fate.ACCEPTED
    broken = signed.raw[:-1] + bytes([signed.raw[-1] ^ 1])
    assert (await store.accept(broken, source=PEER)).fate is not Fate.ACCEPTED


async def test_it_can_be_asked_for_in_sql(store: RowStore) -> None:
    await store.accept(certificate(CertificateKind.NODE, agrees=True).raw, source=PEER)
    revoked = certificate(CertificateKind.NODE, reason=FaultReason.CORRUPT_DATA, slot=1)
    await store.accept(revoked.raw, source=PEER)
    sql = "SELECT owner, kind, subject, since, reason FROM certificate ORDER BY kind"
    found = await store.database.read(lambda db: db.execute(sql).fetchall())
    assert found == [
        (GATEWAY.public, 1, NODE.public, NOW, 0),
        (GATEWAY.public, 129, NODE.public, NOW, 6),
    ]


async def test_some_hours_of_faults_do_not_cost_certificates(store: RowStore) -> None:
    await store.accept(certificate(CertificateKind.MERGE, agrees=True).raw, source=PEER)
    for reason, left in (("too-slow", 1), ("fraud", 0)):
        until = NOW + left + 5 - 4 * left
        await store.ban(Ban(target=GATEWAY.node_id, since=NOW, until=until, reason=reason))
        assert store.counts[Table.CERTIFICATE] == left


@pytest.mark.parametrize("kind", [CertificateKind.USER, CertificateKind.TRUST])
async def test_only_publishers_speak_of_people_and_publishers(
    store: RowStore, kind: CertificateKind
) -> None:
    assert (await store.accept(certificate(kind).raw, source=PEER)).fate is Fate.PARKED


@pytest.mark.parametrize("kind", CertificateKind)
def test_whom_one_certifies_or_trusts_is_not_for_everybody(kind: CertificateKind) -> None:
    both = kind in (CertificateKind.NODE, CertificateKind.MERGE, CertificateKind.DELEGATE)
    said, rule = certificate(kind, agrees=both), rule_of(Table.CERTIFICATE)
    private = kind in (CertificateKind.USER, CertificateKind.TRUST)
    parties = frozenset({GATEWAY.public, NODE.public})
    assert audience_of(said, rule) == (parties if private else EVERYBODY)
    assert audience_of(certificate(kind, reason=6), rule) is EVERYBODY


async def test_a_delegate_stands_for_its_root_in_lots(store: RowStore) -> None:
    body = NodeBody(name="", roles=Role.NODE, addresses=(), capacity=0, used=0)
    row = make_row(Table.NODE, b"", body, signer=NODE, seq=1, period=NOW, slot=0, expires=NOW + 9)
    await store.accept(row.raw, source=PEER)
    delegate = certificate(CertificateKind.DELEGATE, agrees=True)
    outcome = await store.accept(delegate.raw, source=PEER)
    assert outcome.fate is Fate.ACCEPTED, outcome
    found = {
        node.id: node.candidate.root for node in await Queries(store.database).nodes(period=NOW)
    }
    assert found == {GATEWAY.node_id: NODE.public, NODE.node_id: b""}
