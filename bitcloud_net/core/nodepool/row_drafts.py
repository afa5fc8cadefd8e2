"""Rows that several people sign: a draft goes round, each looks at it and adds a signature.

A draft travels as the row without its signatures. What is signed is its id, which covers every
field; so nobody signs anything but what was read, and the last one to sign has the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import SIGNATURE_BYTES, PublicKey, SigningKey
from bitcloud_net.core.nodepool.row_bodies import Body
from bitcloud_net.core.nodepool.rows import (
    Rules,
    SignedRow,
    row_content,
    row_id,
    sign_row_id,
    wire_form,
)
from bitcloud_net.core.nodepool.table_rules import rule_of
from bitcloud_net.core.units import MAX_ROW_BYTES

_UNSIGNED = bytes(SIGNATURE_BYTES)
_ROW_FIELDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A row that not everybody has signed yet."""

    content: bytes  # what travels
    row: SignedRow  # as it will be; its signatures are empty

    @classmethod
    def parse(cls, content: bytes, rules: Rules = rule_of) -> Draft:
        """Return the draft that somebody sent.

        Raises:
            Malformed: as ``SignedRow.parse``.
        """
        try:
            value = encoding.decode(content, max_bytes=MAX_ROW_BYTES)
        except Malformed as error:
            raise Malformed(error.message, code="row-not-canonical") from error
        raw = wire_form(content, [(owner, _UNSIGNED) for owner in _owners(value)])
        return cls(content=content, row=SignedRow.parse(raw, rules))

    @property
    def signers(self) -> tuple[PublicKey, ...]:
        """Everybody who has to sign: the owner first."""
        return (self.row.owner, *self.row.co_owners)

    def sign(self, key: SigningKey) -> bytes:
        """Return the signature of one of the signers.

        Raises:
            Malformed: ``not-a-signer``.
        """
        if key.public not in self.signers:
            raise Malformed("this key is none of those that sign", code="not-a-signer")
        return sign_row_id(key, row_id(self.content))

    def complete(self, signatures: Mapping[PublicKey, bytes], rules: Rules = rule_of) -> SignedRow:
        """Return the row with everybody's signature, which was checked.

        Raises:
            Malformed: ``not-a-signer`` where one is missing, ``bad-signature``.
        """
        missing = [signer for signer in self.signers if signer not in signatures]
        if missing:
            raise Malformed(f"{len(missing)} have not signed yet", code="not-a-signer")
        signed = [(signer, signatures[signer]) for signer in self.signers]
        row = SignedRow.parse(wire_form(self.content, signed), rules)
        row.verify()
        return row


def draft_row(
    table: int,
    key_suffix: bytes,
    body: Body | None,
    *,
    owner: PublicKey,
    co_owners: tuple[PublicKey, ...],
    seq: int,
    period: int,
    slot: int,
    expires: int,
    rules: Rules = rule_of,
) -> Draft:
    """Return the draft of a row. ``body`` None deletes. The numbers are the owner's, as in
    ``make_row``.

    Raises:
        Malformed: as ``SignedRow.parse``.
    """
    content = row_content(
        table,
        key_suffix,
        body,
        owner=owner,
        co_owners=co_owners,
        numbers=(seq, period, slot, expires),
    )
    return Draft.parse(content, rules)


def _owners(value: encoding.Value) -> list[PublicKey]:
    """Return who has to sign; parsing looks at them as at all that came from outside."""
    if isinstance(value, list) and len(value) == _ROW_FIELDS and isinstance(value[-1], list):
        owners = [value[3], *value[-1]]
        if all(isinstance(owner, bytes) for owner in owners):
            return owners
    raise Malformed("not a row without its signatures", code="bad-row")
