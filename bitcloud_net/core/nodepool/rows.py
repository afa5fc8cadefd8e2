"""Signed rows: what the nodepool is made of.

::

    row  = canonical CBOR array
           [version, table, key, owner, seq, period, slot, expires, body, co_owners]
    id   = BLAKE3 derive-key "bitcloud v1 row" over row
    wire = canonical CBOR array [row, [[signer, Ed25519 signature over id], …]]

A row can be checked alone, with no history. Its owner is the only truth about it: of two rows
with one table and key the higher ``seq`` counts. The signers are the owner and then the co-owners,
in this order and complete, so one row with one set of signatures has exactly one form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NewType, TypeAlias

from blake3 import blake3

from bitcloud_net.core import encoding, keys
from bitcloud_net.core.encoding import MAX_INTEGER
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import KEY_BYTES, SIGNATURE_BYTES, PublicKey, SigningKey
from bitcloud_net.core.nodepool.row_bodies import KINDS, Body, body_value, parse_body
from bitcloud_net.core.nodepool.table_rules import TableRule, rule_of
from bitcloud_net.core.nodepool.tables import MAX_PERIOD
from bitcloud_net.core.units import MAX_ROW_BYTES

RowId = NewType("RowId", bytes)
"""The hash of a row, 32 bytes."""

Rules: TypeAlias = Callable[[int], TableRule]
"""Finds the rule of a table by its number; raises ``Malformed`` (``unknown-table``)."""

ROW_VERSION = 1
LAST_SIGNER_FROM_END = KEY_BYTES + 2 + SIGNATURE_BYTES
"""Where in the wire form, counted from its end, the key of the last signer begins: the owner where
there is no co-owner. ``KEY_BYTES`` long."""

_SIGNATURE_KIND = "row"
_ID_CONTEXT = "bitcloud v1 row"
_ROW_FIELDS = 10
_LIST_OF_TWO = b"\x82"  # as canonical CBOR
_SIGNATURE_ITEM_BYTES = 1 + 2 + KEY_BYTES + 2 + SIGNATURE_BYTES  # as canonical CBOR


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRow:
    """One row with its signatures. Made by ``parse`` or ``make_row``, so its shape is always right;
    whether the signatures hold is known after ``verify``.
    """

    table: int  # a ``Table``, or an application's number
    key: bytes  # begins with the owner's key
    owner: PublicKey
    seq: int
    period: int  # when it was signed, in whole periods since 1970
    slot: int  # its number among the owner's rows of this table and period
    expires: int  # last period in which it is valid
    body: Body | None  # None: a tombstone
    co_owners: tuple[PublicKey, ...]
    signatures: tuple[bytes, ...]  # of the owner, then of each co-owner
    id: RowId
    raw: bytes  # the wire form, stored and relayed as it is

    @property
    def key_suffix(self) -> bytes:
        """The key without the owner in front: a folder's id, a file's id, a cid."""
        return self.key[KEY_BYTES:]

    @classmethod
    def parse(cls, raw: bytes, rules: Rules = rule_of) -> SignedRow:
        """Return the row whose wire form is ``raw``. Says nothing about the signatures yet.
        ``rules`` knows the tables: without it, those that are not an application's.

        Raises:
            Malformed: ``row-too-large``, ``row-not-canonical``, ``bad-row`` (shape), ``bad-body``,
                ``unknown-table``, ``bad-key`` or ``bad-number``.
        """
        values, signers = _decode(raw)
        _, _, key, owner, seq, period, slot, expires, body, co_owners = values
        rule = _check_head(len(raw), values, rules)
        if [signer for signer, _ in signers] != [owner, *co_owners]:
            raise Malformed("the signers are not the owners, in order", code="bad-row")
        row = cls(
            table=rule.table,
            key=key,
            owner=PublicKey(owner),
            seq=seq,
            period=period,
            slot=slot,
            expires=expires,
            body=None if body is None else parse_body(rule, body),
            co_owners=tuple(co_owners),
            signatures=tuple(signature for _, signature in signers),
            id=row_id(raw[len(_LIST_OF_TWO) : len(raw) - _signatures_bytes(len(signers))]),
            raw=raw,
        )
        _check_key_parts(row)
        return row

    def verify(self) -> None:
        """Return when every owner's signature holds.

        Raises:
            Malformed: ``bad-signature``.
        """
        for signer, signature in zip((self.owner, *self.co_owners), self.signatures, strict=True):
            keys.verify(signer, _SIGNATURE_KIND, self.id, signature)

    def beats(self, seq: int, row_id: bytes, co_owners: int | None = None) -> bool:
        """Whether this row replaces one of the same key with this number, id, and as many
        co-owners (None: as many as this one).

        What more have signed wins: what belongs to two, one alone neither changes nor deletes. Then
        the higher number; of two rows with one number, which only a cheat or a copied key can make,
        the smaller id, so that all nodes choose the same.
        """
        more = len(self.co_owners) - (len(self.co_owners) if co_owners is None else co_owners)
        if more:
            return more > 0
        return self.seq > seq or (self.seq == seq and self.id < row_id)


def make_row(
    table: int,
    key_suffix: bytes,
    body: Body | None,
    *,
    signer: SigningKey,
    seq: int,
    period: int,
    slot: int,
    expires: int,
    co_signers: Sequence[SigningKey] = (),
    rules: Rules = rule_of,
) -> SignedRow:
    """Sign a row owned by ``signer`` (and the co-signers) and return it.

    ``body`` None makes a tombstone. The caller owns the counting: ``seq`` must grow per table and
    key, ``slot`` must be unique per owner, table and period, or the two rows convict the owner.

    Raises:
        Malformed: what ``SignedRow.parse`` would say about the row.
    """
    signers = (signer, *sorted(co_signers, key=lambda key: key.public))
    content = row_content(
        table,
        key_suffix,
        body,
        owner=signer.public,
        co_owners=tuple(key.public for key in signers[1:]),
        numbers=(seq, period, slot, expires),
    )
    signed = row_id(content)
    signatures = [(key.public, sign_row_id(key, signed)) for key in signers]
    return SignedRow.parse(wire_form(content, signatures), rules)


def row_content(
    table: int,
    key_suffix: bytes,
    body: Body | None,
    *,
    owner: PublicKey,
    co_owners: Sequence[PublicKey],
    numbers: tuple[int, int, int, int],
) -> bytes:
    """Return the encoding of a row without its signatures. ``numbers``: seq, period, slot and
    expiry; co-owners are put in order.
    """
    plain = None if body is None else body_value(body)
    row: list[encoding.Value] = [ROW_VERSION, int(table), owner + key_suffix, owner]
    return encoding.encode([*row, *numbers, plain, sorted(co_owners)])


def wire_form(content: bytes, signatures: Sequence[tuple[PublicKey, bytes]]) -> bytes:
    """Return how a row travels: its content, and pairs of signer and signature in order."""
    return _LIST_OF_TWO + content + encoding.encode([list(pair) for pair in signatures])


def row_id(content: bytes) -> RowId:
    """Return the id of the row with this content: what its owners sign."""
    return RowId(blake3(content, derive_key_context=_ID_CONTEXT).digest())


def sign_row_id(key: SigningKey, signed: RowId) -> bytes:
    """Return one owner's signature of a row."""
    return key.sign(_SIGNATURE_KIND, signed)


def _decode(raw: bytes) -> tuple[list, list]:  # type: ignore[type-arg]
    if len(raw) > MAX_ROW_BYTES:
        raise Malformed(f"row of {len(raw)} bytes", code="row-too-large")
    try:
        value = encoding.decode(raw, max_bytes=MAX_ROW_BYTES)
    except Malformed as error:
        raise Malformed(error.message, code="row-not-canonical") from error
    if not isinstance(value, list) or len(value) != 2:
        raise Malformed("a row is a list of two", code="bad-row")
    row, signers = value
    if not isinstance(row, list) or len(row) != _ROW_FIELDS or row[0] != ROW_VERSION:
        raise Malformed(f"a row has {_ROW_FIELDS} fields and version 1", code="bad-row")
    if not isinstance(signers, list) or not all(map(_is_signature, signers)):
        raise Malformed("signatures are pairs of key and signature", code="bad-row")
    return row, signers


def _is_signature(item: object) -> bool:
    return isinstance(item, list) and len(item) == 2 and _is_key(item[0]) and _is_signed(item[1])


def _is_key(item: object) -> bool:
    return isinstance(item, bytes) and len(item) == KEY_BYTES


def _is_signed(item: object) -> bool:
    return isinstance(item, bytes) and len(item) == SIGNATURE_BYTES


def _check_head(wire_bytes: int, row: list, rules: Rules) -> TableRule:  # type: ignore[type-arg]
    version, number, key, owner, seq, period, slot, expires, _, co_owners = row
    if any(type(item) is not int for item in (version, number)):
        raise Malformed("version and table are numbers", code="bad-row")
    rule = rules(number)
    if wire_bytes > rule.max_row_bytes:
        raise Malformed(
            f"row of {wire_bytes} bytes, a {rule.name} row has at most {rule.max_row_bytes}",
            code="row-too-large",
        )
    _check_key(rule, key, owner)
    _check_co_owners(rule, owner, co_owners)
    _check_number("seq", seq, MAX_INTEGER)
    _check_number("period", period, MAX_PERIOD)
    _check_number("slot", slot, MAX_INTEGER)
    _check_number("expires", expires, MAX_PERIOD)
    return rule


def _check_key(rule: TableRule, key: object, owner: object) -> None:
    if not isinstance(owner, bytes) or len(owner) != KEY_BYTES:
        raise Malformed("an owner is a key of 32 bytes", code="bad-key")
    if not isinstance(key, bytes) or len(key) != KEY_BYTES + rule.key_suffix_bytes:
        raise Malformed(
            f"the key of a {rule.name} row is the owner and {rule.key_suffix_bytes} bytes",
            code="bad-key",
        )
    if not key.startswith(owner):
        raise Malformed("the key does not begin with the owner", code="bad-key")


def _check_co_owners(rule: TableRule, owner: bytes, co_owners: object) -> None:
    if not isinstance(co_owners, list) or not all(map(_is_key, co_owners)):
        raise Malformed("co-owners are keys", code="bad-row")
    if len(co_owners) > rule.max_co_owners:
        raise Malformed(f"a {rule.name} row has at most {rule.max_co_owners}", code="bad-row")
    if co_owners != sorted(set(co_owners)) or owner in co_owners:
        raise Malformed("co-owners are sorted and different", code="bad-row")


def _check_key_parts(row: SignedRow) -> None:
    """Check that the numbers in the key are some, and that those sign, and nobody else, whom it
    names as signers.
    """
    kind = KINDS.get(row.table)
    if kind is None:
        return
    for part, item in zip(kind.key, kind.parts(row), strict=True):
        if part.is_number and int.from_bytes(item, "big") > MAX_INTEGER:
            raise Malformed(f"{part.name} in the key is beyond 2^63 - 1", code="bad-key")
    signers = kind.signers(row.key_suffix)
    if signers is not None and row.co_owners != signers:
        raise Malformed("the other side, whom the key names, signs too", code="bad-row")


def _check_number(name: str, number: object, most: int) -> None:
    if type(number) is not int or not 0 <= number <= most:
        raise Malformed(f"{name} is a number from 0 to {most}", code="bad-number")


def _signatures_bytes(count: int) -> int:
    return 1 + count * _SIGNATURE_ITEM_BYTES
