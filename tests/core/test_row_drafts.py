"""Drafts: what two sign goes round, and nobody signs anything but what was read."""

from __future__ import annotations

import pytest

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_drafts import Draft, draft_row
from bitcloud_net.core.nodepool.rows import SignedRow
from bitcloud_net.core.nodepool.table_rules import Table
from tests.core.row_samples import GRID, PERIOD, SAMPLES, SHOP

SAMPLE = SAMPLES[Table.PUBLISHER_CONTRACT]


def draft() -> Draft:
    return draft_row(
        SAMPLE.table,
        SAMPLE.suffix,
        SAMPLE.body,
        owner=SHOP.public,
        co_owners=(GRID.public,),
        seq=1,
        period=PERIOD,
        slot=0,
        expires=PERIOD + 100,
    )


def test_two_sides_sign_what_one_of_them_wrote() -> None:
    ours = draft()
    theirs = Draft.parse(ours.content)
    assert theirs.row.body == SAMPLE.body
    assert theirs.signers == (SHOP.public, GRID.public)
    signatures = {GRID.public: theirs.sign(GRID), SHOP.public: ours.sign(SHOP)}
    row = ours.complete(signatures)
    assert row == SAMPLE.row()
    SignedRow.parse(row.raw).verify()


def test_nobody_else_signs_and_nobody_is_left_out() -> None:
    stranger = SigningKey(b"s" * 32)
    with pytest.raises(Malformed) as caught:
        draft().sign(stranger)
    assert caught.value.code == "not-a-signer"
    with pytest.raises(Malformed) as caught:
        draft().complete({SHOP.public: draft().sign(SHOP)})
    assert caught.value.code == "not-a-signer"
    forged = {SHOP.public: draft().sign(SHOP), GRID.public: draft().sign(SHOP)}
    with pytest.raises(Malformed) as caught:
        draft().complete(forged)
    assert caught.value.code == "bad-signature"


def test_a_signature_is_for_every_byte_of_the_draft() -> None:
    good = draft()
    signatures = {key.public: good.sign(key) for key in (SHOP, GRID)}
    for at in range(len(good.content)):
        changed = bytearray(good.content)
        changed[at] ^= 1 << at % 8
        with pytest.raises(Malformed):
            Draft.parse(bytes(changed)).complete(signatures)


@pytest.mark.parametrize("content", [b"", b"\xf6", b"\x80", b"\x8a" + b"\x00" * 10, b"\x00" * 99])
def test_bytes_that_are_no_draft(content: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        Draft.parse(content)
    assert caught.value.code in ("bad-row", "row-not-canonical")


def test_a_contract_without_the_other_side_is_no_draft_either() -> None:
    with pytest.raises(Malformed) as caught:
        draft_row(
            SAMPLE.table,
            SAMPLE.suffix,
            None,
            owner=SHOP.public,
            co_owners=(),
            seq=1,
            period=PERIOD,
            slot=0,
            expires=PERIOD + 100,
        )
    assert caught.value.code == "bad-row"
