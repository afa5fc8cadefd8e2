"""Range-based set reconciliation in the negentropy V1 wire format. Pure.

Two sides hold sets of items sorted by (period, id). The initiator sends fingerprints of ranges;
where one differs the responder cuts the range in 16, or lists the ids when there are few; in turn,
until the initiator knows what it has and what it needs. The responder keeps no state between
messages.

Format (hoytech/negentropy, ``docs/negentropy-protocol-v1.md``)::

    message     = 0x61, range …
    range       = upper bound, mode (varint), payload
    bound       = varint(0: infinity, else 1 + period - period of the bound before),
                  varint(length), prefix of an id
    payload     = nothing (0, skip) | 16-byte fingerprint (1) | varint(count), 32-byte ids (2)
    varint      = base 128, most significant digit first, high bit on all digits but the last
    fingerprint = first 16 bytes of SHA-256(sum of the ids mod 2^256, little endian ||
    varint(count))
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from bitcloud_net.core.errors import Malformed
from bitcloud_net.wire.range_index import ITEM_BYTES, PERIOD_BYTES, id_of

VERSION: Final = 0x61
ID_BYTES: Final = 32
FINGERPRINT_BYTES: Final = 16
MAX_U64: Final = 2**64 - 1

SKIP, FINGERPRINT, ID_LIST = 0, 1, 2

BUCKETS: Final = 16
"""Ranges that a differing one is cut into: 8 saves a third of the bytes for one more round trip, 64
triples them to save one (measured; nodepool-sync.md, section 4)."""
MAX_RANGES: Final = 8_192
"""Ranges in one message. A full frame of 64 KiB of fingerprints has 3,400."""
MAX_MESSAGE_BYTES: Final = 64 * 1024
"""Largest message taken; one sent stays a little below by its frame limit."""
_SLACK_BYTES: Final = 200  # for the range that ends a message which is full

_INFINITY: Final = b"\xff" * ITEM_BYTES
_MODULUS: Final = 1 << 256


class SortedItems(Protocol):
    """The set being reconciled; ``RangeIndex`` is one."""

    def __len__(self) -> int: ...

    def item(self, at: int) -> bytes:
        """Return the item with this number."""

    def items(self, lower: int, upper: int) -> Sequence[bytes]:
        """Return the items from number ``lower`` to before ``upper``."""

    def lower_bound(self, bound: bytes) -> int:
        """Return the number of items smaller than ``bound``."""

    def total(self, lower: int, upper: int) -> int:
        """Return the sum of the ids of a range, as little-endian numbers."""


@dataclass(slots=True)
class Step:
    """What one message led to. The initiator is done when ``message`` is None.

    An id may be named again in a later step: the fingerprint that ends a full message covers ranges
    that were compared before.
    """

    message: bytes | None
    have: list[bytes] = field(default_factory=list)  # ids that only we have
    need: list[bytes] = field(default_factory=list)  # ids that only the other side has


def fingerprint(items: SortedItems, lower: int, upper: int) -> bytes:
    """Return the fingerprint of the items from number ``lower`` to before ``upper``."""
    total = items.total(lower, upper) % _MODULUS
    data = total.to_bytes(ID_BYTES, "little") + varint(upper - lower)
    return hashlib.sha256(data).digest()[:FINGERPRINT_BYTES]


def initiate(items: SortedItems, *, max_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """Return the initiator's first message."""
    writer = _Writer(max_bytes)
    writer.split(items, 0, len(items), _INFINITY)
    return writer.finish()


def respond(items: SortedItems, query: bytes, *, max_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """Return the responder's answer to ``query``.

    Raises:
        Malformed: the query is not a message of this version.
    """
    message = _reconcile(items, query, max_bytes, None)
    assert message is not None
    return message


def proceed(items: SortedItems, answer: bytes, *, max_bytes: int = MAX_MESSAGE_BYTES) -> Step:
    """Return what the initiator learns from an answer, and its next message.

    Raises:
        Malformed: the answer is not a message of this version.
    """
    step = Step(message=None)
    step.message = _reconcile(items, answer, max_bytes, step)
    return step


def varint(number: int) -> bytes:
    """Return a number as digits of 7 bits, the most significant first."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def _reconcile(items: SortedItems, query: bytes, max_bytes: int, step: Step | None) -> bytes | None:
    """Go through the ranges of a message; with a ``step`` as the initiator."""
    reader = _Reader(query)
    writer = _Writer(max_bytes)
    lower = ranges = 0
    while reader.more and not writer.is_full:
        bound, mode = reader.bound(), reader.varint()
        ranges += 1
        if ranges > MAX_RANGES:
            raise Malformed(f"more than {MAX_RANGES} ranges", code="bad-reconciliation")
        upper = max(lower, items.lower_bound(bound))
        if mode == FINGERPRINT:
            _compare(items, reader, writer, (lower, upper), bound)
        elif mode == ID_LIST:
            upper = _take_ids(items, reader, writer, (lower, upper), bound, step)
        elif mode == SKIP:
            writer.skip(bound)
        else:
            raise Malformed(f"range mode {mode}", code="bad-reconciliation")
        lower = writer.keep_or_cut(items, lower, upper)
    message = writer.finish()
    return None if step is not None and len(message) == 1 else message


def _compare(
    items: SortedItems, reader: _Reader, writer: _Writer, span: tuple[int, int], bound: bytes
) -> None:
    if reader.take(FINGERPRINT_BYTES) == fingerprint(items, *span):
        writer.skip(bound)
    else:
        writer.split(items, *span, bound)


def _take_ids(
    items: SortedItems,
    reader: _Reader,
    writer: _Writer,
    span: tuple[int, int],
    bound: bytes,
    step: Step | None,
) -> int:
    count = reader.varint()
    theirs = [reader.take(ID_BYTES) for _ in range(count)]
    if step is None:
        return writer.ids_that_fit(items, *span, bound)
    ours = dict.fromkeys(id_of(item) for item in items.items(*span))
    others = dict.fromkeys(theirs)
    step.have += [row_id for row_id in ours if row_id not in others]
    step.need += [row_id for row_id in others if row_id not in ours]
    writer.skip(bound)
    return span[1]


class _Reader:
    """Takes a message apart."""

    def __init__(self, message: bytes) -> None:
        if len(message) > MAX_MESSAGE_BYTES:
            raise Malformed("message too large", code="bad-reconciliation")
        self._data = message
        self._at = 0
        self._period = 0
        if self.take(1)[0] != VERSION:
            raise Malformed("another version of reconciliation", code="bad-reconciliation")

    @property
    def more(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise Malformed("message ends too early", code="bad-reconciliation")
        self._at += count
        return taken

    def varint(self) -> int:
        number = 0
        while True:
            (digit,) = self.take(1)
            number = number << 7 | digit & 0x7F
            if number > MAX_U64:
                raise Malformed("number beyond 64 bits", code="bad-reconciliation")
            if not digit & 0x80:
                return number

    def bound(self) -> bytes:
        offset = self.varint()
        length = self.varint()
        if length > ID_BYTES:
            raise Malformed("bound longer than an id", code="bad-reconciliation")
        prefix = self.take(length)
        # Once infinite, always infinite: no item comes after, so the rest compares empty ranges.
        self._period = MAX_U64 if not offset else min(MAX_U64, self._period + offset - 1)
        if self._period == MAX_U64:
            return _INFINITY
        return self._period.to_bytes(PERIOD_BYTES, "big") + prefix


class _Writer:
    """Puts a message together, within its limit."""

    def __init__(self, max_bytes: int) -> None:
        self._out = bytearray([VERSION])
        self._limit = max_bytes - _SLACK_BYTES
        self._period = 0
        self._skipped: bytes | None = None
        self._kept: tuple[int, int, bytes | None] = (1, 0, None)  # the last state that fits
        self.is_full = False

    def skip(self, bound: bytes) -> None:
        """Leave everything up to ``bound`` alone; written only when something follows."""
        self._skipped = bound

    def split(self, items: SortedItems, lower: int, upper: int, bound: bytes) -> None:
        """Write fingerprints of the 16 parts of a range, or its ids when they are few."""
        self._write_skip()
        count = upper - lower
        if count < 2 * BUCKETS:
            self._write_ids(items.items(lower, upper), bound)
            return
        at = lower
        for bucket in range(BUCKETS):
            end = at + count // BUCKETS + (bucket < count % BUCKETS)
            limit = bound if end == upper else _between(items.item(end - 1), items.item(end))
            self._head(limit, FINGERPRINT)
            self._out += fingerprint(items, at, end)
            at = end

    def ids_that_fit(self, items: SortedItems, lower: int, upper: int, bound: bytes) -> int:
        """Write the ids of a range as far as the message goes; return where it stopped."""
        self._write_skip()
        room = max(0, self._limit - len(self._out)) // ID_BYTES + 1
        if upper - lower > room:
            upper = lower + room
            bound = items.item(upper)
        self._write_ids(items.items(lower, upper), bound)
        self._keep()
        return upper

    def keep_or_cut(self, items: SortedItems, lower: int, upper: int) -> int:
        """Keep what was written for the range from ``lower`` to ``upper`` and return ``upper``;
        when it is too long take it back, and end the message with one fingerprint of all the rest.
        """
        if len(self._out) <= self._limit:
            self._keep()
            return upper
        length, period, skipped = self._kept
        rest = upper if length == len(self._out) else lower
        del self._out[length:]
        self._period, self._skipped = period, skipped
        self._write_skip()
        self._head(_INFINITY, FINGERPRINT)
        self._out += fingerprint(items, rest, len(items))
        self.is_full = True
        return rest

    def _keep(self) -> None:
        self._kept = (len(self._out), self._period, self._skipped)

    def finish(self) -> bytes:
        """Return the message. A last skipped range goes without saying."""
        return bytes(self._out)

    def _write_ids(self, items: Sequence[bytes], bound: bytes) -> None:
        self._head(bound, ID_LIST)
        self._out += varint(len(items))
        self._out += b"".join(map(id_of, items))

    def _write_skip(self) -> None:
        if self._skipped is not None:
            self._head(self._skipped, SKIP)
            self._skipped = None

    def _head(self, bound: bytes, mode: int) -> None:
        if bound == _INFINITY:
            self._out += b"\0\0"
        else:
            period = int.from_bytes(bound[:PERIOD_BYTES], "big")
            prefix = bound[PERIOD_BYTES:]
            self._out += varint(1 + period - self._period) + varint(len(prefix)) + prefix
            self._period = period
        self._out += varint(mode)


def _between(before: bytes, after: bytes) -> bytes:
    """Return the shortest bound above ``before`` and not above ``after``."""
    if before[:PERIOD_BYTES] != after[:PERIOD_BYTES]:
        return after[:PERIOD_BYTES]
    length = PERIOD_BYTES
    while before[length] == after[length]:
        length += 1
    return after[: length + 1]
