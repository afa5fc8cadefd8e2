"""Intel's ISA-L as a fast engine for zfec's code, when the machine has it.

ISA-L multiplies in the same field GF(256) with the polynomial 0x11d; fed with zfec's matrix it
gives zfec's bytes, which ``core.files.erasure`` checks before it uses this. It is called through
ctypes, which frees the interpreter lock during each call. Loading a shared library is the only
contact with the machine here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from bitcloud_net.core.files.code import CodeParams
from bitcloud_net.core.files.xchacha import Buffer

Library: TypeAlias = ctypes.CDLL

LIBRARY_NAMES: Final = ("libisal.so.2", "libisal.2.dylib", "libisal.dylib", "isal.dll")
"""Names of version 2 of the library on Linux, macOS and Windows."""

_TABLE_BYTES: Final = 32  # ISA-L's lookup table for one matrix element
_CACHED_SETS: Final = 64  # block sets whose inverse is kept; one file is read from one or two sets


def load() -> Library | None:
    """Return the library with its functions declared, or None when the machine does not have it."""
    for name in LIBRARY_NAMES:
        try:
            library = ctypes.CDLL(name)
            _declare(library)
        except (OSError, AttributeError):  # not installed, or not the library it is named after
            continue
        return library
    return None


class IsalEngine:
    """The code of one (k, n) through ISA-L; see ``erasure.Engine``.

    ``matrix`` is the coding matrix, n rows of k bytes; the first k are the identity.
    """

    def __init__(self, library: Library, params: CodeParams, matrix: bytes) -> None:
        self._library = library
        self._k, self._n = params.k, params.n
        self._matrix = matrix
        self._parity_tables = self._tables(matrix[params.k * params.k :])
        self._restoring = lru_cache(maxsize=_CACHED_SETS)(self._restoring_tables)

    def fill_parity(self, blocks: bytearray, block_bytes: int) -> None:
        """See ``Engine``."""
        array, start = _address(blocks)
        places = [start + number * block_bytes for number in range(self._n)]
        self._multiply(block_bytes, self._parity_tables, places[: self._k], places[self._k :])
        del array  # held until here: the library wrote through its address

    def restore(
        self, data: bytearray, block_bytes: int, numbers: Sequence[int], blocks: Sequence[Buffer]
    ) -> None:
        """See ``Engine``."""
        wanted = [place for place in range(self._k) if numbers[place] != place]
        parity = bytearray(b"".join(blocks[place] for place in wanted))
        data_array, data_start = _address(data)
        parity_array, parity_start = _address(parity)
        outputs = bytearray(len(parity))
        output_array, output_start = _address(outputs)
        sources = [data_start + place * block_bytes for place in range(self._k)]
        for at, place in enumerate(wanted):
            sources[place] = parity_start + at * block_bytes
        targets = [output_start + at * block_bytes for at in range(len(wanted))]
        self._multiply(block_bytes, self._restoring(tuple(numbers)), sources, targets)
        del data_array, parity_array, output_array
        for at, place in enumerate(wanted):
            data[place * block_bytes : (place + 1) * block_bytes] = outputs[
                at * block_bytes : (at + 1) * block_bytes
            ]

    def _restoring_tables(self, numbers: tuple[int, ...]) -> ctypes.Array[ctypes.c_char]:
        """Return the tables that turn blocks ``numbers`` into the data blocks not among them."""
        k = self._k
        rows = b"".join(self._matrix[number * k : (number + 1) * k] for number in numbers)
        matrix = ctypes.create_string_buffer(rows, k * k)
        inverse = ctypes.create_string_buffer(k * k)
        if self._library.gf_invert_matrix(matrix, inverse, k):
            raise AssertionError("a set of k distinct rows of the matrix is always invertible")
        wanted = [place for place in range(k) if numbers[place] != place]
        return self._tables(b"".join(inverse.raw[place * k : (place + 1) * k] for place in wanted))

    def _tables(self, rows: bytes) -> ctypes.Array[ctypes.c_char]:
        tables = ctypes.create_string_buffer(max(1, len(rows)) * _TABLE_BYTES)
        if rows:
            self._library.ec_init_tables(self._k, len(rows) // self._k, rows, tables)
        return tables

    def _multiply(
        self,
        block_bytes: int,
        tables: ctypes.Array[ctypes.c_char],
        sources: Sequence[int],
        targets: Sequence[int],
    ) -> None:
        self._library.ec_encode_data(
            block_bytes, self._k, len(targets), tables, _pointers(sources), _pointers(targets)
        )


def _declare(library: Library) -> None:
    integer, pointer = ctypes.c_int, ctypes.c_void_p
    library.ec_init_tables.argtypes = [integer, integer, ctypes.c_char_p, pointer]
    library.ec_init_tables.restype = None
    library.ec_encode_data.argtypes = [integer, integer, integer, pointer, pointer, pointer]
    library.ec_encode_data.restype = None
    library.gf_invert_matrix.argtypes = [pointer, pointer, integer]
    library.gf_invert_matrix.restype = integer


def _address(array: bytearray) -> tuple[ctypes.Array[ctypes.c_char], int]:
    """Return an object that pins ``array`` in memory, and the array's address."""
    pinned = (ctypes.c_char * len(array)).from_buffer(array)
    return pinned, ctypes.addressof(pinned)


def _pointers(addresses: Sequence[int]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(addresses))(*addresses)
