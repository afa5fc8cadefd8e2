"""Storage receipts: a storage node's signature that it holds one whole share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bitcloud_net.core import encoding
from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files.xchacha import Buffer
from bitcloud_net.core.keys import KEY_BYTES, SIGNATURE_BYTES, NodeId, SigningKey, verify
from bitcloud_net.core.units import HASH_BYTES, MAX_SHARES

MAGIC: Final = b"BCSR"
MAX_RECEIPT_BYTES: Final = 256
"""Largest receipt; with every number at its largest it has 205 bytes."""

_VERSION: Final = 1
_KIND: Final = "storage-receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageReceipt:
    """``node`` says that it holds share ``share_no`` of the file ``cid``, since ``period``.

    ``share_root`` is the root that the node computed from the blocks it wrote, ``share_bytes``
    their length together.
    """

    cid: bytes
    share_no: int
    share_root: bytes
    share_bytes: int
    node: NodeId
    period: int
    signature: bytes

    @classmethod
    def build(
        cls,
        key: SigningKey,
        *,
        cid: bytes,
        share_no: int,
        share_root: bytes,
        share_bytes: int,
        period: int,
    ) -> StorageReceipt:
        """Return a receipt signed with the storage node's ``key``.

        Raises:
            Malformed: a field is out of range.
        """
        unsigned = cls(
            cid=cid,
            share_no=share_no,
            share_root=share_root,
            share_bytes=share_bytes,
            node=key.node_id,
            period=period,
            signature=bytes(SIGNATURE_BYTES),
        )
        _check(unsigned)
        signature = key.sign(_KIND, encoding.encode(unsigned._fields()))
        return cls(
            cid=cid,
            share_no=share_no,
            share_root=share_root,
            share_bytes=share_bytes,
            node=key.node_id,
            period=period,
            signature=signature,
        )

    def encode(self) -> bytes:
        """Return the receipt's bytes."""
        return MAGIC + encoding.encode([*self._fields(), self.signature])

    @classmethod
    def parse_and_verify(cls, data: Buffer) -> StorageReceipt:
        """Return the receipt whose bytes are ``data``, its signature checked.

        The caller compares node, file, share and root with what it asked for.

        Raises:
            Malformed: it is not one; ``bad-signature`` when only the signature is wrong.
        """
        raw = bytes(data)
        if raw[: len(MAGIC)] != MAGIC:
            raise Malformed("not a storage receipt")
        receipt = cls._from_fields(encoding.decode(raw[len(MAGIC) :], max_bytes=MAX_RECEIPT_BYTES))
        _check(receipt)
        message = encoding.encode(receipt._fields())
        verify(receipt.node, _KIND, message, receipt.signature)
        return receipt

    @classmethod
    def _from_fields(cls, value: encoding.Value) -> StorageReceipt:
        match value:
            case [int(version), *_] if version != _VERSION:
                raise Malformed("a receipt of an unknown version", code="unknown-version")
            case [
                int(),
                bytes(cid),
                int(share_no),
                bytes(share_root),
                int(share_bytes),
                bytes(node),
                int(period),
                bytes(signature),
            ]:
                return cls(
                    cid=cid,
                    share_no=share_no,
                    share_root=share_root,
                    share_bytes=share_bytes,
                    node=NodeId(node),
                    period=period,
                    signature=signature,
                )
        raise Malformed("a storage receipt has eight fields of fixed types")

    def _fields(self) -> list[encoding.Value]:
        return [
            _VERSION,
            self.cid,
            self.share_no,
            self.share_root,
            self.share_bytes,
            self.node,
            self.period,
        ]


def _check(receipt: StorageReceipt) -> None:
    lengths = (len(receipt.cid), len(receipt.share_root), len(receipt.node), len(receipt.signature))
    if lengths != (HASH_BYTES, HASH_BYTES, KEY_BYTES, SIGNATURE_BYTES):
        raise Malformed("an id, root or signature in a receipt has a wrong length")
    if not 0 <= receipt.share_no < MAX_SHARES or receipt.share_bytes < 1 or receipt.period < 0:
        raise Malformed("a number in a receipt is out of range")
