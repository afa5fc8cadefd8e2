"""Storage receipts: the node's own word, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files.receipt import MAGIC, MAX_RECEIPT_BYTES, StorageReceipt
from bitcloud_net.core.keys import SigningKey
from tests.core.properties import hashes, quick

KEY = SigningKey(bytes(range(32)))


def receipt(key: SigningKey = KEY) -> StorageReceipt:
    return StorageReceipt.build(
        key, cid=bytes(32), share_no=7, share_root=b"r" * 32, share_bytes=12_345, period=99
    )


@quick
@given(hashes, st.integers(0, 127), hashes, st.integers(1, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_round_trip(cid: bytes, number: int, root: bytes, size: int, period: int) -> None:
    made = StorageReceipt.build(
        KEY, cid=cid, share_no=number, share_root=root, share_bytes=size, period=period
    )
    data = made.encode()
    assert len(data) <= MAX_RECEIPT_BYTES
    assert StorageReceipt.parse_and_verify(data) == made
    assert made.node == KEY.node_id


def test_every_changed_bit_is_found() -> None:
    data = receipt().encode()
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Malformed):
            StorageReceipt.parse_and_verify(changed)


def test_receipt_of_one_node_cannot_name_another() -> None:
    mine = receipt().encode()
    other = SigningKey(bytes(32))
    with pytest.raises(Malformed) as caught:
        StorageReceipt.parse_and_verify(mine.replace(KEY.public, other.public))
    assert caught.value.code == "bad-signature"


@quick
@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    for raw in (data, MAGIC + data):
        with pytest.raises(Malformed):
            StorageReceipt.parse_and_verify(raw)


@pytest.mark.parametrize(
    "wrong", [{"cid": b""}, {"share_no": 128}, {"share_bytes": 0}, {"period": -1}]
)
def test_what_no_reader_accepts_is_never_signed(wrong: dict[str, Any]) -> None:
    args: dict[str, Any] = {"cid": bytes(32), "share_no": 0, "share_root": bytes(32)}
    args |= {"share_bytes": 1, "period": 0}
    with pytest.raises(Malformed):
        StorageReceipt.build(KEY, **(args | wrong))
