"""The payloads of the sync protocol: lists of small things back to back (``wire.sync_session``)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.keys import KEY_BYTES, SIGNATURE_BYTES, PublicKey
from bitcloud_net.core.nodepool.mandates import Mandate
from bitcloud_net.core.nodepool.shards import LIGHT, MAX_DEPTH
from bitcloud_net.core.units import HASH_BYTES, KIB
from bitcloud_net.wire.negentropy import FINGERPRINT_BYTES

MAX_SETS: Final = 1024
"""Sets in one ``Hello``; applications' tables are sets too."""
MAX_WANT: Final = 512
"""Ids in one ``Want``: 16 KiB."""
MAX_LOOK: Final = 512
"""Keys in one ``Look``: at most 69 KiB."""
MAX_KEY_BYTES: Final = 128
"""Longer than any table's: an owner, two keys beside it and a number have 104."""
SHORT_ID_BYTES: Final = 8
"""So much of a row's id tells whether two sides hold the same row of a key."""
MAX_BATCH_ROWS: Final = 512
MAX_BATCH_BYTES: Final = 256 * KIB
"""Rows in one message; what one transaction takes without holding readers up."""

_DEPTH = struct.Struct(">IB")
_STATE = struct.Struct(f">IBQ{FINGERPRINT_BYTES}s")
_MANDATE = struct.Struct(f"{KEY_BYTES}s{SIGNATURE_BYTES}s")
_LENGTH = struct.Struct(">H")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDepth:
    """A set that this session compares, and how deep the asking side has cut it."""

    set: int
    depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetState:
    """A set as the answering side has it for this session: how many items, and the fingerprint of
    all of them, at the places that both keep.
    """

    set: int
    depth: int = 0  # of the answering side
    count: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """A row's key, and the beginning of the id of the row that is held under it; empty: none."""

    key: bytes
    short_id: bytes = b""


def batches(raws: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Cut rows into batches that one message takes, keeping their order."""
    cut: list[tuple[bytes, ...]] = []
    batch: list[bytes] = []
    size = 0
    for raw in raws:
        if len(batch) == MAX_BATCH_ROWS or size + len(raw) > MAX_BATCH_BYTES:
            cut.append(tuple(batch))
            batch, size = [], 0
        batch.append(raw)
        size += len(raw)
    return [*cut, tuple(batch)] if batch else cut


def pack_rows(raws: Sequence[bytes]) -> bytes:
    """Return rows back to back, each with its length in two bytes in front."""
    return b"".join(_LENGTH.pack(len(raw)) + raw for raw in raws)


def unpack_rows(data: bytes) -> tuple[bytes, ...]:
    """Return what ``pack_rows`` packed.

    Raises:
        Malformed: a length that leads past the end, or more rows than allowed.
    """
    raws = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + _LENGTH.size], "big")
        at += _LENGTH.size
        if at + length > len(data):
            raise Malformed("rows end too early")
        raws.append(data[at : at + length])
        at += length
    if len(raws) > MAX_BATCH_ROWS:
        raise Malformed(f"more than {MAX_BATCH_ROWS} rows in one message")
    return tuple(raws)


def pack_mandates(mandates: Iterable[Mandate]) -> bytes:
    """Return mandates back to back, 96 bytes each."""
    return b"".join(_MANDATE.pack(item.key, item.signature) for item in mandates)


def unpack_mandates(data: bytes, count: int) -> tuple[tuple[Mandate, ...], bytes]:
    """Return the first ``count`` mandates, and what follows them.

    Raises:
        Malformed: there are not so many.
    """
    end = count * _MANDATE.size
    if len(data) < end:
        raise Malformed("mandates end too early")
    mandates = tuple(
        Mandate(key=PublicKey(key), signature=signature)
        for key, signature in _MANDATE.iter_unpack(data[:end])
    )
    return mandates, data[end:]


def pack_depths(sets: Iterable[SetDepth]) -> bytes:
    """Return sets and depths back to back."""
    return b"".join(_DEPTH.pack(item.set, item.depth) for item in sets)


def unpack_depths(data: bytes) -> tuple[SetDepth, ...]:
    """Return what ``pack_depths`` packed.

    Raises:
        Malformed: a wrong length, a set named twice, or a depth that there is not.
    """
    _check_sets(data, _DEPTH.size)
    sets = tuple(
        SetDepth(set=number, depth=_depth(depth)) for number, depth in _DEPTH.iter_unpack(data)
    )
    _check_once(sets)
    return sets


def pack_states(states: Iterable[SetState]) -> bytes:
    """Return states back to back."""
    return b"".join(_STATE.pack(s.set, s.depth, s.count, s.fingerprint) for s in states)


def unpack_states(data: bytes) -> tuple[SetState, ...]:
    """Return what ``pack_states`` packed.

    Raises:
        Malformed: a wrong length, a set named twice, or a depth that there is not.
    """
    _check_sets(data, _STATE.size)
    states = tuple(
        SetState(set=number, depth=_depth(depth), count=count, fingerprint=fingerprint)
        for number, depth, count, fingerprint in _STATE.iter_unpack(data)
    )
    _check_once(states)
    return states


def pack_glances(glances: Iterable[Glance]) -> bytes:
    """Return keys back to back: length of the key (1 byte), length of the short id (1), both."""
    return b"".join(
        bytes([len(item.key), len(item.short_id)]) + item.key + item.short_id for item in glances
    )


def unpack_glances(data: bytes) -> tuple[Glance, ...]:
    """Return what ``pack_glances`` packed.

    Raises:
        Malformed: a length that is not allowed or leads past the end, or too many keys.
    """
    glances: list[Glance] = []
    at = 0
    while at < len(data):
        lengths = data[at : at + 2]
        key_end = at + 2 + lengths[0]
        end = key_end + lengths[-1]
        if len(lengths) != 2 or end > len(data) or len(glances) == MAX_LOOK:
            raise Malformed("keys that end too early, or too many")
        if not KEY_BYTES <= lengths[0] <= MAX_KEY_BYTES or lengths[1] not in (0, SHORT_ID_BYTES):
            raise Malformed("a key or an id of a wrong length")
        glances.append(Glance(key=data[at + 2 : key_end], short_id=data[key_end:end]))
        at = end
    return tuple(glances)


def unpack_ids(data: bytes) -> tuple[bytes, ...]:
    """Return ids that lie back to back.

    Raises:
        Malformed: a wrong length, or more than ``MAX_WANT``.
    """
    if len(data) % HASH_BYTES or len(data) > MAX_WANT * HASH_BYTES:
        raise Malformed("ids of a wrong length")
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def _check_sets(data: bytes, size: int) -> None:
    if len(data) % size or len(data) > MAX_SETS * size:
        raise Malformed("sets of a wrong length")


def _check_once(sets: Sequence[SetDepth | SetState]) -> None:
    if len({item.set for item in sets}) != len(sets):
        raise Malformed("a set is named twice")


def _depth(depth: int) -> int:
    if depth > MAX_DEPTH and depth != LIGHT:
        raise Malformed(f"a depth of {depth}")
    return depth
