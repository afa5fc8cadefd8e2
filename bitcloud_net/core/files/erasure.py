"""Erasure code: one sealed segment into n blocks, and any k blocks back.

The format is zfec's: a systematic Reed-Solomon code over GF(256), so blocks 0 to k-1 are the data
itself. Two engines compute it: zfec, which always works, and Intel's ISA-L (``core.files.isal``),
driven with zfec's own matrix, which gives the same bytes 15 to 30 times faster. Nothing reaches
either of them unchecked: zfec 1.6 spins for ever on a duplicate block number and silently returns
wrong data on others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import zfec

from bitcloud_net.core.errors import Malformed
from bitcloud_net.core.files import isal
from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.xchacha import Buffer


class Engine(Protocol):
    """What computes the code for one (k, n). Its caller has checked every argument."""

    def fill_parity(self, blocks: bytearray, block_bytes: int) -> None:
        """Write blocks k to n-1 behind the k data blocks, in one array of n blocks."""

    def restore(
        self, data: bytearray, block_bytes: int, numbers: Sequence[int], blocks: Sequence[Buffer]
    ) -> None:
        """Write the missing data blocks into ``data``, where those present are in place already.

        ``blocks[i]`` is block ``numbers[i]``; there are k, and ``numbers[i] == i`` for every data
        block present.
        """


class Coder:
    """The erasure code of one (k, n). Safe to use from several threads at once."""

    def __init__(self, k: int, n: int, engine: Engine | None = None) -> None:
        self.params = CodeParams(k, n)
        self._engine = ZfecEngine(self.params) if engine is None else engine

    @property
    def k(self) -> int:
        """How many blocks are enough."""
        return self.params.k

    @property
    def n(self) -> int:
        """How many blocks there are."""
        return self.params.n

    def encode(self, sealed: Buffer) -> list[memoryview]:
        """Return the n blocks of a sealed segment, ``ceil(len(sealed) / k)`` bytes each.

        The blocks are views into one new array, which the caller owns.

        Raises:
            Malformed: ``sealed`` is empty.
        """
        size = self.params.block_bytes(_not_empty(len(sealed)))
        blocks = bytearray(self.n * size)
        blocks[: len(sealed)] = sealed
        return self.encode_in_place(blocks, size)

    def encode_in_place(self, blocks: bytearray, block_bytes: int) -> list[memoryview]:
        """Fill the blocks behind the data in ``blocks`` (n times ``block_bytes``); return n views.

        Raises:
            Malformed: the array has another length.
        """
        if len(blocks) != self.n * _not_empty(block_bytes):
            raise Malformed("the array does not have room for n blocks")
        if self.n > self.k:
            self._engine.fill_parity(blocks, block_bytes)
        view = memoryview(blocks)
        return [view[at : at + block_bytes] for at in range(0, len(blocks), block_bytes)]

    def decode(self, blocks: Mapping[int, Buffer], sealed_bytes: int) -> bytes:
        """Return the sealed segment of ``sealed_bytes`` bytes from at least k blocks by number.

        With more than k, data blocks and then low numbers are preferred. The result is only as good
        as the blocks: check them before, and the segment's hash after.

        Raises:
            Malformed: ``bad-blocks``: too few, a number out of range, a wrong length;
                ``inconsistent-shares``: the filling behind the segment is not zero.
        """
        return bytes(self.decode_view(blocks, sealed_bytes))

    def decode_view(self, blocks: Mapping[int, Buffer], sealed_bytes: int) -> memoryview:
        """Like ``decode``, but return a view into a new array instead of a copy."""
        size = self.params.block_bytes(_not_empty(sealed_bytes))
        _guard(blocks, self.params, size)
        chosen = sorted(blocks)[: self.k]
        data = bytearray(self.k * size)
        for number in chosen:
            if number < self.k:
                data[number * size : (number + 1) * size] = blocks[number]
        if chosen[-1] >= self.k:
            numbers = _in_place(chosen, self.k)
            self._engine.restore(data, size, numbers, [blocks[number] for number in numbers])
        if any(data[sealed_bytes:]):
            raise Malformed(
                "the filling behind the segment is not zero", code="inconsistent-shares"
            )
        return memoryview(data)[:sealed_bytes]


class ZfecEngine:
    """The code through zfec."""

    def __init__(self, params: CodeParams) -> None:
        self._k, self._n = params.k, params.n
        self._encoder = zfec.Encoder(params.k, params.n)
        self._decoder = zfec.Decoder(params.k, params.n)

    def fill_parity(self, blocks: bytearray, block_bytes: int) -> None:
        """See ``Engine``."""
        view = memoryview(blocks)
        data = [view[i * block_bytes : (i + 1) * block_bytes] for i in range(self._k)]
        parity = self._encoder.encode(data, tuple(range(self._k, self._n)))
        for number, block in enumerate(parity, self._k):
            view[number * block_bytes : (number + 1) * block_bytes] = block

    def restore(
        self, data: bytearray, block_bytes: int, numbers: Sequence[int], blocks: Sequence[Buffer]
    ) -> None:
        """See ``Engine``."""
        whole = self._decoder.decode(list(blocks), list(numbers))
        for number, block in enumerate(whole):
            data[number * block_bytes : (number + 1) * block_bytes] = block


def zfec_matrix(params: CodeParams) -> bytes:
    """Return zfec's coding matrix, n rows of k bytes: what it makes of the k unit vectors."""
    encoder = zfec.Encoder(params.k, params.n)
    columns = []
    for one in range(params.k):
        unit = [b"\x01" if at == one else b"\x00" for at in range(params.k)]
        columns.append(b"".join(encoder.encode(unit, tuple(range(params.n)))))
    return bytes(column[row] for row in range(params.n) for column in columns)


class _Choice:
    """Which engine new coders get: set once at the start of a program, before the first coder."""

    name: str = "auto"


def use_engine(name: str) -> None:
    """Choose the engine of coders made from now on: ``zfec``, ``isal``, or ``auto`` for the faster.

    Raises:
        ValueError: another name, or ``isal`` on a machine that does not have the library.
    """
    if name not in ("auto", "zfec", "isal"):
        raise ValueError(f"there is no erasure engine {name!r}")
    if name == "isal" and _isal_library() is None:
        raise ValueError("the ISA-L library is not installed, or failed its check")
    _Choice.name = name
    get_coder.cache_clear()


def engine_name() -> str:
    """Return the name of the engine in use: ``zfec`` or ``isal``."""
    return "zfec" if _Choice.name == "zfec" or _isal_library() is None else "isal"


@lru_cache(maxsize=256)
def get_coder(k: int, n: int) -> Coder:
    """Return the coder of (k, n), made once and shared.

    Raises:
        Malformed: there is no such code.
    """
    params = CodeParams(k, n)
    library = _isal_library()
    if library is None or _Choice.name == "zfec":
        return Coder(k, n)
    return Coder(k, n, isal.IsalEngine(library, params, zfec_matrix(params)))


@lru_cache(maxsize=1)
def _isal_library() -> isal.Library | None:
    """Return ISA-L when it is here and gives zfec's bytes for one sample, both ways."""
    library = isal.load()
    if library is None:
        return None
    params = CodeParams(3, 10)
    fast = Coder(params.k, params.n, isal.IsalEngine(library, params, zfec_matrix(params)))
    sample = bytes((at * 167 + at // 251) & 0xFF for at in range(3001))
    blocks = fast.encode(sample)
    if blocks != Coder(params.k, params.n).encode(sample):
        return None
    restored = fast.decode({number: blocks[number] for number in (9, 4, 7)}, len(sample))
    return library if restored == sample else None


def _guard(blocks: Mapping[int, Buffer], params: CodeParams, block_bytes: int) -> None:
    if len(blocks) < params.k:
        raise Malformed(f"{len(blocks)} blocks, {params.k} are needed", code="bad-blocks")
    for number, block in blocks.items():
        if not 0 <= number < params.n:
            raise Malformed(f"there is no block {number}", code="bad-blocks")
        if len(block) != block_bytes:
            raise Malformed(f"block {number} has a wrong length", code="bad-blocks")


def _in_place(chosen: Sequence[int], k: int) -> list[int]:
    """Order k block numbers so that every data block stands at its own place, as zfec wants it."""
    parity = iter([number for number in chosen if number >= k])
    present = frozenset(chosen)
    return [place if place in present else next(parity) for place in range(k)]


def _not_empty(size: int) -> int:
    if size < 1:
        raise Malformed("nothing to code", code="bad-blocks")
    return size
