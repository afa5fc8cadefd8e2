"""Signed rows: one form each, every bit protected, every bound kept."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitcloud_net.core import encoding, keys
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import SigningKey
from bitcloud_net.core.nodepool.row_bodies import (
    Body,
    FileBody,
    FolderBody,
    NodeBody,
    PlacementBody,
    UserBody,
    parents_of,
)
from bitcloud_net.core.nodepool.rows import SignedRow, make_row
from bitcloud_net.core.nodepool.table_rules import RULES, Role, Table

OWNER = SigningKey(b"o" * 32)
OTHER = SigningKey(b"p" * 32)
SUFFIXES = {table: b"k" * rule.key_suffix_bytes for table, rule in RULES.items()}

TEXTS = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=64).filter(
    lambda text: unicodedata.is_normalized("NFC", text)
)
BODIES = st.one_of(
    st.builds(UserBody, nickname=TEXTS),
    st.builds(
        NodeBody,
        name=TEXTS,
        roles=st.integers(0, 31).map(Role),
        addresses=st.lists(TEXTS, max_size=8).map(tuple),
        capacity=st.integers(0, 2**53),
        used=st.integers(0, 2**53),
    ),
    st.builds(
        FolderBody,
        parent=st.sampled_from([b"", b"f" * 16]),
        open_key=st.sampled_from([b"", b"k" * 32]),
        sealed=st.binary(max_size=1024),
    ),
    st.builds(FileBody, folder=st.binary(min_size=16, max_size=16), sealed=st.binary(max_size=600)),
    st.builds(
        PlacementBody,
        manifest=st.binary(min_size=1, max_size=700),
        holders=st.lists(st.sampled_from([b"", b"h" * 32]), max_size=128).map(tuple),
    ),
)
TABLE_OF = {
    UserBody: Table.USER,
    NodeBody: Table.NODE,
    FolderBody: Table.FOLDER,
    FileBody: Table.FILE,
    PlacementBody: Table.PLACEMENT,
}


def row_with(body: Body | None, table: Table | None = None, **changes: int) -> SignedRow:
    chosen = table or TABLE_OF[type(body)]  # type: ignore[index]
    numbers = {"seq": 1, "period": 100, "slot": 0, "expires": 200} | changes
    return make_row(chosen, SUFFIXES[chosen], body, signer=OWNER, **numbers)


@settings(deadline=None, max_examples=200)
@given(BODIES, st.integers(0, 2**63 - 1), st.integers(0, 2**40), st.integers(0, 2**63 - 1))
def test_what_is_signed_comes_back(body: Body, seq: int, period: int, slot: int) -> None:
    row = row_with(body, seq=seq, period=period, slot=slot)
    again = SignedRow.parse(row.raw)
    again.verify()
    assert again == row
    assert (again.body, again.seq, again.period, again.slot) == (body, seq, period, slot)
    assert again.key == OWNER.public + SUFFIXES[row.table]
    assert again.key_suffix == SUFFIXES[row.table]


def test_a_tombstone_has_no_body() -> None:
    row = row_with(None, Table.FILE)
    assert SignedRow.parse(row.raw).body is None


@pytest.mark.parametrize(
    "body", [UserBody(nickname="Mary"), FileBody(folder=b"f" * 16, sealed=b"secret")]
)
def test_every_single_bit_is_protected(body: Body) -> None:
    raw = row_with(body).raw
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Malformed):
            SignedRow.parse(bytes(changed)).verify()


def test_all_co_owners_must_sign() -> None:
    row = make_row(
        Table.FILE,
        SUFFIXES[Table.FILE],
        FileBody(folder=b"f" * 16, sealed=b""),
        signer=OWNER,
        co_signers=[OTHER],
        seq=1,
        period=1,
        slot=0,
        expires=2,
    )
    row.verify()
    assert row.co_owners == (OTHER.public,)
    content, signatures = cbor2.loads(row.raw)
    for wrong in (signatures[:1], signatures[1:], signatures[::-1], [*signatures, signatures[0]]):
        with pytest.raises(Malformed) as caught:
            SignedRow.parse(encoding.encode([content, wrong]))
        assert caught.value.code == "bad-row"
    forged = [signatures[0], [OTHER.public, signatures[0][1]]]
    with pytest.raises(Malformed) as caught:
        SignedRow.parse(encoding.encode([content, forged])).verify()
    assert caught.value.code == "bad-signature"


def test_a_signature_for_another_purpose_does_not_hold() -> None:
    row = row_with(UserBody(nickname="Mary"))
    content, _ = cbor2.loads(row.raw)
    for kind in ("receipt", "rows", ""):
        signed = [[OWNER.public, OWNER.sign(kind, row.id)]]
        with pytest.raises(Malformed):
            SignedRow.parse(encoding.encode([content, signed])).verify()


def crafted(changes: dict[int, object]) -> bytes:
    """A row whose fields were changed and that was then signed again, as a cheat would."""
    content, _ = cbor2.loads(row_with(UserBody(nickname="Mary")).raw)
    for at, value in changes.items():
        content[at] = value
    row_id = keys.derive(cbor2.dumps(content, canonical=True), "row")
    return cbor2.dumps([content, [[OWNER.public, OWNER.sign("row", row_id)]]], canonical=True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({0: 2}, "bad-row"),
        ({0: True}, "bad-row"),
        ({1: 0}, "unknown-table"),
        ({1: 99}, "unknown-table"),
        ({1: -1}, "unknown-table"),
        ({1: "user"}, "bad-row"),
        ({2: b""}, "bad-key"),
        ({2: OTHER.public}, "bad-key"),
        ({2: OWNER.public + b"x"}, "bad-key"),
        ({2: "key"}, "bad-key"),
        ({3: b"short"}, "bad-key"),
        ({3: None}, "bad-key"),
        ({4: -1}, "bad-number"),
        ({4: 2**63}, "row-not-canonical"),
        ({4: 1.0}, "row-not-canonical"),
        ({4: "1"}, "bad-number"),
        ({4: True}, "bad-number"),
        ({5: -1}, "bad-number"),
        ({5: 2**41}, "bad-number"),
        ({6: -1}, "bad-number"),
        ({7: 2**41}, "bad-number"),
        ({7: None}, "bad-number"),
        ({8: {}}, "bad-body"),
        ({8: []}, "bad-body"),
        ({8: b""}, "bad-body"),
        ({8: {"nickname": 5}}, "bad-body"),
        ({8: {"nickname": "x" * 65}}, "bad-body"),
        ({8: {"nickname": "a\nb"}}, "bad-body"),
        ({8: {"nickname": "a\x00b"}}, "bad-body"),
        ({8: {"nickname": "a\u2028b"}}, "bad-body"),
        ({8: {"nickname": "Mary", "admin": True}}, "bad-body"),
        ({8: {"nickname": "e\u0301"}}, "row-not-canonical"),
        ({8: {1: "x"}}, "row-not-canonical"),
        ({9: None}, "bad-row"),
        ({9: [b"short"]}, "bad-row"),
        ({9: [OWNER.public]}, "bad-row"),
        ({9: [OTHER.public, OTHER.public]}, "bad-row"),
        ({9: [OTHER.public]}, "bad-row"),
        ({1: 1}, "bad-body"),
        ({1: 4}, "bad-key"),
    ],
)
def test_a_badly_formed_row_is_refused_with_its_code(changes: dict[int, object], code: str) -> None:
    with pytest.raises(Malformed) as caught:
        SignedRow.parse(crafted(changes))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "row-not-canonical"),
        (b"\x80", "bad-row"),
        (b"\x82\x80\x80", "bad-row"),
        (b"\xf6", "bad-row"),
        (b"\x9f\xff", "row-not-canonical"),  # indefinite length
        (b"\xd9\xd9\xf7\x80", "row-not-canonical"),  # a tag
        (b"\x18\x05", "row-not-canonical"),  # not the shortest form
        (b"\x82\x80", "row-not-canonical"),  # ends too early
        (b"\x80\x80", "row-not-canonical"),  # goes on after the end
        (b"\x81" * 40 + b"\x80", "row-not-canonical"),  # too deep
        (b"\x00" * (16 * 1024 + 1), "row-too-large"),
    ],
)
def test_bytes_that_are_no_row(raw: bytes, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        SignedRow.parse(raw)
    assert caught.value.code == code


def test_another_encoding_of_the_same_row_is_refused() -> None:
    raw = row_with(UserBody(nickname="Mary")).raw
    for other in (
        raw.replace(b"\x01\x02", b"\x18\x01\x02", 1),  # the version in two bytes
        b"\x9f" + raw[1:] + b"\xff",  # indefinite length
        b"\x98\x02" + raw[1:],
        raw + b"\xf6",
        raw.replace(b"\xa1\x68nickname", b"\xa2\x68nickname", 1) + b"\x68nickname\x60",
    ):
        assert other != raw
        with pytest.raises(Malformed) as caught:
            SignedRow.parse(other)
        assert caught.value.code in ("row-not-canonical", "bad-row")


def test_a_table_may_have_a_smaller_limit_than_the_wire() -> None:
    row_with(FolderBody(parent=b"", open_key=b"", sealed=b"x" * 1024))
    with pytest.raises(Malformed) as caught:
        row_with(FolderBody(parent=b"", open_key=b"", sealed=b"x" * 1025))
    assert caught.value.code == "bad-body"
    node = NodeBody(name="", roles=Role.NODE, addresses=("a" * 256,) * 8, capacity=1, used=0)
    with pytest.raises(Malformed) as caught:
        row_with(node)
    assert caught.value.code == "row-too-large"


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=300))
def test_random_bytes_raise_malformed_and_nothing_else(data: bytes) -> None:
    with pytest.raises(Malformed):
        SignedRow.parse(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40) | TEXTS,
    lambda inner: st.lists(inner, max_size=11) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=30,
)


@settings(deadline=None, max_examples=300)
@given(JSON, st.integers(0, 9))
def test_any_value_in_any_field_raises_malformed_and_nothing_else(value: object, at: int) -> None:
    raw = crafted({at: value})
    try:
        row = SignedRow.parse(raw)
        row.verify()
    except Malformed:
        return
    assert row.raw == raw


def test_the_higher_number_wins_and_then_the_smaller_id() -> None:
    row = row_with(UserBody(nickname="Mary"), seq=5)
    assert row.beats(4, bytes(32))
    assert not row.beats(6, b"\xff" * 32)
    assert row.beats(5, b"\xff" * 32)
    assert not row.beats(5, bytes(32))
    assert not row.beats(row.seq, row.id)


def test_what_a_row_belongs_to() -> None:
    owner = OWNER.public
    top = FolderBody(parent=b"", open_key=b"", sealed=b"")
    assert parents(top) == ()
    above = (Table.FOLDER, owner + b"p" * 16)
    assert parents(replace(top, parent=b"p" * 16)) == (above,)
    file = FileBody(folder=b"f" * 16, sealed=b"")
    assert parents(file) == ((Table.FOLDER, owner + b"f" * 16),)
    assert parents(UserBody(nickname="")) == ()


def parents(body: Body) -> tuple[tuple[int, bytes], ...]:
    return parents_of(row_with(body), body)
