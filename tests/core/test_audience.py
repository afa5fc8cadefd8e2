"""Who may see a row: the named, those who act for them, the publisher's users, or everybody."""

from __future__ import annotations

import pytest

from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.audience import Standing, audience_of, may_see
from bitcloud_net.core.nodepool.row_bodies import FileBody, FolderBody, PlacementBody, UserBody
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import RULES, Exposure, Table

MARY, SHOP, GRID, STRANGER = (SigningKey(name * 32) for name in (b"m", b"p", b"g", b"s"))
BODIES = {
    Table.USER: UserBody(nickname="Mary"),
    Table.FOLDER: FolderBody(parent=b"", open_key=b"", sealed=b""),
    Table.FILE: FileBody(folder=b"f" * 16, sealed=b""),
    Table.PLACEMENT: PlacementBody(manifest=b"m", holders=()),
}


def row_of(table: Table, *publisher: SigningKey, deleted: bool = False) -> SignedRow:
    return make_row(
        table,
        b"k" * RULES[table].key_suffix_bytes,
        None if deleted else BODIES[table],
        signer=MARY,
        co_signers=publisher,
        seq=1,
        period=1,
        slot=0,
        expires=2,
    )


@pytest.mark.parametrize("table", BODIES)
@pytest.mark.parametrize("deleted", [False, True])
def test_what_has_no_publisher_is_everybodys(table: Table, deleted: bool) -> None:
    row = row_of(table, deleted=deleted)
    assert audience_of(row, RULES[table]) is None
    assert may_see(row, RULES[table], Standing(key=STRANGER.public))


@pytest.mark.parametrize("table", BODIES)
@pytest.mark.parametrize("deleted", [False, True])
def test_what_a_publisher_has_signed_stays_among_its_own(table: Table, deleted: bool) -> None:
    row, rule = row_of(table, SHOP, deleted=deleted), RULES[table]
    shop = frozenset({SHOP.public})
    assert audience_of(row, rule) == {MARY.public, SHOP.public}
    assert may_see(row, rule, Standing(key=MARY.public))
    assert may_see(row, rule, Standing(key=SHOP.public))
    assert may_see(row, rule, Standing(key=GRID.public, acts_for=shop))
    assert may_see(row, rule, Standing(key=STRANGER.public, member_of=shop))
    other = frozenset({STRANGER.public})
    for peer in (
        Standing(key=STRANGER.public),
        Standing(key=GRID.public, acts_for=other),
        Standing(key=GRID.public, member_of=other),
    ):
        assert not may_see(row, rule, peer)


def test_what_is_everybodys_by_its_table() -> None:
    for rule in RULES.values():
        if rule.exposure is Exposure.GLOBAL:
            row = make_row(
                rule.table,
                b"k" * rule.key_suffix_bytes,
                None,
                signer=MARY,
                seq=1,
                period=1,
                slot=0,
                expires=2,
            )
            assert audience_of(row, rule) is None
